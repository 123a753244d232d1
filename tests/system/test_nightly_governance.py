# SPDX-License-Identifier: Apache-2.0
"""The nightly DAG in a real Airflow; the assertions use the emulator's state, not the provider's reports."""

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
    """Return the Reports and schedules in the plan's file, read without the provider's code."""
    path = live.airflow.xcom(NIGHTLY, run_id, "plan")["path"].removeprefix("file://")
    with Path(path).open(encoding="utf-8") as file:
        actions = [record for record in map(json.loads, file) if "kind" in record]
    reports = {action["report"] for action in actions if action["kind"] == "archive_report"}
    return reports, {action["schedule"] for action in actions if action["kind"] == "delete_schedule"}


def archived(state: dict[str, Any]) -> set[str]:
    return {token for token, report in state["reports"].items() if report["archived"]}


def respond(live: Live, run_id: str, choice: str) -> None:
    """Wait for the approval task, and respond to it."""
    assert "Reports are stale" in live.airflow.respond(NIGHTLY, run_id, "approve", choice)["body"]


def folded(live: Live, run_id: str, task: str, title: str) -> str:
    """Return the lines of a task's log that Airflow's UI folds under a title with this beginning."""
    lines = [json.loads(line)["event"] for line in live.airflow.task_log(NIGHTLY, run_id, task).splitlines()]
    begin = next(number for number, line in enumerate(lines) if line.startswith(f"::group::{title}"))
    return "\n".join(lines[begin + 1 : lines.index("::endgroup::", begin)])


def test_a_rejected_plan_changes_nothing_and_the_refresh_continues(live: Live) -> None:
    control = live.emulator.control
    before = control.state()
    refreshed = next(
        token for token, report in before["reports"].items() if not report["archived"] and report["personal_of"] is None
    )
    control.change_report(refreshed, next_outcome="succeeded", next_runtime_seconds=1.0)
    run_id = live.airflow.trigger(NIGHTLY, {**CONF, "refresh_report": refreshed})
    respond(live, run_id, "Reject")
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
    (run,) = after["reports"][refreshed]["runs_started"]
    links = live.airflow.api("GET", f"/dags/{NIGHTLY}/dagRuns/{run_id}/taskInstances/refresh/links")
    assert f"/reports/{refreshed}/runs/{run['token']}" in links["extra_links"]["Studio run"]
    assert links["extra_links"]["Studio Report"].endswith(f"/reports/{refreshed}")


def test_an_approved_plan_is_carried_out_to_the_letter_and_taken_back(live: Live) -> None:
    control = live.emulator.control
    before = control.state()
    control.clear_requests()
    run_id = live.airflow.trigger(NIGHTLY, CONF)
    respond(live, run_id, "Approve all")
    assert live.finish(NIGHTLY, run_id) == "success"
    reports, schedules = planned(live, run_id)
    assert reports
    assert schedules
    after = control.state()
    assert archived(after) - archived(before) == reports
    assert set(before["schedules"]) - set(after["schedules"]) == schedules
    sent = control.requests_summary()
    assert "429" not in sent["by_status"]
    personal = {token for token, collection in before["collections"].items() if collection["personal_of"] is not None}
    personal |= {token for token, report in before["reports"].items() if report["personal_of"] is not None}
    assert personal
    assert not [request["path"] for request in sent["requests"] if any(token in request["path"] for token in personal)]
    assert live.airflow.task_states(NIGHTLY, run_id)["refresh"] == "skipped"

    applied = live.airflow.xcom(NIGHTLY, run_id, "apply")
    audit = Audit(live.storage, "acme")
    actions = audit.action_statuses(applied["plan_id"])
    assert {action.state for action in actions} == {ActionState.DONE}
    assert all(
        action.last and action.last.actor["approver"] == "admin" and action.last.http_status for action in actions
    )
    approval = audit.plan_status(applied["plan_id"]).approval
    assert approval is not None
    assert (approval.event, approval.actor["task"], approval.actor["approver"]) == (Event.APPROVED, "approve", "admin")
    for task in ("inventory", "plan", "apply"):
        assert live.emulator.credentials()[1] not in live.airflow.task_log(NIGHTLY, run_id, task)
    shown = folded(live, run_id, "plan", f"Plan {applied['plan_id']} as")
    assert not [report for report in reports if f"({report})" not in shown]
    done = folded(live, run_id, "apply", f"Plan {applied['plan_id']}: ")
    assert not [action for action in actions if f"{action.action.action_id} is done" not in done]

    state, _ = live.run("studio_undo", {"plan_id": applied["plan_id"]})
    assert state == "success"
    undone = control.state()
    assert archived(undone) == archived(before)
    assert sorted((schedule["report"], str(schedule["cron"])) for schedule in undone["schedules"].values()) == sorted(
        (schedule["report"], str(schedule["cron"])) for schedule in before["schedules"].values()
    )


def test_of_an_approval_of_schedules_alone_no_report_is_archived(live: Live) -> None:
    control = live.emulator.control
    before = control.state()
    run_id = live.airflow.trigger(NIGHTLY, CONF)
    respond(live, run_id, "Approve schedules only")
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
    log = live.airflow.task_log(NIGHTLY, run_id, "apply")
    assert "the Airflow Variable studio_stop is set" in log
    assert "holiday freeze" not in log
    assert not [request for request in control.requests_summary()["requests"] if request["method"] != "GET"]


def test_a_plan_beyond_the_guard_rails_fails_at_once_and_touches_nothing(live: Live) -> None:
    control = live.emulator.control
    before = archived(control.state())
    run_id = live.airflow.trigger(NIGHTLY, {"approval": False, "max_actions": 1, "max_share": 0.5})
    assert live.finish(NIGHTLY, run_id) == "failed"
    states = live.airflow.task_states(NIGHTLY, run_id)
    assert (states["approve"], states["apply"]) == ("skipped", "failed"), "a retry cannot fix it"
    assert archived(control.state()) == before
    assert "max_actions allows 1" in live.airflow.task_log(NIGHTLY, run_id, "apply")


def test_with_nothing_stale_there_is_nothing_to_approve(live: Live) -> None:
    state, run_id = live.run(NIGHTLY, {"protected_names": ["*"]})
    assert state == "success"
    states = live.airflow.task_states(NIGHTLY, run_id)
    assert (states["decide"], states["approve"], states["apply"]) == ("success", "skipped", "skipped")


def test_the_connections_form_and_test_are_airflows_own(live: Live) -> None:
    hooks = live.airflow.api("GET", "/ui/connections/hook_meta")
    (form,) = [hook for hook in hooks if hook["connection_type"] == "studio"]
    assert form["hook_name"] == "ThoughtSpot Analyst Studio"
    assert set(form["extra_fields"]) == set(CONNECTION_FIELDS)
    assert form["standard_fields"]["password"]["title"] == "Secret"
    body = {"connection_id": "studio_tried", **connection_fields(live.emulator)}
    tested = live.airflow.api("POST", "/connections/test", json=body)
    assert tested == {"status": True, "message": "Connected to the workspace 'acme' with a Workspace token."}
    live.airflow.api("POST", "/connections", json=body)
    assert body["password"] not in json.dumps(live.airflow.api("GET", "/connections/studio_tried"))
