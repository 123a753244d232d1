# SPDX-License-Identifier: Apache-2.0
"""Known bugs of providers of other services on Airflow 3, one test for each.

Those that need a real Airflow stand in `tests/system/test_report_runs.py`: a retried deferred task starts no second
run, a cleared one does, a restart of the triggerer ends nothing, a kill leaves no trigger.
"""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, BaseHook, TaskDeferred
from airflow.sdk import DAG, Asset

from airflow_provider_studio.client.errors import (
    StudioConfigurationError,
    StudioRunCancelledError,
    StudioRunFailedError,
    StudioRunTimeoutError,
)
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.links import StudioReportLink, StudioReportRunLink
from airflow_provider_studio.operators.asset_events import INVENTORY, REPORTS
from airflow_provider_studio.operators.inventory import StudioInventoryOperator
from airflow_provider_studio.operators.reports import StudioExportReportRunOperator, StudioRunReportOperator
from airflow_provider_studio.testing import StudioTestReport, StudioTestWorkspace
from tests.conftest import client_of
from tests.hand_clock import HandClock
from tests.task_instance import TaskInstance
from tests.triggers_by_hand import fired

QUICK = {"shortest_seconds": 0.1, "longest_seconds": 0.1}


class Events:
    """Stands in for a task's outlet events."""

    def __init__(self) -> None:
        self.added: list[tuple[str, dict[str, Any]]] = []

        self.extras: dict[str, dict[str, Any]] = {}

    def __getitem__(self, outlet: Any) -> Any:
        if outlet is REPORTS:
            return SimpleNamespace(add=lambda asset, extra: self.added.append((asset.uri, extra)))
        return SimpleNamespace(extra=self.extras.setdefault(outlet.name, {}))


class Task(TaskInstance):
    """A task instance, of which each try gets the operator's context."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__()
        self.clock, self.events = clock, Events()
        self.try_number, self.max_tries = 0, 2

    def next_try(self, **options: Any) -> StudioRunReportOperator:
        self.try_number += 1
        return StudioRunReportOperator(task_id="run", **{"poll_policy": QUICK, "deferrable": False, **options})

    @property
    def context(self) -> Any:
        tries = {"try_number": self.try_number, "max_tries": self.max_tries}
        return self.context_of({"outlet_events": self.events}, start_date=self.clock.now(), **tries)

    def run(self, **options: Any) -> Any:
        return self.next_try(**options).run_with_studio(self.context)


@pytest.fixture
def task(clock: HandClock) -> Task:
    return Task(clock)


@pytest.fixture
def report(clock: HandClock, studio_workspace: StudioTestWorkspace, studio_connection: str) -> StudioTestReport:
    return studio_workspace.report("Revenue", queries=2)


def deferred(task: Task, **options: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as caught:
        task.run(deferrable=True, **options)
    return caught.value


def ended(task: Task, operator: StudioRunReportOperator) -> Any:
    """Run a task to its end, deferred or not."""
    try:
        return operator.run_with_studio(task.context)
    except TaskDeferred as sent:
        return operator._after(task.context, fired(task.clock, sent.trigger)[0])


def test_durable_a_retry_of_a_deferred_task_waits_for_the_same_run(task: Task, report: StudioTestReport) -> None:
    report.next_run("succeeded", 600)
    first = deferred(task, report=report.token).trigger.run_token
    again = deferred(task, report=report.token).trigger.run_token
    assert [first] == [again] == [run["token"] for run in report.runs]


def test_durable_a_retry_that_finds_a_good_run_returns_its_result(task: Task, report: StudioTestReport) -> None:
    report.next_run("succeeded", 0.0)
    first = task.run(report=report.token)
    assert task.run(report=report.token) == first, "and not nothing, as a mixin that reconnects returns"
    assert len(report.runs) == 1
    assert task.run(report=report.token, deferrable=True) == first, "without deferring for it"


def test_durable_a_cleared_task_gets_a_new_run_and_not_the_old_result(task: Task, report: StudioTestReport) -> None:
    first = task.run(report=report.token)
    task.max_tries = task.try_number + 2
    assert task.run(report=report.token)["run"] != first["run"]


def test_durable_whatever_letters_the_ids_and_the_queries_are_of(
    task: Task, report: StudioTestReport, studio_emulator: StudioEmulator
) -> None:
    """Quoted for a file's name, 100 letters of Chinese are 900 bytes, and 300 unquoted: a name may have 255."""
    long = "\u5831" * 100
    task.names |= {"dag_id": long, "run_id": long, "task_id": long}
    with client_of(studio_emulator) as client:
        query = {"query": {"raw_query": "SELECT 1", "name": long}}
        client._send("POST", f"/api/{client.workspace}/reports/{report.token}/queries", query)
    first = task.run(report=report.token, export={"json": "exports"})
    task.next_try(report=report.token).on_kill()
    again = task.run(report=report.token, export={"json": "exports"})
    assert again == first
    assert len(report.runs) == 1
    assert long in {file["query"] for file in again["exports"]}
    assert len({file["path"] for file in again["exports"]}) == 3


