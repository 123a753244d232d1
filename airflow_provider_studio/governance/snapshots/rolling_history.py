# SPDX-License-Identifier: Apache-2.0
"""Each night keeps what all nights up to it say, made from the night before's and its own rows.

So facts over a year cost a few small files instead of every row of every night. `history.json` says which
nights are in it; where that does not fit the nights that are there (one was added later, or files are missing), the
files are not used, and the next night makes them anew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from upath import UPath

from airflow_provider_studio.governance import sql
from airflow_provider_studio.governance.file_names import HISTORY, table_file
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore, open_history, view
from airflow_provider_studio.governance.storage import explained, file_stamp, write_whole

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
"""The files of a night, with their columns and types."""

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
FROM history_before AS p FULL JOIN reports AS r USING (token)
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
FROM schedule_history_before AS p FULL JOIN schedules AS s USING (token)
"""


def remember(store: SnapshotStore, snapshot: Snapshot) -> None:
    """Make the files of this night, and of earlier ones where they are missing."""
    nights = [one for one in store.all() if one.taken_at <= snapshot.taken_at]
    first = len(nights) - 1
    while first > 0 and not is_remembered(nights[:first]):
        first -= 1
    for position in range(first, len(nights)):
        _remember(nights[: position + 1])


def is_remembered(nights: Sequence[Snapshot]) -> bool:
    """Whether the newest of these nights has files that hold all of them."""
    return {file_stamp(one.taken_at) for one in nights} <= _nights_in(nights[-1])


def remembered_view(
    connection: duckdb.DuckDBPyConnection, name: str, night: Snapshot | None, kind: str = "history"
) -> None:
    """Make a view of a night's file of this kind: `history` or `schedule_history`; without a night it is empty."""
    view(connection, name, [] if night is None else [_file(night, kind)], KINDS[kind])


def _nights_in(night: Snapshot) -> set[str]:
    path = night.folder / HISTORY
    with explained("read", path):
        if not path.exists():
            return set()
        text = path.read_text(encoding="utf-8", errors="replace")
    try:
        told = json.loads(text)
        known = told.get("snapshots", told.get("nights"))  # earlier versions wrote `nights`
        return set(known) if told["version"] == _VERSION else set()
    except (ValueError, KeyError, TypeError, AttributeError):
        return set()  # damaged, so that it is made again from the rows


def _remember(nights: Sequence[Snapshot]) -> None:
    """Make the newest of these nights' files from those of the night before, which has its own."""
    night, known = nights[-1], {file_stamp(one.taken_at) for one in nights}
    before = nights[-2] if len(nights) > 1 else None
    with open_history(nights[-2:], ["reports", "schedules"], memory=sql.NIGHT_MEMORY) as connection:
        stamp = "(SELECT max(taken_at) FROM every_report)"
        for table, rows in (("reports", "every_report"), ("schedules", "every_schedule")):
            connection.execute(f"ALTER VIEW {table} RENAME TO {rows}")
            connection.execute(f"CREATE VIEW {table} AS SELECT * FROM {rows} WHERE taken_at = {stamp}")
        for kind, statement in zip(KINDS, (_FOLD, _FOLD_SCHEDULES), strict=True):
            remembered_view(connection, f"{kind}_before", before, kind)
            connection.execute(statement)
            _write(connection, kind, _file(night, kind))
    if before is not None:
        known |= _nights_in(before)
    write_whole(night.folder / HISTORY, json.dumps({"version": _VERSION, "snapshots": sorted(known)}).encode())


def _write(connection: duckdb.DuckDBPyConnection, table: str, path: UPath) -> None:
    target = sql.scratch_of(connection) / table_file(table)
    sql.write_parquet(connection, f"SELECT * FROM {table} ORDER BY token", target)
    write_whole(path, target.read_bytes())


def _file(night: Snapshot, kind: str) -> UPath:
    return night.folder / table_file(kind)
