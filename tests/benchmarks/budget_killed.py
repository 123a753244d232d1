# SPDX-License-Identifier: Apache-2.0
"""`kill -9` of a random process every second: no budget lost or leaked, no deadlock.

`python -m tests.benchmarks.budget_killed [seconds]`: about two and a half minutes. Goals: used as without kills, no
429.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.fleet import CONTEXT, Variant, measure, stores, table, work


def kill_now_and_then(processes: dict[str, list[Any]], until: float) -> None:
    """Kill one of each variant's processes every second, and start another in its place."""
    while (left := until - time.monotonic()) > 3:
        time.sleep(1.0)
        for group in processes.values():
            victim = random.choice([one for one in group if one.is_alive()])
            victim.kill()
            variant, number, url, _, results = victim._args
            successor = CONTEXT.Process(target=work, args=(variant, number, url, left - 1, results))
            successor.start()
            group.append(successor)


def main(seconds: float) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, stores(Path(folder)) as url:
        variants = [Variant(f"{kind} 8, one killed a second", 8, url(kind, "8")) for kind in ("sqlite", "redis")]
        print(table(measure(variants, seconds, kill_now_and_then)))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 120.0)
