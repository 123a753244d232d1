# SPDX-License-Identifier: Apache-2.0
"""`inventory`: print Reports with their schedules, views and runs, as a table or CSV."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.cli import airflow_process
from airflow_provider_studio.cli.arguments import storage_root

if TYPE_CHECKING:
    from upath import UPath

    from airflow_provider_studio.governance.snapshots.store import Snapshot

_MAX_WIDTH = 40
_DEFAULT_CONN_ID = "studio_default"
_DESCRIPTION = (
    "Reads the newest snapshot, which needs only the storage. With --take, or if there is no snapshot yet, takes one "
    "first, which needs a connection."
)


def add_parser(subparsers: Any) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "inventory",
        help="print Reports of the newest snapshot",
        description=_DESCRIPTION,
        epilog="Columns: those of a snapshot's reports, the facts of its history (views_90d, runs_30d, ...), and "
        "scheduled, viewed, schedule, scheduled_by, next_scheduled_run, failures_in_a_row.",
    )
    parser.add_argument("--workspace", metavar="NAME", help="optional if the storage has snapshots of only one")
    parser.add_argument(
        "--conn", metavar="ID", help=f"the workspace's Airflow connection; {_DEFAULT_CONN_ID} for taking a snapshot"
    )
    parser.add_argument(
        "--where", default="true", metavar="SQL", help="condition, such as: scheduled and views_90d = 0"
    )
    parser.add_argument("--columns", metavar="A,B,...", help="the columns to print; * prints all")
    parser.add_argument("--order-by", default="collection_name, name, token", metavar="SQL")
    parser.add_argument("--limit", type=int, metavar="N")
    parser.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    parser.add_argument("--take", action="store_true", help="take a snapshot first")
    parser.add_argument(
        "--storage", type=storage_root, metavar="PATH", help="the storage root; [studio] storage_path by default"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the Reports; return the exit status."""
    with airflow_process.airflow_command():
        from airflow_provider_studio import settings
        from airflow_provider_studio.governance.snapshots import csv_export
        from airflow_provider_studio.governance.text import counted, csv_pieces, table_lines

        snapshots = _snapshots_to_read(settings.storage(options.storage), options)
        columns = options.columns.split(",") if options.columns else csv_export.COLUMNS
        names, rows = csv_export.listed(
            snapshots, where=options.where, columns=columns, order_by=options.order_by, limit=options.limit
        )
    if options.csv:
        sys.stdout.writelines(csv_pieces(names, rows))
    else:
        print("\n".join(table_lines([names, *rows], longest=_MAX_WIDTH)))
        _print_status(
            f"{counted(len(rows), 'Report')}; snapshot of {snapshots[-1].taken_at:%Y-%m-%d %H:%M} UTC, "
            f"workspace {snapshots[-1].workspace!r}"
        )
    return 0


def _snapshots_to_read(storage: UPath, options: argparse.Namespace) -> list[Snapshot]:
    """Return the snapshots to read; take one first with `--take`, or if there is none."""
    from airflow_provider_studio.client.errors import StudioConfigurationError
    from airflow_provider_studio.governance.inventory.inventory import take_inventory
    from airflow_provider_studio.governance.snapshots.store import SnapshotStore

    snapshots = [] if options.take else _existing_snapshots(storage, options)
    if snapshots:
        return snapshots
    conn_id = options.conn or _DEFAULT_CONN_ID
    client = airflow_process.studio_client(conn_id)
    if options.workspace not in {None, client.workspace}:
        raise StudioConfigurationError(
            f"--workspace is {options.workspace!r}, but the connection {conn_id!r} is for {client.workspace!r}. "
            "Name the connection of that workspace with --conn."
        )
    store = SnapshotStore(storage, client.workspace)
    if options.take or store.newest() is None:
        take_inventory(client, storage, walk="command line", progress=_print_status)
    return store.all()


def _existing_snapshots(storage: UPath, options: argparse.Namespace) -> list[Snapshot]:
    """Return the snapshots that can be read without a connection; none if only the connection names the workspace."""
    from airflow_provider_studio.governance.errors import GovernanceError
    from airflow_provider_studio.governance.snapshots.store import SnapshotStore, workspaces

    if options.conn is not None and options.workspace is None:
        return []
    known = workspaces(storage)
    if options.workspace is None and len(known) > 1:
        raise GovernanceError(
            f"{storage} has snapshots of several workspaces: {', '.join(known)}. Name one with --workspace."
        )
    workspace = options.workspace or next(iter(known), None)
    snapshots = SnapshotStore(storage, workspace).all() if workspace in known else []
    if options.workspace is not None and options.conn is None and not snapshots:
        raise GovernanceError(
            f"{storage} has no snapshot of the workspace {workspace!r}; it has snapshots of "
            f"{', '.join(known) or 'none'}. Take one with --take, or name another --storage."
        )
    return snapshots


def _print_status(sentence: str) -> None:
    print(sentence, file=sys.stderr)
