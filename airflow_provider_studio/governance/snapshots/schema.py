# SPDX-License-Identifier: Apache-2.0
"""The rows of a snapshot: the single source of its columns, their types, what they mean and where they come from.

The Parquet files, the CSV, the facts, lineage and the reference of files derive their columns from `ReportRow` and
`ScheduleRow`. So a new column is a line here and a line where the row is filled. Unknown values are None; so is what an
older snapshot does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, cast, get_args, get_type_hints

from airflow_provider_studio.client.errors import StudioResponseError
from airflow_provider_studio.client.field_types import is_text
from airflow_provider_studio.client.models import Report, Schedule

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]
"""A row of a query's result, before it has a type."""

DATASET = "DatasetReport"
IS_REPORT = f"type IS DISTINCT FROM '{DATASET}'"
"""The SQL condition for what counts as a Report. Datasets are in the same table and do not count."""
SAME_RUN = timedelta(minutes=2)
"""A schedule's and its Report's `last_run_at` that are at most this far apart mean the same run."""
MAY_STILL_RUN = timedelta(minutes=10)
"""A run that began at most this long ago and has not succeeded is not called failed yet."""


@dataclass(frozen=True)
class Source:
    """Where a column comes from.

    :param name: the key of a response, or what computes the value.
    :param is_carried_over: whether the value of the previous snapshot stays true of a Report that cannot be read.
    """

    name: str
    is_carried_over: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table.

    :param kind: its type in DuckDB. Times are UTC, stored without a zone.
    """

    name: str
    kind: str
    description: str
    source: Source


_KINDS = {str: "VARCHAR", bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE", datetime: "TIMESTAMP"}


class CollectionRow(TypedDict):
    """A Collection that an inventory reads."""

    token: str
    name: str | None
    space_type: str | None


class ReportRow(TypedDict, total=False):
    """A Report or a dataset."""

    taken_at: Annotated[datetime, "when the crawl of the snapshot began", Source("the snapshot")]
    token: Annotated[str, "the name of the Report in URLs", Source("`token`", is_carried_over=True)]
    name: Annotated[str | None, "its title", Source("`name`", is_carried_over=True)]
    type: Annotated[str | None, "`Report` or `DatasetReport`", Source("`type`", is_carried_over=True)]
    collection: Annotated[
        str | None, "the token of its Collection", Source("`space_token`, else the listing", is_carried_over=True)
    ]
    collection_name: Annotated[
        str | None, "the name of its Collection", Source("`name` of the Collection", is_carried_over=True)
    ]
    space_type: Annotated[
        str | None,
        "the kind of its Collection: `custom`, `community`, or `private` (a member's personal one)",
        Source("`space_type` of the Collection", is_carried_over=True),
    ]
    creator: Annotated[str | None, "the owner's user name", Source("the link `creator`", is_carried_over=True)]
    archived: Annotated[bool | None, "whether it is archived", Source("`archived`; Discovery does not report it")]
    created_at: Annotated[datetime | None, "when it was created", Source("`created_at`", is_carried_over=True)]
    edited_at: Annotated[datetime | None, "when a person last edited it", Source("`edited_at`")]
    last_run_at: Annotated[datetime | None, "when its last run began", Source("`last_run_at`")]
    last_successfully_run_at: Annotated[
        datetime | None, "when its last successful run ended", Source("`last_successfully_run_at`")
    ]
    last_run_by_schedule: Annotated[
        bool | None,
        "whether a schedule made the last run, even if the schedule has been deleted since",
        Source("its schedules, this snapshot's and the previous one's"),
    ]
    view_count: Annotated[int | None, "all views so far", Source("`view_count`")]
    runs_count: Annotated[int | None, "all runs so far", Source("`runs_count`; Discovery does not report it")]
    schedules_count: Annotated[int | None, "how many schedules it has", Source("`schedules_count`")]
    expected_runtime_seconds: Annotated[float | None, "how long a run takes", Source("`expected_runtime`")]
    query_count: Annotated[int | None, "how many queries it has", Source("`query_count`")]
    web_url: Annotated[str | None, "its page", Source("the link `web`", is_carried_over=True)]
    id: Annotated[str | None, "its id in the Discovery Database", Source("`id`", is_carried_over=True)]
    description: Annotated[str | None, "its description", Source("`description`")]
    creator_email: Annotated[
        str | None, "the owner's email address", Source("Discovery's `creator_email`", is_carried_over=True)
    ]
    source: Annotated[
        str | None, "`rest`, `discovery_api` or `discovery_db`", Source("the inventory", is_carried_over=True)
    ]
    unknown: Annotated[
        bool | None,
        "the Report could not be read: who it is comes from the previous snapshot, and what may have changed is `NULL`",
        Source("the inventory"),
    ]
    unknown_reason: Annotated[
        str | None, "why it is `unknown`, if not because of its whole Collection", Source("the inventory")
    ]
    seen_at: Annotated[
        datetime | None,
        "when it was last read; `taken_at` unless `unknown`",
        Source("the inventory", is_carried_over=True),
    ]
    verified_at: Annotated[
        datetime | None,
        "when its schedules were last read; they are carried over until they change",
        Source("the inventory"),
    ]
    last_run_failed: Annotated[
        bool | None,
        "whether the last run that is over failed",
        Source("`last_run_at` and `last_successfully_run_at`; `last_run_state` of Discovery"),
    ]
    last_viewed_at: Annotated[datetime | None, "when it was last viewed", Source("Discovery's `last_viewed_at`")]
    manual_run_disabled: Annotated[
        bool | None, "whether only its schedules may run it", Source("`manual_run_disabled`")
    ]
    is_embedded: Annotated[bool | None, "whether other pages may show it", Source("`is_embedded`")]
    is_signed: Annotated[bool | None, "whether other pages show it with a signed URL", Source("`is_signed`")]
    public: Annotated[bool | None, "whether people outside the workspace may open it", Source("`public`")]
    shared: Annotated[bool | None, "what the API calls shared; undocumented", Source("`shared`")]


class ScheduleRow(TypedDict, total=False):
    """A schedule of a Report or a dataset."""

    taken_at: Annotated[datetime, "when the crawl of the snapshot began", Source("the snapshot")]
    token: Annotated[str, "the name of the schedule in URLs", Source("`token`")]
    report: Annotated[str, "the token of its Report", Source("the listing")]
    name: Annotated[str | None, "its name", Source("`name`")]
    frequency: Annotated[str | None, "how often it runs, in Studio's words", Source("`frequency`")]
    time_zone: Annotated[str | None, "the time zone of its hour, in Studio's words", Source("`time_zone`")]
    next_scheduled_run: Annotated[datetime | None, "when it runs next", Source("`next_scheduled_run`")]
    last_run_at: Annotated[datetime | None, "when its last run began", Source("`last_run_at`")]
    last_succeeded_at: Annotated[datetime | None, "when its last successful run ended", Source("`last_succeeded_at`")]
    subscriber_count: Annotated[int | None, "how many people receive its results", Source("`subscriber_count`")]
    verified_at: Annotated[
        datetime | None, "when it was last read; it is carried over until it changes", Source("the inventory")
    ]
    freq: Annotated[str | None, "how often it runs, in the words of its form", Source("the form, else the row")]
    hour: Annotated[int | None, "0 to 23", Source("the form, else the row")]
    minute: Annotated[int | None, "0 to 59", Source("the form, else the row")]
    day_of_week: Annotated[str | None, "its days of the week, as Studio writes them", Source("the form, else the row")]
    day_of_month: Annotated[int | None, "its day of the month", Source("the form, else the row")]
    retry_state: Annotated[str | None, "the state of its retries, such as `ok`", Source("`retry_state`")]
    creator: Annotated[str | None, "the user name of the person who created it", Source("the link `creator`")]
    created_at: Annotated[datetime | None, "when it was created", Source("`created_at`")]
    last_run_failed: Annotated[
        bool | None,
        "whether the last run that is over failed",
        Source("`last_run_at` and `last_succeeded_at`"),
    ]


def columns_of(row: type) -> tuple[Column, ...]:
    """Return the columns that a class of rows declares."""
    return tuple(_column(name, hint) for name, hint in get_type_hints(row, include_extras=True).items())


def _column(name: str, hint: Any) -> Column:
    annotated, description, source = get_args(hint)
    python_type = next(kind for kind in (get_args(annotated) or (annotated,)) if kind is not type(None))
    return Column(name, _KINDS[python_type], description, source)


REPORT_COLUMNS = {column.name: column for column in columns_of(ReportRow)}
SCHEDULE_COLUMNS = {column.name: column for column in columns_of(ScheduleRow)}
TABLES = {"reports": REPORT_COLUMNS, "schedules": SCHEDULE_COLUMNS}
"""The tables of a snapshot, with their columns by name."""
TIMES = frozenset(
    column.name for table in TABLES.values() for column in table.values() if column.kind == _KINDS[datetime]
)
"""The columns that hold a time."""


def kinds_of(table: str) -> dict[str, str]:
    """Return a table's columns with their DuckDB types."""
    return {name: column.kind for name, column in TABLES[table].items()}


