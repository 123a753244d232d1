# SPDX-License-Identifier: Apache-2.0
"""Each night keeps what all nights up to it say, made from the night before's and its own rows.

So facts over a year cost a few small files instead of every row of every night. `history.json` says which
nights are in it; where that does not fit the nights that are there (one was added later, or files are missing), the
files are not used, and the next night makes them anew.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from upath import UPath

from airflow_provider_studio.governance.history.snapshots import (
    SMALL_MEMORY,
    Snapshot,
    SnapshotStore,
    file_name,
    open_history,
)
from airflow_provider_studio.governance.storage import explained, file_stamp, write_whole

if TYPE_CHECKING:
    import duckdb

_NIGHTS = "history.json"
_VERSION = 1
KINDS = ("history", "schedule_history")

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
FROM {before} AS p FULL JOIN reports AS r USING (token)
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
FROM {before} AS p FULL JOIN schedules AS s USING (token)
"""
_NOTHING = """
(SELECT NULL::VARCHAR AS token, NULL::VARCHAR AS name, NULL::VARCHAR AS collection, NULL::BIGINT AS view_total,
        NULL::BIGINT AS views_gained, NULL::BIGINT AS run_total, NULL::BIGINT AS runs_gained,
        NULL::BIGINT AS failures_gained, NULL::BIGINT AS in_a_row, NULL::TIMESTAMP AS first_seen_at,
        NULL::TIMESTAMP AS last_seen_at, NULL::TIMESTAMP AS views_told_at, NULL::TIMESTAMP AS unchanged_since,
        NULL::TIMESTAMP AS counter_fell_at, NULL::TIMESTAMP AS runs_told_at, NULL::TIMESTAMP AS runs_fell_at,
        NULL::TIMESTAMP AS failures_told_at, NULL::TIMESTAMP AS last_failed_run, NULL::TIMESTAMP AS by_person
 WHERE false)
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


def fold(connection: duckdb.DuckDBPyConnection, before: Mapping[str, str | None]) -> None:
    """Make the tables of all nights up to one, from the night's `reports` and `schedules`.

    :param before: for each of KINDS what was remembered the night before, as SQL names it; None for nothing.
    """
    for kind, statement in zip(KINDS, (_FOLD, _FOLD_SCHEDULES), strict=True):
        connection.execute(statement.format(before=before[kind] or _NOTHING))


def view(connection: duckdb.DuckDBPyConnection, name: str, night: Snapshot, kind: str = "history") -> None:
    """Make a view of a night's file of this kind: `history` or `schedule_history`."""
    # The file's name is our own, quoted.
    connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {_parquet(_file(night, kind))}")


def _nights_in(night: Snapshot) -> set[str]:
    path = night.folder / _NIGHTS
    with explained("read", path):
        if not path.exists():
            return set()
        told = json.loads(path.read_text(encoding="utf-8"))
    return set(told["nights"]) if told.get("version") == _VERSION else set()


def _remember(nights: Sequence[Snapshot]) -> None:
    """Make the newest of these nights' files from those of the night before, which has its own."""
    night, known = nights[-1], {file_stamp(one.taken_at) for one in nights}
    before = nights[-2] if len(nights) > 1 else None
    with open_history(nights[-2:], ["reports", "schedules"], memory=SMALL_MEMORY) as connection:
        stamp = "(SELECT max(taken_at) FROM every_report)"
        for table, rows in (("reports", "every_report"), ("schedules", "every_schedule")):
            connection.execute(f"ALTER VIEW {table} RENAME TO {rows}")
            connection.execute(f"CREATE VIEW {table} AS SELECT * FROM {rows} WHERE taken_at = {stamp}")
        fold(connection, {kind: None if before is None else _parquet(_file(before, kind)) for kind in KINDS})
        for kind in KINDS:
            _write(connection, kind, _file(night, kind))
    if before is not None:
        known |= _nights_in(before)
    write_whole(night.folder / _NIGHTS, json.dumps({"version": _VERSION, "nights": sorted(known)}).encode())


def _write(connection: duckdb.DuckDBPyConnection, table: str, path: UPath) -> None:
    with tempfile.TemporaryDirectory(prefix="studio-history-") as scratch:
        target = Path(scratch) / "table.parquet"
        connection.execute(f"COPY (FROM {table} ORDER BY token) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
        write_whole(path, target.read_bytes())


def _file(night: Snapshot, kind: str) -> UPath:
    return night.folder / f"{kind}.parquet"


def _parquet(path: UPath) -> str:
    quoted = file_name(path).replace("'", "''")
    return f"read_parquet('{quoted}', hive_partitioning = false)"
