# SPDX-License-Identifier: Apache-2.0
"""Which schedules should have run and did not, when a snapshot was taken: the columns `late_since` and `late_hours`.

A run counts however it was started and however it ended. A Report that nobody scheduled, or that is archived, is not
late. What is unknown is NULL: an unreadable Report, a schedule whose times are unknown, or that was never seen to run.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_studio.client.due_times import due_times, late_since
from airflow_provider_studio.governance.snapshots.schema import Row, fetched

if TYPE_CHECKING:
    import duckdb

_SCHEDULES = """
SELECT schedules.token, freq, hour, minute, day_of_week, day_of_month, time_zone, next_scheduled_run,
       schedules.last_run_at, schedules.created_at, facts.last_run_at AS report_last_run_at, facts.archived
FROM schedules JOIN facts ON facts.token = schedules.report
WHERE facts.unknown IS NOT TRUE AND facts.archived IS NOT NULL
"""
_ADD = """
ALTER TABLE {table} ADD COLUMN late_since TIMESTAMP;
ALTER TABLE {table} ADD COLUMN late_hours DOUBLE;
"""
_OF_SCHEDULES = """
UPDATE schedules SET late_since = found.late_since, late_hours = found.late_hours
FROM (SELECT unnest($1::VARCHAR[]) AS token, unnest($2::TIMESTAMP[]) AS late_since, unnest($3::DOUBLE[]) AS late_hours)
AS found WHERE found.token = schedules.token
"""
_OF_REPORTS = """
UPDATE facts SET late_since = found.late_since, late_hours = found.late_hours
FROM (
    SELECT report, min(late_since) AS late_since,
           CASE WHEN max(late_hours) > 0 OR bool_and(late_hours IS NOT NULL) THEN max(late_hours) END AS late_hours
    FROM schedules GROUP BY report
) AS found WHERE found.report = facts.token
"""
_UNSCHEDULED = """
UPDATE facts SET late_hours = 0
WHERE unknown IS NOT TRUE AND (archived OR schedules_count = 0) AND late_hours IS NULL
"""


def add_lateness(connection: duckdb.DuckDBPyConnection, taken_at: datetime) -> None:
    """Add `late_since` and `late_hours` to the tables `schedules` and `facts`.

    `late_since` is the first time that was missed; `late_hours` is how long ago that was, and 0 if nothing was missed.
    """
    tokens, times, hours = [], [], []
    for schedule in fetched(connection.execute(_SCHEDULES)):
        try:
            since = _late_since(schedule, taken_at)
        except ValueError:
            continue
        tokens.append(schedule["token"])
        times.append(None if since is None else since.replace(tzinfo=None))
        hours.append(0.0 if since is None else (taken_at - since) / timedelta(hours=1))
    for table in ("schedules", "facts"):
        connection.execute(_ADD.format(table=table))
    connection.execute(_OF_SCHEDULES, [tokens, times, hours])
    connection.execute(_OF_REPORTS)
    connection.execute(_UNSCHEDULED)


def _late_since(schedule: Row, taken_at: datetime) -> datetime | None:
    """Return the first time that a schedule missed; None if it missed none.

    :raises ValueError: that is unknown.
    """
    if schedule["archived"]:
        return None
    runs, created_at = (schedule["last_run_at"], schedule["report_last_run_at"]), schedule["created_at"]
    if schedule["last_run_at"] is None and created_at is None:
        raise ValueError("the schedule may be newer than the Report's last run")
    return late_since(due_times(schedule, schedule["next_scheduled_run"]), taken_at, runs=runs, created_at=created_at)
