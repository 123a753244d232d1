# SPDX-License-Identifier: Apache-2.0
"""The operators and the sensor as Airflow runs them, against the emulator over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from upath import UPath

from airflow_provider_studio.client.ratelimit import RateLimiter
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.errors import PolicyError
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.operators.inventory import StudioInventoryOperator
from airflow_provider_studio.operators.plans import (
    StudioApplyPlanOperator,
    StudioPlanOperator,
    StudioUndoPlanOperator,
)
from airflow_provider_studio.operators.reports import StudioExportReportRunOperator, StudioRunReportOperator
from airflow_provider_studio.sensors.reports import StudioReportRunSensor
from tests.airflow_in_process import START, Ran, run_dag
from tests.connections import connection_of

QUICK = {"shortest_seconds": 0.1, "longest_seconds": 0.1}
RunDag = Callable[..., Ran]


@pytest.fixture
def run(emulator: StudioEmulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: Any) -> RunDag:
    """Return a function that runs the tasks which a function makes, connected to the emulator."""
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO_DEFAULT", connection_of(emulator))
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", f"file://{tmp_path}/studio")
    monkeypatch.setenv("AIRFLOW__STUDIO__RATE_LIMIT_URL", f"sqlite:///{tmp_path}/ratelimit.db")
    monkeypatch.setattr(RateLimiter, "acquire", RateLimiter.unlimited().acquire.__func__)  # type: ignore[attr-defined]

    def run_tasks(make: Callable[[], None], **options: Any) -> Ran:
        name = "".join(one if one.isalnum() else "_" for one in request.node.name)
        with DAG(name, start_date=START, schedule=None, default_args={"retries": 0}) as dag:
            make()
        return run_dag(dag, **options)

    return run_tasks


def test_a_night_from_inventory_to_undo(run: RunDag, emulator: StudioEmulator, tmp_path: Path) -> None:
    dead = emulator.control.add_report(
        name="Dead", created_at="2020-01-01T00:00:00+00:00", edited_at="2020-01-01T00:00:00+00:00"
    )
    schedule = emulator.control.add_schedule(dead)
    before = emulator.control.state()

    def tasks() -> None:
        inventory = StudioInventoryOperator(task_id="inventory")
        plan = StudioPlanOperator(
            task_id="plan",
            policy=lambda context, **_: {"unviewed_days": 90},  # noqa: ARG005
            snapshot="{{ ti.xcom_pull(task_ids='inventory')['snapshot'] }}",
        )
        apply = StudioApplyPlanOperator(
            task_id="apply",
            plan=plan.output,
            approval="not_required",
            max_actions="{{ 40 + 60 }}",
            max_share=1.0,
            approver="ada",
        )
        undo = StudioUndoPlanOperator(
            task_id="undo", plan_id="{{ ti.xcom_pull(task_ids='plan')['plan_id'] }}", only=[dead]
        )
        inventory >> plan >> apply >> undo

    ran = run(tasks)
    assert ran.tasks == dict.fromkeys(("inventory", "plan", "apply", "undo"), "success")
    assert ran.xcom("inventory")["snapshot"].startswith("snapshots/workspace=acme/taken_at=")
    assert ran.xcom("plan")["schedules_to_delete"] >= 1
    assert dead in ran.xcom("plan")["markdown"]
    assert ran.xcom("apply")["archived"] == ran.xcom("plan")["reports_to_archive"] >= 1
    assert list(ran.xcom("undo")["schedules_recreated"]) == [schedule]
    assert emulator.control.state()["reports"][dead]["archived"] is False
    plan = Plan.read(UPath(ran.xcom("plan")["path"]), workspace="acme")
    deleted = {one.schedule for one in plan.actions if one.schedule}
    assert schedule in deleted
    assert timings(emulator.control.state()) == timings(before, without=deleted - {schedule})
    journal = next(tmp_path.glob(f"studio/journals/*/*/archive_report-{dead}.intent.json"))
    actor = json.loads(journal.read_text())["actor"]
    assert (actor["task"], actor["try"]) == ("apply", "1")
    assert (actor["approval"], actor["approver_named_by_dag"]) == ("dag", "ada")
    written = "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())
    assert "emulator-secret" not in written + json.dumps(list(map(str, ran.xcoms.values())))


def timings(state: dict[str, Any], without: Collection[str] = ()) -> list[tuple[str, str]]:
    """The schedules of a workspace, whatever their tokens: an undo makes others."""
    kept = (one for token, one in state["schedules"].items() if token not in without)
    return sorted((one["report"], str(one["cron"])) for one in kept)


def test_the_inventory_emits_an_asset_event(run: RunDag) -> None:
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session

    assert run(lambda: StudioInventoryOperator(task_id="inventory") and None).state == "success"
    with create_session() as session:
        asset = session.query(AssetModel).filter(AssetModel.uri == "studio://acme/inventory").one()
        events = session.query(AssetEvent).filter(AssetEvent.asset_id == asset.id).all()
        assert any(event.extra.get("reports") for event in events)


def test_a_report_is_run_awaited_exported_and_linked(run: RunDag, emulator: StudioEmulator, tmp_path: Path) -> None:
    report = emulator.control.add_report(next_runtime_seconds=0.3, next_outcome="completed", expected_runtime=0.3)

    def tasks() -> None:
        started = StudioRunReportOperator(
            task_id="run",
            report=f"https://app.mode.com/acme/reports/{report}",
            parameters={"day": "{{ ds }}"},
            poll_policy=QUICK,
        )
        sensor = StudioReportRunSensor(task_id="sensor", report=report, run=started.output, poke_interval=0.1)
        export = StudioExportReportRunOperator(
            task_id="export", report=report, run=started.output, path="exports/{{ ds }}"
        )
        sensor >> export

    ran = run(tasks)
    assert ran.tasks == dict.fromkeys(("run", "sensor", "export"), "success")
    result, exported = ran.xcom("run"), ran.xcom("export")
    assert result["state"] == "completed"
    (asked,) = emulator.control.state()["reports"][report]["runs_started"]
    assert (asked["token"], list(asked["parameters"])) == (result["run"], ["day"])
    assert asked["parameters"]["day"].startswith("20")
    file = next((tmp_path / "studio" / "exports").glob("*.csv"))
    assert file.stat().st_size == exported["bytes"] > 1000
    assert exported["path"].endswith(file.name)
    assert ran.xcom("run", "run") == result["run"]
    assert ran.xcom("run", "_link_StudioReportRunLink") == result["url"]
    assert report in ran.xcom("run", "_link_StudioReportLink")


def test_without_waiting_the_task_ends_at_once_and_the_sensor_waits(run: RunDag, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report(next_runtime_seconds=0.3, next_outcome="succeeded")

    def tasks() -> None:
        started = StudioRunReportOperator(task_id="run", report=report, wait_for_completion=False)
        StudioReportRunSensor(task_id="sensor", report=report, run=started.output, poke_interval=0.1)

    ran = run(tasks)
    assert ran.state == "success"
    assert ran.xcom("run")["state"] == "enqueued"


@pytest.mark.parametrize(
    ("emulator", "fault"),
    [
        ("http", "lose_response"),
        ("https", "lose_response"),
        ("https", "truncate"),
        ("https", "tls_alert"),
        ("https", "tls_plain_text"),
        ("https", "tls_no_close_notify"),
    ],
    indirect=["emulator"],
)
def test_a_task_whose_answer_was_lost_starts_one_run(run: RunDag, emulator: StudioEmulator, fault: str) -> None:
    report = emulator.control.add_report(
        created_at="2024-01-01T00:00:00+00:00", habit={"run_every_days": 30.0}, next_runtime_seconds=0.0
    )
    emulator.control.add_fault(fault, method="POST", times=None)
    ran = run(lambda: StudioRunReportOperator(task_id="run", report=report) and None)
    assert ran.state == "success"
    (started,) = emulator.control.state()["reports"][report]["runs_started"]
    assert ran.xcom("run")["run"] == started["token"]


@pytest.mark.parametrize("outcome", ["failed", "cancelled", "paused"])
@pytest.mark.parametrize("waiting", ["operator", "sensor"])
def test_a_run_that_does_not_end_well_fails_the_task(
    run: RunDag, emulator: StudioEmulator, outcome: str, waiting: str
) -> None:
    report = emulator.control.add_report(next_runtime_seconds=0.1, next_outcome=outcome, expected_runtime=0.1)

    def tasks() -> None:
        started = StudioRunReportOperator(
            task_id="run", report=report, wait_for_completion=waiting == "operator", poll_policy=QUICK
        )
        if waiting == "sensor":
            StudioReportRunSensor(task_id="sensor", report=report, run=started.output, poke_interval=0.1)

    ran = run(tasks)
    assert ran.state == "failed"
    assert ran.tasks["run" if waiting == "operator" else "sensor"] == "failed"


def failing(run: RunDag, make: Callable[[], Any], capsys: pytest.CaptureFixture[str]) -> str:
    """Run one task that must fail, and return what it logged."""
    ran = run(lambda: make() and None)
    assert ran.state == "failed"
    return capsys.readouterr().out


def apply_of(plan: str, **options: Any) -> StudioApplyPlanOperator:
    return StudioApplyPlanOperator(task_id="t", plan=plan, approval="not_required", **options)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (lambda: StudioRunReportOperator(task_id="t", report="0123456789ab"), "answered 404"),
        (lambda: StudioRunReportOperator(task_id="t", report="https://app.mode.com/acme"), "report is"),
        (lambda: StudioRunReportOperator(task_id="t", report="0123456789ab", timeout=0), "must be seconds above 0"),
        (lambda: StudioInventoryOperator(task_id="t", studio_conn_id="nowhere"), "There is no connection 'nowhere'"),
        (lambda: StudioInventoryOperator(task_id="t", collection_filter="mine"), "collection filter is 'mine'"),
        (lambda: StudioInventoryOperator(task_id="t", storage_path="file:///proc/studio"), "storage_path"),
        (lambda: StudioPlanOperator(task_id="t", policy={"unviewed_days": 1}), "Run the inventory first"),
        (lambda: StudioPlanOperator(task_id="t", policy={"unviewed_days": "{{ -1 }}"}), "unviewed_days is '-1'"),
        (lambda: apply_of("plans/workspace=acme/0123456789ab.jsonl"), "No such file"),
        (lambda: apply_of("plans/none.jsonl"), "Cannot read the plan 'plans/none.jsonl'"),
        (lambda: apply_of("x", max_actions="many"), "max_actions is 'many'"),
        (lambda: apply_of("x", max_share="5 %"), "max_share is '5 %'"),
        (lambda: StudioUndoPlanOperator(task_id="t", plan_id="0123"), "There is no journal of plan '0123'"),
    ],
)
def test_bad_input_fails_with_what_to_fix(
    run: RunDag, emulator: StudioEmulator, capsys: pytest.CaptureFixture[str], task: Callable[[], Any], message: str
) -> None:
    assert message in failing(run, task, capsys)
    assert not [one for one in emulator.control.requests_summary()["requests"] if one["method"] != "GET"]


def test_a_policy_that_makes_no_sense_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(PolicyError, match="unviewed_days is -1"):
        StudioPlanOperator(task_id="plan", policy={"unviewed_days": -1})


def test_nothing_that_changes_studio_has_a_default_that_acts() -> None:
    from airflow.exceptions import AirflowException

    for operator in (StudioApplyPlanOperator, StudioUndoPlanOperator):
        with pytest.raises((TypeError, AirflowException)):
            operator(task_id="t")  # type: ignore[call-arg]


@pytest.mark.parametrize(("status", "tries"), [(403, 1), (503, 2)])
def test_only_what_a_retry_may_fix_is_retried(
    run: RunDag, emulator: StudioEmulator, sent_once: None, status: int, tries: int
) -> None:
    emulator.control.add_fault("status", path="/spaces", status=status, times=1)
    ran = run(lambda: StudioInventoryOperator(task_id="t", retries=1, retry_delay=timedelta(0)) and None)
    assert ran.state == ("success" if tries == 2 else "failed")


def test_a_larger_plan_than_allowed_fails_without_touching_anything(
    run: RunDag, emulator: StudioEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    def tasks() -> None:
        inventory = StudioInventoryOperator(task_id="inventory")
        plan = StudioPlanOperator(task_id="plan", policy={"unviewed_days": 1, "minimum_age_days": 0})
        inventory >> plan
        StudioApplyPlanOperator(task_id="apply", plan=plan.output, approval="not_required", max_share=0.000001)

    emulator.control.add_report(created_at="2020-01-01T00:00:00+00:00", edited_at="2020-01-01T00:00:00+00:00")
    assert run(tasks).tasks["apply"] == "failed"
    assert "max_share allows 0.0%" in capsys.readouterr().out
    assert not [one for one in emulator.control.requests_summary()["requests"] if one["method"] != "GET"]


def test_requests_used_are_logged(run: RunDag, capsys: pytest.CaptureFixture[str]) -> None:
    run(lambda: StudioInventoryOperator(task_id="inventory") and None)
    assert "requests of the token's budget" in capsys.readouterr().out
