# SPDX-License-Identifier: Apache-2.0
"""Sensors wait for a run and for a fresh Report: poking, coming back, and deferred."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_provider_studio.client.errors import StudioConfigurationError, StudioResponseError, StudioServerError
from airflow_provider_studio.sensors.base import StudioSensor
from airflow_provider_studio.sensors.reports import StudioReportFreshnessSensor, StudioReportRunSensor
from airflow_provider_studio.testing import StudioTestReport, StudioTestWorkspace
from airflow_provider_studio.triggers.events import TriggerError
from tests.hand_clock import HandClock
from tests.task_instance import TaskInstance, TaskStore
from tests.triggers_by_hand import fired, started

MODES = ["poke", "reschedule", "deferrable"]


class Task(TaskInstance):
    """A sensor's task instance, which is rescheduled as often as its sensor requests it."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(store=TaskStore())
        self.clock, self.start = clock, clock.now()
        self.tries = 1

    @property
    def context(self) -> Any:
        tries = {"try_number": self.tries, "max_tries": 0}
        first_reschedule = {"get_first_reschedule_date": lambda _context: self.start}
        return self.context_of({"task_reschedule_count": 0}, start_date=self.start, **tries, **first_reschedule)

    def end(self, sensor: StudioSensor) -> Any:
        """Run a sensor to its end, whatever it waits with."""
        while True:
            try:
                return sensor.execute(self.context)
            except AirflowRescheduleException as later:
                self.clock.sleep((later.reschedule_date - self.clock.now()).total_seconds())
            except TaskDeferred as sent:
                return sensor.resume_execution(
                    sent.method_name, {"event": fired(self.clock, sent.trigger)[0]}, self.context
                )


@pytest.fixture(autouse=True)
def _outside_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's own sensor reads the start of its wait from the database; these have no database."""
    from airflow.sdk.bases.operator import ExecutorSafeguard

    monkeypatch.setattr(ExecutorSafeguard, "test_mode", True)


@pytest.fixture
def task(clock: HandClock) -> Task:
    return Task(clock)


@pytest.fixture
def report(clock: HandClock, studio_workspace: StudioTestWorkspace, studio_connection: str) -> StudioTestReport:
    return studio_workspace.report("Revenue")


def options(mode: str, **more: Any) -> dict[str, Any]:
    waiting = {"deferrable": True} if mode == "deferrable" else {"deferrable": False, "mode": mode}
    return {"task_id": "sensor", "poke_interval": 0.2, "timeout": 30, **waiting, **more}


