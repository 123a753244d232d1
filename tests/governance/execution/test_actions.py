# SPDX-License-Identifier: Apache-2.0
"""A single action: its backup, its events in the journal, and changes by others at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_provider_studio.governance.errors import GuardRailError
from airflow_provider_studio.governance.execution.guard_rails import GuardRails
from airflow_provider_studio.governance.planning.one_off import plan_named
from airflow_provider_studio.governance.plans import journal as journal_module
from airflow_provider_studio.governance.plans.audit import Audit, JournalEvent
from airflow_provider_studio.governance.plans.journal import Event, Journal
from airflow_provider_studio.governance.plans.models import Action, ActionKind
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.storage import utcnow
from tests.conftest import Killed
from tests.governance.conftest import ACTOR, Governed, ago, built_once
from tests.governance.execution.test_apply import killing


@pytest.fixture
@built_once
def plan(governed: Governed) -> Plan:
    """Two dead Reports, one of them with two schedules."""
    governed.report("Dead 1", schedules=2)
    governed.report("Dead 2")
    governed.nights(100, 0)
    return governed.plan()


def deletion(plan: Plan) -> Action:
    return next(action for action in plan.actions if action.schedule)


def archival(plan: Plan, *, scheduled: bool = False) -> Action:
    scheduled_report = deletion(plan).report
    return next(
        action for action in plan.actions if not action.schedule and (action.report == scheduled_report) is scheduled
    )


def journal(governed: Governed, plan: Plan) -> Journal:
    """Open the journal as another apply of the plan does."""
    return Journal(governed.storage, "acme", plan.plan_id, actor={"run": "another"}, sha256=plan.sha256)


def events_of(governed: Governed, action: Action, event: Event) -> list[JournalEvent]:
    events = Audit(governed.storage, "acme").events()
    return [found for found in events if found.action_id == action.action_id and found.event is event]


def after_writing(monkeypatch: pytest.MonkeyPatch, action: Action, event: Event, others: Callable[[], Any]) -> None:
    """Let others act once, right after an event of an action was written."""
    original, pending = journal_module.write_once, [others]

    def write(path: Any, content: bytes) -> bool:
        written = original(path, content)
        if path.name.startswith(f"{action.action_id}.{event.value}") and pending:
            pending.pop()()
        return written

    monkeypatch.setattr(journal_module, "write_once", write)


def applied_while(governed: Governed, plan: Plan, others: Callable[[], Any]) -> Any:
    """Apply a plan; let others act once, after this apply has read the journal and before it reads a Report."""
    pending = [others]
    return governed.apply(plan, stop=lambda: pending.pop()() and None if pending else None)


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


# What others do at the same moment


def test_a_schedule_that_is_gone_already_is_skipped_and_its_report_archived(governed: Governed, plan: Plan) -> None:
    action = deletion(plan)
    governed.client.delete_schedule(action.report, action.schedule or "")
    governed.control.clear_requests()
    summary = governed.apply(plan)
    assert (dict(summary.skipped), summary.schedules_deleted, summary.archived) == ({"gone": 1}, 1, 2)
    (skipped,) = events_of(governed, action, Event.SKIPPED)
    assert (skipped.reason, skipped.http_status) == ("gone", None)
    assert events_of(governed, action, Event.INTENT) == []


@pytest.mark.parametrize(("which", "deleted"), [(deletion, 0), (archival, 2)])
def test_an_act_that_another_apply_intends_is_left_to_it(
    governed: Governed, plan: Plan, which: Callable[[Plan], Action], deleted: int
) -> None:
    action = which(plan)
    others = journal(governed, plan)
    summary = applied_while(governed, plan, lambda: others.write(action, Event.INTENT, backup={"of": "another"}))
    assert (dict(summary.skipped), summary.archived, summary.schedules_deleted) == ({"another_apply": 1}, 1, deleted)
    assert not governed.control.state()["reports"][action.report]["archived"]
    assert [each for each in governed.changes() if action.report in each] == []
    assert events_of(governed, action, Event.SKIPPED) == []
    (intent,) = events_of(governed, action, Event.INTENT)
    assert intent.backup == {"of": "another"}


@pytest.mark.parametrize("which", [deletion, archival])
def test_the_effect_of_another_apply_is_not_called_somebody_elses(
    governed: Governed, plan: Plan, which: Callable[[Plan], Action]
) -> None:
    action = which(plan)
    others = journal(governed, plan)

    def act() -> None:
        others.write(action, Event.INTENT, backup={"of": "another"})
        if action.schedule:
            governed.client.delete_schedule(action.report, action.schedule)
        else:
            governed.client.archive_report(action.report)

    assert applied_while(governed, plan, act).skipped["another_apply"] == 1
    assert events_of(governed, action, Event.SKIPPED) == []


def test_an_archival_by_a_person_is_called_that_though_another_act_is_intended(governed: Governed, plan: Plan) -> None:
    action, other = archival(plan), deletion(plan)
    others = journal(governed, plan)

    def act() -> None:
        others.write(other, Event.INTENT, backup={"of": "another"})
        governed.client.archive_report(action.report)

    assert applied_while(governed, plan, act).skipped["already_archived"] == 1
    (skipped,) = events_of(governed, action, Event.SKIPPED)
    assert skipped.reason == "already_archived"


@pytest.mark.parametrize("which", [deletion, archival])
def test_an_act_that_another_apply_journals_first_is_counted_once(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch, which: Callable[[Plan], Action]
) -> None:
    action = which(plan)
    others = journal(governed, plan)
    after_writing(monkeypatch, action, Event.INTENT, lambda: others.write(action, Event.DONE, http_status=200))
    summary = governed.apply(plan)
    counted = (summary.archived, summary.schedules_deleted, summary.already_done)
    assert counted == ((2, 1, 1) if action.schedule else (1, 2, 1))
    (done,) = events_of(governed, action, Event.DONE)
    assert done.actor == {"run": "another"}


def test_a_lost_response_to_each_delete_is_settled_by_a_look_at_studio(governed: Governed, plan: Plan) -> None:
    action = deletion(plan)
    governed.control.add_fault("lose_response", method="DELETE", path=action.schedule, times=None)
    summary = governed.apply(plan)
    assert (summary.failures, summary.schedules_deleted, summary.archived) == ([], 2, 2)


@pytest.mark.parametrize(("status", "deleted"), [(503, True), (400, True), (403, False), (401, False)])
def test_an_error_that_may_have_come_after_the_effect_is_checked_in_studio(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch, status: int, deleted: bool
) -> None:
    """A token that is rejected, or may not delete, has not deleted anything, whatever is gone meanwhile."""
    action = deletion(plan)

    def go() -> None:
        governed.client.delete_schedule(action.report, action.schedule or "")
        governed.control.add_fault("status", method="DELETE", path=action.schedule, status=status, times=None)

    after_writing(monkeypatch, action, Event.INTENT, go)
    summary = governed.apply(plan)
    assert len(summary.failures) == (0 if deleted else 1)
    assert [each.http_status for each in events_of(governed, action, Event.DONE)] == ([status] if deleted else [])


def test_a_schedule_that_goes_while_a_retry_deletes_it_is_deleted(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier try may have sent the request that deleted it."""
    action = deletion(plan)
    governed.control.add_fault("status", method="DELETE", path=action.schedule, status=403, times=1)
    assert len(governed.apply(plan).failures) == 1
    after_writing(
        monkeypatch,
        action,
        Event.RESUMED,
        lambda: governed.client.delete_schedule(action.report, action.schedule or ""),
    )
    summary = governed.apply(plan)
    assert (summary.schedules_deleted, dict(summary.skipped), summary.archived) == (1, {}, 1)
    (done,), (resumed,) = (events_of(governed, action, event) for event in (Event.DONE, Event.RESUMED))
    assert done.http_status == 404
    assert resumed.before == done.before


