# SPDX-License-Identifier: Apache-2.0
"""The classes of rows are the only source of a snapshot's columns, and an inventory fills them."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
from upath import UPath

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.inventory.cross_check import COMPARED
from airflow_provider_studio.governance.inventory.inventory import take_inventory
from airflow_provider_studio.governance.snapshots.csv_export import open_inventory
from airflow_provider_studio.governance.snapshots.facts import facts
from airflow_provider_studio.governance.snapshots.schema import REPORT_COLUMNS, SCHEDULE_COLUMNS, TABLES, kinds_of
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from tests.conftest import client_of
from tests.governance.nights import write_night

_OF_UNKNOWN_REPORTS = {"unknown_reason"}
_FROM_DISCOVERY = {"creator_email", "last_viewed_at"}
_OF_A_CALENDAR = {"day_of_week", "day_of_month"}
_DOCS = Path(__file__).parents[3] / "docs" / "inventory.md"


def columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {table}").fetchall()}


@pytest.mark.parametrize("table", TABLES)
def test_a_file_of_a_snapshot_has_the_columns_and_types_of_the_schema(storage: UPath, table: str) -> None:
    snapshot = write_night(storage, 0, {"report": {}}, {"schedule": {"report": "report"}})
    with duckdb.connect() as connection:
        file = f"read_parquet('{snapshot.folder / table}.parquet', hive_partitioning = false)"
        assert columns(connection, f"SELECT * FROM {file}") == kinds_of(table)


def test_the_facts_and_the_inventory_for_people_have_every_column(storage: UPath) -> None:
    write_night(storage, 0, {"report": {}})
    snapshots = SnapshotStore(storage, "acme").all()
    with facts(snapshots) as connection:
        assert kinds_of("reports").items() <= columns(connection, "facts").items()
        assert kinds_of("schedules").items() <= columns(connection, "schedules").items()
    with open_inventory(snapshots) as connection:
        assert kinds_of("reports").items() <= columns(connection, "inventory").items()


def test_an_inventory_fills_every_column_that_its_source_reports(storage: UPath) -> None:
    with StudioEmulator("acme", reports=150, seed=3) as emulator:
        emulator.control.set_speed(0)
        summary = take_inventory(client_of(emulator), storage)
    for table, unfilled in (("reports", _FROM_DISCOVERY | _OF_UNKNOWN_REPORTS), ("schedules", _OF_A_CALENDAR)):
        counts = ", ".join(f"count({name}) AS {name}" for name in TABLES[table].keys() - unfilled)
        file = f"read_parquet('{summary.path}/{table}.parquet', hive_partitioning = false)"
        filled = duckdb.sql(f"SELECT {counts} FROM {file}")
        assert {name for name, count in zip(filled.columns, filled.fetchall()[0], strict=True) if not count} == set()


def test_every_column_says_what_it_is_and_where_it_comes_from() -> None:
    for column in (*REPORT_COLUMNS.values(), *SCHEDULE_COLUMNS.values()):
        assert column.description, column.name
        assert column.source.name, column.name


def test_sources_are_compared_by_columns_that_exist() -> None:
    assert set(COMPARED) <= set(REPORT_COLUMNS)


def test_the_documentation_describes_each_column_that_the_inventory_adds(storage: UPath) -> None:
    write_night(storage, 0, {"report": {}})
    with open_inventory(SnapshotStore(storage, "acme").all()) as connection:
        added = columns(connection, "inventory").keys() - REPORT_COLUMNS.keys()
    described = set(re.findall(r"`(\w+)`", _DOCS.read_text(encoding="utf-8")))
    assert added - described == set()