def report_row(report: Report, seen_at: datetime) -> ReportRow:
    """Return a Report as a row; `with_schedules` adds what its Collection and its schedules say."""
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
        "manual_run_disabled": report.manual_run_disabled,
        "is_embedded": report.is_embedded,
        "is_signed": report.is_signed,
        "public": report.public,
        "shared": report.shared,
        "web_url": report.web_url,
        "description": report.description,
        "source": "rest",
        "unknown": False,
        "seen_at": seen_at,
        "last_run_failed": last_run_failed(
            report.last_run_at,
            report.last_successfully_run_at,
            seen_at,
            is_success_known="last_successfully_run_at" in report.model_fields_set,
        ),
    }


def schedule_row(schedule: Schedule, report: str, seen_at: datetime) -> ScheduleRow:
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
        "created_at": schedule.created_at,
        "last_run_failed": last_run_failed(
            schedule.last_run_at,
            schedule.last_succeeded_at,
            seen_at,
            is_success_known="last_succeeded_at" in schedule.model_fields_set,
        ),
    }


def with_schedules(
    row: ReportRow,
    collection: CollectionRow | None,
    schedules: Sequence[ScheduleRow] | None,
    *,
    by_schedule: bool | None,
) -> ReportRow:
    """Return a Report's row with the facts of its Collection and its schedules; None where they are unknown.

    :param by_schedule: whether a schedule made its last run.
    """
    complete: ReportRow = {**row, "last_run_by_schedule": by_schedule}
    if schedules is not None:
        verified = [time for schedule in schedules if (time := schedule["verified_at"]) is not None]
        complete["verified_at"] = min(verified) if verified else row["seen_at"]
    if collection is not None:
        complete |= {
            "collection": collection["token"],
            "collection_name": collection["name"],
            "space_type": collection["space_type"],
        }
    return complete


