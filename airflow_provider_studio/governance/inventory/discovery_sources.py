# SPDX-License-Identifier: Apache-2.0
"""Reports from Studio's Discovery API or Discovery Database instead of the crawl: cheaper, and with dated views.

Neither reports datasets, the total of runs, or whether a Report is archived; the latter is carried over from the last
snapshot that knows it. Schedules are still read over the REST API.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Protocol, cast

from airflow_provider_studio.client.discovery import DiscoveryClient
from airflow_provider_studio.governance.errors import InventoryError
from airflow_provider_studio.governance.file_names import PageName
from airflow_provider_studio.governance.inventory.checkpoint import Checkpoint
from airflow_provider_studio.governance.inventory.valid_rows import valid_or_unknown
from airflow_provider_studio.governance.snapshots.schema import (
    REPORT_COLUMNS,
    TIMES,
    CollectionRow,
    ReportRow,
    Row,
    last_run_failed,
)

EVERYTHING = "discovery"
"""The pseudo Collection of a source's pages in the checkpoint."""
_BATCH = 1000
_COLUMNS = tuple(
    name for name in REPORT_COLUMNS if name not in {"taken_at", "token", "source", "unknown", "seen_at", "verified_at"}
)
"""What a source may report of a Report: every column but those that the inventory itself fills."""
_NOTHING = cast("ReportRow", dict.fromkeys(_COLUMNS))


class _Pages:
    """Saves what is read as pages of the checkpoint, and yields each Report once."""

    name: str

    def save(self, checkpoint: Checkpoint, pages: Iterable[list[ReportRow]]) -> None:
        """Save pages, unless all are saved already."""
        saved = checkpoint.pages().get((EVERYTHING, "reports"), [])
        if saved and saved[-1].is_last:
            return
        number = 0
        for number, rows in enumerate(pages, start=1):
            checkpoint.save_page(PageName(EVERYTHING, "reports", number, len(rows), len(rows), "more"), rows)
        checkpoint.save_page(PageName(EVERYTHING, "reports", number + 1, 0, 0, "last"), [])

    def rows(self, checkpoint: Checkpoint) -> Iterator[ReportRow]:
        """Yield the saved rows, each Report once."""
        seen: set[str] = set()
        for page in checkpoint.pages().get((EVERYTHING, "reports"), []):
            for row in checkpoint.rows(page):
                if row["token"] not in seen:
                    seen.add(row["token"])
                    yield row


class DiscoveryAPI(_Pages):
    """The Discovery API as a source.

    :param include_personal: Reports in members' personal Collections too.
    """

    name = "discovery_api"

    def __init__(self, client: DiscoveryClient, *, include_personal: bool = False) -> None:
        self._client = client
        self._personal = include_personal

    def list_collections(self) -> list[CollectionRow]:
        """Return the Collections."""
        batches = self._client.batches("spaces", include_personal=self._personal)
        rows: list[CollectionRow] = [
            {"token": row["token"], "name": row.get("name"), "space_type": row.get("space_type")}
            for batch in batches
            for row in batch
        ]
        if not rows:
            raise InventoryError(f"The Discovery API reports no Collection of workspace {self._client.workspace!r}.")
        return rows

    def read(self, checkpoint: Checkpoint, begun_at: datetime) -> None:
        """Read the Reports and their stats."""
        stats: dict[str, tuple[Any, Any]] = {}
        for batch in self._client.batches("report_stats", include_personal=self._personal):
            for row in batch:
                views = row.get("view_count", row.get("total_views_count"))
                stats[str(row.get("report_token"))] = (views, row.get("active_schedules_count"))
        names = {collection["token"]: collection["name"] for collection in checkpoint.collections() or []}
        batches = self._client.batches("reports", include_personal=self._personal)

        def row_of(report: Mapping[str, Any]) -> ReportRow:
            page = self._client.report_page(report["token"])
            return _api_row(report, stats, names, begun_at, page=page)

        self.save(
            checkpoint, ([valid_or_unknown(report, partial(row_of, report)) for report in batch] for batch in batches)
        )


def _api_row(
    report: Mapping[str, Any],
    stats: Mapping[str, tuple[Any, Any]],
    names: Mapping[str, Any],
    seen_at: datetime,
    *,
    page: str,
) -> ReportRow:
    views, schedules = stats.get(report["token"], (None, None))
    last_run_at = _time(report.get("last_run_at"))
    succeeded_at = _time(report.get("last_successfully_run_at"))
    state = report.get("last_run_state")
    failed = {"failed": True, "succeeded": False, "completed": False}.get(str(state))
    if state is None:
        failed = last_run_failed(
            last_run_at, succeeded_at, seen_at, is_success_known="last_successfully_run_at" in report
        )
    return {
        **_NOTHING,
        "token": report["token"],
        "id": None if report.get("id") is None else str(report["id"]),
        "name": report.get("name"),
        "type": "Report",
        "collection": report.get("space_token"),
        "collection_name": names.get(str(report.get("space_token"))),
        "creator_email": report.get("creator_email"),
        "created_at": _time(report.get("created_at")),
        "edited_at": _time(report.get("edited_at")),
        "last_run_at": last_run_at,
        "last_successfully_run_at": succeeded_at,
        "last_run_failed": failed,
        "last_viewed_at": _time(report.get("last_viewed_at")),
        "view_count": views,
        "schedules_count": schedules,
        "web_url": page,
        "description": report.get("description"),
        "source": "discovery_api",
        "unknown": False,
        "seen_at": seen_at,
    }


# The Discovery Database