# What a retry makes of an earlier try


@pytest.mark.parametrize("which", [deletion, archival])
def test_an_effect_whose_outcome_was_not_journaled_is_said_by_the_retry(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch, which: Callable[[Plan], Action]
) -> None:
    governed.apply(plan)
    action = which(plan)
    (journal(governed, plan).folder / f"{action.action_id}.done.json").unlink()
    governed.control.clear_requests()
    summary = governed.apply(plan)
    assert (summary.already_done, summary.archived + summary.schedules_deleted, summary.failures) == (3, 1, [])
    assert governed.changes() == []
    (done,) = events_of(governed, action, Event.DONE)
    assert done.after == ({"schedule": None} if action.schedule else {"archived": True})
    assert (done.before, done.http_status, done.model_extra) == (None, None, {"resumed": True})


def test_an_intent_without_an_effect_is_carried_out_by_the_retry(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, _ = killing(1, "after")
    monkeypatch.setattr(journal_module, "write_once", write)
    with pytest.raises(Killed):
        governed.apply(plan)
    monkeypatch.undo()
    assert governed.changes() == []
    summary = governed.apply(plan)
    assert (summary.archived, summary.schedules_deleted, summary.already_done) == (2, 2, 0)


@pytest.mark.parametrize("deletions", [1, 2])
def test_a_run_of_a_schedule_that_an_earlier_try_deleted_is_no_sign_of_life(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch, deletions: int
) -> None:
    action = deletion(plan)
    governed.control.set_clock(ago(-2))  # both schedules fire since the plan
    first = plan.actions[0].report == action.report
    write, _ = killing(2 * deletions + (0 if first else 2), "after")
    monkeypatch.setattr(journal_module, "write_once", write)
    with pytest.raises(Killed):
        governed.apply(plan)
    monkeypatch.undo()
    summary = governed.apply(plan)
    assert (dict(summary.skipped), summary.failures) == ({}, [])
    assert governed.control.state()["reports"][action.report]["archived"]


def test_a_run_by_a_person_is_a_sign_of_life_after_an_earlier_try_too(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = deletion(plan)
    write, _ = killing(2 if plan.actions[0].report == action.report else 4, "after")
    monkeypatch.setattr(journal_module, "write_once", write)
    with pytest.raises(Killed):
        governed.apply(plan)
    monkeypatch.undo()
    governed.control.set_clock(ago(-0.01))
    governed.client.create_report_run(action.report)
    assert governed.apply(plan).skipped["run"] == 2
    assert not governed.control.state()["reports"][action.report]["archived"]


@pytest.mark.parametrize(("count", "reason"), [(None, "rescheduled"), (0, None)])
def test_only_a_report_that_surely_has_no_schedules_is_spared_their_list(
    governed: Governed, plan: Plan, count: int | None, reason: str | None
) -> None:
    action = archival(plan)
    governed.control.add_schedule(action.report)
    body = {**governed.client.get_report(action.report).to_json(), "schedules_count": count}
    governed.control.add_fault("status", method="GET", path=f"{action.report}$", status=200, body=body, times=None)
    assert governed.apply(plan).skipped[reason] == (1 if reason else 0)


@pytest.mark.parametrize("status", [503, 409])
def test_an_archival_that_came_about_despite_an_error_is_done_with_that_status(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    action = archival(plan)

    def go() -> None:
        governed.client.archive_report(action.report)
        governed.control.add_fault("status", path=f"{action.report}/archive", status=status, times=None)

    after_writing(monkeypatch, action, Event.INTENT, go)
    summary = governed.apply(plan)
    assert (summary.archived, summary.failures) == (2, [])
    (done,) = events_of(governed, action, Event.DONE)
    assert (done.http_status, done.after) == (status, {"archived": True, "schedules_count": 0})


def test_an_archival_whose_every_response_is_lost_is_done_without_a_status(governed: Governed, plan: Plan) -> None:
    action = archival(plan)
    governed.control.add_fault("lose_response", path=f"{action.report}/archive", times=None)
    assert governed.apply(plan).archived == 2
    (done,) = events_of(governed, action, Event.DONE)
    assert done.http_status is None


@pytest.mark.parametrize("status", [401, 403])
def test_an_archival_that_the_token_may_not_do_is_no_ones_effect(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    action = archival(plan)

    def go() -> None:
        governed.client.archive_report(action.report)
        governed.control.add_fault("status", path=f"{action.report}/archive", status=status, times=None)

    after_writing(monkeypatch, action, Event.INTENT, go)
    assert len(governed.apply(plan).failures) == 1
    assert events_of(governed, action, Event.DONE) == []


def test_a_response_that_does_not_say_whether_it_is_archived_is_checked_in_studio(
    governed: Governed, plan: Plan
) -> None:
    action = archival(plan)
    body = {"token": action.report}
    governed.control.add_fault("status", path=f"{action.report}/archive", status=200, body=body, times=1)
    summary = governed.apply(plan)
    assert (summary.archived, len(summary.failures)) == (1, 1), "the request had no effect"
    assert "should be archived now, but Studio returns archived=False" in summary.failures[0]


def test_a_report_that_is_gone_is_journaled_so_for_each_of_its_actions(governed: Governed, plan: Plan) -> None:
    report = deletion(plan).report
    governed.control.remove_report(report)
    assert governed.apply(plan).skipped == {"not_found": 3}
    for action in plan.actions:
        if action.report == report:
            (skipped,) = events_of(governed, action, Event.SKIPPED)
            assert (skipped.reason, skipped.http_status) == ("not_found", 404)


def test_a_report_that_goes_right_before_the_act_is_skipped_with_what_was_seen_before(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = archival(plan)
    after_writing(monkeypatch, action, Event.INTENT, lambda: governed.control.remove_report(action.report))
    assert governed.apply(plan).skipped == {"not_found": 1}
    (skipped,), (intent,) = (events_of(governed, action, event) for event in (Event.SKIPPED, Event.INTENT))
    assert (skipped.reason, skipped.http_status, skipped.before) == ("not_found", 404, intent.before)
