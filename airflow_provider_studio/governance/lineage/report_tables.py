# SPDX-License-Identifier: Apache-2.0
"""Writes `tables.parquet` beside the newest snapshot: which tables the queries of each Report read.

Reports that were not edited since their queries were read are carried over from the previous file. The file is written
after each part of the Reports, so an interrupted step continues where it ended.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from upath import UPath

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.discovery import DiscoveryClient
from airflow_provider_studio.client.models import DataSource
from airflow_provider_studio.governance.errors import InventoryError
from airflow_provider_studio.governance.lineage import report_queries, table_rows
from airflow_provider_studio.governance.lineage.confidence import Confidence
from airflow_provider_studio.governance.lineage.dialects import names_of
from airflow_provider_studio.governance.lineage.namespaces import namespace_of
from airflow_provider_studio.governance.lineage.query_tables import tables_of_query
from airflow_provider_studio.governance.lineage.report_queries import QueryText, ReportQueries
from airflow_provider_studio.governance.lineage.table_rows import TableRow
from airflow_provider_studio.governance.lineage.templates import inserts_definition
from airflow_provider_studio.governance.snapshots.schema import IS_REPORT
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore, open_history
from airflow_provider_studio.governance.storage import utcnow
from airflow_provider_studio.governance.text import counted

_READ_AGAIN_AFTER = timedelta(days=28)
"""Not every change of a query is visible in its Report."""
_REQUESTS_FOR_ALL = 4
"""The data sources, the definitions, and a page after each of them."""


@dataclass(frozen=True)
class TablesSummary:
    """What a step did.

    :param read: the Reports whose queries were read; the others are carried over.
    :param unresolved: the queries whose tables are unknown.
    :param tables: how many different tables the Reports read.
    """

    workspace: str
    snapshot: str
    reports: int
    read: int
    queries: int
    unresolved: int
    tables: int
    requests_spent: int

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as an XCom."""
        return asdict(self)


@dataclass(frozen=True)
class _Report:
    token: str
    edited_at: datetime | None
    query_count: int | None
    unknown: bool


class _Resolver:
    """Finds the tables of queries, with what they have in common."""

    def __init__(self, client: StudioClient, now: datetime) -> None:
        self._sources: Mapping[str, DataSource] = report_queries.data_sources(client)
        self._definitions = report_queries.definitions(client)
        self.digest = hashlib.sha256(json.dumps(self._definitions, sort_keys=True).encode()).hexdigest()[:16]
        self._now = now

    def rows(self, report: _Report, read: ReportQueries) -> Iterator[TableRow]:
        """Yield the rows of a Report."""
        common: TableRow = {"report": report.token, "edited_at": report.edited_at, "read_at": self._now}
        if read.problem is not None:
            yield {**common, "confidence": Confidence.UNRESOLVED, "reason": read.problem}
        elif not read.queries:
            yield {**common, "confidence": Confidence.CERTAIN}
        for query in read.queries:
            yield from self._rows_of_query(common, query)

    def _rows_of_query(self, common: TableRow, query: QueryText) -> Iterator[TableRow]:
        source = self._sources.get(query.data_source or "")
        names = names_of(source.adapter, source.database, source.host) if source else None
        row: TableRow = {
            **common,
            "query": query.token,
            "query_name": query.name,
            "data_source": source.token if source else query.data_source,
            "data_source_name": source.name if source else None,
            "dialect": names.dialect if names else None,
            "namespace": namespace_of(source) if source else None,
            "definitions": self.digest if inserts_definition(query.sql) else None,
        }
        if names is None:
            reason = f"the adapter {source.adapter} has no known dialect" if source else "its data source is unknown"
            yield {**row, "confidence": Confidence.UNRESOLVED, "reason": reason}
            return
        found = tables_of_query(query.sql, names, self._definitions)
        for table, confidence in found.tables.items():
            yield {
                **row,
                "database_name": table.database,
                "schema_name": table.schema,
                "table_name": table.name,
                "confidence": confidence,
            }
        if not found.tables:
            yield {
                **row,
                "confidence": Confidence.UNRESOLVED if found.reason else Confidence.CERTAIN,
                "reason": found.reason,
            }


