# SPDX-License-Identifier: Apache-2.0
"""Each snapshot stores the history of all snapshots up to it, computed from the previous history and its own rows.

So facts over a year need a few small files instead of every row of every snapshot. `history.json` lists the snapshots
that the history contains. If others exist (one was added later, or files are missing), the history is not used, and the
next snapshot computes it again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from upath import UPath

from airflow_provider_studio.governance import sql
from airflow_provider_studio.governance.file_names import HISTORY, table_file
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore, open_history, view
from airflow_provider_studio.governance.storage import explained, file_stamp, write_atomically

if TYPE_CHECKING:
    import duckdb

_VERSION = 1
KINDS = {
    "history": {
        "token": "VARCHAR",
        "name": "VARCHAR",
        "collection": "VARCHAR",
        "first_seen_at": "TIMESTAMP",
        "last_seen_at": "TIMESTAMP",
        "views_told_at": "TIMESTAMP",
        "view_total": "BIGINT",
        "views_gained": "BIGINT",
        "unchanged_since": "TIMESTAMP",
        "counter_fell_at": "TIMESTAMP",
        "runs_told_at": "TIMESTAMP",
        "run_total": "BIGINT",
        "runs_gained": "BIGINT",
        "runs_fell_at": "TIMESTAMP",
        "failures_told_at": "TIMESTAMP",
        "failures_gained": "BIGINT",
        "last_failed_run": "TIMESTAMP",
        "by_person": "TIMESTAMP",
    },
    "schedule_history": {"token": "VARCHAR", "in_a_row": "BIGINT", "last_failed_run": "TIMESTAMP"},
}
"""The history files of a snapshot, with their columns and types."""

_FOLD = """
CREATE TABLE history AS SELECT
    coalesce(r.token, p.token) AS token,
    if(r.token IS NULL, p.name, r.name) AS name,
    if(r.token IS NULL, p.collection, r.collection) AS collection,
    coalesce(p.first_seen_at, r.taken_at) AS first_seen_at,
    greatest(p.last_seen_at, coalesce(r.seen_at, r.taken_at)) AS last_seen_at,
    coalesce(p.views_told_at, if(r.view_count IS NOT NULL, r.taken_at, NULL)) AS views_told_at,
    coalesce(r.view_count, p.view_total) AS view_total,
    coalesce(p.views_gained, 0) + coalesce(greatest(r.view_count - p.view_total, 0), 0) AS views_gained,
    if(r.view_count IS NOT NULL AND r.view_count IS DISTINCT FROM p.view_total, r.taken_at, p.unchanged_since)
        AS unchanged_since,
    if(r.view_count < p.view_total, r.taken_at, p.counter_fell_at) AS counter_fell_at,
    coalesce(p.runs_told_at, if(r.runs_count IS NOT NULL, r.taken_at, NULL)) AS runs_told_at,
    coalesce(r.runs_count, p.run_total) AS run_total,
    coalesce(p.runs_gained, 0) + coalesce(greatest(r.runs_count - p.run_total, 0), 0) AS runs_gained,
    if(r.runs_count < p.run_total, r.taken_at, p.runs_fell_at) AS runs_fell_at,
    coalesce(p.failures_told_at, if(r.last_run_failed IS NOT NULL, r.taken_at, NULL)) AS failures_told_at,
    coalesce(p.failures_gained, 0)
        + if(r.last_run_failed AND r.last_run_at IS DISTINCT FROM p.last_failed_run, 1, 0) AS failures_gained,
    if(r.last_run_failed, r.last_run_at, p.last_failed_run) AS last_failed_run,
    greatest(p.by_person, if(NOT r.last_run_by_schedule, r.last_run_at, NULL)) AS by_person