def test_durable_switched_off_each_try_starts_a_run(task: Task, report: StudioTestReport) -> None:
    for _ in range(2):
        task.run(report=report.token, durable=False)
    assert len(report.runs) == 2


def test_kill_is_no_cancellation_so_nothing_in_studio_ends_with_a_triggerer(
    task: Task, report: StudioTestReport, studio_workspace: StudioTestWorkspace
) -> None:
    report.next_run("succeeded", 600)
    trigger = deferred(task, report=report.token).trigger
    studio_workspace.control.clear_requests()

    async def restart() -> None:
        waiting = asyncio.create_task(anext(trigger.run()))
        await asyncio.sleep(0.5)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    task.clock.run(restart())
    sent = studio_workspace.control.requests_summary()["requests"]
    assert {one["method"] for one in sent} == {"GET"}
    assert report.runs[0]["state"] == "enqueued"


@pytest.mark.parametrize(("timeout", "execution_timeout", "seconds"), [(600, 30, 30), (20, 600, 20), (20, None, 20)])
def test_timeout_is_the_triggers_own_deadline_and_not_airflows_which_would_skip_our_answer(
    task: Task, report: StudioTestReport, timeout: float, execution_timeout: float | None, seconds: float
) -> None:
    report.next_run("succeeded", 600)
    limit = None if execution_timeout is None else timedelta(seconds=execution_timeout)
    before = task.clock.now()
    sent = deferred(task, report=report.token, timeout=timeout, execution_timeout=limit)
    assert sent.timeout is None
    left = datetime.fromisoformat(sent.trigger.deadline) - before
    assert left == timedelta(seconds=seconds)


def test_timeout_in_the_trigger_differs_from_a_failure(task: Task, report: StudioTestReport) -> None:
    report.next_run("succeeded", 600)
    trigger = deferred(task, report=report.token, timeout=0.5).trigger
    with pytest.raises(StudioRunTimeoutError, match="The run continues in Studio"):
        task.next_try(report=report.token)._after(task.context, fired(task.clock, trigger)[0])


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize(
    ("outcome", "error", "words"),
    [
        (
            "failed",
            StudioRunFailedError,
            r'Report "Revenue" failed after \d\.\d s: Query 1: \S+: .* https://app\.mode\.com/',
        ),
        ("cancelled", StudioRunCancelledError, 'Report "Revenue" was cancelled'),
    ],
)
def test_a_failure_has_the_same_words_deferred_and_not(
    task: Task, report: StudioTestReport, deferrable: bool, outcome: Any, error: type[Exception], words: str
) -> None:
    report.next_run(outcome, 0.5)
    operator = task.next_try(report=report.token, deferrable=deferrable)
    with pytest.raises(error, match=words):
        ended(task, operator)
    assert task.events.added == []


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_reason_that_nobody_wants_costs_no_request(
    task: Task, report: StudioTestReport, studio_workspace: StudioTestWorkspace, deferrable: bool
) -> None:
    report.next_run("failed", 0.3)
    with pytest.raises(StudioRunFailedError, match=r'"Revenue" failed after \d\.\d s\. Run'):
        ended(task, task.next_try(report=report.token, deferrable=deferrable, failure_detail=False))
    sent = studio_workspace.control.requests_summary()["requests"]
    assert not [one for one in sent if "query_runs" in one["path"]]


@pytest.mark.parametrize("deferrable", [True, False])
def test_the_log_of_a_success_says_state_runtime_and_address(
    task: Task, report: StudioTestReport, capsys: pytest.CaptureFixture[str], deferrable: bool
) -> None:
    report.next_run("succeeded", 0.5)
    result = ended(task, task.next_try(report=report.token, deferrable=deferrable))
    where = f"Run {result['run']} of Report {report.token}: {result['url']}"
    logged = capsys.readouterr().out
    assert re.search(rf'Report "Revenue" succeeded after \d\.\d s\. {re.escape(where)}', logged)


