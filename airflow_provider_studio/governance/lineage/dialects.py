# SPDX-License-Identifier: Apache-2.0
"""The SQL dialects of data sources, and what their databases do with names."""

from __future__ import annotations

from dataclasses import dataclass

# Adapters as data sources return them, `jdbc:redshift`, and the parser's names of their dialects.
_DIALECTS = {
    "athena": "athena",
    "bigquery": "bigquery",
    "clickhouse": "clickhouse",
    "databricks": "databricks",
    "druid": "druid",
    "hive": "hive",
    "mysql": "mysql",
    "oracle": "oracle",
    "postgresql": "postgres",
    "presto": "presto",
    "redshift": "redshift",
    "snowflake": "snowflake",
    "spark": "databricks",  # Studio has no other adapter for Databricks' older connections
    "sqlserver": "tsql",
    "teradata": "teradata",
    "trino": "trino",
}


@dataclass(frozen=True)
class DataSourceNames:
    """How the names of a data source's tables are completed.

    :param dialect: the parser's name of the SQL dialect.
    :param database: the database of names without one; None if unknown.
    :param schema: the schema of names without one; None if unknown.
    """

    dialect: str
    database: str | None = None
    schema: str | None = None


def dialect_of(adapter: str | None) -> str | None:
    """Return the dialect of a data source's adapter, such as `jdbc:snowflake`; None if it is unknown."""
    return _DIALECTS.get((adapter or "").lower().removeprefix("jdbc:"))


def names_of(adapter: str | None, database: str | None, host: str | None) -> DataSourceNames | None:
    """Return how a data source completes names; None if its dialect is unknown.

    The schema is not known, because it depends on the user and the settings of the connection. Of BigQuery, Studio
    returns the project as the host and `default` as the database, as client authors report.
    """
    dialect = dialect_of(adapter)
    if dialect is None:
        return None
    return DataSourceNames(dialect, (host if dialect == "bigquery" else database) or None)
