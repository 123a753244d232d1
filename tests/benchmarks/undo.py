# SPDX-License-Identifier: Apache-2.0
"""Apply a plan of 500 actions and undo it: requests, time, and whether every field is as before.

Run `python -m tests.benchmarks.undo`. There is no rate limit, so the time is that of our code and the emulator; the
last column is the duration of the requests at the service's limit.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from upath import UPath

from airflow_provider_studio.emulator import StudioEmulator
from tests.governance.conftest import NOW, Governed

REPORTS, SCHEDULES = 350, 150
REQUESTS_PER_SECOND = 4.0


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, StudioEmulator("acme", reports=0, now=NOW) as emulator:
        governed = Governed(emulator, UPath(Path(folder) / "studio"))
        for number in range(REPORTS):
            governed.report(f"Old {number}", schedules=int(number < SCHEDULES))
        governed.nights(100, 0)
        before = governed.state()
        plan = governed.plan()
        print(
            f"| {len(plan.actions)} actions | requests | seconds | failures | at {REQUESTS_PER_SECOND:g} requests/s |"
        )
        print("|---|---:|---:|---:|---:|")
        _measure("apply", lambda: governed.apply(plan, concurrency=4))
        undone = _measure("undo", lambda: governed.undo(plan, concurrency=4))
        _measure("undo again", lambda: governed.undo(plan, concurrency=4))
        print(
            f"\n{undone.unarchived} Reports unarchived, {len(undone.schedules_recreated)} schedules recreated; "
            f"the workspace is {'as before, field by field' if governed.state() == before else 'NOT AS BEFORE'}"
        )


def _measure(name: str, work: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    summary = work()
    seconds = time.perf_counter() - began
    requests, failures = summary.requests_spent, len(summary.failures)
    minutes = requests / REQUESTS_PER_SECOND / 60
    print(f"| {name} | {requests:,} | {seconds:.1f} | {failures} | {minutes:.1f} minutes |")
    return summary


if __name__ == "__main__":
    main()
