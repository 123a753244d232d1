# SPDX-License-Identifier: Apache-2.0
"""`make matrix`: test the built wheel with every Airflow, Python and age of dependencies that it supports.

Each cell is a separate environment in a temporary folder: the wheel, one Airflow, and the oldest or newest versions of
our direct dependencies that have wheels. Tests check the metadata there, and run a governed night with Airflow's
`dag.test()` against the emulator. Prints one table; it names missing Pythons.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from itertools import product
from pathlib import Path

from tests.compatibility.cells import UNSUPPORTED, Cell, build_wheel, find_python

AIRFLOWS = ("3.1", "3.2", "3.3")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
AGES = ("lowest", "newest")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.compatibility", description=__doc__)
    parser.add_argument("--airflow", nargs="+", default=AIRFLOWS, help="3.2 for its newest release, or 3.2.1")
    parser.add_argument("--python", nargs="+", default=PYTHONS)
    parser.add_argument("--dependencies", nargs="+", default=AGES, choices=AGES)
    parser.add_argument("--keep", type=Path, help="a folder for the environments, which are not deleted")
    return parser.parse_args()


def main() -> int:
    arguments = options()
    with tempfile.TemporaryDirectory(prefix="studio-matrix-") as scratch:
        folder = arguments.keep or Path(scratch)
        wheel = build_wheel(folder)
        print("| Airflow | Python | dependencies | outcome | seconds |\n|---|---|---|---|---|", flush=True)
        failed = 0
        for airflow, python, age in product(arguments.airflow, arguments.python, arguments.dependencies):
            if (airflow, python) in UNSUPPORTED:
                print(f"| {airflow} | {python} | {age} | not run: Airflow {airflow} excludes it | |", flush=True)
                continue
            interpreter = find_python(python)
            if interpreter is None:
                print(f"| {airflow} | {python} | {age} | not run: no python{python} on this machine | |", flush=True)
                continue
            cell = Cell(folder / f"airflow{airflow}-python{python}-{age}", airflow, interpreter, age, wheel)
            outcome = cell.run()
            failed += not outcome.passed
            print(f"| {outcome.airflow} | {python} | {age} | {outcome.summary} | {outcome.seconds:.0f} |", flush=True)
            if arguments.keep is None:
                cell.remove()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
