# SPDX-License-Identifier: Apache-2.0
"""Nights written by hand: a Report a token, a row a night, with what a test cares about and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from upath import UPath

from airflow_provider_studio.governance.snapshots.facts import facts
from airflow_provider_studio.governance.snapshots.rolling_history import write_history
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore

NOW = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def write_night(
    storage: UPath,
    days_ago: float,
    reports: dict[str, dict[str, Any]],
    schedules: dict[str, dict[str, Any]] | None = None,
    *,
    workspace: str = "acme",
    remembered: bool = False,
) -> Snapshot:
    """Write a finished night of these rows, by token, and its rolling history if requested.

    Nobody subscribes to a schedule and no other page shows a Report, unless its row has another value.
    """
    unused = {"reports": {"is_embedded": False, "public": False}, "schedules": {"subscriber_count": 0}}
    store, taken_at = SnapshotStore(storage, workspace), ago(days_ago)
    with store.writer(taken_at) as writer:
        for table, rows in (("reports", reports), ("schedules", schedules or {})):
            for token, row in rows.items():
                writer.add(table, {"token": token, **unused[table], **row})
        writer.finish({"workspace": workspace, "reports": len(reports)})
    night = Snapshot(writer.folder, taken_at)
    if remembered:
        write_history(store, night)
    return night


def everything(storage: UPath, workspace: str = "acme") -> dict[str, dict[str, dict[str, Any]]]:
    """What all nights say: each table, by token."""
    tables = {}
    with facts(SnapshotStore(storage, workspace).all()) as connection:
        for table in ("facts", "schedules", "disappeared"):
            result = connection.execute(f"SELECT * FROM {table} ORDER BY token")
            names = [column[0] for column in result.description]
            found = (dict(zip(names, row, strict=True)) for row in result.fetchall())
            tables[table] = {row["token"]: row for row in found}
    return tables


def rows(storage: UPath, table: str = "facts") -> dict[str, dict[str, Any]]:
    """What all nights say in one table, by token."""
    return everything(storage)[table]
