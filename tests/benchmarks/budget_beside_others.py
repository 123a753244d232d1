# SPDX-License-Identifier: Apache-2.0
"""No limiter with retries only; a limiter in each process at 180 requests a minute; ours.

`python -m tests.benchmarks.budget_beside_others [seconds]`: about two and a half minutes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from airflow_provider_studio.client.ratelimit import Budget
from tests.benchmarks.fleet import Deaf, NoLimit, Variant, measure, stores, table

A_MINUTE = Budget(limit=180, interval_seconds=60.0, margin_seconds=0.0)


def main(seconds: float) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, stores(Path(folder)) as url:
        variants = [
            variant
            for count in (1, 8)
            for variant in (
                Variant(f"retries only, {count}", count, "memory://", limiter=NoLimit),
                Variant(f"180/min each, {count}", count, "memory://", A_MINUTE, Deaf),
                Variant(f"ours, {count}", count, url("sqlite", f"{count}")),
            )
        ]
        print(table(measure(variants, seconds)))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 120.0)
