# SPDX-License-Identifier: Apache-2.0
"""The time zones of schedules, which the client knows too."""

from airflow_provider_studio.client.time_zones import ZONES

__all__ = ["ZONES"]
