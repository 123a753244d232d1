# SPDX-License-Identifier: Apache-2.0
"""Plans of what a person names: one path, one retry, one plan."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.client.errors import StudioAPIError, StudioConfigurationError, StudioForbiddenError
from airflow_provider_studio.governance.errors import PlanError
from airflow_provider_studio.governance.planning.one_off import plan_named
from airflow_provider_studio.governance.plans.models import ActionKind, SpareReason
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.storage import utcnow
from tests.governance.conftest import ACTOR, Governed, ago


def named(governed: Governed, *reports: str, kind: ActionKind = ActionKind.ARCHIVE_REPORT, **more: Any) -> Plan:
    return plan_named(
        governed.client, governed.storage, reports, kind=kind, actor={**ACTOR, **more.pop("actor", {})}, **more
    )


def test_a_named_report_is_archived_after_its_schedules_whatever_its_use(governed: Governed) -> None:
    report = governed.report(schedules=2, edited_at=ago(1).isoformat(), description="#keep")
    before = governed.state()
    plan = named(governed, f"https://app.mode.com/acme/reports/{report}")
    assert [action.kind.value for action in plan.actions] == ["delete_schedule", "delete_schedule", "archive_report"]
    governed.control.view(report)
    summary = governed.apply(plan, now=utcnow)
    assert (summary.archived, summary.schedules_deleted) == (1, 2)
    governed.undo(plan)
    assert governed.state() == before
    assert "Named by a person: 1 Report will be archived and 2 schedules will be deleted." in plan.to_markdown()


def test_a_retry_goes_on_with_the_plan_of_the_try_before(governed: Governed) -> None:
    first, second = governed.report(), governed.report()
    plan = named(governed, first, second)
    governed.control.add_fault("status", path=f"{second}/archive", status=403, times=1)
    governed.apply(plan, now=utcnow)
    again = named(governed, first, second)
    assert again.plan_id == plan.plan_id
    assert governed.apply(again, now=utcnow).archived == 1
    governed.client.unarchive_report(first)
    again = named(governed, first, second)
    assert again.plan_id != plan.plan_id
    assert [action.report for action in again.actions] == [first]
    assert [(item.report, item.reason) for item in again.spared] == [(second, SpareReason.ALREADY_ARCHIVED)]


def test_another_run_makes_its_own_plan(governed: Governed) -> None:
    report = governed.report()
    assert named(governed, report).plan_id != named(governed, report, actor={"run": "2"}).plan_id


def test_what_is_as_wanted_already_is_left_alone_with_the_reason(governed: Governed) -> None:
    live, gone = governed.report(), "0123456789ab"
    plan = named(governed, live, gone, kind=ActionKind.UNARCHIVE_REPORT)
    assert plan.actions == ()
    assert {item.report: item.reason for item in plan.spared} == {
        live: SpareReason.NOT_ARCHIVED,
        gone: SpareReason.GONE,
    }
    assert governed.apply(plan, now=utcnow).unarchived == 0


def test_only_the_named_schedules_go(governed: Governed) -> None:
    report = governed.report(schedules=3)
    token = next(iter(governed.client.list_schedules(report))).token
    plan = named(governed, report, kind=ActionKind.DELETE_SCHEDULE, schedules=[token])
    assert governed.apply(plan, now=utcnow).schedules_deleted == 1
    assert len(governed.control.state()["schedules"]) == 2
    assert not governed.control.state()["reports"][report]["archived"]


def test_a_report_that_was_archived_by_others_since_is_not_archived_twice(governed: Governed) -> None:
    report = governed.report()
    plan = named(governed, report)
    governed.client.archive_report(report)
    assert dict(governed.apply(plan, now=utcnow).skipped) == {"already_archived": 1}


@pytest.mark.parametrize(
    ("reports", "options", "error", "match"),
    [
        ([], {}, PlanError, "reports is empty"),
        (["https://app.mode.com/acme"], {}, StudioConfigurationError, "report is 'https"),
        (["studio://other/reports/0123456789ab"], {}, StudioConfigurationError, "workspace 'other'"),
    ],
)
def test_bad_names_are_refused_before_any_request(
    governed: Governed, reports: list[str], options: dict[str, Any], error: type[Exception], match: str
) -> None:
    governed.control.clear_requests()
    with pytest.raises(error, match=match):
        named(governed, *reports, **options)
    assert governed.control.requests_sent() == 0


def test_a_schedule_that_none_of_them_has_is_refused_whole(governed: Governed) -> None:
    report = governed.report(schedules=1)
    with pytest.raises(PlanError, match="None of the named Reports has the schedule 0123456789ab; nothing was touched"):
        named(governed, report, kind=ActionKind.DELETE_SCHEDULE, schedules=["0123456789ab"])


@pytest.mark.parametrize("what", ["$", "/schedules$"])
def test_a_named_report_that_studio_refuses_to_show_stops_no_other(governed: Governed, what: str) -> None:
    refused, other = governed.report(schedules=1), governed.report(schedules=1)
    governed.control.add_fault("status", path=f"{refused}{what}", status=403, times=None)
    plan = named(governed, refused, other)
    assert plan.reports == (other,)
    (item,) = plan.spared
    assert (item.report, item.reason) == (refused, SpareReason.REFUSED)
    assert "answered 403" in item.detail
    assert "answered 403" in plan.to_markdown()
    assert governed.apply(plan, now=utcnow).archived == 1


def test_a_token_that_may_read_none_of_many_reports_is_noticed_after_a_few(governed: Governed) -> None:
    reports = [governed.report() for _ in range(30)]
    governed.control.clear_requests()
    governed.control.add_fault("status", method="GET", status=403, times=None)
    with pytest.raises(StudioForbiddenError):
        named(governed, *reports)
    assert governed.control.requests_sent() == 20


@pytest.mark.parametrize("status", [401, 503])
def test_a_failure_of_the_token_or_the_service_is_no_matter_of_one_report(governed: Governed, status: int) -> None:
    report = governed.report()
    governed.control.add_fault("status", path=f"{report}$", status=status, times=None)
    with pytest.raises(StudioAPIError, match=f"answered {status}"):
        named(governed, report)


def test_schedules_of_a_report_that_studio_refuses_to_show_are_not_called_missing(governed: Governed) -> None:
    report = governed.report(schedules=1)
    schedule = next(iter(governed.client.list_schedules(report))).token
    governed.control.add_fault("status", path=f"{report}$", status=403, times=None)
    with pytest.raises(PlanError, match=f"These Reports could not be read: {report}: GET .* answered 403"):
        named(governed, report, kind=ActionKind.DELETE_SCHEDULE, schedules=[schedule])
