# SPDX-License-Identifier: Apache-2.0
"""The rows of `tables.parquet`, the file of a snapshot that says which tables each Report reads.

A query has a row for each table. A query that reads none, one whose tables are unknown, and a Report without queries
have one row each without a table, so that what was read is distinguished from what was not.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, cast

from airflow_provider_studio.governance import sql
from airflow_provider_studio.governance.file_names import rows_file, table_file
from airflow_provider_studio.governance.snapshots.schema import Source, columns_of
from airflow_provider_studio.governance.snapshots.store import Snapshot, plain_time, view
from airflow_provider_studio.governance.storage import explained, write_atomically

if TYPE_CHECKING:
    import duckdb

TABLES = "tables"


class TableRow(TypedDict, total=False):
    """A table that a query of a Report reads."""

    report: Annotated[str, "the token of the Report", Source("the snapshot")]
    edited_at: Annotated[datetime | None, "when the Report was last edited before it was read", Source("the snapshot")]
    read_at: Annotated[datetime, "when the SQL of the Report's queries was read", Source("this step")]
    query: Annotated[str | None, "the token of the query; `NULL` if the Report has none", Source("`token`")]
    query_name: Annotated[str | None, "the query's name", Source("`name`")]
    data_source: Annotated[str | None, "the token of its data source", Source("`data_source_id`")]
    data_source_name: Annotated[str | None, "the name of its data source", Source("`name` of the data source")]
    dialect: Annotated[str | None, "the dialect of its SQL", Source("`adapter` of the data source")]
    namespace: Annotated[str | None, "the data source as OpenLineage names it", Source("the data source")]
    database_name: Annotated[
        str | None, "the table's database, project or catalog", Source("the SQL, else the data source")
    ]
    schema_name: Annotated[str | None, "the table's schema or dataset; `NULL` if not stated", Source("the SQL")]
    table_name: Annotated[str | None, "the table; `NULL` if the query reads none, or is unresolved", Source("the SQL")]
    confidence: Annotated[str, "`certain`, `likely` or `unresolved`", Source("this step")]
    reason: Annotated[str | None, "why it is `unresolved`", Source("this step")]
    definitions: Annotated[
        str | None, "a digest of the workspace's definitions, if the query inserts one", Source("the definitions")
    ]


COLUMNS = {column.name: column.kind for column in columns_of(TableRow)}
_TIMES = frozenset(name for name, kind in COLUMNS.items() if kind == "TIMESTAMP")


def newest_with_tables(snapshots: Sequence[Snapshot]) -> Snapshot | None:
    """Return the newest of these snapshots that has a `tables.parquet`.

    :param snapshots: oldest first.
    """
    for snapshot in reversed(snapshots):
        file = snapshot.folder / table_file(TABLES)
        with explained("read", file):
            if file.exists():
                return snapshot
    return None


@contextmanager
def open_tables(snapshot: Snapshot) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database with the view `tables` over a snapshot's `tables.parquet`.

    :raises StorageError: the file cannot be read.
    """
    with sql.opened(sql.SNAPSHOT_MEMORY, [snapshot.folder]) as connection:
        view(connection, TABLES, [snapshot.folder / table_file(TABLES)], COLUMNS)
        yield connection


def read_rows(snapshot: Snapshot, *, report: str | None = None) -> list[TableRow]:
    """Return the rows of a snapshot's `tables.parquet`, all or those of one Report; times are UTC without a zone."""
    with open_tables(snapshot) as connection:
        result = connection.execute(
            f"SELECT {', '.join(COLUMNS)} FROM {TABLES} WHERE report = ? OR ? IS NULL "
            "ORDER BY report, query_name, query, table_name",
            [report, report],
        )
        return [cast("TableRow", dict(zip(COLUMNS, values, strict=True))) for values in result.fetchall()]


def write_rows(snapshot: Snapshot, rows: Sequence[TableRow]) -> None:
    """Write a snapshot's `tables.parquet` atomically, sorted by Report and table."""
    with tempfile.TemporaryDirectory(prefix="studio-tables-") as folder:
        lines, file = Path(folder) / rows_file(TABLES), Path(folder) / table_file(TABLES)
        lines.write_text("".join(json.dumps(_plain(row)) + "\n" for row in rows), encoding="utf-8")
        with sql.opened(sql.SNAPSHOT_MEMORY, [Path(folder)]) as connection:
            query = f"SELECT * FROM {sql.json_lines(lines, COLUMNS)} ORDER BY report, query, table_name"
            sql.write_parquet(connection, query, file)
        write_atomically(snapshot.folder / table_file(TABLES), file.read_bytes())


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _text_of(value) if name in _TIMES and isinstance(value, datetime) else value
        for name, value in row.items()
    }


def _text_of(time: datetime) -> str:
    return plain_time(time) if time.tzinfo else time.isoformat(sep=" ")
