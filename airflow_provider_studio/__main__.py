# SPDX-License-Identifier: Apache-2.0
"""`python -m airflow_provider_studio inventory`: which Reports are scheduled, viewed, run? On a terminal.

It reads the newest snapshot; with `--take`, or where there is none yet, it takes one first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

_WIDEST = 40


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    from airflow_provider_studio.client.errors import StudioError

    try:
        return _inventory(options)
    except StudioError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_studio")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser(
        "inventory",
        help="print Reports of the newest snapshot",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Columns: those of a snapshot's reports, the facts of its history (views_90d, runs_30d, ...), and "
        "scheduled, viewed, schedule, scheduled_by, next_scheduled_run, failures_in_a_row.",
    )
    one.add_argument("--conn", default="studio_default", metavar="ID", help="the Airflow connection (%(default)s)")
    one.add_argument("--where", default="true", metavar="SQL", help="such as: scheduled and views_90d = 0")
    one.add_argument("--columns", metavar="A,B,...", help="what to show; * is everything")
    one.add_argument("--order-by", default="collection_name, name, token", metavar="SQL")
    one.add_argument("--limit", type=int, metavar="N")
    one.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    one.add_argument("--take", action="store_true", help="take a snapshot first")
    one.add_argument("--storage", metavar="PATH", help="another place than [studio] storage_path")
    return parser


def _inventory(options: argparse.Namespace) -> int:
    from airflow_provider_studio import settings
    from airflow_provider_studio.governance import listing
    from airflow_provider_studio.governance.inventory import take_inventory
    from airflow_provider_studio.governance.snapshots import SnapshotStore
    from airflow_provider_studio.hooks.studio import StudioHook

    client, storage = StudioHook(options.conn).client, settings.storage(options.storage)
    store = SnapshotStore(storage, client.workspace)
    if options.take or store.newest() is None:
        take_inventory(client, storage, walk="command line", progress=_tell)
    nights = store.all()
    columns = options.columns.split(",") if options.columns else listing.COLUMNS
    names, rows = listing.listed(
        nights, where=options.where, columns=columns, order_by=options.order_by, limit=options.limit
    )
    if options.csv:
        import csv

        csv.writer(sys.stdout).writerows([names, *rows])
    else:
        _print_table(names, rows)
        _tell(f"{len(rows):,} Reports; snapshot of {nights[-1].taken_at:%Y-%m-%d %H:%M} UTC")
    return 0


def _print_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows as text that fits a terminal; NULL is `?`, because it is not known."""
    texts = [list(names), *([_text(value) for value in row] for row in rows)]
    widths = [max(len(line[at]) for line in texts) for at in range(len(names))]
    for line in texts:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())  # noqa: T201


def _text(value: Any) -> str:
    if value is None:
        return "?"
    text = f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)
    text = "".join(one if one.isprintable() else " " for one in text)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
