# SPDX-License-Identifier: Apache-2.0
"""Reports and schedules as rows of a snapshot: what Studio told, and what follows from it. Absent facts are None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.client.errors import StudioResponseError
from airflow_provider_studio.client.models import Report, Schedule

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]

DATASET = "DatasetReport"
IS_REPORT = f"type IS DISTINCT FROM '{DATASET}'"
"""In SQL: what is counted as a Report, which datasets are not, though they share their table."""
SAME_RUN = timedelta(minutes=2)
"""A schedule's and its Report's `last_run_at` that are no further apart speak of the same run."""
RUNNING_STILL = timedelta(minutes=10)
"""A run that began no longer ago and has not succeeded is not called failed yet."""
IDENTITY = (
    "token",
    "name",
    "type",
    "collection",
    "collection_name",
    "creator",
    "creator_email",
    "created_at",
    "web_url",
)
"""What stays true of a Report that could not be read this night."""


def report_row(report: Report, seen_at: datetime) -> Row:
    """Return a Report as a row; its Collection and what its schedules tell are added when they are known."""
    return {
        "token": report.token,
        "id": report.id,
        "name": report.name,
        "type": report.type,
        "collection": report.space_token,
        "creator": report.creator,
        "archived": report.archived,
        "created_at": report.created_at,
        "edited_at": report.edited_at,
        "last_run_at": report.last_run_at,
        "last_successfully_run_at": report.last_successfully_run_at,
        "view_count": report.view_count,
        "runs_count": report.runs_count,
        "schedules_count": report.schedules_count,
        "expected_runtime_seconds": report.expected_runtime,
        "query_count": report.query_count,
        "web_url": report.web_url,
        "description": report.description,
        "source": "rest",
        "unknown": False,
        "seen_at": seen_at,
        "last_run_failed": last_run_failed(
            report.last_run_at,
            report.last_successfully_run_at,
            seen_at,
            told="last_successfully_run_at" in report.model_fields_set,
        ),
    }


def schedule_row(schedule: Schedule, report: str, seen_at: datetime) -> Row:
    """Return a schedule as a row."""
    return {
        "token": schedule.token,
        "report": report,
        "name": schedule.name,
        "frequency": schedule.frequency,
        "time_zone": schedule.time_zone,
        "next_scheduled_run": schedule.next_scheduled_run,
        "last_run_at": schedule.last_run_at,
        "last_succeeded_at": schedule.last_succeeded_at,
        "subscriber_count": schedule.subscriber_count,
        "verified_at": seen_at,
        **_cron_values(schedule),
        "retry_state": schedule.retry_state,
        "creator": schedule.creator,
        "last_run_failed": last_run_failed(
            schedule.last_run_at,
            schedule.last_succeeded_at,
            seen_at,
            told="last_succeeded_at" in schedule.model_fields_set,
        ),
    }


def with_schedules(
    row: Row, collection: Row | None, schedules: Sequence[Row] | None, *, by_schedule: bool | None
) -> Row:
    """Return a Report's row with its Collection and what its schedules tell; None where they are not known.

    :param by_schedule: whether a schedule made its last run.
    """
    known: Row = {"last_run_by_schedule": by_schedule}
    if schedules is not None:
        verified = [one["verified_at"] for one in schedules]
        known["verified_at"] = min(verified) if verified else row["seen_at"]
    if collection is not None:
        known |= {"collection": collection["token"], "collection_name": collection["name"]}
    return {**row, **known}


def ran_by_schedule(last_run_at: datetime, schedules: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a Report's last run is one of these schedules'."""
    runs = (one["last_run_at"] for one in schedules)
    return any(run is not None and abs(run - last_run_at) <= SAME_RUN for run in runs)


def last_run_failed(
    last_run_at: datetime | None, succeeded_at: datetime | None, seen_at: datetime, *, told: bool = True
) -> bool | None:
    """Return whether the last run failed.

    None where there was none, and while it may still be on its way.

    :param told: whether the answer said when one last succeeded, be it never.
    """
    if last_run_at is None or not told:
        return None
    if succeeded_at is not None and succeeded_at >= last_run_at:
        return False
    return True if last_run_at <= seen_at - RUNNING_STILL else None


def unknown_row(before: Mapping[str, Any]) -> Row:
    """Return the row of a Report that could not be read, from the night before: who it is, and nothing that changes."""
    return {**{name: before.get(name) for name in (*IDENTITY, "id", "source", "seen_at")}, "unknown": True}


def fetched(result: duckdb.DuckDBPyConnection) -> list[Row]:
    """Return all rows of a result; times, which the tables keep in UTC without a zone, carry their zone."""
    names = [column[0] for column in result.description or ()]
    times = [name for name, kind, *_ in result.description or () if str(kind) == "TIMESTAMP"]
    rows = [dict(zip(names, values, strict=True)) for values in result.fetchall()]
    for row in rows:
        for name in times:
            if row[name] is not None:
                row[name] = row[name].replace(tzinfo=UTC)
    return rows


def _cron_values(schedule: Schedule) -> Row:
    """Return a schedule's cron in the machine's values; nothing where the answer has none."""
    try:
        cron = schedule.cron()
    except StudioResponseError:
        return {}
    return {
        "freq": cron.freq.value,
        "hour": cron.hour,
        "minute": cron.minute,
        "day_of_week": None if cron.day_of_week is None else str(cron.day_of_week),
        "day_of_month": cron.day_of_month,
    }