@pytest.mark.parametrize("mode", MODES)
def test_a_run_is_waited_for(task: Task, report: StudioTestReport, mode: str) -> None:
    run = {"report": report.token, "run": started(report, 0.6)}
    task.end(StudioReportRunSensor(report=f"studio://acme/reports/{report}", run=run, **options(mode)))
    assert report.runs[0]["state"] == "succeeded"
    assert task.xcoms["_link_StudioReportRunLink"].endswith(run["run"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("outcome", "words"),
    [("failed", r'"Revenue" failed after \d\.\d s: Query 1: .* https://'), ("cancelled", '"Revenue" was cancelled')],
)
def test_a_run_that_ends_badly_fails_the_task_at_once_with_its_reason(
    task: Task, report: StudioTestReport, mode: str, outcome: str, words: str
) -> None:
    run = started(report, 0.3, outcome)
    with pytest.raises(AirflowFailException, match=words):
        task.end(StudioReportRunSensor(report=report.token, run=run, **options(mode)))


@pytest.mark.parametrize("mode", MODES)
def test_a_report_becomes_fresh(
    task: Task, report: StudioTestReport, studio_workspace: StudioTestWorkspace, mode: str
) -> None:
    before = studio_workspace.ago(0).isoformat()
    started(report, 0.5)
    task.end(StudioReportFreshnessSensor(report=report.token, newer_than=before, **options(mode)))
    assert report.runs[0]["state"] == "succeeded"
    assert task.xcoms["_link_StudioReportLink"].endswith(report.token)


@pytest.mark.parametrize(
    "how",
    [
        {"max_age": timedelta(hours=1)},
        {"max_age": 3600},
        {"max_age": "3600"},
        {"newer_than": datetime(2020, 1, 1, tzinfo=UTC)},
        {"newer_than": "2020-01-01T00:00:00Z"},
    ],
)
def test_fresh_is_younger_than_an_age_or_newer_than_a_time(task: Task, report: StudioTestReport, how: Any) -> None:
    sensor = StudioReportFreshnessSensor(report=report.token, **how, **options("poke"))
    assert not sensor.poke(task.context), "it never ran"
    started(report, 0.0)
    assert sensor.poke(task.context)
    task.clock.sleep(2 * 3600)
    task.start = task.clock.now()
    still_fresh = "newer_than" in how
    assert sensor.poke(task.context) == still_fresh, "an hour is counted from the task's start"


def test_a_run_from_before_is_not_fresh(
    task: Task, report: StudioTestReport, studio_workspace: StudioTestWorkspace
) -> None:
    started(report, 0.0)
    studio_workspace.days_pass(1)
    late = StudioReportFreshnessSensor(
        report=report.token, newer_than=studio_workspace.ago(0.5).isoformat(), **options("poke")
    )
    assert not late.poke(task.context)


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
@pytest.mark.parametrize(("soft", "error"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)])
def test_what_never_comes_times_out(
    task: Task, report: StudioTestReport, mode: str, soft: bool, error: type[Exception]
) -> None:
    more = {"timeout": 0.5, "soft_fail": soft}
    with pytest.raises(error):
        task.end(StudioReportRunSensor(report=report.token, run=started(report, 600), **options(mode, **more)))
    with pytest.raises(error):
        task.end(StudioReportFreshnessSensor(report=report.token, max_age=0, **options(mode, **more)))


def test_execution_timeout_holds_while_deferred(task: Task, report: StudioTestReport) -> None:
    sensor = StudioReportRunSensor(
        report=report.token, run=started(report, 600), execution_timeout=timedelta(seconds=1), **options("deferrable")
    )
    with pytest.raises(AirflowSensorTimeout):
        task.end(sensor)


def test_no_age_is_too_large(task: Task, report: StudioTestReport) -> None:
    started(report, 0.0)
    sensor = StudioReportFreshnessSensor(report=report.token, max_age=timedelta(days=999_999_998), **options("poke"))
    assert sensor.poke(task.context)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({}, "max_age is None and newer_than is None; give max_age .* or newer_than"),
        ({"max_age": 60, "newer_than": "2026-01-01T00:00:00Z"}, "and not both"),
        ({"newer_than": timedelta(hours=1)}, "newer_than is datetime.timedelta.*; give max_age"),
        ({"max_age": -1}, "max_age is -1; it must be seconds of at least 0, or a timedelta"),
        ({"max_age": timedelta(days=-1)}, "it must be seconds of at least 0"),
        ({"max_age": float("nan")}, "max_age is nan"),
        ({"max_age": float("inf")}, "max_age is inf"),
        ({"max_age": True}, "max_age is True"),
    ],
)
def test_a_freshness_that_is_none_is_refused_when_the_dag_is_parsed(how: Any, words: str) -> None:
    with pytest.raises(StudioConfigurationError, match=words):
        StudioReportFreshnessSensor(report="0a1b2c3d4e5f", **how, **options("poke"))


