# SPDX-License-Identifier: Apache-2.0
"""Queries of a snapshot's small tables: a page of Reports, a Report with its history, and the rows of an export.

`governance.sql` opens them on the API server's disk with fixed limits of memory and threads. Column names come from the
lists in this module; everything else is bound as a value.
"""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.governance import sql
from airflow_provider_studio.governance.file_names import CHOICES, SNAPSHOT_TOTALS, table_file
from airflow_provider_studio.governance.snapshots.schema import IS_REPORT
from airflow_provider_studio.plugin.materialize import STALE, prepare_judged
from airflow_provider_studio.plugin.paging import PER_PAGE
from airflow_provider_studio.plugin.query_limits import EXPORTS, PAGES, Lane

if TYPE_CHECKING:
    import duckdb

SORTS = {
    "name": "lower(name)",
    "collection": "lower(collection_name)",
    "owner": "lower(creator)",
    "views": "view_count",
    "views_90d": "views_90d",
    "runs": "runs_count",
    "last_run": "last_run_at",
    "edited": "edited_at",
    "schedules": "schedules_count",
    "verdict": "verdict",
}
SCHEDULE_CHOICES = {"scheduled": "scheduled", "unviewed": "scheduled AND unviewed", "none": "NOT scheduled"}
STATE_CHOICES = {
    "live": "NOT coalesce(archived, false)",
    "archived": f"archived AND {IS_REPORT}",
    "reports": IS_REPORT,
    "datasets": f"NOT ({IS_REPORT})",
    "unviewed": "unviewed",
}
EXPORTED = (
    "token",
    "name",
    "type",
    "collection_name",
    "creator",
    "archived",
    "verdict",
    "detail",
    "due_on",
    "view_count",
    "views_30d",
    "views_90d",
    "views_180d",
    "views_unchanged_since",
    "runs_count",
    "last_run_at",
    "last_run_by_person_at",
    "schedules_count",
    "subscribers",
    "is_embedded",
    "public",
    "created_at",
    "edited_at",
    "first_seen_at",
    "web_url",
)
_SHOWN = (
    "token, name, collection, collection_name, creator, archived, view_count, views_90d, last_run_at, schedules_count, "
    "verdict, detail"
)
_PLACE = "file_row_number"
_REPORTS = f"read_parquet(?, hive_partitioning = false, {_PLACE} = true)"
_MEMORY = "96MB"
_SORTED_EXPORT = 5000
"""An export of up to this many rows has the order of the page, a larger one that of the file: sorting needs memory."""


@dataclass(frozen=True)
class ReportQuery:
    """Which Reports a page shows, and in which order.

    :param search: a part of the name, or a whole token.
    :param verdict: `stale`, or the reason why the newest plan spared the Report.
    :param schedule: one of SCHEDULE_CHOICES.
    :param state: one of STATE_CHOICES.
    :param sort: one of SORTS.
    """

    search: str = ""
    collection: str = ""
    owner: str = ""
    verdict: str = ""
    schedule: str = ""
    state: str = ""
    sort: str = "name"
    descending: bool = False

    def where(self) -> tuple[str, list[Any]]:
        """Return the SQL condition and its values."""
        conditions, values = ["true"], []
        equals = {"collection": self.collection, "creator": self.owner, "verdict": self.verdict}
        for column, value in equals.items():
            if value:
                conditions.append(f"{column} = ?")
                values.append(value)
        for choice, choices in ((self.schedule, SCHEDULE_CHOICES), (self.state, STATE_CHOICES)):
            if choice in choices:
                conditions.append(f"({choices[choice]})")
        if self.search:
            conditions.append("(contains(lower(name), lower(?)) OR token = ?)")
            values += [self.search, self.search.strip()]
        return " AND ".join(conditions), values

    def order(self) -> str:
        """Return the SQL order. Ties have the order of the file, which is sorted by name, on every page."""
        key = SORTS.get(self.sort, SORTS["name"])
        if key == SORTS["name"] and not self.descending:
            return _PLACE
        return f"{key} {'DESC' if self.descending else 'ASC'} NULLS LAST, {_PLACE}"


