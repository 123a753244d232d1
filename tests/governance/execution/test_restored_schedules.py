# SPDX-License-Identifier: Apache-2.0
"""A deleted schedule is restored once, also after lost responses, and differences from its backup are reported."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_studio.governance.planning.one_off import plan_named
from airflow_provider_studio.governance.plans.audit import Audit
from airflow_provider_studio.governance.plans.journal import Event
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.governance.storage import utcnow
from tests.governance.conftest import ACTOR, Governed
from tests.governance.schedules import CSV, PDF, count, deleted, delivered, posted, scheduled

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
    first = min(action.action_id for action in plan.actions)
    backup = next(event for event in Audit(governed.storage, "acme").events() if event.action_id == first).backup
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
    assert [schedule["name"] for schedule in governed.control.state()["schedules"].values()] == ["Untitled schedule"]


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
    undone = [event for event in Audit(governed.storage, "acme").events() if event.event is Event.UNDONE]
    assert len({event.after["schedule"] for event in undone}) == 2, "each is another"


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
        assert not [
            subscription
            for subscription in governed.control.state()["subscriptions"].values()
            if subscription["schedule"] == token
        ]
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
    assert f"any of {', '.join(sorted([lost.token, twin]))}. Delete the surplus ones" in failure
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
    undone = [event for event in Audit(governed.storage, "acme").events() if event.event is Event.UNDONE]
    assert len({event.after["schedule"] for event in undone}) == 2, "each is another"


def test_a_retry_gives_a_schedule_its_subscriptions_before_it_creates_one_that_was_refused(governed: Governed) -> None:
    """A new schedule would be the newest, and the subscriptions of the other would join it."""
    report = scheduled(governed, 3)
    before = delivered(governed, report)
    plan = deleted(governed, report)
    governed.control.add_fault("status", method="POST", path="/schedules$", status=400, times=1)
    governed.control.add_fault("status", method="POST", path="/subscriptions$", status=500, times=1)
    first, second, third = sorted(action.action_id for action in plan.actions)
    summary = governed.undo(plan)
    assert [failure.split(":")[0] for failure in summary.failures] == [first, second]
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
    assert not any("may have been restored" in failure for failure in governed.undo(plan).failures)
    (failed, *_) = [event for event in Audit(governed.storage, "acme").events() if event.event is Event.UNDO_FAILED]
    assert failed.after == {"schedule": named.token}
    governed.client.delete_schedule(report, twin)
    summary = governed.undo(plan)
    assert (summary.failures, count(governed, report)) == ([], 1)
    assert delivered(governed, report) == {6: ["csv_attachments_enabled"]}
    (undone, *_) = [event for event in Audit(governed.storage, "acme").events() if event.event is Event.UNDONE]
    assert undone.after["schedule"] == named.token
