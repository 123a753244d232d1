# SPDX-License-Identifier: Apache-2.0
"""The corpus: 40 queries of each dialect, with the tables that they read.

It was written before the code that reads it. A query that does not contain what its tables are is `unresolved`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from airflow_provider_studio.governance.lineage.dialects import DataSourceNames
from airflow_provider_studio.governance.lineage.query_tables import QueryTables, tables_of_query
from airflow_provider_studio.governance.lineage.table_names import TableName, parse_table_name

SOURCES = {
    "bigquery": DataSourceNames("bigquery", "acme-warehouse"),
    "databricks": DataSourceNames("databricks", "main", "default"),
    "postgresql": DataSourceNames("postgres", "analytics", "public"),
    "redshift": DataSourceNames("redshift", "analytics", "public"),
    "snowflake": DataSourceNames("snowflake", "ANALYTICS", "PUBLIC"),
}
_DEFINITIONS = {
    "paid_orders": "SELECT * FROM orders WHERE state = 'paid';",
    "large_paid_orders": "SELECT * FROM {{ @paid_orders as p }} WHERE amount > 1000",
    "active_users": "SELECT DISTINCT user_id FROM events WHERE at > current_date - 28",
}
_DEFINITIONS_OF = {"bigquery": _DEFINITIONS | {"active_users": "SELECT DISTINCT user_id FROM web.events"}}


@dataclass(frozen=True)
class Result:
    """What was found of one query of the corpus; None if the query is unresolved."""

    title: str
    expected: set[TableName] | None
    found: set[TableName] | None


def results(source: str) -> list[Result]:
    """Read the queries of one dialect."""
    return [
        Result(
            f"{source}: {title}",
            _tables(expected),
            None if (read := read_query(source, sql)).reason else set(read.tables),
        )
        for title, expected, sql in queries(source)
    ]


def queries(source: str) -> list[tuple[str, str, str]]:
    """Return the queries of one dialect: their titles, the tables that they read, and their SQL."""
    blocks = (Path(__file__).parent / "corpus" / f"{source}.sql").read_text(encoding="utf-8").split("--@ ")[1:]
    parted = [block.removeprefix("reads ").partition("\n") for block in blocks[1::2]]
    return [(title.strip(), expected, sql) for title, (expected, _, sql) in zip(blocks[::2], parted, strict=True)]


def read_query(source: str, sql: str) -> QueryTables:
    """Read a query of one dialect, with the definitions of the corpus."""
    return tables_of_query(sql, SOURCES[source], _DEFINITIONS_OF.get(source, _DEFINITIONS))


def _tables(text: str) -> set[TableName] | None:
    if text == "unresolved":
        return None
    return set() if text == "nothing" else {parse_table_name(name) for name in text.split(", ")}
