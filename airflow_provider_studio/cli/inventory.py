# SPDX-License-Identifier: Apache-2.0
"""`inventory`: which Reports are scheduled, viewed, run? A table on a terminal, or CSV."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

_WIDEST = 40
_DESCRIPTION = "Reads the newest snapshot; with --take, or where there is none yet, takes one first."


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to a program's."""
    parser = subparsers.add_parser(
        "inventory",
        help="print Reports of the newest snapshot",
        description=_DESCRIPTION,
        epilog="Columns: those of a snapshot's reports, the facts of its history (views_90d, runs_30d, ...), and "
        "scheduled, viewed, schedule, scheduled_by, next_scheduled_run, failures_in_a_row.",
    )
    parser.add_argument("--conn", default="studio_default", metavar="ID", help="the Airflow connection (%(default)s)")
    parser.add_argument("--where", default="true", metavar="SQL", help="such as: scheduled and views_90d = 0")
    parser.add_argument("--columns", metavar="A,B,...", help="what to show; * is everything")
    parser.add_argument("--order-by", default="collection_name, name, token", metavar="SQL")
    parser.add_argument("--limit", type=int, metavar="N")
    parser.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    parser.add_argument("--take", action="store_true", help="take a snapshot first")
    parser.add_argument("--storage", metavar="PATH", help="another place than [studio] storage_path")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the Reports that were asked for; return the exit status."""
    from airflow_provider_studio import settings
    from airflow_provider_studio.governance.history import listing
    from airflow_provider_studio.governance.history.snapshots import SnapshotStore
    from airflow_provider_studio.governance.inventory.inventory import take_inventory
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
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _text(value: Any) -> str:
    if value is None:
        return "?"
    text = f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)
    text = "".join(one if one.isprintable() else " " for one in text)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr)
