# SPDX-License-Identifier: Apache-2.0
"""`tables.parquet`: what it costs, what is carried over, and which Reports read a table."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_studio.governance.errors import InventoryError
from airflow_provider_studio.governance.lineage.confidence import Confidence
from airflow_provider_studio.governance.lineage.readers import (
    Reader,
    readers_of,
    table_of,
    tables_of_report,
    unresolved_queries,
)
from airflow_provider_studio.governance.lineage.report_tables import TablesSummary, write_tables
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore
from tests.governance.conftest import Governed, built_once, governed
from tests.governance.inventory.test_discovery_sources import discovery_client

__all__ = ["governed"]


def with_query(governed: Governed, name: str, *texts: str, **fields: Any) -> str:
    report = governed.report(name, query_count=0, **fields)
    source = next(source for source in governed.client.list_data_sources() if source.adapter == "jdbc:redshift")
    for text in texts:
        governed.client.create_query(report, text, data_source_id=source.id or "")
    return report


@built_once
def read_once(governed: Governed) -> dict[str, str]:
    """A snapshot of five Reports, of which one is archived, and its `tables.parquet`."""
    reports = {
        "orders": with_query(governed, "Orders", "select 1 from analytics.orders", "select 2 from crm.users"),
        "unqualified": with_query(governed, "Unqualified", "select 1 from Orders"),
        "parameter": with_query(governed, "Parameter", "select 1 from analytics.{{ t }}"),
        "other": with_query(governed, "Other", "select 1 from sales.orders"),
        "archived": with_query(
            governed, "Archived", "select 1 from analytics.orders", archived_at="2026-01-01T00:00:00+00:00"
        ),
    }
    governed.night()
    write(governed)
    return reports


def write(governed: Governed, **options: Any) -> TablesSummary:
    return write_tables(governed.client, governed.storage, now=lambda: governed.now, **options)


def snapshots(governed: Governed) -> list[Snapshot]:
    return SnapshotStore(governed.storage, "acme").all()


def readers(governed: Governed, table: str) -> dict[str, Confidence]:
    found: list[Reader] = readers_of(snapshots(governed), [table_of(table)])
    return {reader.report: reader.confidence for reader in found}


def test_the_readers_of_a_table_are_its_own_and_those_that_state_no_schema(governed: Governed) -> None:
    reports = read_once(governed)
    expected = {reports["orders"]: Confidence.CERTAIN, reports["unqualified"]: Confidence.LIKELY}
    assert readers(governed, "Analytics.Orders") == expected
    assert readers(governed, "redshift://host:5439/analytics/analytics/orders") == expected
    assert [row["report"] for row in unresolved_queries(snapshots(governed))] == [reports["parameter"]]
    assert [row["table_name"] for row in tables_of_report(snapshots(governed), reports["orders"])] == [
        "orders",
        "users",
    ]


def test_only_reports_that_changed_are_read_again(governed: Governed) -> None:
    reports = read_once(governed)
    governed.client.create_query(reports["other"], "select 1 from new.events", data_source_id=34_000)
    governed.emulator.control.set_clock(governed.now + timedelta(days=1))
    governed.now += timedelta(days=1)
    governed.night(-1)
    said: list[str] = []
    before = governed.client.spending.requests
    summary = write(governed, progress=said.append)
    assert (summary.reports, summary.read, summary.unresolved) == (4, 1, 1)
    assert summary.requests_spent == governed.client.spending.requests - before
    assert said[0] == "To read: the queries of 1 Report, from REST; about 5 requests"
    assert summary.requests_spent <= 5
    assert readers(governed, "new.events") == {reports["other"]: Confidence.CERTAIN}
    assert reports["orders"] in readers(governed, "analytics.orders"), "carried over"


def test_a_step_that_ended_in_the_middle_continues_there(governed: Governed, monkeypatch: pytest.MonkeyPatch) -> None:
    reports = read_once(governed)
    for snapshot in snapshots(governed):
        (snapshot.folder / "tables.parquet").unlink()
    monkeypatch.setattr("airflow_provider_studio.governance.lineage.report_queries._BATCH", 2)
    last = max(set(reports.values()) - {reports["archived"]})
    governed.emulator.control.add_fault("status", path=f"{last}/queries", status=401, times=1)
    with pytest.raises(Exception, match="401"):
        write(governed)
    assert write(governed).read == 2


def test_discovery_needs_one_request_for_all_queries(governed: Governed) -> None:
    reports = read_once(governed)
    for snapshot in snapshots(governed):
        (snapshot.folder / "tables.parquet").unlink()
    discovery = discovery_client(governed.emulator)
    summary = write(governed, discovery=discovery)
    discovery.close()
    assert (summary.read, discovery.spending.requests) == (4, 1)
    assert readers(governed, "sales.orders").keys() == {reports["other"], reports["unqualified"]}


def test_a_report_that_cannot_be_read_is_unresolved(governed: Governed) -> None:
    reports = read_once(governed)
    for snapshot in snapshots(governed):
        (snapshot.folder / "tables.parquet").unlink()
    governed.emulator.control.add_fault("status", path=f"{reports['orders']}/queries", status=403)
    write(governed)
    (row,) = tables_of_report(snapshots(governed), reports["orders"])
    assert (row["confidence"], row["reason"]) == ("unresolved", "its queries cannot be read: HTTP 403")


def test_without_a_snapshot_or_the_file_the_error_says_what_to_do(governed: Governed) -> None:
    with pytest.raises(InventoryError, match="StudioInventoryOperator"):
        write(governed)
    governed.night()
    with pytest.raises(InventoryError, match="StudioReportTablesOperator"):
        readers(governed, "a.b")


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("snowflake://account/SALES/PUBLIC/ORDERS", "SALES.PUBLIC.ORDERS"),
        ("bigquery://my-project/sales/orders", "my-project.sales.orders"),
        ("postgres://host:5432/sales/public/orders", "sales.public.orders"),
        ("mysql://host:3306/sales/orders", "sales.orders"),
    ],
)
def test_the_asset_of_a_warehouse_names_a_table(uri: str, name: str) -> None:
    assert str(table_of(uri)) == name


@pytest.mark.parametrize(
    "uri", ["s3://bucket/key", "studio://acme/reports/0a1b", "snowflake://account", "x://a/b/c/d/e"]
)
def test_another_asset_names_none(uri: str) -> None:
    with pytest.raises(ValueError, match="is not the URI of a table"):
        table_of(uri)
