# SPDX-License-Identifier: Apache-2.0
"""The lineage of a task in OpenLineage: the tables of a Report's queries, the Report, and the written files."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from upath import UPath

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.models import DataSource
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.inventory.inventory import take_inventory
from airflow_provider_studio.governance.lineage.namespaces import namespace_of
from airflow_provider_studio.governance.lineage.report_tables import write_tables
from airflow_provider_studio.openlineage import lineage_of
from airflow_provider_studio.operators.inventory import StudioInventoryOperator
from airflow_provider_studio.operators.plans import StudioPlanOperator
from airflow_provider_studio.operators.reports import StudioExportReportRunOperator, StudioRunReportOperator
from tests.conftest import client_of

SQL = "SELECT o.day, sum(o.total) FROM sales.orders o JOIN crm.customers c ON c.id = o.customer GROUP BY 1"


@pytest.fixture
def ran(emulator: StudioEmulator, client: StudioClient) -> dict[str, object]:
    """A run that is over, of a Report with one query of ours."""
    report = emulator.control.add_report(next_runtime_seconds=0.0, next_outcome="succeeded")
    client._send(
        "POST",
        f"/api/acme/reports/{report}/queries",
        {"query": {"raw_query": SQL, "name": "Totals", "data_source_id": int(data_source(client)["id"])}},
    )
    run = client.create_report_run(report)
    return {"report": report, "run": run.token, "state": "succeeded", "url": "", "exports": []}


def data_source(client: StudioClient) -> dict[str, object]:
    answer = client._get("/api/acme/data_sources")
    return dict(answer["_embedded"]["data_sources"][0])


def names(datasets: list[object]) -> set[str]:
    return {f"{one.namespace}/{one.name}" for one in datasets}  # type: ignore[attr-defined]


def test_a_run_reads_its_queries_tables_and_writes_the_report(client: StudioClient, ran: dict[str, object]) -> None:
    before = client.spending.requests
    lineage = lineage_of("report_run", client, ran)
    assert client.spending.requests - before <= 4, "a page of query runs, the page after it, and each data source"
    source = client.get_data_source(str(data_source(client)["token"]))
    root = f"{namespace_of(source)}/{source.database}"
    assert {f"{root}.sales.orders", f"{root}.crm.customers"} <= names(lineage.inputs)
    assert names(lineage.outputs) == {f"studio://acme/reports/{ran['report']}"}
    assert lineage.run_facets["externalQuery"].externalQueryId == ran["run"]
    assert SQL in lineage.job_facets["sql"].query


def test_the_tables_of_a_report_come_from_storage_if_all_are_known(
    client: StudioClient, ran: dict[str, object], tmp_path: Path
) -> None:
    storage = UPath(tmp_path)
    take_inventory(client, storage)
    for query in list(client.list_queries(str(ran["report"]))):
        client.update_query(str(ran["report"]), query.token, raw_query="select 1 from Sales.Orders, crm.customers")
    write_tables(client, storage)
    before = client.spending.requests
    lineage = lineage_of("report_run", client, ran, storage_path=str(tmp_path))
    assert client.spending.requests - before <= 2, "no request for a data source"
    assert {name.rpartition("/")[2].casefold() for name in names(lineage.inputs)} == {
        "analytics.sales.orders",
        "analytics.crm.customers",
    }


def test_lineage_that_cannot_be_had_fails_nothing(emulator: StudioEmulator, ran: dict[str, object]) -> None:
    emulator.control.add_fault("status", path="query_runs", status=403)
    with client_of(emulator) as client:
        lineage = lineage_of("report_run", client, ran)
    assert (lineage.inputs, lineage.job_facets) == ([], {})


@pytest.mark.parametrize(
    ("path", "dataset"),
    [
        ("file:///srv/studio/a.csv", "file//srv/studio/a.csv"),
        ("/srv/studio/a.csv", "file//srv/studio/a.csv"),
        ("s3://bucket/studio/a.csv", "s3://bucket/studio/a.csv"),
    ],
)
def test_an_export_reads_the_report_and_writes_the_file(client: StudioClient, path: str, dataset: str) -> None:
    report = "https://app.mode.com/acme/reports/0a1b2c3d4e5f"
    lineage = lineage_of("export", client, {"path": path, "bytes": 12}, report)
    assert names(lineage.inputs) == {"studio://acme/reports/0a1b2c3d4e5f"}
    assert names(lineage.outputs) == {dataset}
    assert lineage.outputs[0].outputFacets["outputStatistics"].size == 12


def test_an_inventory_writes_tables_with_their_columns(client: StudioClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", "s3://bucket/studio")
    lineage = lineage_of(
        "inventory", client, {"snapshot": "file:///srv/snapshots/workspace=acme/taken_at=20261125T030000Z"}
    )
    assert names(lineage.inputs) == {"studio://acme/inventory"}
    reports, schedules = lineage.outputs
    assert reports.name.endswith("taken_at=20261125T030000Z/reports.parquet")
    assert schedules.name.endswith("/schedules.parquet")
    assert {"view_count", "last_run_at"} <= {one.name for one in reports.facets["schema"].fields}


def test_the_datasets_of_an_inventory_with_its_own_storage_path_are_files_that_exist(
    client: StudioClient, storage: UPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", f"file://{tmp_path}/elsewhere")
    operator = StudioInventoryOperator(task_id="inventory", csv=True, storage_path=str(storage))
    operator.hook.__dict__["client"] = client
    operator._done = take_inventory(client, storage).to_dict()
    operator._done["csv"] = operator._write_csv(storage, operator._done)
    lineage = operator.get_openlineage_facets_on_complete(None)
    assert [Path(dataset.name).name for dataset in lineage.outputs] == [
        "reports.parquet",
        "schedules.parquet",
        "reports.csv",
    ]
    assert [dataset.name for dataset in lineage.outputs if not Path(dataset.name).is_file()] == []


@pytest.mark.parametrize(
    ("source", "namespace"),
    [
        ({"vendor": "postgresql", "host": "db.example.com", "port": 5432}, "postgres://db.example.com:5432"),
        ({"adapter": "jdbc:redshift", "host": "dw.example.com", "port": 5439}, "redshift://dw.example.com:5439"),
        ({"vendor": "snowflake", "host": "ab12.eu-west-1.snowflakecomputing.com"}, "snowflake://ab12.eu-west-1"),
        ({"vendor": "bigquery", "host": "anything"}, "bigquery"),
    ],
)
def test_a_warehouse_is_named_as_openlineage_names_it(source: dict[str, object], namespace: str) -> None:
    assert namespace_of(DataSource.parse({"token": "0a1b", **source})) == namespace


def test_the_operators_say_what_kind_of_work_they_do() -> None:
    kinds = [one.lineage for one in (StudioRunReportOperator, StudioExportReportRunOperator, StudioInventoryOperator)]
    assert kinds == ["report_run", "export", "inventory"]
    assert StudioPlanOperator.lineage is None
    assert StudioPlanOperator(task_id="plan", policy={}).get_openlineage_facets_on_complete(None) is None


def test_nothing_of_openlineage_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, airflow_provider_studio.operators.base, airflow_provider_studio.openlineage;"
        "print([name for name in sys.modules if name.startswith('openlineage')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(
    find_spec("airflow.providers.openlineage") is None,
    reason="SKIPPED LOUDLY: Airflow's OpenLineage provider is not installed; `make matrix` runs this with it",
)
def test_the_official_provider_takes_it(client: StudioClient, ran: dict[str, object], tmp_path: Path) -> None:
    from airflow.providers.openlineage.extractors.base import DefaultExtractor

    operator = StudioRunReportOperator(task_id="run", report=str(ran["report"]))
    operator._done, operator.hook.__dict__["client"] = ran, client
    lineage = DefaultExtractor(operator).extract_on_complete(None)
    assert lineage is not None
    assert names(lineage.outputs) == {f"studio://acme/reports/{ran['report']}"}
    assert json.dumps(sorted(names(lineage.inputs))).count("sales.orders") == 1
