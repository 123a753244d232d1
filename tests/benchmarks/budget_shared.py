# SPDX-License-Identifier: Apache-2.0
"""A token of which another client uses half without coordination: 429s and failures.

`python -m tests.benchmarks.budget_shared [seconds]`: about two and a half minutes. Goals: at most 1 % of the responses
429, no failure.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.benchmarks.fleet import Variant, measure, stores, table


def main(seconds: float) -> None:
    """Measure and print; the table's requests and 429s include those of the other client, which never backs off."""
    with tempfile.TemporaryDirectory() as folder, stores(Path(folder)) as url:
        variants = [
            Variant(f"{kind} {count}, half used elsewhere", count, url(kind, f"{count}"), outside_per_second=2.0)
            for kind in ("sqlite", "redis")
            for count in (1, 8, 32)
        ]
        rows = measure(variants, seconds)
    print(table(rows))
    for row in rows:
        print(f"{row.variant.name}: {row.throttled_ours / max(1, row.requests_ours):.2%} of our responses were 429")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 120.0)
