# SPDX-License-Identifier: Apache-2.0
"""What the nights together say of each Report, as tables to hold a policy against.

View and run counts are totals, so what happened within a window is a difference between nights. What the nights cannot
prove is NULL, never 0: the history is too short, or a count is unknown. Facts come from what each night remembers of
those before it; where that is missing, from all rows of all nights, with the same result.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_studio.governance.snapshots.rolling_history import is_remembered, remembered_view
from airflow_provider_studio.governance.snapshots.store import Snapshot, open_history, plain_time

if TYPE_CHECKING:
    import duckdb

WINDOWS = (30, 90, 180)
"""Days back from the newest night."""


def facts(nights: Sequence[Snapshot]) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    """Open a database with what these nights say; times are UTC without a zone.

    `facts`: one row a Report or dataset of the newest of the nights: all columns of its snapshot (`snapshots`), and

    * `first_seen_at`: the first night that has it.
    * `views_unchanged_since`: the earliest night from which on the view count is known to be the same up to the newest;
      NULL where the newest count is unknown. Between two nights with one count nobody viewed it, whatever is not known
      of the nights between.
    * `views_30d`, `views_90d`, `views_180d`: views since the last night that is at least so old and knows the count;
      all views, where it was made since or never viewed. Dated views (`last_viewed_at`) prove a 0 without
      history. NULL where nothing is proven; where the count fell within the window, the views that are told, never 0.
    * `runs_30d`, …: the like for runs.
    * `failures_30d`, …: different failed runs that the snapshots saw as the last one, so at least that many failed.
      NULL where no snapshot that old reports it.
    * `last_run_by_person_at`: the newest run that no schedule made, as the nights saw them.
    * `counter_fell_at`: the newest night whose view count was lower than the one before: the Report was restored or
      reset.

    `schedules`: the newest night's schedules, and `failures_in_a_row`: failed last runs since the last night that saw a
    good one, as the nights saw them; NULL where no night tells how a run of it ended.

    `disappeared`: `token`, `name`, `collection` and `last_seen_at` of what earlier nights had and the newest has not.

    :param nights: oldest first; at least one.
    """
    if not nights:
        raise ValueError("nights is empty; facts need at least one snapshot.")
    return _opened(nights)


@contextmanager
def _opened(nights: Sequence[Snapshot]) -> Iterator[duckdb.DuckDBPyConnection]:
    starts = {days: nights[-1].taken_at - timedelta(days=days) for days in WINDOWS}
    anchors = {days: [one for one in nights if one.taken_at <= start][-1:] for days, start in starts.items()}
    known = is_remembered(nights) and all(
        is_remembered(_up_to(nights, one)) for found in anchors.values() for one in found
    )
    with open_history(nights[-1:] if known else nights, ["reports", "schedules"]) as connection:
        connection.execute("ALTER VIEW schedules RENAME TO every_schedule")
        if known:
            _remembered(connection, nights[-1], {days: found[0] for days, found in anchors.items() if found})
        else:
            _recomputed(connection, nights[-1], [days for days, found in anchors.items() if found])
        newest = f"TIMESTAMP '{plain_time(nights[-1].taken_at)}'"
        for statement in (_facts_sql(), _SCHEDULES, _DISAPPEARED):
            connection.execute(statement.replace("$newest", newest))
        yield connection


def _up_to(nights: Sequence[Snapshot], night: Snapshot) -> list[Snapshot]:
    return [one for one in nights if one.taken_at <= night.taken_at]


def _remembered(connection: duckdb.DuckDBPyConnection, night: Snapshot, anchors: Mapping[int, Snapshot]) -> None:
    """Make `state` and `schedule_state` of the newest night from the files that nights keep."""
    remembered_view(connection, "history", night)
    remembered_view(connection, "schedule_state", night, "schedule_history")
    columns, joins = [], []
    for days in WINDOWS:
        if days in anchors:
            remembered_view(connection, f"history_{days}", anchors[days])
            joins.append(f"LEFT JOIN history_{days} AS a{days} ON a{days}.token = history.token")
        for what in ("views", "runs", "failures"):
            # Without a night that old, nights that were since dropped may have told of it; how much, nobody knows.
            gained = (
                f"history.{what}_gained - coalesce(a{days}.{what}_gained, 0)" if days in anchors else "NULL::BIGINT"
            )
            columns.append(f"{gained} AS {what}_gained_{days}")
    connection.execute(f"CREATE VIEW state AS SELECT history.*, {', '.join(columns)} FROM history {' '.join(joins)}")


def _recomputed(connection: duckdb.DuckDBPyConnection, night: Snapshot, reached: Collection[int]) -> None:
    """Fold the rows of all nights into `state` and `schedule_state`; `reached` windows have a night that old."""
    newest = f"TIMESTAMP '{plain_time(night.taken_at)}'"
    gained = [
        f"coalesce(sum({what}_gained) FILTER (taken_at > $newest - INTERVAL {days} DAY), 0)::BIGINT "
        f"AS {what}_gained_{days}"
        if days in reached
        else f"NULL::BIGINT AS {what}_gained_{days}"
        for days in WINDOWS
        for what in ("views", "runs", "failures")
    ]
    for statement in (_STATE.format(totals=", ".join(gained)), _SCHEDULE_STATE):
        connection.execute(statement.replace("$newest", newest))


def _facts_sql() -> str:
    """Return the statement that makes `facts`."""
    columns = []
    for days in WINDOWS:
        start = f"$newest - INTERVAL {days} DAY"
        columns += [
            f"{_views(days, start)} AS views_{days}d",
            f"{_runs(days, start)} AS runs_{days}d",
            f"CASE WHEN failures_told_at <= {start} THEN failures_gained_{days} END AS failures_{days}d",
        ]
    return _FACTS.format(columns=", ".join(columns))


def _views(days: int, start: str) -> str:
    return f"""
    CASE WHEN counter_fell_at > {start} THEN nullif(views_gained_{days}, 0)
         WHEN view_count IS NOT NULL AND views_told_at <= {start} AND views_gained_{days} IS NOT NULL
             THEN greatest(views_gained_{days}, coalesce(last_viewed_at > {start}, false)::BIGINT)
         WHEN view_count = 0 OR created_at > {start} THEN view_count
         WHEN last_viewed_at <= {start} THEN 0
    END"""


def _runs(days: int, start: str) -> str:
    return f"""
    CASE WHEN runs_fell_at > {start} THEN nullif(runs_gained_{days}, 0)
         WHEN runs_count IS NOT NULL AND runs_told_at <= {start} AND runs_gained_{days} IS NOT NULL
             THEN runs_gained_{days}
         WHEN runs_count = 0 OR created_at > {start} THEN runs_count
    END"""


_FACTS = """
CREATE TEMP TABLE facts AS
SELECT newest.*, first_seen_at,
       CASE WHEN view_count IS NOT NULL THEN unchanged_since END AS views_unchanged_since,
       {columns},
       by_person AS last_run_by_person_at, counter_fell_at