class SnapshotTables:
    """The tables of one snapshot, with the verdicts of one plan.

    :param folder: the folder that `prepare_snapshot` returned.
    :param plan: the folder that `prepare_plan` returned for the plan whose verdicts to show; None without a plan.
    """

    def __init__(self, folder: Path, plan: Path | None = None) -> None:
        self.folder = folder
        self._path = prepare_judged(folder, plan)

    def page(self, query: ReportQuery, number: int) -> tuple[list[dict[str, Any]], int]:
        """Return a page of Reports, counted from 1, and how many Reports match in all."""
        where, values = query.where()
        total = _count(self._path, where, tuple(values))
        # Sorting whole rows needs memory for all of them, so sort row numbers, then read one page of rows.
        order = f"ORDER BY {query.order()} LIMIT {PER_PAGE} OFFSET {PER_PAGE * (number - 1)}"
        found = _read(self._path, f"SELECT {_PLACE} FROM {_REPORTS} WHERE {where} {order}", values)
        places = [int(row[_PLACE]) for row in found]
        if not places:
            return [], total
        on_page = f"{_PLACE} IN ({', '.join(map(str, places))})"
        rows = _read(self._path, f"SELECT {_PLACE}, {_SHOWN} FROM {_REPORTS} WHERE {on_page}")
        return sorted(rows, key=lambda row: places.index(row[_PLACE])), total

    def export(self, query: ReportQuery) -> Iterator[Sequence[Any]]:
        """Yield all matching Reports, with the EXPORTED columns, in constant memory."""
        where, values = query.where()
        matching, bound = f"FROM {_REPORTS} WHERE {where}", [sql.exact_name(self._path), *values]
        with _cursor(self._path, EXPORTS) as cursor:
            ((count,),) = cursor.execute(f"SELECT count(*) {matching}", bound).fetchall()
            order = f"ORDER BY {query.order()}" if count <= _SORTED_EXPORT else ""
            cursor.execute(f"SELECT {', '.join(EXPORTED)} {matching} {order}", bound)
            while rows := cursor.fetchmany(2000):
                yield from rows

    def report(self, token: str) -> dict[str, Any] | None:
        """Return a Report's facts and verdict, or None."""
        found = _read(self._path, f"SELECT * FROM {sql.PARQUET} WHERE token = ?", [token])
        return found[0] if found else None

    def history(self, token: str) -> list[dict[str, Any]]:
        """Return a Report's totals in each snapshot, oldest first."""
        return self._of("history", "token = ? ORDER BY taken_at", [token])

    def schedules(self, report: str) -> list[dict[str, Any]]:
        """Return a Report's schedules."""
        return self._of("schedules", "report = ? ORDER BY name, token", [report])

    def disappeared(self, token: str) -> dict[str, Any] | None:
        """Return when a Report that the newest snapshot lacks was last seen, or None."""
        return next(iter(self._of("disappeared", "token = ?", [token])), None)

    def numbers(self) -> dict[str, Any]:
        """Return the numbers of the snapshot: the newest point of each chart, the stale Reports, and runs a week."""
        return self.snapshots[-1] | _numbers(self._path, self.folder / table_file("schedules"))

    def verdicts(self) -> list[tuple[str, int]]:
        """Return the number of live Reports by verdict, the most frequent first."""
        return _live_verdicts(self._path)

    @functools.cached_property
    def choices(self) -> dict[str, list[list[Any]]]:
        """What the filters offer: `collections` as token, name and count; `owners` as name and count."""
        return dict(json.loads((self.folder / CHOICES).read_text(encoding="utf-8")))

    @functools.cached_property
    def snapshots(self) -> list[dict[str, Any]]:
        """Each snapshot in numbers, oldest first."""
        return list(json.loads((self.folder / SNAPSHOT_TOTALS).read_text(encoding="utf-8")))

    def _of(self, table: str, condition: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        return _read(self.folder / table_file(table), f"SELECT * FROM {sql.PARQUET} WHERE {condition}", values)


# The files never change, so each of these queries runs once per file.


@functools.lru_cache(maxsize=16)
def _numbers(reports: Path, schedules: Path) -> dict[str, Any]:
    (counts,) = _read(reports, f"SELECT count(*) FILTER (verdict = '{STALE}') AS stale FROM {sql.PARQUET}")
    source = sql.parquet([schedules])
    (runs,) = _read(
        reports,
        "SELECT sum(runs_a_week) AS runs_a_week, sum(runs_a_week) FILTER (unviewed) AS runs_unviewed "
        f"FROM (SELECT token AS of_report, unviewed FROM {sql.PARQUET}) JOIN {source} AS schedules "
        "ON of_report = schedules.report",
    )
    return counts | runs


@functools.lru_cache(maxsize=16)
def _live_verdicts(reports: Path) -> list[tuple[str, int]]:
    condition = f"{STATE_CHOICES['live']} AND verdict IS NOT NULL"
    query = f"SELECT verdict, count(*) AS reports FROM {sql.PARQUET} WHERE {condition} GROUP BY 1 ORDER BY 2 DESC"
    return [(row["verdict"], row["reports"]) for row in _read(reports, query)]


@functools.lru_cache(maxsize=64)
def _count(reports: Path, where: str, values: tuple[Any, ...]) -> int:
    (row,) = _read(reports, f"SELECT count(*) AS reports FROM {sql.PARQUET} WHERE {where}", values)
    return int(row["reports"])


_LOCK = threading.Lock()


@functools.cache
def _database(cache: Path) -> sql.Database:
    """Return this process' only database for the tables in a cache."""
    return sql.Database(_MEMORY, [cache])


@contextmanager
def _cursor(file: Path, lane: Lane) -> Iterator[duckdb.DuckDBPyConnection]:
    """Wait for a turn, then open a connection for this request to read a file of a snapshot or a plan."""
    with lane.turn():
        with _LOCK:
            database = _database(file.parents[2])
        with sql.duckdb_errors([file.parent]), lane.watched(database.cursor()) as cursor:
            yield cursor


def _read(file: Path, query: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Return the rows of a query whose first value is the file."""
    with _cursor(file, PAGES) as cursor:
        result = cursor.execute(query, [sql.exact_name(file), *values])
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def verdict_counts(plan: Path) -> list[tuple[str, int]]:
    """Return the number of Reports of a plan by verdict, the most frequent first."""
    query = f"SELECT verdict, count(*) AS reports FROM {sql.PARQUET} GROUP BY 1 ORDER BY 2 DESC"
    return [(row["verdict"], row["reports"]) for row in _read(plan / table_file("verdicts"), query)]
