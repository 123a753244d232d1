# SPDX-License-Identifier: Apache-2.0
"""The corpus: 40 queries of each dialect, with the tables that they read.

It was written before the code that reads it. A query that does not contain what its tables are is `unresolved`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from airflow_provider_studio.governance.lineage.dialects import DataSourceNames
from airflow_provider_studio.governance.lineage.query_tables import tables_of_query
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
    blocks = (Path(__file__).parent / "corpus" / f"{source}.sql").read_text(encoding="utf-8").split("--@ ")[1:]
    return [_result(source, title.strip(), query) for title, query in zip(blocks[::2], blocks[1::2], strict=True)]


def _result(source: str, title: str, query: str) -> Result:
    expected, _, sql = query.removeprefix("reads ").partition("\n")
    read = tables_of_query(sql, SOURCES[source], _DEFINITIONS_OF.get(source, _DEFINITIONS))
    return Result(f"{source}: {title}", _tables(expected), None if read.reason else set(read.tables))


def _tables(text: str) -> set[TableName] | None:
    if text == "unresolved":
        return None
    return set() if text == "nothing" else {parse_table_name(name) for name in text.split(", ")}