FROM reports AS newest LEFT JOIN state USING (token)
WHERE newest.taken_at = $newest
"""
_SCHEDULES = """
CREATE TEMP TABLE schedules AS
SELECT newest.*, in_a_row AS failures_in_a_row
FROM every_schedule AS newest LEFT JOIN schedule_state USING (token) WHERE newest.taken_at = $newest
"""
_DISAPPEARED = """
CREATE TEMP TABLE disappeared AS
SELECT token, name, collection, last_seen_at FROM state ANTI JOIN facts USING (token)
"""

_STATE = """
CREATE TEMP TABLE state AS
WITH views AS (
    SELECT token, taken_at, view_count AS total, lag(view_count) OVER nights AS before
    FROM reports WHERE view_count IS NOT NULL WINDOW nights AS (PARTITION BY token ORDER BY taken_at)
),
runs AS (
    SELECT token, taken_at, runs_count AS total, lag(runs_count) OVER nights AS before
    FROM reports WHERE runs_count IS NOT NULL WINDOW nights AS (PARTITION BY token ORDER BY taken_at)
),
failures AS (
    SELECT token, taken_at, last_run_at AS run, lag(last_run_at) OVER nights AS before
    FROM reports WHERE last_run_failed WINDOW nights AS (PARTITION BY token ORDER BY taken_at)
),
steps AS (
    SELECT token, taken_at, greatest(total - before, 0) AS views_gained FROM views
    UNION ALL BY NAME SELECT token, taken_at, greatest(total - before, 0) AS runs_gained FROM runs
    UNION ALL BY NAME
    SELECT token, taken_at, (run IS DISTINCT FROM before)::BIGINT AS failures_gained FROM failures
),
totals AS (
    SELECT token, {totals} FROM (SELECT DISTINCT token FROM reports) LEFT JOIN steps USING (token) GROUP BY token
),
viewed AS (
    SELECT token, min(taken_at) AS views_told_at,
           max(taken_at) FILTER (total IS DISTINCT FROM before) AS unchanged_since,
           max(taken_at) FILTER (total < before) AS counter_fell_at
    FROM views GROUP BY token
),
ran AS (
    SELECT token, min(taken_at) AS runs_told_at, max(taken_at) FILTER (total < before) AS runs_fell_at
    FROM runs GROUP BY token
),
seen AS (
    SELECT token, arg_max(struct_pack(it := name), taken_at).it AS name,
           arg_max(struct_pack(it := collection), taken_at).it AS collection,
           min(taken_at) AS first_seen_at, max(coalesce(seen_at, taken_at)) AS last_seen_at,
           max(last_run_at) FILTER (NOT last_run_by_schedule) AS by_person,
           min(taken_at) FILTER (last_run_failed IS NOT NULL) AS failures_told_at
    FROM reports GROUP BY token
)
SELECT seen.*, viewed.* EXCLUDE (token), ran.* EXCLUDE (token), totals.* EXCLUDE (token)
FROM seen LEFT JOIN viewed USING (token) LEFT JOIN ran USING (token) LEFT JOIN totals USING (token)
"""
_SCHEDULE_STATE = """
CREATE TEMP TABLE schedule_state AS
WITH told AS (
    SELECT token, taken_at, last_run_at, last_run_failed FROM every_schedule WHERE last_run_failed IS NOT NULL
),
good AS (SELECT token, max(taken_at) AS good_at FROM told WHERE NOT last_run_failed GROUP BY token),
failed AS (
    SELECT token, last_run_at, lag(last_run_at) OVER (PARTITION BY token ORDER BY taken_at) AS before
    FROM told LEFT JOIN good USING (token) WHERE last_run_failed AND (good_at IS NULL OR taken_at > good_at)
),
rows AS (SELECT token, count(*) AS in_a_row FROM failed WHERE last_run_at IS DISTINCT FROM before GROUP BY token)
SELECT token, coalesce(in_a_row, 0) AS in_a_row FROM (SELECT DISTINCT token FROM told) LEFT JOIN rows USING (token)
"""
