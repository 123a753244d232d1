# SPDX-License-Identifier: Apache-2.0
"""How much of a token's budget 1, 2, 8 and 32 processes use together, and what a permit costs.

`python -m tests.benchmarks.budget_used [seconds]`: about two and a half minutes. Goals: used >= 0.97, no 429, Jain >=
0.95, less than 0.5 ms of CPU per permit with SQLite and 0.6 with Redis. The clock of every second Redis process is off
by an hour, as on another host.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.benchmarks.fleet import Variant, measure, stores, table


def main(seconds: float) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, stores(Path(folder)) as url:
        variants = [
            Variant(f"{kind} {count}", count, url(kind, f"{count}"), clock_off_by=3600.0 * (kind == "redis"))
            for kind in ("sqlite", "redis")
            for count in (1, 2, 8, 32)
        ]
        print(table(measure(variants, seconds)))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 120.0)
