# SPDX-License-Identifier: Apache-2.0
"""`inventory`: print Reports with their schedules, views and runs, from the newest snapshot."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from airflow_provider_studio.cli import airflow_process
from airflow_provider_studio.cli.arguments import (
    DEFAULT_CONN_ID,
    other_workspace,
    storage_root,
    workspace_with_snapshots,
)
from airflow_provider_studio.cli.command import command, say
from airflow_provider_studio.cli.output import Table

if TYPE_CHECKING:
    from upath import UPath

    from airflow_provider_studio.governance.snapshots.store import Snapshot


@command
def run(options: argparse.Namespace) -> Table:
    """Return the Reports."""
    from airflow_provider_studio import settings
    from airflow_provider_studio.governance.snapshots import csv_export
    from airflow_provider_studio.governance.text import counted

    snapshots = _snapshots_to_read(settings.storage(storage_root(options.storage)), options)
    columns = options.columns.split(",") if options.columns else csv_export.COLUMNS
    names, rows = csv_export.listed(
        snapshots, where=options.where, columns=columns, order_by=options.order_by, limit=options.limit
    )
    say(
        f"{counted(len(rows), 'Report')}; snapshot of {snapshots[-1].taken_at:%Y-%m-%d %H:%M} UTC, "
        f"workspace {snapshots[-1].workspace!r}"
    )
    return Table(names, rows)


def _snapshots_to_read(storage: UPath, options: argparse.Namespace) -> list[Snapshot]:
    """Return the snapshots to read; take one first with `--take`, or if there is none."""
    from airflow_provider_studio.client.errors import StudioConfigurationError
    from airflow_provider_studio.governance.inventory.inventory import take_inventory
    from airflow_provider_studio.governance.snapshots.store import SnapshotStore

    snapshots = [] if options.take else _existing_snapshots(storage, options)
    if snapshots:
        return snapshots
    conn_id = options.conn or DEFAULT_CONN_ID
    client = airflow_process.studio_client(conn_id)
    if options.workspace not in {None, client.workspace}:
        raise StudioConfigurationError(other_workspace(options.workspace, conn_id, client.workspace))
    store = SnapshotStore(storage, client.workspace)
    if options.take or store.newest() is None:
        take_inventory(client, storage, walk="command line", progress=say)
    return store.all()


def _existing_snapshots(storage: UPath, options: argparse.Namespace) -> list[Snapshot]:
    """Return the snapshots that can be read without a connection; none if only the connection names the workspace."""
    from airflow_provider_studio.governance.snapshots.store import SnapshotStore, workspaces

    if options.conn is not None or (options.workspace is None and not workspaces(storage)):
        return [] if options.workspace is None else SnapshotStore(storage, options.workspace).all()
    return SnapshotStore(storage, workspace_with_snapshots(storage, options.workspace)).all()
