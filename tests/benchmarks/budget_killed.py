# SPDX-License-Identifier: Apache-2.0
"""`kill -9` of a random process every second: no budget lost or leaked, no deadlock.

`python -m tests.benchmarks.budget_killed [seconds]`: about two and a half minutes. Goals: the same share of
the budget is used as without kills, no 429.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.fleet import Start, Variant, measure, stores, table


def kill_every_second(processes: dict[str, list[Any]], start: Start, until: float) -> None:
    """Kill one of each variant's processes every second, and start another in its place."""
    while (left := until - time.monotonic()) > 5:
        time.sleep(1.0)
        for name, group in processes.items():
            random.choice([process for process in group if process.is_alive()]).kill()
            start(name, left - 1)


def main(seconds: float) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, stores(Path(folder)) as url:
        variants = [Variant(f"{kind} 8, one killed a second", 8, url(kind, "8")) for kind in ("sqlite", "redis")]
        print(table(measure(variants, seconds, kill_every_second)))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 120.0)
