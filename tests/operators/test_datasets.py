# SPDX-License-Identifier: Apache-2.0
"""Datasets are run and awaited like Reports: once, deferred or not, with the reason of a failure."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_studio.client.errors import (
    StudioConfigurationError,
    StudioRunFailedError,
    StudioRunTimeoutError,
)
from airflow_provider_studio.client.identifiers import dataset_token
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.operators.datasets import StudioRunDatasetOperator
from airflow_provider_studio.operators.reports import StudioRunReportOperator
from airflow_provider_studio.sensors.datasets import StudioDatasetRunSensor
from tests.hand_clock import HandClock
from tests.operators.test_traps import QUICK, Task
from tests.triggers_by_hand import fired


@pytest.fixture
def task(clock: HandClock) -> Task:
    return Task(clock)


@pytest.fixture
def dataset(clock: HandClock, studio_emulator: StudioEmulator, studio_connection: str) -> str:
    """The token of a dataset without a run."""
    return studio_emulator.control.add_report(name="Orders", type="DatasetReport", query_count=1)


def started(emulator: StudioEmulator, token: str) -> list[str]:
    return [run["token"] for run in emulator.control.state()["reports"][token]["runs_started"]]


def next_try(task: Task, dataset: str, **options: Any) -> StudioRunDatasetOperator:
    task.try_number += 1
    return StudioRunDatasetOperator(
        task_id="run", dataset=dataset, **{"poll_policy": QUICK, "deferrable": False, **options}
    )


def ended(task: Task, operator: StudioRunDatasetOperator | StudioRunReportOperator) -> Any:
    """Run a task to its end, deferred or not."""
    try:
        return operator.run_with_studio(task.context)
    except TaskDeferred as sent:
        return operator._after(task.context, fired(task.clock, sent.trigger)[0])


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_dataset_is_run_and_a_report_uses_its_run(
    task: Task, studio_emulator: StudioEmulator, dataset: str, deferrable: bool
) -> None:
    control = studio_emulator.control
    report = control.add_report(imported_datasets=[dataset])
    control.change_report(dataset, next_runtime_seconds=2.0)
    address = f"https://app.mode.com/acme/datasets/{dataset}"
    result = ended(task, next_try(task, address, deferrable=deferrable))
    assert result.keys() == {"dataset", "run", "state", "created_at", "completed_at", "url"}
    assert (result["dataset"], result["state"]) == (dataset, "succeeded")
    assert started(studio_emulator, dataset) == [result["run"]]
    refresh = StudioRunReportOperator(task_id="refresh", report=report, dataset_tokens=[dataset], poll_policy=QUICK)
    assert ended(task, refresh)["state"] == "succeeded"
    assert control.state()["reports"][report]["dataset_runs"] == {dataset: result["run"]}


def test_a_retry_waits_for_the_run_of_the_first_try(task: Task, studio_emulator: StudioEmulator, dataset: str) -> None:
    studio_emulator.control.change_report(dataset, next_runtime_seconds=600.0)
    with pytest.raises(TaskDeferred) as first:
        next_try(task, dataset, deferrable=True).run_with_studio(task.context)
    with pytest.raises(TaskDeferred) as again:
        next_try(task, dataset, deferrable=True).run_with_studio(task.context)
    runs = [sent.value.trigger.run_token for sent in (first, again)]
    assert runs == started(studio_emulator, dataset) * 2


@pytest.mark.parametrize("earlier_runs", [0, 1])
def test_a_run_whose_start_got_no_response_is_adopted(
    task: Task, studio_emulator: StudioEmulator, dataset: str, earlier_runs: int
) -> None:
    for _ in range(earlier_runs):
        ended(task, next_try(task, dataset, durable=False))
    studio_emulator.control.add_fault("lose_response", method="POST", path=f"/datasets/{dataset}/runs")
    result = ended(task, next_try(task, dataset))
    runs = started(studio_emulator, dataset)
    assert len(runs) == earlier_runs + 1
    assert result["run"] == runs[-1]


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_failed_run_names_the_dataset_and_the_query(
    task: Task, studio_emulator: StudioEmulator, dataset: str, deferrable: bool
) -> None:
    studio_emulator.control.change_report(dataset, next_outcome="failed", next_runtime_seconds=1.0)
    with pytest.raises(StudioRunFailedError, match=r'^Dataset "Orders" failed after .*Query 1: .* of Dataset '):
        ended(task, next_try(task, dataset, deferrable=deferrable))


def test_a_run_that_takes_too_long_is_a_timeout_of_the_dataset(
    task: Task, studio_emulator: StudioEmulator, dataset: str
) -> None:
    studio_emulator.control.change_report(dataset, next_runtime_seconds=600.0)
    with pytest.raises(StudioRunTimeoutError, match=r'^Dataset "Orders" was still'):
        ended(task, next_try(task, dataset, deferrable=True, timeout=5))


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_sensor_waits_for_the_run_of_a_dataset(
    task: Task, studio_emulator: StudioEmulator, dataset: str, deferrable: bool
) -> None:
    studio_emulator.control.change_report(dataset, next_runtime_seconds=2.0)
    run = next_try(task, dataset, wait_for_completion=False).run_with_studio(task.context)
    assert run["dataset"] == dataset
    options = {"poke_interval": 1.0, "timeout": 120.0, "deferrable": deferrable}
    sensor = StudioDatasetRunSensor(task_id="sensor", dataset=dataset, run=run, **options)
    try:
        sensor.execute(task.context)
    except TaskDeferred as sent:
        sensor.execute_complete(task.context, fired(task.clock, sent.trigger)[0])
    studio_emulator.control.change_report(dataset, next_outcome="failed", next_runtime_seconds=0.0)
    failed = next_try(task, dataset, wait_for_completion=False, durable=False).run_with_studio(task.context)
    sensor = StudioDatasetRunSensor(task_id="sensor", dataset=dataset, run=failed, **options)
    with pytest.raises(AirflowFailException, match='Dataset "Orders" failed'):
        sensor.execute(task.context)


def test_unusable_values_are_refused_before_anything_is_started(
    task: Task, studio_emulator: StudioEmulator, dataset: str
) -> None:
    report = studio_emulator.control.add_report(imported_datasets=[dataset])
    for tokens, match in ((dataset, "dataset_tokens is"), (["a b"], "dataset is 'a b'"), ([1.5], "dataset is 1.5")):
        operator = StudioRunReportOperator(task_id="refresh", report=report, dataset_tokens=tokens)
        with pytest.raises(StudioConfigurationError, match=match):
            operator.run_with_studio(task.context)
    with pytest.raises(StudioConfigurationError, match="of the workspace 'other', but the connection opens 'acme'"):
        next_try(task, f"https://app.mode.com/other/datasets/{dataset}").run_with_studio(task.context)
    assert started(studio_emulator, report) == started(studio_emulator, dataset) == []


@pytest.mark.parametrize(
    "name", ["0a1b2c3d4e5f", "https://app.mode.com/acme/reports/0a1b2c3d4e5f?x=1", "a/datasets/b-c"]
)
def test_a_dataset_is_named_by_its_token_or_the_url_of_its_page(name: str) -> None:
    assert dataset_token(name) == ("b-c" if name.startswith("a/") else "0a1b2c3d4e5f")
    with pytest.raises(StudioConfigurationError, match=r"dataset is .*; give a dataset's token"):
        dataset_token("https://app.mode.com/acme/spaces/0a1b2c3d4e5f")
