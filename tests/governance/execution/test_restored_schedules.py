# SPDX-License-Identifier: Apache-2.0
"""A deleted schedule comes back once, with its parameters and its own subscriptions, whatever Studio does."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.models import ScheduleInput
from airflow_provider_studio.governance.planning.one_off import plan_named
from airflow_provider_studio.governance.plans.audit import ActionState, Audit
from airflow_provider_studio.governance.plans.journal import Event
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.storage import utcnow
from tests.governance.conftest import ACTOR, Governed

CSV = {"csv_attachments_enabled": True, "report_links_enabled": False}
PDF = {"pdf_attachments_enabled": True}
DELIVERIES = (CSV, PDF, {"data_tables_enabled": True})
OTHER = {"freq": "daily", "hour": 17, "minute": 0, "time_zone": "UTC"}


def posted(governed: Governed, report: str, **cron: Any) -> str:
    """A schedule that a person makes now."""
    values = ScheduleInput.checked(cron={**OTHER, **cron}, name="Made by a person")
    return governed.client.create_schedule(report, values).token


def scheduled(governed: Governed, count: int, **schedule: Any) -> str:
    """A Report with schedules at 6:00, 7:00, …, each of which delivers something else."""
    report = governed.report()
    for number in range(count):
        governed.control.add_schedule(report, **{"cron": {"hour": 6 + number}, **schedule})
        governed.client.create_subscription(report, DELIVERIES[number])
    return report


def deleted(governed: Governed, report: str) -> Plan:
    """A plan that deleted all schedules of a Report."""
    plan = plan_named(governed.client, governed.storage, [report], kind=ActionKind.DELETE_SCHEDULE, actor=ACTOR)
    summary = governed.apply(plan, now=utcnow)
    assert (summary.failures, summary.schedules_deleted) == ([], len(plan.actions))
    governed.control.clear_requests()
    return plan


def delivered(governed: Governed, report: str) -> dict[int, list[str]]:
    """What the subscriptions of each of a Report's schedules deliver, by the schedule's hour."""
    state = governed.control.state()
    found: dict[int, list[str]] = {}
    for token, one in state["schedules"].items():
        if one["report"] == report:
            options = [each["options"] for each in state["subscriptions"].values() if each["schedule"] == token]
            found.setdefault(one["cron"]["hour"], []).extend(
                sorted(name for each in options for name, value in each.items() if value)
            )
    return found


def count(governed: Governed, report: str) -> int:
    return sum(one["report"] == report for one in governed.control.state()["schedules"].values())


# Parameters


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "new", "region": "EU"},
        {"value": "x", "options": [1]},
        {"type": "object", "value": {"type": "x"}},
        {"nested": {"type": None}, "list": [None], "null": None},
        {"null": None},
        {},
    ],
)
@pytest.mark.parametrize(
    "quirks", [{}, {"schedule_params": "wrapped"}, {"schedule_forms": "absent"}, {"schedule_unset_days": "null"}]
)
def test_parameters_come_back_whatever_they_are_called(
    governed: Governed, parameters: dict[str, Any], quirks: dict[str, Any]
) -> None:
    governed.control.set_quirks(**quirks)
    report = scheduled(governed, 1, params=parameters)
    before = governed.state()
    summary = governed.undo(deleted(governed, report))
    assert summary.failures == []
    assert governed.state() == before
    assert [one["params"] for one in governed.control.state()["schedules"].values()] == [parameters]


def test_a_schedule_whose_parameters_are_told_in_two_ways_is_kept(governed: Governed) -> None:
    report = scheduled(governed, 1, params={"type": "new"})
    plan = plan_named(governed.client, governed.storage, [report], kind=ActionKind.DELETE_SCHEDULE, actor=ACTOR)
    (row,) = (one.to_json() for one in governed.client.list_schedules(report))
    rows = {"_embedded": {"report_schedules": [{**row, "parameters": {}}]}}
    governed.control.add_fault("status", method="GET", path="/schedules$", status=200, body=rows, times=None)
    summary = governed.apply(plan, now=utcnow)
    assert summary.skipped == {"no_faithful_backup": 1}
    assert governed.changes() == [f"POST /api/acme/reports/{report}/subscriptions"], "of the fixture"


@pytest.mark.parametrize("name", ["flamingo_signature", "web_preview_image"])
def test_a_schedule_with_a_parameter_that_the_journal_would_drop_is_kept(governed: Governed, name: str) -> None:
    report = scheduled(governed, 1, params={name: "a user's own"})
    plan = plan_named(governed.client, governed.storage, [report], kind=ActionKind.DELETE_SCHEDULE, actor=ACTOR)
    assert governed.apply(plan, now=utcnow).skipped == {"no_faithful_backup": 1}
    assert count(governed, report) == 1


def test_parameters_that_studio_drops_are_a_difference_from_what_the_original_had(governed: Governed) -> None:
    report = scheduled(governed, 1, params={"type": "new", "null": None})
    plan = deleted(governed, report)
    made = governed.client.create_schedule(report, ScheduleInput.checked(cron={"freq": "daily", "hour": 6})).to_json()
    governed.client.delete_schedule(report, made["token"])
    governed.control.add_fault("status", method="POST", path="/schedules$", status=201, body=made, times=1)
    rows = {"_embedded": {"report_subscriptions": []}}
    governed.control.add_fault("status", method="GET", path="/subscriptions$", status=200, body=rows, times=None)
    (failure,) = governed.undo(plan).failures
    assert "params.null was None and is missing; params.type was 'new' and is missing" in failure


# Subscriptions without tokens


@pytest.mark.parametrize("has_link", [True, False])
@pytest.mark.parametrize("has_token", [True, False])
def test_schedules_with_subscribers_are_deleted_and_come_back(
    governed: Governed, has_link: bool, has_token: bool
) -> None:
    governed.control.set_quirks(subscription_self_link=has_link, subscription_token=has_token)
    reports = [scheduled(governed, 2) for _ in range(3)]
    before = governed.state()
    plan = plan_named(governed.client, governed.storage, reports, kind=ActionKind.DELETE_SCHEDULE, actor=ACTOR)
    summary = governed.apply(plan, now=utcnow)
    assert (summary.schedules_deleted, summary.failures, summary.stopped) == (6, [], None)
    assert governed.undo(plan).failures == []
    assert governed.state() == before
    assert delivered(governed, reports[0]) == {6: ["csv_attachments_enabled"], 7: ["pdf_attachments_enabled"]}


@pytest.mark.parametrize("way", ["bad_request", "forbidden", "not_found"])
def test_subscribers_that_cannot_be_read_are_unknown_and_keep_no_schedule(governed: Governed, way: str) -> None:
    governed.control.set_quirks(subscriber_lists=way)
    reports = [scheduled(governed, 1) for _ in range(6)]
    plan = plan_named(governed.client, governed.storage, reports, kind=ActionKind.DELETE_SCHEDULE, actor=ACTOR)
    summary = governed.apply(plan, now=utcnow)
    assert (summary.schedules_deleted, summary.failures, summary.stopped) == (6, [], None)
    for event in Audit(governed.storage, "acme").events():
        if event.event is Event.INTENT:
            assert event.backup is not None
            (kept,) = event.backup["subscriptions"]
            assert kept["subscribers"] is None
            assert "answered 4" in kept["unreadable"]


def test_all_pages_of_a_subscriptions_subscribers_are_in_the_backup(governed: Governed) -> None:
    report = scheduled(governed, 1)
    pages = [[{"email": "ada@example.com"}, {"email": "bob@example.com"}], [{"email": "cy@example.com"}], []]
    for rows in pages:
        body = {"_embedded": {"memberships": rows}}
        governed.control.add_fault("status", path="/email_report", status=200, body=body, times=1)
    deleted(governed, report)
    (intent,) = [one for one in Audit(governed.storage, "acme").events() if one.event is Event.INTENT]
    assert intent.backup is not None
    listed = intent.backup["subscriptions"][0]["subscribers"]["email_subscription_memberships"]
    assert listed == [row for page in pages for row in page]


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_schedule_whose_subscriptions_cannot_be_read_is_not_deleted(governed: Governed, status: int) -> None:
    report = scheduled(governed, 1)
    plan = plan_named(governed.client, governed.storage, [report], kind=ActionKind.DELETE_SCHEDULE, actor=ACTOR)
    governed.control.add_fault("status", method="GET", path="/subscriptions$", status=status, times=None)
    assert len(governed.apply(plan, now=utcnow).failures) == 1
    assert count(governed, report) == 1
    governed.control.clear_faults()
    assert governed.apply(plan, now=utcnow).schedules_deleted == 1, "a retry may"


def test_a_schedule_that_is_deleted_while_it_is_backed_up_is_gone_and_no_failure(
    governed: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = scheduled(governed, 1)
    plan = plan_named(governed.client, governed.storage, [report], kind=ActionKind.DELETE_SCHEDULE, actor=ACTOR)
    read = StudioClient.list_schedule_subscriptions

    def deleted_first(client: StudioClient, report: str, schedule: str) -> Any:
        client.delete_schedule(report, schedule)
        return read(client, report, schedule)

    monkeypatch.setattr(StudioClient, "list_schedule_subscriptions", deleted_first)
    summary = governed.apply(plan, now=utcnow)
    assert (summary.skipped, summary.failures) == ({"gone": 1}, [])
    monkeypatch.undo()


# A Report's schedules one after the other


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "method": "POST", "status": 500},
        {"kind": "status", "method": "POST", "status": 403},
        {"kind": "lose_response", "method": "POST"},
        {"kind": "garbage", "method": "POST"},
        {"kind": "status", "method": "GET", "status": 500, "times": 6},
        {"kind": "reset", "method": "GET", "times": 6},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
def test_a_failed_response_about_one_schedules_subscriptions_moves_none_to_another(
    governed: Governed, fault: dict[str, Any]
) -> None:
    report = scheduled(governed, 3)
    before = delivered(governed, report)
    plan = deleted(governed, report)
    first, second, third = sorted(one.action_id for one in plan.actions)
    governed.control.add_fault(**fault, path="/subscriptions$")
    summary = governed.undo(plan)
    assert summary.not_tried == [second, third]
    (failure,) = summary.failures
    assert failure.startswith(first)
    assert f"Not tried after it: {second}, {third}" in failure
    assert count(governed, report) == 1
    states = Audit(governed.storage, "acme").states(plan.plan_id)
    assert states[second] is states[third] is ActionState.DONE
    governed.control.clear_faults()
    again = governed.undo(plan)
    assert (again.failures, again.not_tried) == ([], [])
    assert delivered(governed, report) == before
    assert governed.undo(plan).failures == []
    assert delivered(governed, report) == before


def test_a_schedule_that_is_refused_does_not_keep_its_reports_others_away(governed: Governed) -> None:
    report = scheduled(governed, 3)
    before = delivered(governed, report)
    plan = deleted(governed, report)
    governed.control.add_fault("status", method="POST", path="/schedules$", status=400)
    summary = governed.undo(plan)
    assert (len(summary.failures), summary.not_tried, count(governed, report)) == (1, [], 2)
    assert governed.undo(plan).failures == []
    assert delivered(governed, report) == before


def test_a_subscription_is_not_posted_while_another_schedule_is_the_newest(governed: Governed) -> None:
    report = scheduled(governed, 2)
    plan = deleted(governed, report)
    first, _second = sorted(one.action_id for one in plan.actions)
    governed.control.add_fault("status", method="POST", path="/subscriptions$", status=500)
    governed.undo(plan)
    governed.control.advance(timedelta(hours=1))
    others = posted(governed, report)
    summary = governed.undo(plan)
    assert len(summary.failures) == 1
    assert f"schedule {others} is newer, and Studio would add it to that one. Add it in Studio" in summary.failures[0]
    assert delivered(governed, report)[17] == []
    missing = next(token for token, one in governed.control.state()["schedules"].items() if token != others)
    governed.client.delete_schedule(report, others)
    assert governed.undo(plan).failures == [], "once it is the newest again"
    assert missing in governed.control.state()["schedules"]
    assert first in {one.action_id for one in Audit(governed.storage, "acme").events() if one.event is Event.RESUMED}


def test_without_the_time_a_schedule_was_made_no_subscription_is_posted(governed: Governed) -> None:
    report = scheduled(governed, 1)
    plan = deleted(governed, report)
    kept = governed.control.add_schedule(report, cron={"hour": 17})
    rows = [one.to_json() for one in governed.client.list_schedules(report)]
    for row in rows:
        del row["created_at"]
    governed.control.add_fault(
        "status",
        method="GET",
        path="/schedules$",
        status=200,
        body={"_embedded": {"report_schedules": rows}},
        times=None,
    )
    (failure,) = governed.undo(plan).failures
    assert "which one that is is unknown" in failure
    assert delivered(governed, report) == {6: [], 17: []}
    assert kept in governed.control.state()["schedules"]


@pytest.mark.parametrize("way", ["oldest", "first"])
def test_a_subscription_that_joined_another_schedule_is_taken_away_and_reported(governed: Governed, way: str) -> None:
    report = scheduled(governed, 1)
    plan = deleted(governed, report)
    governed.control.set_quirks(subscription_joins=way)
    kept = governed.control.add_schedule(report, cron={"hour": 17})
    governed.client.create_subscription(report, CSV)
    for _ in range(2):
        (failure,) = governed.undo(plan).failures
        assert f"Studio added it to schedule {kept}; it was deleted from there again" in failure
        assert delivered(governed, report) == {17: ["csv_attachments_enabled"], 6: []}, "the one of a person stays"


def test_a_stray_that_cannot_be_deleted_is_named(governed: Governed) -> None:
    report = scheduled(governed, 1)
    plan = deleted(governed, report)
    governed.control.set_quirks(subscription_joins="oldest")
    governed.control.add_schedule(report, cron={"hour": 17})
    governed.control.add_fault("status", method="DELETE", path="/subscriptions/", status=403)
    (failure,) = governed.undo(plan).failures
    (stray,) = governed.control.state()["subscriptions"]
    assert f"subscription {stray} could not be deleted from there" in failure
    (again,) = governed.undo(plan).failures
    assert "one that delivers the same is new on schedule" in again
    assert list(governed.control.state()["subscriptions"]) == [stray], "no second one"


def test_a_stray_that_nothing_names_is_reported_and_left(governed: Governed) -> None:
    report = scheduled(governed, 1)
    plan = deleted(governed, report)
    governed.control.set_quirks(subscription_joins="oldest", subscription_self_link=False)
    governed.control.add_schedule(report, cron={"hour": 17})
    (failure,) = governed.undo(plan).failures
    assert "no link says whether this undo made it" in failure
    for _ in range(2):
        assert len(governed.undo(plan).failures) == 1
    assert delivered(governed, report) == {17: ["csv_attachments_enabled"], 6: []}


def test_a_stray_whose_response_was_lost_is_reported_and_not_doubled(governed: Governed) -> None:
    report = scheduled(governed, 1)
    plan = deleted(governed, report)
    governed.control.set_quirks(subscription_joins="oldest")
    governed.control.add_schedule(report, cron={"hour": 17})
    governed.control.add_fault("lose_response", method="POST", path="/subscriptions$", times=1)
    for _ in range(3):
        assert len(governed.undo(plan).failures) == 1
    assert delivered(governed, report) == {17: ["csv_attachments_enabled"], 6: []}


@pytest.mark.parametrize("lost", [False, True])
def test_a_subscription_that_is_stored_otherwise_is_not_posted_again(governed: Governed, lost: bool) -> None:
    report = scheduled(governed, 3)
    plan = deleted(governed, report)
    governed.control.set_quirks(subscription_options="without_pdf")
    if lost:
        governed.control.add_fault("lose_response", method="POST", path="/subscriptions$", times=3)
    for _ in range(4):
        governed.undo(plan)
    summary = governed.undo(plan)
    (failure,) = summary.failures
    assert "came back with pdf_attachments_enabled=False. Fix it in Studio" in failure
    assert (len(governed.control.state()["subscriptions"]), summary.not_tried) == (3, [])


def test_a_subscription_that_a_person_adds_elsewhere_meanwhile_is_left_alone(governed: Governed) -> None:
    report = scheduled(governed, 1)
    kept = governed.control.add_schedule(report, cron={"hour": 17})
    plan = plan_named(
        governed.client,
        governed.storage,
        [report],
        kind=ActionKind.DELETE_SCHEDULE,
        actor=ACTOR,
        schedules=[next(one.token for one in governed.client.list_schedules(report) if one.token != kept)],
    )
    governed.apply(plan, now=utcnow)
    governed.client.create_subscription(report, PDF)
    assert governed.undo(plan).failures == []
    assert delivered(governed, report) == {17: ["pdf_attachments_enabled"], 6: ["csv_attachments_enabled"]}


# Differences stay failures


def test_a_difference_stays_a_failure_until_a_person_fixes_it(governed: Governed) -> None:
    report = scheduled(governed, 1, cron={"hour": 6, "minute": 38})
    plan = deleted(governed, report)
    governed.control.set_quirks(schedule_minutes="rounded")
    for _ in range(3):
        (failure,) = governed.undo(plan).failures
        assert "cron.minute was 38 and is 30. Fix it in Studio" in failure
        assert count(governed, report) == 1
    governed.control.set_quirks(schedule_minutes="exact")
    (live,) = governed.client.list_schedules(report)
    fixed = live.machine_values()
    fixed = fixed.model_copy(update={"cron": fixed.cron.model_copy(update={"minute": 38})})
    governed.client.update_schedule(report, live.token, fixed)
    summary = governed.undo(plan)
    assert (summary.failures, summary.already) == ([], 1)


def test_a_difference_does_not_keep_a_reports_other_schedules_away(governed: Governed) -> None:
    report = scheduled(governed, 2)
    plan = deleted(governed, report)
    first = min(one.action_id for one in plan.actions)
    backup = next(one for one in Audit(governed.storage, "acme").events() if one.action_id == first).backup
    assert backup is not None
    path = governed.storage / "journals" / "workspace=acme" / f"plan={plan.plan_id}" / f"{first}.intent.json"
    event = json.loads(path.read_text())
    event["backup"]["machine_values"]["timeout"] = 60
    event["backup"]["machine_values"]["cron"]["minute"] = 7
    path.write_text(json.dumps(event))
    governed.control.set_quirks(schedule_minutes="rounded")
    summary = governed.undo(plan)
    assert (len(summary.failures), summary.not_tried, count(governed, report)) == (1, [], 2)


def test_a_name_and_a_timeout_that_studio_fills_in_are_no_difference(governed: Governed) -> None:
    report = scheduled(governed, 1, name=None)
    plan = deleted(governed, report)
    assert governed.undo(plan).failures == []
    assert [one["name"] for one in governed.control.state()["schedules"].values()] == ["Untitled schedule"]


# Lost responses


@pytest.mark.parametrize(
    ("quirks", "schedule"),
    [
        ({}, {}),
        ({}, {"name": None}),
        ({}, {"params": {"type": "new", "null": None}}),
        ({"schedule_minutes": "rounded"}, {"cron": {"hour": 6, "minute": 38}}),
        ({"schedule_time_zones": "first"}, {"cron": {"hour": 6, "time_zone": "Mumbai"}}),
        ({"schedule_minutes": "rounded"}, {"cron": {"freq": "hourly", "hour": None, "minute": 59}, "name": None}),
        ({"schedule_forms": "absent"}, {"name": None}),
    ],
)
@pytest.mark.parametrize("lost_list", [False, True])
def test_a_schedule_whose_creation_was_not_confirmed_is_found_again_and_not_doubled(
    governed: Governed, quirks: dict[str, Any], schedule: dict[str, Any], lost_list: bool
) -> None:
    report = scheduled(governed, 2, **schedule)
    plan = deleted(governed, report)
    governed.control.set_quirks(**quirks)
    for _ in range(3):
        governed.control.add_fault("lose_response", method="POST", path="/schedules$", times=2)
        if lost_list:  # the list that would show what was created, after the one before the creation
            governed.control.add_fault("status", method="GET", path="/schedules$", status=500, after=2, times=6)
        governed.undo(plan)
        governed.control.clear_faults()
    governed.undo(plan)
    assert count(governed, report) == 2
    undone = [one for one in Audit(governed.storage, "acme").events() if one.event is Event.UNDONE]
    assert len({one.after["schedule"] for one in undone}) == 2, "each is another"


@pytest.mark.parametrize("kind", ["lose_response", "garbage", "html", "truncate"])
def test_a_schedule_of_a_person_is_not_taken_for_the_lost_one(governed: Governed, kind: str) -> None:
    report = scheduled(governed, 1)
    before = governed.state()
    plan = deleted(governed, report)
    governed.control.add_fault(kind, method="POST", path="/schedules$", times=1)
    governed.control.add_fault("status", method="GET", path="/schedules$", status=500, after=2, times=6)
    assert len(governed.undo(plan).failures) == 1
    governed.control.clear_faults()
    others = [posted(governed, report), posted(governed, report, freq="weekly", day_of_week=1)]
    governed.undo(plan)
    state = governed.control.state()["schedules"]
    assert len(state) == 3
    for token in others:
        assert not [one for one in governed.control.state()["subscriptions"].values() if one["schedule"] == token]
        governed.client.delete_schedule(report, token)
    assert governed.undo(plan).failures == []
    assert governed.state() == before


def test_a_schedule_that_was_never_created_is_created_though_a_person_made_another(governed: Governed) -> None:
    report = scheduled(governed, 1)
    plan = deleted(governed, report)
    governed.control.add_fault("status", method="POST", path="/schedules$", status=400, times=1)
    assert len(governed.undo(plan).failures) == 1
    posted(governed, report)
    governed.control.advance(timedelta(hours=1))
    assert governed.undo(plan).failures == []
    assert delivered(governed, report) == {6: ["csv_attachments_enabled"], 17: []}


def test_of_two_that_may_be_the_lost_one_neither_is_taken(governed: Governed) -> None:
    report = scheduled(governed, 1)
    plan = deleted(governed, report)
    governed.control.add_fault("lose_response", method="POST", path="/schedules$", times=1)
    governed.control.add_fault("status", method="GET", path="/schedules$", status=500, after=2, times=6)
    governed.undo(plan)
    governed.control.clear_faults()
    (lost,) = governed.client.list_schedules(report)
    twin = governed.client.create_schedule(report, lost.machine_values()).token
    (failure,) = governed.undo(plan).failures
    assert f"any of {', '.join(sorted([lost.token, twin]))}. Delete those that are too many" in failure
    assert count(governed, report) == 2
    governed.client.delete_schedule(report, twin)
    assert governed.undo(plan).failures == []
    assert delivered(governed, report) == {6: ["csv_attachments_enabled"]}


def test_of_several_that_may_be_the_lost_one_the_likest_is_taken(governed: Governed) -> None:
    report = scheduled(governed, 1, name="The one")
    plan = deleted(governed, report)
    governed.control.add_fault("lose_response", method="POST", path="/schedules$", times=1)
    governed.control.add_fault("status", method="GET", path="/schedules$", status=500, after=2, times=6)
    governed.undo(plan)
    governed.control.clear_faults()
    (lost,) = governed.client.list_schedules(report)
    other = posted(governed, report, hour=6, minute=10)
    summary = governed.undo(plan)
    assert summary.schedules_recreated == {plan.actions[0].schedule: lost.token}
    governed.client.delete_schedule(report, other)
    assert governed.undo(plan).failures == []


def test_two_schedules_alike_of_one_report_come_back_as_two(governed: Governed) -> None:
    report = governed.report()
    for _ in range(2):
        governed.control.add_schedule(report, cron={"hour": 6})
        governed.client.create_subscription(report, CSV)
    before = governed.state()
    plan = deleted(governed, report)
    for _ in range(2):
        governed.control.add_fault("status", method="POST", path="/subscriptions$", status=500, times=1)
        governed.undo(plan)
        governed.control.clear_faults()
    assert governed.undo(plan).failures == []
    assert governed.state() == before


def test_a_retry_of_the_backup_notices_another_subscription(governed: Governed) -> None:
    report = scheduled(governed, 1)
    plan = plan_named(governed.client, governed.storage, [report], kind=ActionKind.DELETE_SCHEDULE, actor=ACTOR)
    governed.control.add_fault("status", method="DELETE", status=403, times=1)
    assert len(governed.apply(plan, now=utcnow).failures) == 1
    governed.client.create_subscription(report, PDF)
    (failure,) = governed.apply(plan, now=utcnow).failures
    assert "was changed after an earlier try backed it up; it is kept" in failure
    assert count(governed, report) == 1


@pytest.mark.parametrize("subscriptions_fail", [False, True])
def test_what_another_action_restored_is_not_taken_for_one_that_was_refused(
    governed: Governed, subscriptions_fail: bool
) -> None:
    """Two schedules alike: the first is refused, the second comes back, then the first is tried again."""
    report = governed.report()
    for _ in range(2):
        governed.control.add_schedule(report, cron={"hour": 6})
        governed.client.create_subscription(report, CSV)
    before = governed.state()
    plan = deleted(governed, report)
    governed.control.add_fault("status", method="POST", path="/schedules$", status=400, times=1)
    if subscriptions_fail:
        governed.control.add_fault("status", method="POST", path="/subscriptions$", status=500, times=1)
    summary = governed.undo(plan)
    assert (len(summary.failures), count(governed, report)) == (2 if subscriptions_fail else 1, 1)
    assert governed.undo(plan).failures == []
    assert governed.state() == before
    undone = [one for one in Audit(governed.storage, "acme").events() if one.event is Event.UNDONE]
    assert len({one.after["schedule"] for one in undone}) == 2, "each is another"


def test_a_retry_gives_a_schedule_its_subscriptions_before_it_creates_one_that_was_refused(governed: Governed) -> None:
    """A new schedule would be the newest, and the subscriptions of the other would join it."""
    report = scheduled(governed, 3)
    before = delivered(governed, report)
    plan = deleted(governed, report)
    governed.control.add_fault("status", method="POST", path="/schedules$", status=400, times=1)
    governed.control.add_fault("status", method="POST", path="/subscriptions$", status=500, times=1)
    first, second, third = sorted(one.action_id for one in plan.actions)
    summary = governed.undo(plan)
    assert [one.split(":")[0] for one in summary.failures] == [first, second]
    assert summary.not_tried == [third]
    assert governed.undo(plan).failures == []
    assert delivered(governed, report) == before


def test_a_retry_looks_for_a_lost_schedule_before_it_creates_one_that_was_refused(governed: Governed) -> None:
    report = scheduled(governed, 2)
    before = delivered(governed, report)
    plan = deleted(governed, report)
    governed.control.add_fault("status", method="POST", path="/schedules$", status=400, times=1)
    governed.control.add_fault("lose_response", method="POST", path="/schedules$", after=1, times=1)
    governed.control.add_fault("status", method="GET", path="/schedules$", status=500, after=2, times=6)
    assert (len(governed.undo(plan).failures), count(governed, report)) == (2, 1)
    governed.control.clear_faults()
    assert governed.undo(plan).failures == []
    assert delivered(governed, report) == before


def test_a_schedule_that_an_earlier_try_named_is_taken_although_a_person_made_another_like_it(
    governed: Governed,
) -> None:
    report = scheduled(governed, 1)
    plan = deleted(governed, report)
    governed.control.add_fault("status", method="POST", path="/subscriptions$", status=500, times=1)
    assert len(governed.undo(plan).failures) == 1
    (named,) = governed.client.list_schedules(report)
    twin = governed.client.create_schedule(report, named.machine_values()).token
    assert not any("may have been restored" in one for one in governed.undo(plan).failures)
    (failed, *_) = [one for one in Audit(governed.storage, "acme").events() if one.event is Event.UNDO_FAILED]
    assert failed.after == {"schedule": named.token}
    governed.client.delete_schedule(report, twin)
    summary = governed.undo(plan)
    assert (summary.failures, count(governed, report)) == ([], 1)
    assert delivered(governed, report) == {6: ["csv_attachments_enabled"]}
    (undone, *_) = [one for one in Audit(governed.storage, "acme").events() if one.event is Event.UNDONE]
    assert undone.after["schedule"] == named.token
