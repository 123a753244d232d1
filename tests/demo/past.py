# SPDX-License-Identifier: Apache-2.0
"""Take past nightly snapshots of an emulated workspace while its clock moves through the last months.

View counts are totals, so the first night cannot prove that a Report had no views; the demo starts after a season of
nights.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from upath import UPath

from airflow_provider_studio.client.auth import Credentials
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.ratelimit import RateLimiter
from airflow_provider_studio.emulator import EmulatorControl
from airflow_provider_studio.governance.inventory.inventory import take_inventory
from tests.demo.progress import DemoOutput

NIGHTS_AGO = (120, 100, 60, 30, 7, 1)


def take_past_snapshots(control: EmulatorControl, credentials: Credentials, storage: UPath, output: DemoOutput) -> int:
    """Take the snapshots without a rate limit, then restore the present time and the limit.

    Returns how many requests the last one took.
    """
    present = datetime.now(UTC)
    control.set_rate_limit(enabled=False)
    requests = 0
    with StudioClient(credentials, limiter=RateLimiter.unlimited()) as client:
        for number, days in enumerate(NIGHTS_AGO):
            output.show("past nights", number, len(NIGHTS_AGO), "snapshots")
            night = present - timedelta(days=days)
            control.set_clock(night)
            summary = take_inventory(client, storage, now=lambda night=night: night)
            requests = summary.requests_spent
        output.end()
        output.say(f"{len(NIGHTS_AGO)} past nights, the last with {summary.reports:,} Reports")
    control.set_clock(datetime.now(UTC))
    control.set_rate_limit(enabled=True)
    control.clear_requests()
    return requests