def ran_by_schedule(last_run_at: datetime, schedules: Sequence[ScheduleRow]) -> bool:
    """Return whether one of these schedules made a Report's last run."""
    runs = (schedule["last_run_at"] for schedule in schedules)
    return any(run is not None and abs(run - last_run_at) <= SAME_RUN for run in runs)


def last_run_failed(
    last_run_at: datetime | None, succeeded_at: datetime | None, seen_at: datetime, *, is_success_known: bool = True
) -> bool | None:
    """Return whether the last run failed; None without a run, and while it may still be running.

    :param is_success_known: whether the response has the time of the last success; None is then "never".
    """
    if last_run_at is None or not is_success_known:
        return None
    if succeeded_at is not None and succeeded_at >= last_run_at:
        return False
    return True if last_run_at <= seen_at - MAY_STILL_RUN else None


def unknown_row(previous: ReportRow, reason: str | None = None) -> ReportRow:
    """Return the row of a Report that could not be read: from its previous row, only what stays true."""
    values = {name: previous.get(name) for name, column in REPORT_COLUMNS.items() if column.source.is_carried_over}
    return cast("ReportRow", {**values, "unknown": True, "unknown_reason": reason})


def invalid_row(row: Mapping[str, Any], kind: str, reason: str) -> ReportRow:
    """Return the row of a Report that was listed with a value that is not as the API promises: unknown but its name.

    :param kind: `Report` or `DatasetReport`.
    :param reason: which value is wrong, and how.
    """
    name = row.get("name")
    identity = {"token": row["token"], "name": name if is_text(name) else None, "type": kind, "source": "rest"}
    return {**cast("ReportRow", dict.fromkeys(REPORT_COLUMNS)), **unknown_row(cast("ReportRow", identity), reason)}


def fetched(result: duckdb.DuckDBPyConnection) -> list[Row]:
    """Return all rows of a result; its times get their zone, UTC, which the tables do not store."""
    names = [column[0] for column in result.description or ()]
    times = [name for name, kind, *_ in result.description or () if str(kind) == "TIMESTAMP"]
    rows = [dict(zip(names, values, strict=True)) for values in result.fetchall()]
    for row in rows:
        for name in times:
            if row[name] is not None:
                row[name] = row[name].replace(tzinfo=UTC)
    return rows


def _cron_values(schedule: Schedule) -> ScheduleRow:
    """Return the columns of a schedule's cron; none of them where the response has no cron."""
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