def test_the_log_of_a_failure_has_the_reason_in_a_line_before_the_traceback(
    task: Task, report: StudioTestReport, capsys: pytest.CaptureFixture[str]
) -> None:
    report.next_run("cancelled", 0.0)
    with pytest.raises(AirflowFailException, match='Report "Revenue" was cancelled'):
        task.next_try(report=report.token).execute(task.context)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "[error" in line]
    assert re.search(r'\] Report "Revenue" was cancelled in Studio.* https://app\.mode\.com/', line)


def test_a_run_that_is_over_at_once_and_failed_is_no_success(task: Task, report: StudioTestReport) -> None:
    report.next_run("failed", 0.0)
    with pytest.raises(StudioRunFailedError):
        task.run(report=report.token, deferrable=True)


def test_trigger_arguments_are_plain_json(task: Task, report: StudioTestReport) -> None:
    report.next_run("succeeded", 600)
    path, arguments = deferred(task, report=report.token).trigger.serialize()
    assert path == "airflow_provider_studio.triggers.reports.StudioReportRunTrigger"
    assert json.loads(json.dumps(arguments)) == arguments
    assert "secret" not in json.dumps(arguments)


def test_a_trigger_looks_its_connection_up_without_blocking_the_event_loop(
    task: Task, report: StudioTestReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    report.next_run("succeeded", 0.3)
    trigger = deferred(task, report=report.token).trigger

    look_up = BaseHook.get_connection

    def elsewhere(*arguments: Any, **options: Any) -> Any:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return look_up(*arguments, **options)

    monkeypatch.setattr(BaseHook, "get_connection", elsewhere)
    assert fired(task.clock, trigger)[0]["state"] == "succeeded"


def test_links_are_there_while_the_task_runs(task: Task, report: StudioTestReport) -> None:
    report.next_run("succeeded", 600)
    with pytest.raises(StudioRunTimeoutError):
        task.run(report=report.token, timeout=0.3)
    run = report.runs[0]["token"]
    assert task.xcoms["_link_StudioReportLink"].endswith(f"/reports/{report}")
    assert task.xcoms["_link_StudioReportRunLink"].endswith(f"/reports/{report}/runs/{run}")
    assert task.xcoms["run"] == run


@pytest.mark.parametrize("link", [StudioReportLink, StudioReportRunLink])
def test_a_link_never_raises_and_needs_no_connection(link: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_studio import links

    def broken(**_: Any) -> None:
        raise RuntimeError("no database")

    monkeypatch.delenv("AIRFLOW_CONN_STUDIO_DEFAULT", raising=False)
    monkeypatch.setattr(links.XCom, "get_value", broken)
    assert link().get_link(None, ti_key=None) == ""


def test_an_error_of_a_poll_fails_no_task_at_once(
    task: Task, report: StudioTestReport, studio_workspace: StudioTestWorkspace, sent_once: None
) -> None:
    report.next_run("succeeded", 0.2)
    studio_workspace.control.add_fault("status", method="GET", path="/runs/", status=502, times=2)
    assert task.run(report=report.token)["state"] == "succeeded"


def test_a_new_run_that_is_not_visible_yet_is_not_missing(
    task: Task, report: StudioTestReport, studio_workspace: StudioTestWorkspace
) -> None:
    report.next_run("succeeded", 0.2)
    studio_workspace.control.add_fault("status", method="GET", path="/runs/", status=404, times=2)
    assert task.run(report=report.token)["state"] == "succeeded"


def test_a_good_run_makes_an_event_with_its_run_and_times(task: Task, report: StudioTestReport) -> None:
    result = task.run(report=report.token)
    assert set(result) == {"report", "run", "state", "created_at", "completed_at", "url", "exports"}
    ((uri, extra),) = task.events.added
    assert uri == f"studio://acme/reports/{report}"
    assert extra == {name: result[name] for name in ("run", "state", "created_at", "completed_at", "url")}


def test_outlets_of_ones_own_do_not_cost_the_event() -> None:
    mine = Asset("s3://bucket/mine")
    for outlets in ([mine], mine):
        assert StudioRunReportOperator(task_id="run", report="a", outlets=outlets).outlets == [mine, REPORTS]
        assert StudioInventoryOperator(task_id="take", outlets=outlets).outlets == [mine, INVENTORY]
    assert StudioInventoryOperator(task_id="take", outlets=[]).outlets == [INVENTORY]


def test_outlets_of_a_dag_s_defaults_are_kept() -> None:
    mine = Asset("s3://bucket/mine")
    with DAG("defaults", default_args={"outlets": [mine]}):
        assert StudioRunReportOperator(task_id="run", report="a").outlets == [mine, REPORTS]
        assert StudioInventoryOperator(task_id="take").outlets == [mine, INVENTORY]


@pytest.mark.parametrize("name", ["revenue", None])
def test_an_asset_of_the_report_among_the_outlets_gets_the_event_and_none_gets_two(
    task: Task, report: StudioTestReport, name: str | None
) -> None:
    uri = f"studio://acme/reports/{report}"
    mine = Asset(name=name or uri, uri=uri)
    result = task.run(report=report.token, outlets=[mine, Asset("s3://bucket/other")])
    assert list(task.events.extras) == [name or uri]
    assert task.events.extras[name or uri]["run"] == result["run"]
    assert [added for added, _ in task.events.added] == ([] if name is None else [uri])


def test_results_are_exported_on_the_way(task: Task, report: StudioTestReport) -> None:
    result = task.run(report=report.token, export={"csv": "table", "json": "rows"})
    assert [file["content_type"] for file in result["exports"]] == ["text/csv", "application/json", "application/json"]


def test_an_export_takes_what_the_run_returned(task: Task, report: StudioTestReport) -> None:
    result = task.run(report=report.token)
    export = StudioExportReportRunOperator(task_id="export", run=result, path="a")
    assert export.run_with_studio(task.context)["bytes"] > 1000
    alone = StudioExportReportRunOperator(task_id="export", run=result["run"], path="a")
    with pytest.raises(StudioConfigurationError, match=r"give what StudioRunReportOperator returned"):
        alone.run_with_studio(task.context)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": "soon"}, "timeout is 'soon'; it must be seconds above 0"),
        ({"timeout": -1}, "timeout is -1"),
        ({"poll_interval": 0}, "poll_interval is 0; it must be seconds above 0, or a timedelta"),
        ({"poll_interval": timedelta(0)}, "poll_interval is datetime.timedelta"),
        ({"poll_interval": "often"}, "poll_interval is 'often'"),
        ({"poll_interval": 5, "poll_policy": {"share": 0.1}}, "poll_interval is 5 and poll_policy is {'share': 0.1}"),
        ({"parameters": {"day": datetime(2026, 1, 1, tzinfo=UTC)}}, "parameters: .* give values that JSON can hold"),
        ({"parameters": "{day"}, "parameters: "),
        ({"parameters": "[1]"}, "parameters is a list; give a mapping"),
        ({"export": {"xls": "a"}}, "export has no format 'xls'"),
        ({"poll_policy": {"speed": 1}}, "poll_policy has no 'speed'"),
        (
            {"report": "studio://other/reports/0a1b2c3d4e5f"},
            "of the workspace 'other', but the connection opens 'acme'",
        ),
    ],
)
def test_bad_input_is_refused_before_any_request(
    task: Task, report: StudioTestReport, studio_workspace: StudioTestWorkspace, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(StudioConfigurationError, match=message):
        task.run(**{"report": report.token, **options})
    assert studio_workspace.control.requests_sent() == 0


@pytest.mark.parametrize("parameters", [{"day": "monday"}, '{"day": "monday"}'])
def test_parameters_may_be_a_template_that_renders_to_json(
    task: Task, report: StudioTestReport, parameters: Any
) -> None:
    task.run(report=report.token, parameters=parameters)
    assert report.runs[0]["parameters"] == {"day": "monday"}


def test_a_kill_says_that_the_run_continues(
    task: Task, report: StudioTestReport, capsys: pytest.CaptureFixture[str]
) -> None:
    operator = task.next_try(report=report.token)
    operator.on_kill()
    assert "continues in Studio" not in capsys.readouterr().out, "nothing was started"
    result = operator.run_with_studio(task.context)
    operator.on_kill()
    assert f"Report run {result['run']} continues in Studio" in capsys.readouterr().out


def test_default_args_reach_what_is_switched(task: Task) -> None:
    from airflow.sdk import DAG

    from tests.airflow_in_process import START

    with DAG("defaults", start_date=START, schedule=None, default_args={"durable": False, "deferrable": True}):
        operator = StudioRunReportOperator(task_id="run", report="a")
    assert (operator.durable, operator.deferrable) == (False, True)
