# SPDX-License-Identifier: Apache-2.0
"""Which Reports read a table, and which tables a Report reads, from the newest `tables.parquet`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_provider_studio.governance.errors import InventoryError
from airflow_provider_studio.governance.lineage import table_rows
from airflow_provider_studio.governance.lineage.confidence import Confidence
from airflow_provider_studio.governance.lineage.table_names import TableName, may_be_same, parse_table_name
from airflow_provider_studio.governance.lineage.table_rows import TableRow
from airflow_provider_studio.governance.snapshots.store import Snapshot, open_history

_MOST_PARTS = 3


@dataclass(frozen=True)
class Reader:
    """A Report that reads a table.

    :param confidence: that of the surest of its queries; `likely` too if the query does not state the schema that the
        table was looked up with.
    """

    report: str
    name: str | None
    collection_name: str | None
    table: str
    confidence: Confidence
    queries: tuple[str, ...]
    web_url: str | None


def table_of(text: str) -> TableName:
    """Return the table that a text names: a table, or the URI of a warehouse's asset.

    A URI has database, schema and table in its path, such as `snowflake://account/sales/public/orders`; BigQuery's has
    the project as its host.

    :raises ValueError: it names no table.
    """
    if "://" not in text:
        return parse_table_name(text)
    uri = urlsplit(text)
    parts = [unquote(part) for part in uri.path.split("/") if part]
    if uri.scheme == "bigquery" and uri.netloc:
        parts.insert(0, uri.netloc)
    if uri.scheme in {"file", "http", "https", "s3", "gs", "studio"} or not 1 <= len(parts) <= _MOST_PARTS:
        raise ValueError(
            f"{text!r} is not the URI of a table: its path must be database/schema/table, schema/table or table"
        )
    return TableName(parts[-3] if len(parts) == _MOST_PARTS else None, parts[-2] if len(parts) > 1 else None, parts[-1])


def readers_of(snapshots: Sequence[Snapshot], tables: Iterable[TableName]) -> list[Reader]:
    """Return the Reports that read any of these tables, by table and name; a Report has an entry for each table.

    :param snapshots: all snapshots of the workspace, oldest first. Reports that the newest one does not have, or that
        are archived there, are left out.
    :raises InventoryError: no snapshot has a `tables.parquet`.
    """
    wanted = list(tables)
    rows = [row for row in _rows(snapshots) if row["table_name"] is not None]
    names = {name_of(row): None for row in rows}
    matching = {name for name in names if any(may_be_same(name, table) for table in wanted)}
    found: dict[tuple[str, TableName], list[TableRow]] = {}
    for row in rows:
        if name_of(row) in matching:
            found.setdefault((row["report"], name_of(row)), []).append(row)
    reports = _reports(snapshots[-1])
    readers = [
        _reader(reports[token], name, of_report, wanted)
        for (token, name), of_report in found.items()
        if token in reports
    ]
    return sorted(readers, key=lambda reader: (reader.table, reader.name or "", reader.report))


def unresolved_queries(snapshots: Sequence[Snapshot]) -> list[TableRow]:
    """Return the rows of queries whose tables are unknown.

    :raises InventoryError: no snapshot has a `tables.parquet`.
    """
    return [row for row in _rows(snapshots) if row["confidence"] == Confidence.UNRESOLVED]


def tables_of_report(snapshots: Sequence[Snapshot], report: str) -> list[TableRow]:
    """Return the rows of a Report; none if it was not read, or no snapshot has a `tables.parquet`."""
    snapshot = table_rows.newest_with_tables(snapshots)
    return [] if snapshot is None else table_rows.read_rows(snapshot, report=report)


def _rows(snapshots: Sequence[Snapshot]) -> list[TableRow]:
    snapshot = table_rows.newest_with_tables(snapshots)
    if snapshot is None:
        raise InventoryError(
            "No snapshot has a tables.parquet; StudioReportTablesOperator writes it, see docs/tables.md."
        )
    return table_rows.read_rows(snapshot)


def name_of(row: TableRow) -> TableName:
    """Return the table of a row that has one."""
    return TableName(row["database_name"], row["schema_name"], row["table_name"] or "")


def _reports(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    columns = ("token", "name", "collection_name", "web_url")
    with open_history([snapshot]) as connection:
        found = connection.execute(f"SELECT {', '.join(columns)} FROM reports WHERE archived IS NOT TRUE").fetchall()
    return {values[0]: dict(zip(columns, values, strict=True)) for values in found}


def _reader(
    report: Mapping[str, Any], name: TableName, rows: Sequence[TableRow], wanted: Sequence[TableName]
) -> Reader:
    is_stated = any(may_be_same(name, table) and (name.schema or not table.schema) for table in wanted)
    is_certain = is_stated and any(row["confidence"] == Confidence.CERTAIN for row in rows)
    return Reader(
        report["token"],
        report["name"],
        report["collection_name"],
        str(name),
        Confidence.CERTAIN if is_certain else Confidence.LIKELY,
        tuple(sorted({row["query_name"] or row["query"] or "" for row in rows})),
        report["web_url"],
    )
