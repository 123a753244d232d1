# SPDX-License-Identifier: Apache-2.0
"""A Studio workspace on localhost: the API's endpoints, quirks and limits. A seed determines what is in it.

Needs the extra `emulator`. docs/unverified.md lists the facts about the API that were not checked on a live workspace.
"""

from airflow_provider_studio.extras import needs_extra

with needs_extra("emulator", "The emulator"):
    from airflow_provider_studio.emulator.control_client import EmulatorControl
    from airflow_provider_studio.emulator.server import StudioEmulator

__all__ = ["EmulatorControl", "StudioEmulator"]
