# SPDX-License-Identifier: Apache-2.0
"""What all snapshots together prove about each Report, as tables for policies.

View and run counts are totals, so the number within a window is a difference between snapshots. What the snapshots
cannot prove is NULL, never 0: the history is too short, or a count is unknown. Facts come from the history that each
snapshot stores; where it is missing, from all rows of all snapshots, with the same result.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_studio.governance.snapshots.lateness import add_lateness
from airflow_provider_studio.governance.snapshots.rolling_history import has_history, history_view
from airflow_provider_studio.governance.snapshots.store import Snapshot, open_history, plain_time

if TYPE_CHECKING:
    import duckdb

WINDOWS = (30, 90, 180)
"""Days back from the newest snapshot."""


def facts(snapshots: Sequence[Snapshot]) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    """Open a database with the facts of these snapshots; times are UTC without a zone.

    `facts`: one row per Report or dataset of the newest snapshot: all columns of `reports`, and

    * `first_seen_at`: the first snapshot that has it.
    * `views_unchanged_since`: the earliest snapshot from which on the view count is known to be the same up to the
      newest; NULL where the newest count is unknown. Two snapshots with the same count prove that nobody viewed it
      between them, even if snapshots between them lack the count.
    * `views_30d`, `views_90d`, `views_180d`: views since the last snapshot that is at least that old and has the count;
      all views, if it was created since or never viewed. A dated view (`last_viewed_at`) proves a 0 without history.
      NULL where nothing is proven; where the count fell within the window, the views that were counted, never 0.
    * `runs_30d`, …: the same for runs.
    * `failures_30d`, …: different failed runs that snapshots saw as the last run, so at least that many failed. NULL
      where no snapshot that old reports it.
    * `last_run_by_person_at`: the newest run that the snapshots saw and that no schedule made.
    * `subscribers`: how many people get its results by e-mail: the sum over its schedules, as old as those. NULL where
      Studio did not return the number for each of them.
    * `counter_fell_at`: the newest snapshot whose view count was lower than the previous one: the Report was restored
      or reset.
    * `late_hours`: for how many hours the schedule that is the latest should have run and did not; 0 if none missed a
      time. `late_since` is the time that it missed first.

    `schedules`: the newest snapshot's schedules, and `failures_in_a_row`: the failed last runs that snapshots saw since
    they last saw a successful one; NULL where no snapshot reports how a run of it ended. `late_hours` and `late_since`
    as in `facts`.

    `disappeared`: `token`, `name`, `collection` and `last_seen_at` of the Reports that the newest snapshot lacks.

    :param snapshots: oldest first; at least one.
    """
    if not snapshots:
        raise ValueError("snapshots is empty; facts need at least one snapshot.")
    return _opened(snapshots)


@contextmanager
def _opened(snapshots: Sequence[Snapshot]) -> Iterator[duckdb.DuckDBPyConnection]:
    newest = snapshots[-1]
    starts = {days: newest.taken_at - timedelta(days=days) for days in WINDOWS}
    old_enough = {days: _up_to(snapshots, start) for days, start in starts.items()}
    anchors = {days: found[-1] for days, found in old_enough.items() if found}
    is_stored = has_history(snapshots) and all(
        has_history(_up_to(snapshots, anchor.taken_at)) for anchor in anchors.values()
    )
    with open_history(snapshots[-1:] if is_stored else snapshots, ["reports", "schedules"]) as connection:
        connection.execute("ALTER VIEW schedules RENAME TO every_schedule")
        if is_stored:
            _read_history(connection, newest, anchors)
        else:
            _compute_history(connection, newest, anchors.keys())
        time = f"TIMESTAMP '{plain_time(newest.taken_at)}'"
        for statement in (_facts_sql(), _SCHEDULES, _DISAPPEARED):
            connection.execute(statement.replace("$newest", time))
        add_lateness(connection, newest.taken_at)
        yield connection


def _up_to(snapshots: Sequence[Snapshot], time: datetime) -> list[Snapshot]:
    return [snapshot for snapshot in snapshots if snapshot.taken_at <= time]


def _read_history(connection: duckdb.DuckDBPyConnection, newest: Snapshot, anchors: Mapping[int, Snapshot]) -> None:
    """Create `state` and `schedule_state` of the newest snapshot from the stored histories."""
    history_view(connection, "history", newest)
    history_view(connection, "schedule_state", newest, "schedule_history")
    columns, joins = [], []
    for days in WINDOWS:
        if days in anchors:
            history_view(connection, f"history_{days}", anchors[days])
            joins.append(f"LEFT JOIN history_{days} AS a{days} ON a{days}.token = history.token")
        for what in ("views", "runs", "failures"):
            # Without a snapshot that old the gain is unknown: dropped snapshots may have counted a part of it.
            gained = (
                f"history.{what}_gained - coalesce(a{days}.{what}_gained, 0)" if days in anchors else "NULL::BIGINT"
            )
            columns.append(f"{gained} AS {what}_gained_{days}")
    connection.execute(f"CREATE VIEW state AS SELECT history.*, {', '.join(columns)} FROM history {' '.join(joins)}")


def _compute_history(connection: duckdb.DuckDBPyConnection, newest: Snapshot, windows: Collection[int]) -> None:
    """Create `state` and `schedule_state` from the rows of all snapshots.

    :param windows: the windows with a snapshot that is old enough.
    """
    time = f"TIMESTAMP '{plain_time(newest.taken_at)}'"
    gained = [
        f"coalesce(sum({what}_gained) FILTER (taken_at > $newest - INTERVAL {days} DAY), 0)::BIGINT "
        f"AS {what}_gained_{days}"
        if days in windows
        else f"NULL::BIGINT AS {what}_gained_{days}"
        for days in WINDOWS
        for what in ("views", "runs", "failures")
    ]
    for statement in (_STATE.format(totals=", ".join(gained)), _SCHEDULE_STATE):
        connection.execute(statement.replace("$newest", time))


def _facts_sql() -> str:
    """Return the statement that creates `facts`."""
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
WITH subscribed AS (
    SELECT report AS token, CASE WHEN count(*) = count(subscriber_count) THEN sum(subscriber_count) END AS people
    FROM every_schedule WHERE taken_at = $newest GROUP BY report
)
SELECT newest.*, first_seen_at,
       CASE WHEN view_count IS NOT NULL THEN unchanged_since END AS views_unchanged_since,
       {columns},
       by_person AS last_run_by_person_at,
       CASE WHEN subscribed.token IS NOT NULL THEN people WHEN schedules_count = 0 THEN 0 END::BIGINT AS subscribers,
       counter_fell_at
FROM reports AS newest LEFT JOIN state USING (token) LEFT JOIN subscribed USING (token)
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
    SELECT token, taken_at, view_count AS total, lag(view_count) OVER by_time AS previous
    FROM reports WHERE view_count IS NOT NULL WINDOW by_time AS (PARTITION BY token ORDER BY taken_at)
),
runs AS (
    SELECT token, taken_at, runs_count AS total, lag(runs_count) OVER by_time AS previous
    FROM reports WHERE runs_count IS NOT NULL WINDOW by_time AS (PARTITION BY token ORDER BY taken_at)
),
failures AS (
    SELECT token, taken_at, last_run_at AS run, lag(last_run_at) OVER by_time AS previous
    FROM reports WHERE last_run_failed WINDOW by_time AS (PARTITION BY token ORDER BY taken_at)
),
steps AS (
    SELECT token, taken_at, greatest(total - previous, 0) AS views_gained FROM views
    UNION ALL BY NAME SELECT token, taken_at, greatest(total - previous, 0) AS runs_gained FROM runs
    UNION ALL BY NAME
    SELECT token, taken_at, (run IS DISTINCT FROM previous)::BIGINT AS failures_gained FROM failures
),
totals AS (
    SELECT token, {totals} FROM (SELECT DISTINCT token FROM reports) LEFT JOIN steps USING (token) GROUP BY token
),
viewed AS (
    SELECT token, min(taken_at) AS views_told_at,
           max(taken_at) FILTER (total IS DISTINCT FROM previous) AS unchanged_since,
           max(taken_at) FILTER (total < previous) AS counter_fell_at
    FROM views GROUP BY token
),
ran AS (
    SELECT token, min(taken_at) AS runs_told_at, max(taken_at) FILTER (total < previous) AS runs_fell_at
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
WITH ended AS (
    SELECT token, taken_at, last_run_at, last_run_failed FROM every_schedule WHERE last_run_failed IS NOT NULL
),
good AS (SELECT token, max(taken_at) AS good_at FROM ended WHERE NOT last_run_failed GROUP BY token),
failed AS (
    SELECT token, last_run_at, lag(last_run_at) OVER (PARTITION BY token ORDER BY taken_at) AS previous
    FROM ended LEFT JOIN good USING (token) WHERE last_run_failed AND (good_at IS NULL OR taken_at > good_at)
),
rows AS (SELECT token, count(*) AS in_a_row FROM failed WHERE last_run_at IS DISTINCT FROM previous GROUP BY token)
SELECT token, coalesce(in_a_row, 0) AS in_a_row FROM (SELECT DISTINCT token FROM ended) LEFT JOIN rows USING (token)
"""
