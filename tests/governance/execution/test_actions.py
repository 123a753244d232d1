# SPDX-License-Identifier: Apache-2.0
"""A single action: its backup and its events in the journal."""

from __future__ import annotations

import pytest
import requests

from airflow_provider_studio.governance.errors import GuardRailError
from airflow_provider_studio.governance.execution.guard_rails import GuardRails
from airflow_provider_studio.governance.planning.one_off import plan_named
from airflow_provider_studio.governance.plans.audit import Audit
from airflow_provider_studio.governance.plans.journal import Event
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.storage import utcnow
from tests.governance.conftest import ACTOR, Governed, ago
from tests.governance.execution.acting import archival, deletion, events_of, plan

__all__ = ["plan"]


# What is journaled


def test_an_archival_says_what_was_before_and_what_is_after(governed: Governed, plan: Plan) -> None:
    governed.apply(plan)
    (intent,), (done,) = (events_of(governed, archival(plan), event) for event in (Event.INTENT, Event.DONE))
    before = {"archived": False, "view_count": 5, "edited_at": ago(365).isoformat(), "last_run_at": None}
    assert intent.before == done.before == before
    assert done.after == {"archived": True, "schedules_count": 0}
    assert (done.http_status, done.model_extra) == (200, {"resumed": False})
    assert intent.http_status is None
    assert intent.action == done.action == archival(plan).model_dump(mode="json", exclude={"evidence"})


def test_a_deletion_says_what_was_before_and_what_is_after(governed: Governed, plan: Plan) -> None:
    action = deletion(plan)
    live = governed.client.get_schedule(action.report, action.schedule or "")
    governed.apply(plan)
    (intent,), (done,) = (events_of(governed, action, event) for event in (Event.INTENT, Event.DONE))
    cron = live.cron().model_dump(mode="json")
    assert intent.before == done.before == {"schedule": action.schedule, "name": live.name, "cron": cron}
    assert done.after == {"schedule": None}
    assert (done.http_status, done.model_extra) == (204, {"resumed": False})


def test_the_summary_counts_each_kind_and_nothing_twice(governed: Governed, plan: Plan) -> None:
    governed.control.view(archival(plan).report)
    summary = governed.apply(plan)
    assert summary.to_dict() == {
        "plan_id": plan.plan_id,
        "archived": 1,
        "unarchived": 0,
        "schedules_deleted": 2,
        "skipped": {"viewed": 1},
        "already_done": 0,
        "warnings": [],
        "failures": [],
        "failed": 0,
        "refused": 0,
        "refused_again": [],
        "retry_helps": False,
        "stopped": None,
        "requests_spent": governed.control.requests_sent(),
    }
    assert type(summary.to_dict()["skipped"]) is dict
    again = governed.apply(plan).to_dict()
    assert (again["already_done"], again["archived"], again["schedules_deleted"], again["skipped"]) == (4, 0, 0, {})


def test_a_report_that_comes_back_is_counted_as_such(governed: Governed) -> None:
    report = governed.report(archived_at=ago(3).isoformat())
    plan = plan_named(governed.client, governed.storage, [report], kind=ActionKind.UNARCHIVE_REPORT, actor=ACTOR)
    summary = governed.apply(plan, now=utcnow)
    assert (summary.unarchived, summary.archived, summary.schedules_deleted) == (1, 0, 0)
    (done,) = events_of(governed, plan.actions[0], Event.DONE)
    assert (done.before["archived"], done.after["archived"]) == (True, False)


@pytest.mark.parametrize(("status", "helps"), [(503, True), (403, False), (429, True)])
def test_the_summary_says_whether_a_retry_may_help(governed: Governed, plan: Plan, status: int, helps: bool) -> None:
    governed.control.add_fault("status", method="PATCH", status=status, times=None)
    summary = governed.apply(plan)
    assert (summary.retry_helps, len(summary.failures), summary.to_dict()["failed"]) == (helps, 2, 2)


def test_without_guard_rails_the_small_ones_hold(governed: Governed, plan: Plan) -> None:
    with pytest.raises(GuardRailError, match=r"max_share allows 5\.0%"):
        governed.apply(plan, guard_rails=None)
    assert governed.control.requests_sent() == 0


def test_a_stop_is_journaled_once_with_whether_studio_refused_everything(governed: Governed, plan: Plan) -> None:
    governed.control.add_fault("status", method="PATCH", status=403, times=None)
    governed.control.add_fault("status", method="DELETE", status=403, times=None)
    rails = GuardRails(max_actions=100, max_share=1.0, max_refused_at_first=1)
    assert governed.apply(plan, guard_rails=rails, stop=lambda: None).stopped is not None
    (stopped,) = [event for event in Audit(governed.storage, "acme").events() if event.event is Event.STOPPED]
    assert stopped.model_extra == {"refused": True}
    assert (stopped.reason or "").startswith("Studio refused the first 1 Reports")
    assert governed.apply(plan, stop=lambda: "a freeze").stopped == "a freeze"
    *_, frozen = [event for event in Audit(governed.storage, "acme").events() if event.event is Event.STOPPED]
    assert (frozen.reason, frozen.model_extra) == ("a freeze", {"refused": False})


