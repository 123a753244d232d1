# SPDX-License-Identifier: Apache-2.0
"""An inventory beside the loop that asks for the schedules of every Report, both at the true rate limit.

`python -m tests.benchmarks.inventory` (about 8 minutes at 2,000 Reports). Both run at the same time, each against an
emulator of its own, so that their ratio holds whatever else the machine is doing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from airflow_provider_studio.client.api import StudioClient
from airflow_provider_studio.client.ratelimit import RateLimiter
from airflow_provider_studio.client.ratelimit.stores import MemoryStore
from airflow_provider_studio.client.tokens import Credentials, TokenKind
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.inventory import take_inventory


@dataclass
class Result:
    """What a walk cost."""

    reports: int
    schedules: int
    requests: int
    throttled: int
    seconds: float


def inventory(client: StudioClient) -> tuple[int, int]:
    """Walk as the provider does."""
    with tempfile.TemporaryDirectory() as folder:
        summary = take_inventory(client, UPath(Path(folder)), progress=lambda _sentence: None)
    return summary.reports, summary.schedules


def loop(client: StudioClient) -> tuple[int, int]:
    """Walk as a script does: for each Collection, for each Report, ask for its schedules."""
    reports = schedules = 0
    for collection in client.list_collections():
        for report in client.list_collection_reports(collection.token):
            reports += 1
            path = f"/api/{client.workspace}/reports/{report.token}/schedules"
            schedules += len(client._get(path)["_embedded"]["report_schedules"])
    return reports, schedules


def measured(walk: Callable[[StudioClient], tuple[int, int]], reports: int) -> Result:
    """Run a walk against an emulator of its own."""
    with StudioEmulator("acme", reports=reports, seed=7, rate_limit=True) as emulator:
        credentials = Credentials("acme", *emulator.credentials(), emulator.url, TokenKind.WORKSPACE)
        with StudioClient(credentials, limiter=RateLimiter(MemoryStore(), credentials.budget_key)) as client:
            begun = time.monotonic()
            found = walk(client)
            seconds = time.monotonic() - begun
        spent = emulator.control.requests_summary(after=10**9)
        return Result(*found, spent["total"], spent["by_status"].get("429", 0), seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--reports", type=int, default=2000)
    reports = parser.parse_args().reports
    walks = {"inventory": inventory, "loop over Reports": loop}
    with ThreadPoolExecutor() as pool:
        running = {name: pool.submit(measured, walk, reports) for name, walk in walks.items()}
        results = {name: one.result() for name, one in running.items()}
    print(f"{'':<20}{'Reports':>9}{'schedules':>11}{'requests':>10}{'429':>5}{'seconds':>9}")
    for name, one in results.items():
        print(f"{name:<20}{one.reports:>9}{one.schedules:>11}{one.requests:>10}{one.throttled:>5}{one.seconds:>9.1f}")
    ours, theirs = results["inventory"], results["loop over Reports"]
    print(f"{'ratio':<40}{theirs.requests / ours.requests:>10.2f}{'':>5}{theirs.seconds / ours.seconds:>9.2f}")


if __name__ == "__main__":
    main()
