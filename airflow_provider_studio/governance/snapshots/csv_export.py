# SPDX-License-Identifier: Apache-2.0
"""The newest snapshot as a table for people: on a terminal, or as a CSV file next to the Parquet.

One row per Report with its facts, and its schedules in words; a SQL condition selects rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.governance.errors import GovernanceError
from airflow_provider_studio.governance.sandbox import SandboxError, Selection, select
from airflow_provider_studio.governance.snapshots.facts import facts
from airflow_provider_studio.governance.snapshots.store import Snapshot
from airflow_provider_studio.governance.storage import write_atomically
from airflow_provider_studio.governance.text import csv_pieces

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
"""The default columns on a terminal."""
_TABLES = ("inventory", "facts", "schedules", "disappeared")
"""The tables that a condition may read."""
_INVENTORY = """
CREATE TEMP TABLE inventory AS
WITH by_report AS (
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
FROM facts LEFT JOIN by_report USING (token)
"""


@contextmanager
def open_inventory(snapshots: Sequence[Snapshot]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database with the table `inventory`: facts, `scheduled`, `viewed`, `schedule` in words, `scheduled_by`."""
    with facts(snapshots) as connection:
        connection.execute(_INVENTORY)
        yield connection


def listed(
    snapshots: Sequence[Snapshot],
    *,
    where: str = "true",
    columns: Sequence[str] = COLUMNS,
    order_by: str = "collection_name, name, token",
    limit: int | None = None,
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the columns' names and the rows of the newest snapshot's Reports that a SQL condition selects.

    :raises GovernanceError: the condition, a column or the order is not valid, fails, or exceeds a limit.
    """
    selection = Selection("inventory", where, ", ".join(columns), order_by, limit)
    with open_inventory(snapshots) as connection:
        try:
            return select(connection, _TABLES, selection)
        except SandboxError as error:
            raise GovernanceError(f"The inventory cannot be filtered by {where!r}: {error}.") from None


def write_csv(snapshots: Sequence[Snapshot], path: UPath) -> None:
    """Write the newest snapshot with its facts as CSV, by the rules of `governance.text`."""
    with open_inventory(snapshots) as connection:
        result = connection.execute("SELECT * FROM inventory ORDER BY token")
        header = [column[0] for column in result.description]
        # Storage may be remote, where DuckDB cannot write.
        rows = itertools.chain.from_iterable(iter(partial(result.fetchmany, 5000), []))
        content = "".join(csv_pieces(header, rows))
    write_atomically(path, content.encode())