@pytest.mark.parametrize("newer_than", ["yesterday", "2026-01-01T00:00:00", datetime(2026, 1, 1)])  # noqa: DTZ001
def test_a_time_that_is_none_fails_with_what_to_give(task: Task, report: StudioTestReport, newer_than: Any) -> None:
    sensor = StudioReportFreshnessSensor(report=report.token, newer_than=newer_than, **options("poke"))
    with pytest.raises(AirflowFailException, match="a time with a zone such as 2026"):
        sensor.poke(task.context)


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_pokes_that_fail_are_tolerated_for_a_while_in_each_try(
    task: Task, report: StudioTestReport, studio_workspace: StudioTestWorkspace, sent_once: None, mode: str
) -> None:
    control, run = studio_workspace.control, started(report, 0.0)

    def wait() -> None:
        task.end(StudioReportRunSensor(report=report.token, run=run, **options(mode, poke_interval=0.01)))

    control.add_fault("status", status=503, path="/runs/", times=4)
    wait()
    control.add_fault("status", status=503, path="/runs/", times=None)
    for task.tries in (1, 2):
        control.clear_requests()
        with pytest.raises(StudioServerError):
            wait()
        assert control.requests_summary()["by_status"] == {"503": 5}


def test_pokes_that_fail_now_and_then_are_not_added_up(
    task: Task, report: StudioTestReport, studio_workspace: StudioTestWorkspace, sent_once: None
) -> None:
    run = started(report, 600)
    sensor = StudioReportRunSensor(report=report.token, run=run, **options("reschedule"))
    for _ in range(3):
        studio_workspace.control.add_fault("status", status=503, path="/runs/", times=2)
        assert [sensor.poke(task.context) for _ in range(3)] == [False, False, False]


def test_before_airflow_3_3_a_failed_look_of_a_task_that_comes_back_fails_its_try(
    task: Task, report: StudioTestReport, studio_workspace: StudioTestWorkspace, sent_once: None
) -> None:
    task.store = None
    studio_workspace.control.add_fault("status", status=503, path="/runs/", times=1)
    sensor = StudioReportRunSensor(report=report.token, run=started(report, 0.0), **options("reschedule"))
    with pytest.raises(StudioServerError):
        task.end(sensor)
    task.end(sensor)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wish", ["soft_fail", "never_fail"])
@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_a_run_that_fails_or_had_failed_already_skips_a_task_that_is_not_to_fail(
    task: Task, report: StudioTestReport, mode: str, wish: str, seconds: float
) -> None:
    run = started(report, seconds, "failed")
    with pytest.raises(AirflowSkipException):
        task.end(StudioReportRunSensor(report=report.token, run=run, **options(mode, **{wish: True})))


def test_a_refused_token_fails_the_task_at_once(task: Task, report: StudioTestReport, studio_workspace: Any) -> None:
    studio_workspace.control.set_token("emulator-workspace", "revoked")
    with pytest.raises(AirflowFailException, match="StudioAuthenticationError"):
        task.end(StudioReportRunSensor(report=report.token, run="0a1b2c3d4e5f", **options("poke")))


@pytest.mark.parametrize("event", [None, {}, {"event": "over", "run": "0a1b2c3d4e5f"}])
def test_a_missing_or_unknown_event_is_no_success(studio_connection: str, event: Any) -> None:
    sensor = StudioReportRunSensor(task_id="wait", report="0a1b2c3d4e5f", run="0a1b2c3d4e5f", deferrable=True)
    with pytest.raises(StudioResponseError, match="The trigger fired an"):
        sensor.execute_complete({}, event)


def test_an_error_in_the_triggerer_skips_a_task_that_never_fails(studio_connection: str) -> None:
    event = {"event": "error", "kind": "StudioServerError", "message": "503", "retry_helps": True}
    options: Any = {"task_id": "wait", "report": "0a1b2c3d4e5f", "max_age": 60, "deferrable": True}
    with pytest.raises(AirflowSkipException, match="503"):
        StudioReportFreshnessSensor(never_fail=True, **options).execute_complete({}, event)
    with pytest.raises(TriggerError, match="503"):
        StudioReportFreshnessSensor(**options).execute_complete({}, event)