QUERY = """
SELECT r.id AS id, r.name AS name, r.description AS description, r.collection_name AS collection_name,
       u.email AS creator_email, r.created_at_utc AS created_at, r.last_edited_at_utc AS edited_at,
       v.view_count AS view_count, v.last_viewed_at AS last_viewed_at, s.schedules_count AS schedules_count,
       q.query_count AS query_count, q.url AS url, q.last_run_at AS last_run_at,
       q.last_successfully_run_at AS last_successfully_run_at
FROM {schema}.REPORTS r
LEFT JOIN {schema}.USERS u ON u.id = r.creator_id
LEFT JOIN (SELECT report_id, count(*) AS view_count, max(viewed_at_utc) AS last_viewed_at
           FROM {schema}.REPORT_VIEWS GROUP BY report_id) v ON v.report_id = r.id
LEFT JOIN (SELECT report_id, count(*) AS schedules_count
           FROM {schema}.REPORT_SCHEDULES GROUP BY report_id) s ON s.report_id = r.id
LEFT JOIN (SELECT q.report_id AS report_id, count(DISTINCT q.id) AS query_count, max(q.url) AS url,
                  max(x.started_at_utc) AS last_run_at,
                  max(CASE WHEN x.state IN ('succeeded', 'completed') THEN x.started_at_utc END)
                      AS last_successfully_run_at
           FROM {schema}.QUERIES q LEFT JOIN {schema}.QUERY_RUNS x ON x.query_id = q.id
           GROUP BY q.report_id) q ON q.report_id = r.id
ORDER BY r.id
"""
"""Standard SQL. Another query must return the same columns, and may return `token`, `collection`, `archived`, `creator`
and any other column of a snapshot's `reports`."""
SCHEMA = "MODE.ORGANIZATION_USAGE"
_REPORT_URL = re.compile(r"/reports/([0-9a-f]{12})(?![0-9a-f])")
_NEEDED = ("view_count", "last_viewed_at", "schedules_count")


class Database(Protocol):
    """An object that runs a query, such as a wrapper of an Airflow SQL hook."""

    def run(self, sql: str) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        """Run a query; return the columns' names and the rows, lazily."""


class DiscoveryDatabase(_Pages):
    """The Discovery Database as a source: a database that Studio shares, with one event per view.

    The database identifies Reports by their `id`. Their tokens come from the URLs of their queries, or from the ids in
    earlier snapshots; a Report without a token is counted, and gets no row.

    :param tokens: Reports' tokens by id, from earlier snapshots.
    :param schema: where its tables are.
    :param query: another query than `QUERY`; `{schema}` in it is replaced.
    """

    name = "discovery_db"

    def __init__(
        self, database: Database, tokens: Mapping[str, str], *, schema: str = SCHEMA, query: str = QUERY
    ) -> None:
        if not re.fullmatch(r"\w+(\.\w+)*", schema):
            raise InventoryError(f"discovery schema is {schema!r}; it must be names with dots, such as {SCHEMA}.")
        self._database = database
        self._tokens = tokens
        self._sql = query.replace("{schema}", schema)
        self.without_token = 0

    def list_collections(self) -> list[CollectionRow]:
        """Return none: the database has only the names of Collections."""
        return []

    def read(self, checkpoint: Checkpoint, begun_at: datetime) -> None:
        """Read the Reports.

        :raises InventoryError: the query returns no rows, or lacks a column.
        """
        columns, rows = self._database.run(self._sql)
        names = [name.lower() for name in columns]
        missing = [name for name in _NEEDED if name not in names]
        if missing or not {"id", "token"} & set(names):
            raise InventoryError(
                f"The query of the Discovery Database returns no column {', '.join(missing) or 'id or token'}; "
                f"it returns {', '.join(names)}."
            )
        self.save(checkpoint, self._pages(names, rows, begun_at))
        if not checkpoint.pages()[EVERYTHING, "reports"][:-1]:
            raise InventoryError("The Discovery Database reports no Report. Check its schema and the connection.")

    def _pages(self, names: list[str], rows: Iterator[Sequence[Any]], begun_at: datetime) -> Iterator[list[ReportRow]]:
        page: list[ReportRow] = []
        for values in rows:
            row = self._row(dict(zip(names, values, strict=True)), begun_at)
            if row is None:
                self.without_token += 1
                continue
            page.append(row)
            if len(page) == _BATCH:
                yield page
                page = []
        if page:
            yield page

    def _row(self, values: Row, seen_at: datetime) -> ReportRow | None:
        identifier = None if values.get("id") is None else str(values["id"])
        found = _REPORT_URL.search(str(values.get("url") or ""))
        token = values.get("token") or (found[1] if found else None) or self._tokens.get(identifier or "")
        if not token:
            return None
        known = {
            name: _time(values[name]) if name in TIMES else _plain(values[name])
            for name in _COLUMNS
            if values.get(name) is not None
        }
        row: Row = {**_NOTHING, "type": "Report", **known, "token": str(token), "id": identifier}
        # The tables hold all views and schedules, so a Report without any has 0.
        row |= {name: values.get(name) or 0 for name in ("view_count", "schedules_count")}
        last_run_at, succeeded_at = row["last_run_at"], row["last_successfully_run_at"]
        row["last_run_failed"] = last_run_failed(last_run_at, succeeded_at, seen_at)
        return cast("ReportRow", {**row, "source": self.name, "unknown": False, "seen_at": seen_at})


def _time(value: Any) -> datetime | None:
    """Return a time with a zone, UTC where it has none."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC) if isinstance(value, date) else None


def _plain(value: Any) -> Any:
    """Return a value of a database as a row stores it."""
    return value if isinstance(value, str | int | float | bool) else str(value)
