# SPDX-License-Identifier: Apache-2.0
"""The nightly DAG in a real Airflow; afterwards the emulator, not our code, says what became of the workspace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_studio.get_provider_info import CONNECTION_FIELDS
from airflow_provider_studio.governance.plans.audit import ActionState, Audit
from airflow_provider_studio.governance.plans.journal import Event
from tests.connections import connection_fields
from tests.system.conftest import NIGHTLY, Live

pytestmark = pytest.mark.system

CONF = {"max_actions": 200, "max_share": 0.5}


def planned(live: Live, run_id: str) -> tuple[set[str], set[str]]:
    """Return the Reports and schedules that the plan's file names, read without our code."""
    path = live.airflow.xcom(NIGHTLY, run_id, "plan")["path"].removeprefix("file://")
    with Path(path).open(encoding="utf-8") as file:
        actions = [record for record in map(json.loads, file) if "kind" in record]
    reports = {one["report"] for one in actions if one["kind"] == "archive_report"}
    return reports, {one["schedule"] for one in actions if one["kind"] == "delete_schedule"}


def archived(state: dict[str, Any]) -> set[str]:
    return {token for token, one in state["reports"].items() if one["archived"]}


def answer(live: Live, run_id: str, choice: str) -> None:
    """Wait for the approval to be asked for, and give it."""
    assert "Reports are stale" in live.airflow.answer(NIGHTLY, run_id, "approve", choice)["body"]


def folded(live: Live, run_id: str, task: str, title: str) -> str:
    """What a task's log folds under a title that begins so, as Airflow's UI shows it."""
    lines = [json.loads(line)["event"] for line in live.airflow.task_log(NIGHTLY, run_id, task).splitlines()]
    begin = next(number for number, line in enumerate(lines) if line.startswith(f"::group::{title}"))
    return "\n".join(lines[begin + 1 : lines.index("::endgroup::", begin)])


def test_a_rejected_plan_changes_nothing_and_the_refresh_goes_on(live: Live) -> None:
    control = live.emulator.control
    before = control.state()
    refreshed = next(
        token for token, one in before["reports"].items() if not one["archived"] and one["personal_of"] is None
    )
    control.change_report(refreshed, next_outcome="succeeded", next_runtime_seconds=1.0)
    run_id = live.airflow.trigger(NIGHTLY, {**CONF, "refresh_report": refreshed})
    answer(live, run_id, "Reject")
    assert live.finish(NIGHTLY, run_id) == "success"
    states = live.airflow.task_states(NIGHTLY, run_id)
    assert (states["apply"], states["refresh"], states["export"]) == ("skipped", "success", "success")
    (rejection,) = Audit(live.storage, "acme").events(plan_id=live.airflow.xcom(NIGHTLY, run_id, "plan")["plan_id"])
    assert (rejection.event, rejection.actor["approver"]) == (Event.REJECTED, "admin")
    after = control.state()
    assert archived(after) == archived(before)
    assert set(after["schedules"]) == set(before["schedules"])
    exported = live.airflow.xcom(NIGHTLY, run_id, "export")
    assert exported["content_type"] == "text/csv"
    (run,) = after["reports"][refreshed]["runs_asked"]
    links = live.airflow.api("GET", f"/dags/{NIGHTLY}/dagRuns/{run_id}/taskInstances/refresh/links")
    assert f"/reports/{refreshed}/runs/{run['token']}" in links["extra_links"]["Studio run"]
    assert links["extra_links"]["Studio Report"].endswith(f"/reports/{refreshed}")