def test_a_stop_of_the_service_refuses_nothing(governed: Governed, plan: Plan) -> None:
    governed.control.add_fault("status", method="PATCH", status=503, times=None)
    governed.apply(plan, guard_rails=GuardRails(max_actions=100, max_share=1.0, max_failures_in_a_row=1))
    (stopped,) = [event for event in Audit(governed.storage, "acme").events() if event.event is Event.STOPPED]
    assert (stopped.reason, stopped.model_extra) == ("1 failures in a row", {"refused": False})


def test_once_stopped_the_switch_is_not_asked_again_and_nothing_is_tried(governed: Governed, plan: Plan) -> None:
    calls: list[int] = []

    def stop() -> str:
        calls.append(1)
        return "a freeze"

    summary = governed.apply(plan, stop=stop)
    assert (len(calls), summary.stopped, summary.requests_spent) == (1, "a freeze", 0)


# What is backed up


def add_filter(governed: Governed, report: str) -> None:
    address = f"{governed.emulator.url}/api/acme/reports/{report}/filters"
    values = {"report_filter": {"name": "Region", "formula": "[region]"}}
    requests.post(address, json=values, auth=governed.emulator.credentials(), timeout=10).raise_for_status()


def test_the_filters_of_a_report_are_in_its_backup(governed: Governed, plan: Plan) -> None:
    add_filter(governed, archival(plan).report)
    governed.apply(plan)
    (intent,) = events_of(governed, archival(plan), Event.INTENT)
    assert intent.backup is not None
    assert [report_filter["name"] for report_filter in intent.backup["filters"]] == ["Region"]


def test_the_filters_of_a_report_that_has_no_link_to_them_are_not_asked_for(governed: Governed, plan: Plan) -> None:
    action = archival(plan)
    body = governed.client.get_report(action.report).to_json()
    del body["_links"]["report_filters"]
    governed.control.add_fault("status", method="GET", path=f"{action.report}$", status=200, body=body, times=1)
    governed.control.add_fault("status", method="GET", path="/filters$", status=500, times=None)
    assert governed.apply(plan).archived == 1, "the other Report has a link"
    (intent,) = events_of(governed, action, Event.INTENT)
    assert intent.backup is not None
    assert intent.backup["filters"] == []


@pytest.mark.parametrize("status", [400, 403, 404])
def test_filters_that_this_token_cannot_read_are_unknown_and_keep_no_report(
    governed: Governed, plan: Plan, status: int
) -> None:
    governed.control.add_fault("status", method="GET", path="/filters$", status=status, times=None)
    assert governed.apply(plan).archived == 2
    (intent,) = events_of(governed, archival(plan), Event.INTENT)
    assert intent.backup is not None
    assert intent.backup["filters"] is None, "unknown, and not none"


@pytest.mark.parametrize("status", [401, 500])
def test_filters_that_may_be_read_by_a_retry_keep_their_report_until_then(
    governed: Governed, plan: Plan, status: int
) -> None:
    action = archival(plan)
    governed.control.add_fault("status", method="GET", path=f"{action.report}/filters$", status=status, times=None)
    assert len(governed.apply(plan).failures) == 1
    assert not governed.control.state()["reports"][action.report]["archived"]
    assert events_of(governed, action, Event.INTENT) == []


@pytest.mark.parametrize("status", [401, 500])
def test_subscribers_that_may_be_read_by_a_retry_keep_their_schedule_until_then(
    governed: Governed, plan: Plan, status: int
) -> None:
    action = deletion(plan)
    governed.control.add_fault("status", path="email_report_subscription", status=status, times=None)
    assert len(governed.apply(plan).failures) >= 1
    assert action.schedule in governed.control.state()["schedules"]
    assert events_of(governed, action, Event.INTENT) == []


def test_a_schedule_that_was_changed_after_its_backup_is_kept(governed: Governed) -> None:
    report = governed.report(schedules=1)
    plan = plan_named(governed.client, governed.storage, [report], kind=ActionKind.DELETE_SCHEDULE, actor=ACTOR)
    governed.control.add_fault("status", method="DELETE", status=403, times=1)
    assert len(governed.apply(plan, now=utcnow).failures) == 1
    (live,) = governed.client.list_schedules(report)
    values = live.machine_values()
    changed = values.model_copy(update={"cron": values.cron.model_copy(update={"minute": 45})})
    governed.client.update_schedule(report, live.token, changed)
    (failure,) = governed.apply(plan, now=utcnow).failures
    assert f"Schedule {live.token} of Report {report} was changed after an earlier try backed it up" in failure
    assert live.token in governed.control.state()["schedules"]
    governed.client.update_schedule(report, live.token, values)
    assert governed.apply(plan, now=utcnow).schedules_deleted == 1, "once it is what was backed up"
