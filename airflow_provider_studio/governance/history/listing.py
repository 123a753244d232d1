# SPDX-License-Identifier: Apache-2.0
"""The newest night as a table for people: on a terminal, or as a CSV file beside the Parquet.

One row a Report with its facts, and its schedules in words; any SQL condition chooses rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.governance.errors import GovernanceError
from airflow_provider_studio.governance.history.facts import facts
from airflow_provider_studio.governance.history.snapshots import Snapshot
from airflow_provider_studio.governance.storage import write_whole

if TYPE_CHECKING:
    import duckdb
    from upath import UPath

COLUMNS = (
    "token",
    "name",
    "collection_name",
    "creator",
    "schedule",
    "view_count",
    "views_90d",
    "runs_90d",
    "last_run_at",
)
"""What a terminal shows if not told otherwise."""
_INVENTORY = """
CREATE TEMP TABLE inventory AS
WITH planned AS (
    SELECT report AS token, count(*) AS schedules, min(next_scheduled_run) AS next_scheduled_run,
           string_agg(concat_ws(' ', coalesce(freq, frequency), lpad(hour::VARCHAR, 2, '0') || ':' ||
                      lpad(coalesce(minute, 0)::VARCHAR, 2, '0'), day_of_week, day_of_month::VARCHAR, time_zone), '; '
                      ORDER BY token) AS schedule,
           string_agg(DISTINCT creator, '; ' ORDER BY creator) AS scheduled_by,
           max(failures_in_a_row) AS failures_in_a_row
    FROM schedules GROUP BY report
)
SELECT facts.* EXCLUDE (taken_at), coalesce(schedules_count > 0, false) AS scheduled, schedule, scheduled_by,
       next_scheduled_run, failures_in_a_row, coalesce(view_count > 0, false) AS viewed, taken_at
FROM facts LEFT JOIN planned USING (token)
"""


def open_inventory(nights: Sequence[Snapshot]) -> duckdb.DuckDBPyConnection:
    """Open DuckDB with the table `inventory`: the facts, `scheduled`, `viewed`, `schedule` in words, `scheduled_by`.

    Nothing outside can be read or written through it, so any SQL may be asked of it.
    """
    connection = facts(nights)
    connection.execute(_INVENTORY)
    connection.execute("SET enable_external_access = false")
    return connection


def listed(
    nights: Sequence[Snapshot],
    *,
    where: str = "true",
    columns: Sequence[str] = COLUMNS,
    order_by: str = "collection_name, name, token",
    limit: int | None = None,
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the columns' names and the rows of the newest night's Reports that a SQL condition chooses.

    :raises GovernanceError: the condition, a column or the order makes no sense to DuckDB.
    """
    import duckdb

    # It is the user's own SQL about the user's own rows, in a database that sees nothing else.
    sql = f"SELECT {', '.join(columns)} FROM inventory WHERE {where} ORDER BY {order_by}"
    with open_inventory(nights) as connection:
        try:
            result = connection.execute(f"{sql} LIMIT {limit}" if limit is not None else sql)
            return [column[0] for column in result.description], result.fetchall()
        except duckdb.Error as error:
            reason = str(error).strip().split("\n\n")[0]
            raise GovernanceError(f"The inventory cannot be asked {where!r}: {reason}") from None


def write_csv(nights: Sequence[Snapshot], path: UPath) -> None:
    """Write the newest night with its facts as CSV. Texts that a spreadsheet would compute are quoted with a `'`."""
    with open_inventory(nights) as connection, tempfile.TemporaryDirectory(prefix="studio-csv-") as scratch:
        kinds = connection.execute("DESCRIBE inventory").fetchall()
        safe = [
            f"CASE WHEN regexp_matches({name}, '^[=+@\\t\\r-]') THEN '''' || {name} ELSE {name} END AS {name}"
            for name, kind, *_ in kinds
            if kind == "VARCHAR"
        ]
        connection.execute(f"CREATE VIEW safe AS SELECT * REPLACE ({', '.join(safe)}) FROM inventory ORDER BY token")
        target = Path(scratch) / "reports.csv"
        with target.open("w", encoding="utf-8", newline="") as file:
            _copy(connection, file)
        write_whole(path, target.read_bytes())


def _copy(connection: duckdb.DuckDBPyConnection, file: Any) -> None:
    """Write the rows by Python's own writer: the connection may not write files."""
    import csv

    writer = csv.writer(file)
    result = connection.execute("SELECT * FROM safe")
    writer.writerow([column[0] for column in result.description])
    while rows := result.fetchmany(5000):
        writer.writerows(rows)
