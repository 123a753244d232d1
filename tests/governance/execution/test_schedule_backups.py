# SPDX-License-Identifier: Apache-2.0
"""A schedule is backed up with its parameters and subscriptions, and is not deleted without a complete backup."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.models import ScheduleInput
from airflow_provider_studio.governance.planning.one_off import plan_named
from airflow_provider_studio.governance.plans.audit import Audit
from airflow_provider_studio.governance.plans.journal import Event
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.governance.storage import utcnow
from tests.governance.conftest import ACTOR, Governed
from tests.governance.schedules import count, deleted, delivered, scheduled

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
    assert [schedule["params"] for schedule in governed.control.state()["schedules"].values()] == [parameters]


def test_a_schedule_whose_parameters_are_told_in_two_ways_is_kept(governed: Governed) -> None:
    report = scheduled(governed, 1, params={"type": "new"})
    plan = plan_named(governed.client, governed.storage, [report], kind=ActionKind.DELETE_SCHEDULE, actor=ACTOR)
    (row,) = (schedule.to_json() for schedule in governed.client.list_schedules(report))
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
            (stored,) = event.backup["subscriptions"]
            assert stored["subscribers"] is None
            assert "answered 4" in stored["unreadable"]


def test_all_pages_of_a_subscriptions_subscribers_are_in_the_backup(governed: Governed) -> None:
    report = scheduled(governed, 1)
    pages = [[{"email": "ada@example.com"}, {"email": "bob@example.com"}], [{"email": "cy@example.com"}], []]
    for rows in pages:
        body = {"_embedded": {"memberships": rows}}
        governed.control.add_fault("status", path="/email_report", status=200, body=body, times=1)
    deleted(governed, report)
    (intent,) = [event for event in Audit(governed.storage, "acme").events() if event.event is Event.INTENT]
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
