# SPDX-License-Identifier: Apache-2.0
"""Take past nightly snapshots of an emulated workspace while its clock moves through the last months.

View counts are totals, so the first night cannot prove that a Report had no views; the demo starts after a season of
nights.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from upath import UPath

from airflow_provider_studio.client.auth import Credentials
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.ratelimit import RateLimiter
from airflow_provider_studio.emulator import EmulatorControl
from airflow_provider_studio.governance.inventory.inventory import take_inventory

NIGHTS_AGO = (120, 100, 60, 30, 7, 1)


def take_past_snapshots(
    control: EmulatorControl, credentials: Credentials, storage: UPath, *, say: Callable[[str], None]
) -> None:
    """Take the snapshots without a rate limit, then restore the present time and the limit."""
    present = datetime.now(UTC)
    control.set_rate_limit(enabled=False)
    with StudioClient(credentials, limiter=RateLimiter.unlimited()) as client:
        for number, days in enumerate(NIGHTS_AGO, start=1):
            night = present - timedelta(days=days)
            control.set_clock(night)
            summary = take_inventory(client, storage, now=lambda night=night: night)
            say(f"past night {number} of {len(NIGHTS_AGO)}, {night:%Y-%m-%d}: {summary.reports:,} Reports")
    control.set_clock(datetime.now(UTC))
    control.set_rate_limit(enabled=True)
    control.clear_requests()
