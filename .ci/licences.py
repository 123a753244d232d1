# SPDX-License-Identifier: Apache-2.0
"""Fail if a package has a license that this Apache-2.0 project should not make its users depend on.

Reads the CSV that pip-licenses writes.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from pathlib import Path

# Permissive, or copyleft per file (MPL), which an import does not trigger.
ALLOWED = re.compile(
    r"Apache|MIT|BSD|ISC|PSF|Python Software Foundation|Mozilla Public License|MPL-2\.0|Unlicense|Zope|ZPL|HPND|CC0"
)
CHECKED_BY_HAND = {"text-unidecode": "Airflow depends on it; its users may choose the Artistic License"}
"""Packages that the pattern rejects, and why they are accepted."""


def main(table: Path) -> int:
    """Print the number of packages per license, and the rejected packages."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    refused = [
        f"{row['Name']} {row['Version']}: {row['License']}"
        for row in rows
        if row["Name"] not in CHECKED_BY_HAND and not ALLOWED.search(row["License"])
    ]
    for licence, count in Counter(row["License"] for row in rows).most_common():
        print(f"{count:4} {licence}")
    print(f"{len(rows)} packages, {len(refused)} refused", *refused, sep="\n  ")
    return 1 if refused or not rows else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
