# SPDX-License-Identifier: Apache-2.0
"""A Studio workspace on localhost: the API's endpoints, quirks and limits, on a world that is deterministic by seed.

Needs the extra `emulator`. Facts about the API that nobody could check live are listed in docs/unverified.md.
"""

from airflow_provider_studio.extras import needs_extra

with needs_extra("emulator", "The emulator"):
    from airflow_provider_studio.emulator.control_client import EmulatorControl
    from airflow_provider_studio.emulator.server import StudioEmulator

__all__ = ["EmulatorControl", "StudioEmulator"]
