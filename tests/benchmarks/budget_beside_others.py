# SPDX-License-Identifier: Apache-2.0
"""Our limiter compared with retries only, a limit for each process, pyrate-limiter and limits, all at the same time.

`python -m tests.benchmarks.budget_beside_others [seconds [processes …]]`: about two and a half minutes. Each variant
has a separate server that enforces 40 requests in 10 seconds; all processes of a variant share its token.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from airflow_provider_studio.client.ratelimit import Budget
from tests.benchmarks.fleet import FixedLimiter, NoLimit, Variant, measure, stores, table
from tests.benchmarks.other_limiters import LimitsMovingWindow, PyrateLimiter

A_MINUTE = Budget(limit=180, interval_seconds=60.0, margin_seconds=0.0)


def main(seconds: float, process_counts: list[int]) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, stores(Path(folder)) as url:
        variants = [
            variant
            for count in process_counts
            for variant in (
                Variant(f"retries only, {count}", count, "memory://", limiter=NoLimit),
                Variant(f"180/min each, {count}", count, "memory://", A_MINUTE, FixedLimiter),
                Variant(f"pyrate SQLite, {count}", count, url("sqlite", f"pyrate{count}"), limiter=PyrateLimiter),
                Variant(f"pyrate Redis, {count}", count, url("redis", ""), limiter=PyrateLimiter),
                Variant(f"limits Redis, {count}", count, url("redis", ""), limiter=LimitsMovingWindow),
                Variant(f"ours SQLite, {count}", count, url("sqlite", f"ours{count}")),
                Variant(f"ours Redis, {count}", count, url("redis", "")),
            )
        ]
        print(table(measure(variants, seconds)))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 120.0, [int(count) for count in sys.argv[2:]] or [1, 8])
