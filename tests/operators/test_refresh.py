# SPDX-License-Identifier: Apache-2.0
"""`StudioRefreshReportsOperator`: each Report that reads a table runs once, also if the task is retried or deferred."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import TaskDeferred
from upath import UPath

from airflow_provider_studio import StudioRefreshReportsOperator, StudioReportTablesOperator
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioConfigurationError, StudioRunFailedError
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.inventory.inventory import take_inventory
from tests.operators.test_operators import RunDag, run  # noqa: F401  a fixture
from tests.task_instance import TaskInstance, TaskStore
from tests.triggers_by_hand import first_event


@pytest.fixture
def readers(emulator: StudioEmulator, client: StudioClient, run: RunDag, tmp_path: Path) -> list[str]:  # noqa: F811
    """Two Reports that read a table, with the snapshot and its `tables.parquet`."""
    reports = []
    for name in ("One", "Two"):
        report = emulator.control.add_report(name=name, query_count=0)
        source = next(iter(client.list_data_sources()))
        client.create_query(report, "select 1 from warehouse.loads", data_source_id=source.id or "")
        reports.append(report)
    take_inventory(client, UPath(tmp_path / "studio"))
    operator = StudioReportTablesOperator(task_id="tables")
    summary = operator.execute(TaskInstance().context_of())
    assert summary["reports"] > len(reports)
    return reports


def prepare(emulator: StudioEmulator, reports: list[str], outcome: str = "succeeded", seconds: float = 0.0) -> None:
    emulator.control.clear_requests()
    for report in reports:
        emulator.control.change_report(report, next_outcome=outcome, next_runtime_seconds=seconds)


def context_of(task: TaskInstance, **others: Any) -> Any:
    class Events(dict[Any, Any]):
        def __missing__(self, key: Any) -> Any:
            return self.setdefault(key, _Alias())

    return task.context_of({"outlet_events": Events(), **others}, max_tries=3, start_date=None)


class _Alias:
    def __init__(self) -> None:
        self.added: list[str] = []

    def add(self, asset: Asset, extra: dict[str, Any]) -> None:
        assert extra["state"] == "succeeded"
        self.added.append(asset.uri)


def runs_of(emulator: StudioEmulator, reports: list[str]) -> Counter[str]:
    requests = emulator.control.requests_summary()["requests"]
    paths = [request["path"] for request in requests if request["method"] == "POST"]
    started = [path.split("/")[4] for path in paths if path.endswith("/runs")]
    return Counter({report: started.count(report) for report in reports})


def test_the_readers_of_the_assets_that_started_the_dag_run_once(emulator: StudioEmulator, readers: list[str]) -> None:
    prepare(emulator, readers)
    task = TaskInstance(store=TaskStore())
    events = {Asset("snowflake://account/analytics/warehouse/loads"): [], Asset("s3://bucket/key"): []}
    context = context_of(task, triggering_asset_events=events)
    operator = StudioRefreshReportsOperator(task_id="run", deferrable=False, max_running=1)
    result = operator.execute(context)
    assert result == {"tables": ["analytics.warehouse.loads"], "reports": 2, "succeeded": 2}
    assert runs_of(emulator, readers) == Counter(dict.fromkeys(readers, 1))
    (alias,) = context["outlet_events"].values()
    assert set(alias.added) == {f"studio://acme/reports/{report}" for report in readers}


def test_a_retry_starts_only_what_failed_again(emulator: StudioEmulator, readers: list[str]) -> None:
    prepare(emulator, readers[:1], "failed")
    prepare(emulator, readers[1:])
    task = TaskInstance(store=TaskStore())
    operator = StudioRefreshReportsOperator(task_id="run", tables=["Warehouse.Loads"], deferrable=False)
    with pytest.raises(StudioRunFailedError, match=f"1 of 2 Reports were not refreshed: .*{readers[0]}"):
        operator.execute(context_of(task))
    emulator.control.change_report(readers[0], next_outcome="succeeded", next_runtime_seconds=0.0)
    assert operator.execute(context_of(task))["succeeded"] == 2
    assert runs_of(emulator, readers) == Counter({readers[0]: 2, readers[1]: 1})


def test_deferred_it_waits_for_one_run_after_the_other(emulator: StudioEmulator, readers: list[str]) -> None:
    prepare(emulator, readers, seconds=0.2)
    operator = StudioRefreshReportsOperator(task_id="run", tables=["warehouse.loads"], deferrable=True)
    context = context_of(TaskInstance(store=TaskStore()))
    work = lambda: operator.execute(context)  # noqa: E731
    for _ in range(3):
        try:
            result = work()
            break
        except TaskDeferred as deferred:
            event, kwargs = asyncio.run(first_event(deferred.trigger)), deferred.kwargs or {}
            work = lambda event=event, kwargs=kwargs: operator.execute_complete(context, event, **kwargs)  # noqa: E731
    assert result == {"tables": ["warehouse.loads"], "reports": 2, "succeeded": 2}
    assert runs_of(emulator, readers) == Counter(dict.fromkeys(readers, 1))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"tables": ["warehouse.loads"], "max_reports": 1}, "max_reports is 1, and 2 Reports read warehouse.loads"),
    ({"tables": ["a.b.c.d"]}, "tables: 'a.b.c.d' is not the name of a table"),
    ({"tables": "warehouse.loads"}, "tables is 'warehouse.loads'; give a list"),
    ({}, "There is no table to refresh for"),
]


def test_nothing_is_run_for_what_is_wrong(emulator: StudioEmulator, readers: list[str]) -> None:
    emulator.control.clear_requests()
    for options, match in WRONG:
        operator = StudioRefreshReportsOperator(task_id="run", deferrable=False, **options)
        with pytest.raises(Exception, match=match):
            operator.execute(context_of(TaskInstance(store=TaskStore())))
    assert not any(runs_of(emulator, readers).values())


@pytest.mark.parametrize(("name", "value"), [("confidence", "sure"), ("max_reports", 0), ("max_running", 0)])
def test_a_wrong_parameter_is_refused_at_once(name: str, value: Any) -> None:
    with pytest.raises(StudioConfigurationError, match=f"{name} is "):
        StudioRefreshReportsOperator(task_id="run", **{name: value})