def write_tables(
    client: StudioClient,
    storage: UPath,
    *,
    discovery: DiscoveryClient | None = None,
    progress: Callable[[str], None] = lambda _: None,
    now: Callable[[], datetime] = utcnow,
) -> TablesSummary:
    """Write the tables of all Reports that are not archived beside the newest snapshot.

    :param discovery: reads all queries from the Discovery API where that needs fewer requests.
    :param progress: receives sentences about the requests that are needed.
    :raises InventoryError: there is no snapshot.
    """
    store = SnapshotStore(storage, client.workspace)
    snapshots, before = store.all(), _spent(client, discovery)
    if not snapshots:
        raise InventoryError(f"The workspace {client.workspace!r} has no snapshot; StudioInventoryOperator takes one.")
    snapshot, resolver = snapshots[-1], _Resolver(client, now())
    reports = {report.token: report for report in _reports(snapshot)}
    rows = _carried_over(snapshots, reports, resolver.digest, now())
    to_read = {
        token: report.query_count for token, report in reports.items() if token not in rows and not report.unknown
    }
    for part in _read(client, discovery, to_read, reports.values(), progress):
        rows |= {read.report: list(resolver.rows(reports[read.report], read)) for read in part}
        table_rows.write_rows(snapshot, [row for report in rows.values() for row in report])
    if not to_read:
        table_rows.write_rows(snapshot, [row for report in rows.values() for row in report])
    summary = TablesSummary(
        workspace=client.workspace,
        snapshot=store.relative(snapshot),
        reports=len(reports),
        read=len(to_read),
        requests_spent=_spent(client, discovery) - before,
        **_counts(row for report in rows.values() for row in report),
    )
    progress(
        f"{counted(summary.reports, 'Report')} read {counted(summary.tables, 'table')}; the tables of "
        f"{summary.unresolved:,} of {summary.queries:,} queries are unknown; "
        f"{counted(summary.requests_spent, 'request')} sent"
    )
    return summary


def _read(
    client: StudioClient,
    discovery: DiscoveryClient | None,
    to_read: Mapping[str, int | None],
    reports: Iterable[_Report],
    progress: Callable[[str], None],
) -> Iterator[list[ReportQueries]]:
    """Read from the source that needs fewer requests, after it said how many."""
    queries = sum(report.query_count or 1 for report in reports)
    batches = report_queries.requests_of_discovery(queries)
    use_discovery = discovery is not None and batches < len(to_read)
    needed = batches if use_discovery else len(to_read)
    progress(
        f"To read: the queries of {counted(len(to_read), 'Report')}, from {'Discovery' if use_discovery else 'REST'}; "
        f"about {counted(needed + _REQUESTS_FOR_ALL, 'request')}"
    )
    if discovery is not None and use_discovery:
        return report_queries.from_discovery(discovery, to_read)
    return report_queries.from_rest(client, to_read)


def _reports(snapshot: Snapshot) -> list[_Report]:
    with open_history([snapshot]) as connection:
        found = connection.execute(
            "SELECT token, edited_at, query_count, coalesce(unknown, false) FROM reports "
            f"WHERE {IS_REPORT} AND archived IS NOT TRUE ORDER BY token"
        )
        return [_Report(*values) for values in found.fetchall()]


def _carried_over(
    snapshots: list[Snapshot], reports: Mapping[str, _Report], digest: str, now: datetime
) -> dict[str, list[TableRow]]:
    """Return the rows of the previous file by Report, of Reports for which they are still true."""
    previous = table_rows.newest_with_tables(snapshots)
    oldest = (now - _READ_AGAIN_AFTER).astimezone(UTC).replace(tzinfo=None)
    by_report: dict[str, list[TableRow]] = {}
    for row in table_rows.read_rows(previous) if previous else []:
        by_report.setdefault(row["report"], []).append(row)
    return {
        token: rows
        for token, rows in by_report.items()
        if token in reports and all(_is_true(row, reports[token], digest, oldest) for row in rows)
    }


def _is_true(row: TableRow, report: _Report, digest: str, oldest: datetime) -> bool:
    if report.unknown:
        return True  # nothing newer can be read
    is_edited = report.edited_at is None or row["edited_at"] != report.edited_at
    return not is_edited and row["read_at"] >= oldest and row["definitions"] in {None, digest}


def _counts(rows: Iterable[TableRow]) -> dict[str, int]:
    queries: dict[str | None, bool] = {}
    tables: Counter[tuple[object, ...]] = Counter()
    for row in rows:
        if row.get("query") is not None:
            queries[row["query"]] = row["confidence"] == Confidence.UNRESOLVED
        if row.get("table_name") is not None:
            tables[row.get("namespace"), row.get("database_name"), row.get("schema_name"), row["table_name"]] += 1
    return {"queries": len(queries), "unresolved": sum(queries.values()), "tables": len(tables)}


def _spent(client: StudioClient, discovery: DiscoveryClient | None) -> int:
    return client.spending.requests + (discovery.spending.requests if discovery else 0)