def test_an_approved_plan_is_carried_out_to_the_letter_and_taken_back(live: Live) -> None:
    control = live.emulator.control
    before = control.state()
    control.clear_requests()
    run_id = live.airflow.trigger(NIGHTLY, CONF)
    answer(live, run_id, "Approve all")
    assert live.finish(NIGHTLY, run_id) == "success"
    reports, schedules = planned(live, run_id)
    assert reports
    assert schedules
    after = control.state()
    assert archived(after) - archived(before) == reports
    assert set(before["schedules"]) - set(after["schedules"]) == schedules
    spent = control.requests_summary()
    assert "429" not in spent["by_status"]
    personal = {token for token, one in before["collections"].items() if one["personal_of"] is not None}
    personal |= {token for token, one in before["reports"].items() if one["personal_of"] is not None}
    assert personal
    assert not [one["path"] for one in spent["requests"] if any(token in one["path"] for token in personal)]
    assert live.airflow.task_states(NIGHTLY, run_id)["refresh"] == "skipped"

    applied = live.airflow.xcom(NIGHTLY, run_id, "apply")
    audit = Audit(live.storage, "acme")
    fates = audit.fates(applied["plan_id"])
    assert {one.state for one in fates} == {ActionState.DONE}
    assert all(one.last and one.last.actor["approver"] == "admin" and one.last.http_status for one in fates)
    approval = audit.plan_fate(applied["plan_id"]).approval
    assert approval is not None
    assert (approval.event, approval.actor["task"], approval.actor["approver"]) == (Event.APPROVED, "approve", "admin")
    for task in ("inventory", "plan", "apply"):
        assert "emulator-secret" not in live.airflow.task_log(NIGHTLY, run_id, task)
    shown = folded(live, run_id, "plan", f"Plan {applied['plan_id']} as")
    assert not [report for report in reports if f"({report})" not in shown]
    done = folded(live, run_id, "apply", f"Plan {applied['plan_id']}: ")
    assert not [one for one in fates if f"{one.action.action_id} is done" not in done]

    state, _ = live.run("studio_undo", {"plan_id": applied["plan_id"]})
    assert state == "success"
    undone = control.state()
    assert archived(undone) == archived(before)
    assert sorted((one["report"], str(one["cron"])) for one in undone["schedules"].values()) == sorted(
        (one["report"], str(one["cron"])) for one in before["schedules"].values()
    )


def test_of_an_approval_of_schedules_alone_no_report_is_archived(live: Live) -> None:
    control = live.emulator.control
    before = control.state()
    run_id = live.airflow.trigger(NIGHTLY, CONF)
    answer(live, run_id, "Approve schedules only")
    assert live.finish(NIGHTLY, run_id) == "success"
    _, schedules = planned(live, run_id)
    after = control.state()
    assert archived(after) == archived(before)
    assert set(before["schedules"]) - set(after["schedules"]) == schedules
    applied = live.airflow.xcom(NIGHTLY, run_id, "apply")
    assert set(applied["skipped"]) == {"not_approved"}
    assert live.run("studio_undo", {"plan_id": applied["plan_id"]})[0] == "success"


def test_the_stop_switch_is_an_airflow_variable(live: Live) -> None:
    control = live.emulator.control
    control.clear_requests()
    live.airflow.api("POST", "/variables", json={"key": "studio_stop", "value": "holiday freeze"})
    run_id = live.airflow.trigger(NIGHTLY, {**CONF, "approval": False})
    assert live.finish(NIGHTLY, run_id) == "failed"
    live.airflow.api("DELETE", "/variables/studio_stop")
    assert "the Airflow Variable studio_stop is 'holiday freeze'" in live.airflow.task_log(NIGHTLY, run_id, "apply")
    assert not [one for one in control.requests_summary()["requests"] if one["method"] != "GET"]


def test_a_plan_beyond_the_guard_rails_fails_at_once_and_touches_nothing(live: Live) -> None:
    control = live.emulator.control
    before = archived(control.state())
    run_id = live.airflow.trigger(NIGHTLY, {"approval": False, "max_actions": 1, "max_share": 0.5})
    assert live.finish(NIGHTLY, run_id) == "failed"
    states = live.airflow.task_states(NIGHTLY, run_id)
    assert (states["approve"], states["apply"]) == ("skipped", "failed"), "no retry can mend it"
    assert archived(control.state()) == before
    assert "max_actions allows 1" in live.airflow.task_log(NIGHTLY, run_id, "apply")


def test_with_nothing_stale_there_is_nothing_to_approve(live: Live) -> None:
    state, run_id = live.run(NIGHTLY, {"protected_names": ["*"]})
    assert state == "success"
    states = live.airflow.task_states(NIGHTLY, run_id)
    assert (states["decide"], states["approve"], states["apply"]) == ("success", "skipped", "skipped")


def test_the_connections_form_and_test_are_airflows_own(live: Live) -> None:
    hooks = live.airflow.api("GET", "/ui/connections/hook_meta")
    (form,) = [one for one in hooks if one["connection_type"] == "studio"]
    assert form["hook_name"] == "ThoughtSpot Analyst Studio"
    assert set(form["extra_fields"]) == set(CONNECTION_FIELDS)
    assert form["standard_fields"]["password"]["title"] == "Secret"
    body = {"connection_id": "studio_tried", **connection_fields(live.emulator)}
    tested = live.airflow.api("POST", "/connections/test", json=body)
    assert tested == {"status": True, "message": "Workspace 'acme' answered a Workspace token."}
    live.airflow.api("POST", "/connections", json=body)
    assert body["password"] not in json.dumps(live.airflow.api("GET", "/connections/studio_tried"))