FROM previous_history AS p FULL JOIN reports AS r USING (token)
"""
_FOLD_SCHEDULES = """
CREATE TABLE schedule_history AS SELECT
    coalesce(s.token, p.token) AS token,
    CASE WHEN s.last_run_failed IS NULL THEN p.in_a_row
         WHEN NOT s.last_run_failed THEN 0
         WHEN s.last_run_at IS DISTINCT FROM p.last_failed_run THEN coalesce(p.in_a_row, 0) + 1
         ELSE p.in_a_row
    END::BIGINT AS in_a_row,
    if(s.last_run_failed, s.last_run_at, if(s.last_run_failed IS NULL, p.last_failed_run, NULL)) AS last_failed_run
FROM previous_schedule_history AS p FULL JOIN schedules AS s USING (token)
"""


def write_history(store: SnapshotStore, snapshot: Snapshot) -> None:
    """Write the history of this snapshot, and of earlier ones where it is missing."""
    snapshots = [stored for stored in store.all() if stored.taken_at <= snapshot.taken_at]
    first = len(snapshots) - 1
    while first > 0 and not has_history(snapshots[:first]):
        first -= 1
    for position in range(first, len(snapshots)):
        _write_newest(snapshots[: position + 1])


def has_history(snapshots: Sequence[Snapshot]) -> bool:
    """Whether the newest of these snapshots has a history that contains all of them."""
    return {file_stamp(snapshot.taken_at) for snapshot in snapshots} <= _snapshots_in(snapshots[-1])


def history_view(
    connection: duckdb.DuckDBPyConnection, name: str, snapshot: Snapshot | None, kind: str = "history"
) -> None:
    """Create a view of a snapshot's `history` or `schedule_history`; without a snapshot it is empty."""
    view(connection, name, [] if snapshot is None else [_file(snapshot, kind)], KINDS[kind])


def _snapshots_in(snapshot: Snapshot) -> set[str]:
    path = snapshot.folder / HISTORY
    with explained("read", path):
        if not path.exists():
            return set()
        text = path.read_text(encoding="utf-8", errors="replace")
    try:
        content = json.loads(text)
        names = content.get("snapshots", content.get("nights"))  # earlier versions wrote `nights`
        return set(names) if content["version"] == _VERSION else set()
    except (ValueError, KeyError, TypeError, AttributeError):
        return set()  # damaged: it is computed again from the rows


def _write_newest(snapshots: Sequence[Snapshot]) -> None:
    """Write the newest snapshot's history from that of the previous snapshot, which has one."""
    snapshot, names = snapshots[-1], {file_stamp(stored.taken_at) for stored in snapshots}
    previous = snapshots[-2] if len(snapshots) > 1 else None
    with open_history(snapshots[-2:], ["reports", "schedules"], memory=sql.SNAPSHOT_MEMORY) as connection:
        stamp = "(SELECT max(taken_at) FROM every_report)"
        for table, rows in (("reports", "every_report"), ("schedules", "every_schedule")):
            connection.execute(f"ALTER VIEW {table} RENAME TO {rows}")
            connection.execute(f"CREATE VIEW {table} AS SELECT * FROM {rows} WHERE taken_at = {stamp}")
        for kind, statement in zip(KINDS, (_FOLD, _FOLD_SCHEDULES), strict=True):
            history_view(connection, f"previous_{kind}", previous, kind)
            connection.execute(statement)
            _write(connection, kind, _file(snapshot, kind))
    if previous is not None:
        names |= _snapshots_in(previous)
    write_atomically(snapshot.folder / HISTORY, json.dumps({"version": _VERSION, "snapshots": sorted(names)}).encode())


def _write(connection: duckdb.DuckDBPyConnection, table: str, path: UPath) -> None:
    target = sql.scratch_of(connection) / table_file(table)
    sql.write_parquet(connection, f"SELECT * FROM {table} ORDER BY token", target)
    write_atomically(path, target.read_bytes())


def _file(snapshot: Snapshot, kind: str) -> UPath:
    return snapshot.folder / table_file(kind)
