# SPDX-License-Identifier: Apache-2.0
"""A restored schedule gets its own subscriptions, whichever schedule Studio adds them to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_studio.governance.planning.one_off import plan_named
from airflow_provider_studio.governance.plans.audit import ActionState, Audit
from airflow_provider_studio.governance.plans.journal import Event
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.governance.storage import utcnow
from tests.governance.conftest import ACTOR, Governed
from tests.governance.schedules import CSV, PDF, count, deleted, delivered, posted, scheduled

# A Report's schedules in sequence


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
    first, second, third = sorted(action.action_id for action in plan.actions)
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
    first, _second = sorted(action.action_id for action in plan.actions)
    governed.control.add_fault("status", method="POST", path="/subscriptions$", status=500)
    governed.undo(plan)
    governed.control.advance(timedelta(hours=1))
    others = posted(governed, report)
    summary = governed.undo(plan)
    assert len(summary.failures) == 1
    assert f"schedule {others} is newer, and Studio would add it to that one. Add it in Studio" in summary.failures[0]
    assert delivered(governed, report)[17] == []
    missing = next(token for token, schedule in governed.control.state()["schedules"].items() if token != others)
    governed.client.delete_schedule(report, others)
    assert governed.undo(plan).failures == [], "once it is the newest again"
    assert missing in governed.control.state()["schedules"]
    assert first in {
        event.action_id for event in Audit(governed.storage, "acme").events() if event.event is Event.RESUMED
    }


def test_without_the_time_a_schedule_was_made_no_subscription_is_posted(governed: Governed) -> None:
    report = scheduled(governed, 1)
    plan = deleted(governed, report)
    other = governed.control.add_schedule(report, cron={"hour": 17})
    governed.control.add_fault("status", method="POST", path="/subscriptions$", status=403, times=1)
    assert len(governed.undo(plan).failures) == 1
    rows = [schedule.to_json() for schedule in governed.client.list_schedules(report)]
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
    assert "Studio adds it to the newest schedule, which is unknown" in failure
    assert delivered(governed, report) == {6: [], 17: []}
    assert other in governed.control.state()["schedules"]


@pytest.mark.parametrize("way", ["oldest", "first"])
def test_a_subscription_that_joined_another_schedule_is_taken_away_and_reported(governed: Governed, way: str) -> None:
    report = scheduled(governed, 1)
    plan = deleted(governed, report)
    governed.control.set_quirks(subscription_joins=way)
    other = governed.control.add_schedule(report, cron={"hour": 17})
    governed.client.create_subscription(report, CSV)
    for _ in range(2):
        (failure,) = governed.undo(plan).failures
        assert f"Studio added it to schedule {other}; it was deleted there" in failure
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
    assert "has a new one with the same options since this undo began" in again
    assert list(governed.control.state()["subscriptions"]) == [stray], "no second one"


def test_a_stray_that_nothing_names_is_reported_and_left(governed: Governed) -> None:
    report = scheduled(governed, 1)
    plan = deleted(governed, report)
    governed.control.set_quirks(subscription_joins="oldest", subscription_self_link=False)
    governed.control.add_schedule(report, cron={"hour": 17})
    (failure,) = governed.undo(plan).failures
    assert "it is unknown whether this undo created it" in failure
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
    other = governed.control.add_schedule(report, cron={"hour": 17})
    plan = plan_named(
        governed.client,
        governed.storage,
        [report],
        kind=ActionKind.DELETE_SCHEDULE,
        actor=ACTOR,
        schedules=[
            next(schedule.token for schedule in governed.client.list_schedules(report) if schedule.token != other)
        ],
    )
    governed.apply(plan, now=utcnow)
    governed.client.create_subscription(report, PDF)
    assert governed.undo(plan).failures == []
    assert delivered(governed, report) == {17: ["pdf_attachments_enabled"], 6: ["csv_attachments_enabled"]}
