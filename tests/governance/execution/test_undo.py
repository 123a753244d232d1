# SPDX-License-Identifier: Apache-2.0
"""Taking a plan back: the workspace is as it was, whatever happens on the way."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.client.models import ScheduleInput
from airflow_provider_studio.governance.errors import JournalError, StorageError
from airflow_provider_studio.governance.planning.one_off import plan_named
from airflow_provider_studio.governance.plans import journal as journal_module
from airflow_provider_studio.governance.plans.audit import Audit, JournalEvent
from airflow_provider_studio.governance.plans.journal import Event, Journal
from airflow_provider_studio.governance.plans.models import Action, ActionKind
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.storage import utcnow
from tests.conftest import client_of
from tests.governance.conftest import ACTOR, Governed, ago, built_once


@pytest.fixture
@built_once
def before(governed: Governed) -> dict[str, Any]:
    """The workspace before anything was done."""
    fill(governed)
    return governed.state()


def fill(governed: Governed) -> None:
    """Make three dead Reports, one of them with two schedules, and the snapshots that prove it."""
    governed.report("Dead 1", schedules=2)
    governed.report("Dead 2")
    governed.report("Dead 3")
    governed.nights(100, 0)


@pytest.fixture
def plan(governed: Governed, before: dict[str, Any]) -> Plan:
    """A plan that was carried out."""
    plan = carried_out(governed)
    assert governed.state() != before
    governed.control.clear_requests()
    return plan


@built_once
def carried_out(governed: Governed) -> Plan:
    fill(governed)
    plan = governed.plan()
    assert governed.apply(plan).archived == 3
    return plan


def test_everything_comes_back(governed: Governed, plan: Plan, before: dict[str, Any]) -> None:
    summary = governed.undo(plan)
    assert governed.state() == before
    assert (summary.unarchived, len(summary.schedules_recreated), summary.failures) == (3, 2, [])
    assert summary.requests_spent == governed.control.requests_sent()
    live = governed.control.state()["schedules"]
    assert set(summary.schedules_recreated.values()) == set(live)


def test_reports_come_back_before_their_schedules(governed: Governed, plan: Plan) -> None:
    governed.undo(plan)
    kinds = [change.rsplit("/", 1)[-1] for change in governed.changes()]
    assert kinds == ["unarchive"] * 3 + ["schedules", "subscriptions"] * 2


def test_a_second_undo_does_nothing(governed: Governed, plan: Plan) -> None:
    governed.undo(plan)
    governed.control.clear_requests()
    again = governed.undo(plan)
    assert (again.unarchived, again.schedules_recreated, again.already) == (0, {}, 5)
    assert governed.control.requests_sent() == 0


def test_only_what_is_named_comes_back(governed: Governed, plan: Plan) -> None:
    first, second = plan.reports[:2]
    assert governed.undo(plan, only=[first, f"archive_report-{second}"]).failures == []
    reports = governed.control.state()["reports"]
    assert {token for token in plan.reports if reports[token]["archived"]} == {plan.reports[2]}


def test_what_the_journal_does_not_know_is_refused_whole(governed: Governed, plan: Plan) -> None:
    with pytest.raises(JournalError, match="no action or Report 0123456789ab; nothing was undone"):
        governed.undo(plan, only=[plan.reports[0], "0123456789ab"])
    assert governed.changes() == []


def test_an_unknown_plan_and_another_workspace_have_no_journal(governed: Governed, plan: Plan) -> None:
    with pytest.raises(JournalError, match=r"no journal of plan .* for workspace 'other'.*Check the plan's id"):
        governed.undo(plan, client=client_of(governed.emulator, workspace="other"))


def test_what_was_never_done_is_not_undone(governed: Governed, before: dict[str, Any]) -> None:
    plan = governed.plan()
    governed.control.add_fault("status", method="PATCH", path="/archive", status=403, times=None)
    governed.control.add_fault("status", method="DELETE", status=403, times=None)
    assert governed.apply(plan).archived == 0
    governed.control.clear_faults()
    governed.control.clear_requests()
    governed.undo(plan)
    assert governed.state() == before
    assert governed.changes() == []


def test_a_report_that_is_gone_is_reported_and_the_others_come_back(governed: Governed, plan: Plan) -> None:
    governed.control.remove_report(plan.reports[1])
    summary = governed.undo(plan)
    assert len(summary.failures) >= 1
    assert "answered 404" in summary.failures[0]
    assert summary.unarchived == 2


def test_people_whom_the_api_cannot_subscribe_are_counted(governed: Governed) -> None:
    report = governed.report(schedules=1)
    governed.nights(100, 0)
    plan = governed.plan()
    subscription = next(iter(governed.client.list_report_subscriptions(report))).to_json()
    body = {"_embedded": {"report_subscriptions": [subscription | {"email_subscriber_count": 4}]}}
    people = {"_embedded": {"memberships": [{"email": "ada@example.com"}]}}
    governed.control.add_fault("status", path="email_report_subscription", status=200, body=people, times=None)
    governed.control.add_fault("status", path=r"schedules/\w+/subscriptions$", status=200, body=body, times=2)
    governed.apply(plan)
    summary = governed.undo(plan)
    assert list(summary.subscribers_to_add.values()) == [4]
    intent = next(event for event in Audit(governed.storage, "acme").events() if event.action_id.startswith("delete"))
    assert intent.backup is not None
    subscribers = intent.backup["subscriptions"][0]["subscribers"]
    assert subscribers["email_subscription_memberships"] == [{"email": "ada@example.com"}], (
        "for the person who adds them again"
    )


@pytest.mark.parametrize("status", [400, 403, 422])
def test_a_schedule_that_an_admins_policy_refuses_is_reported_with_the_reason(
    governed: Governed, plan: Plan, status: int
) -> None:
    body = {"id": "bad_request", "message": "This frequency is not allowed in your workspace"}
    governed.control.add_fault("status", method="POST", path="/schedules$", status=status, body=body, times=1)
    summary = governed.undo(plan)
    assert len(summary.failures) == 1
    assert "the cause may be an admin's frequency policy or missing permissions" in summary.failures[0]
    assert "This frequency is not allowed" in summary.failures[0]
    assert (summary.unarchived, len(summary.schedules_recreated)) == (3, 1)
    (failed,) = [event for event in Audit(governed.storage, "acme").events() if event.event is Event.UNDO_FAILED]
    assert failed.http_status == status
    assert governed.undo(plan).failures == [], "once it is allowed"


def test_what_comes_back_otherwise_than_it_was_is_told_field_by_field(governed: Governed, plan: Plan) -> None:
    action = next(action for action in plan.actions if action.schedule)
    backup = Journal(governed.storage, "acme", plan.plan_id, actor={}).read(action.action_id, Event.INTENT)["backup"]
    values = ScheduleInput.model_validate(backup["machine_values"] | {"timeout": 60})
    values = values.model_copy(update={"cron": values.cron.model_copy(update={"hour": 5})})
    other = governed.client.create_schedule(action.report, values)
    governed.control.add_fault("status", method="POST", path="/schedules$", status=201, body=other.to_json(), times=1)
    governed.control.add_fault("status", method="POST", path="/subscriptions$", status=403, times=None)
    summary = governed.undo(plan, only=[action.action_id])
    assert (
        "cron.hour was 6 and is 5; timeout was 86100 and is 60; a subscription with csv_attach" in summary.failures[0]
    )
    governed.client.delete_schedule(action.report, other.token)
    (again,) = governed.undo(plan, only=[action.action_id]).failures
    assert f"was restored as {other.token} with differences, and {other.token} is gone now" in again


def test_an_unarchived_report_is_archived_again_by_its_undo(governed: Governed) -> None:
    report = governed.report(archived_at=ago(3).isoformat())
    plan = plan_named(governed.client, governed.storage, [report], kind=ActionKind.UNARCHIVE_REPORT, actor=ACTOR)
    assert governed.apply(plan, now=utcnow).unarchived == 1
    assert governed.undo(plan).archived_again == 1
    assert governed.control.state()["reports"][report]["archived"]


@pytest.mark.parametrize(
    ("governed", "fault"),
    [
        ("http", "lose_response"),
        ("https", "lose_response"),
        ("https", "tls_alert"),
        ("https", "tls_plain_text"),
        ("https", "tls_no_close_notify"),
    ],
    indirect=["governed"],
)
def test_a_lost_answer_to_a_new_schedule_makes_no_second_one(
    governed: Governed, plan: Plan, before: dict[str, Any], fault: str
) -> None:
    governed.control.add_fault(fault, method="POST", path="/schedules$", times=2)
    assert governed.undo(plan).failures == []
    assert governed.state() == before


@pytest.mark.parametrize("governed", ["http", "https"], indirect=True)
def test_killed_between_the_subscriptions_of_a_schedule_none_is_made_twice(
    governed: Governed, plan: Plan, before: dict[str, Any]
) -> None:
    governed.control.add_fault("lose_response", method="POST", path="/subscriptions$", times=1)
    assert len(governed.undo(plan).failures) == 1
    assert governed.undo(plan).failures == []
    assert governed.state() == before


def test_a_plan_can_be_applied_undone_and_planned_anew(governed: Governed, plan: Plan, before: dict[str, Any]) -> None:
    governed.undo(plan)
    governed.night(-1)
    again = governed.plan()
    assert again.plan_id != plan.plan_id
    assert governed.apply(again).archived == 3
    governed.undo(again)
    assert governed.state() == before


def events_of(governed: Governed, action: Action, event: Event) -> list[JournalEvent]:
    events = Audit(governed.storage, "acme").events()
    return [found for found in events if found.action_id == action.action_id and found.event is event]


def test_the_summary_counts_each_kind_and_nothing_twice(governed: Governed, plan: Plan) -> None:
    summary = governed.undo(plan)
    recreated = summary.schedules_recreated
    assert set(recreated) == {action.schedule for action in plan.actions if action.schedule}
    assert summary.to_dict() == {
        "plan_id": plan.plan_id,
        "unarchived": 3,
        "archived_again": 0,
        "schedules_recreated": recreated,
        "already": 0,
        "subscribers_to_add": {},
        "warnings": [],
        "failures": [],
        "failed": 0,
        "not_tried": [],
        "stopped": None,
        "requests_spent": governed.control.requests_sent(),
    }


def test_what_comes_back_is_journaled_with_what_was_and_what_is(governed: Governed, plan: Plan) -> None:
    summary = governed.undo(plan)
    archival = next(action for action in plan.actions if not action.schedule)
    about = archival.model_dump(mode="json", exclude={"evidence"})
    (intent,), (undone,) = (events_of(governed, archival, event) for event in (Event.UNDO_INTENT, Event.UNDONE))
    assert (intent.action, intent.before, intent.after) == (about, {"archived": True}, None)
    assert (undone.action, undone.before, undone.after) == (about, {"archived": True}, {"archived": False})
    assert undone.http_status == 200
    deletion = next(action for action in plan.actions if action.schedule)
    about = deletion.model_dump(mode="json", exclude={"evidence"})
    (intent,), (undone,) = (events_of(governed, deletion, event) for event in (Event.UNDO_INTENT, Event.UNDONE))
    assert (intent.action, intent.before) == (about, {"schedule": None})
    assert intent.model_extra == {"schedules_before": [], "subscriptions_before": {}}
    assert (undone.action, undone.before, undone.http_status) == (about, {"schedule": None}, 201)
    assert undone.after["schedule"] == summary.schedules_recreated[deletion.schedule or ""]
    assert len(undone.after["subscriptions"]) == 1
    assert undone.model_extra == {"differs": []}


def test_reports_that_people_took_back_themselves_are_counted_and_not_touched(governed: Governed, plan: Plan) -> None:
    for report in plan.reports[:2]:
        governed.client.unarchive_report(report)
    governed.control.clear_requests()
    summary = governed.undo(plan)
    assert (summary.unarchived, summary.already, summary.failures) == (1, 2, [])
    assert len([change for change in governed.changes() if change.endswith("/unarchive")]) == 1
    archival = next(action for action in plan.actions if not action.schedule and action.report == plan.reports[0])
    assert events_of(governed, archival, Event.UNDO_INTENT) == []
    (undone,) = events_of(governed, archival, Event.UNDONE)
    assert (undone.before, undone.after, undone.http_status) == ({"archived": False}, {"archived": False}, None)


def test_schedules_that_were_never_deleted_are_counted_and_not_created(governed: Governed) -> None:
    fill(governed)
    plan = governed.plan()
    governed.control.add_fault("status", method="DELETE", status=403, times=None)
    governed.apply(plan)
    governed.control.clear_faults()
    before = governed.state()["schedules"]
    summary = governed.undo(plan)
    assert (summary.schedules_recreated, summary.already, summary.unarchived) == ({}, 2, 2)
    assert governed.state()["schedules"] == before
    deletion = next(action for action in plan.actions if action.schedule)
    (undone,) = events_of(governed, deletion, Event.UNDONE)
    assert undone.after == {"schedule": deletion.schedule}
    assert undone.action == deletion.model_dump(mode="json", exclude={"evidence"})


def test_all_reports_that_were_taken_out_are_archived_again(governed: Governed) -> None:
    reports = [governed.report(f"CachedPage {number}", archived_at=ago(3).isoformat()) for number in range(3)]
    plan = plan_named(governed.client, governed.storage, reports, kind=ActionKind.UNARCHIVE_REPORT, actor=ACTOR)
    assert governed.apply(plan, now=utcnow).unarchived == 3
    summary = governed.undo(plan)
    assert (summary.archived_again, summary.unarchived, summary.already) == (3, 0, 0)
    assert all(governed.control.state()["reports"][report]["archived"] for report in reports)


def test_a_journal_that_cannot_be_written_stops_an_undo_before_its_first_request(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(folder: Any) -> None:
        raise StorageError(f"Cannot write {folder}: No space left on device.")

    monkeypatch.setattr(journal_module, "check_writable", full_disk)
    with pytest.raises(StorageError, match="No space left"):
        governed.undo(plan)
    assert governed.control.requests_sent() == 0


def test_storage_that_fails_on_the_way_ends_an_undo_and_a_retry_brings_the_rest_back(
    governed: Governed, plan: Plan, before: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = journal_module.write_once

    def full_disk(path: Any, content: bytes) -> bool:
        if ".undo" in path.name and "delete_schedule" in path.name:
            raise StorageError(f"Cannot write {path}: No space left on device.")
        return original(path, content)

    monkeypatch.setattr(journal_module, "write_once", full_disk)
    with pytest.raises(StorageError, match="No space left"):
        governed.undo(plan)
    assert governed.control.state()["schedules"] == {}, "nothing is created before its intent is durable"
    monkeypatch.undo()
    assert governed.undo(plan).failures == []
    assert governed.state() == before


def test_a_report_that_is_gone_takes_its_schedules_with_it_and_the_backup_is_named(
    governed: Governed, plan: Plan
) -> None:
    deletions = [action for action in plan.actions if action.schedule]
    governed.control.remove_report(deletions[0].report)
    summary = governed.undo(plan)
    expected = f"Report {deletions[0].report} does not exist any more, or this token may not see it. Its backup is in"
    assert len(summary.failures) == 2, "its archival and its first schedule; the second waits for that"
    assert all(expected in failure for failure in summary.failures)
    assert summary.not_tried == [max(action.action_id for action in deletions)]
    (failed,) = events_of(governed, min(deletions, key=lambda action: action.action_id), Event.UNDO_FAILED)
    assert (failed.http_status, failed.after) == (404, None)
    assert (failed.action or {})["report"] == deletions[0].report


def test_a_success_between_failures_of_the_service_lets_an_undo_go_on(governed: Governed) -> None:
    for number in range(9):
        governed.report(f"Dead {number}")
    governed.nights(100, 0)
    plan = governed.plan()
    governed.apply(plan)
    for report in (*plan.reports[:4], *plan.reports[5:]):
        governed.control.add_fault("status", path=f"{report}/unarchive", status=503, times=None)
    order = sorted(plan.reports)
    summary = governed.undo(plan, only=[*order])
    longest = longest_row([report == plan.reports[4] for report in order])
    assert (summary.stopped is None) is (longest < 5)
    assert summary.unarchived == 1


def longest_row(good: list[bool]) -> int:
    rows = "".join("." if is_good else "x" for is_good in good).split(".")
    return max(map(len, rows))


def test_the_schedules_of_several_reports_come_back_side_by_side(governed: Governed) -> None:
    for number in range(5):
        governed.report(f"Dead {number}", schedules=2)
    before = governed.state()
    governed.nights(100, 0)
    plan = governed.plan()
    governed.apply(plan)
    summary = governed.undo(plan, concurrency=5)
    assert (summary.unarchived, len(summary.schedules_recreated), summary.failures) == (5, 10, [])
    assert governed.state() == before


def test_a_damaged_failure_of_an_earlier_undo_stops_no_other_report(governed: Governed, plan: Plan) -> None:
    governed.control.add_fault("status", method="POST", path="/schedules$", status=400, times=None)
    governed.control.add_fault("status", method="PATCH", path="/unarchive$", status=403, times=None)
    assert len(governed.undo(plan).failures) == 5
    folder = governed.storage / "journals" / "workspace=acme" / f"plan={plan.plan_id}"
    (event,) = [
        path for path in folder.iterdir() if path.name.startswith(f"archive_report-{plan.reports[0]}.undo-failed")
    ]
    event.write_text("{")
    schedule = next(path for path in folder.iterdir() if "delete_schedule" in path.name and ".undo-failed" in path.name)
    schedule.write_text("{")
    governed.control.clear_faults()
    summary = governed.undo(plan)
    assert summary.unarchived == 3
    assert all("is missing or damaged" in failure for failure in summary.failures)
