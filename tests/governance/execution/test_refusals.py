# SPDX-License-Identifier: Apache-2.0
"""What Studio refuses of one Report stops no other; what speaks of the token or the service stops the work."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta

import pytest

from airflow_provider_studio.governance.errors import GuardRailError
from airflow_provider_studio.governance.execution.guard_rails import GuardRails
from airflow_provider_studio.governance.plans.audit import ActionState, Audit
from airflow_provider_studio.governance.plans.journal import Event
from airflow_provider_studio.governance.plans.models import SpareReason
from airflow_provider_studio.governance.plans.plan import Plan
from tests.conftest import slow
from tests.governance.conftest import NOW, Governed, built_once

DEFAULTS = GuardRails(max_actions=1000, max_share=1.0)


@functools.cache
def _workspace(reports: int, schedules: int) -> Callable[[Governed], Plan]:
    def build(governed: Governed) -> Plan:
        for number in range(reports):
            governed.report(f"Dead {number}", schedules=schedules)
        governed.nights(100, 0)
        return governed.plan()

    return built_once(build)


def planned(governed: Governed, reports: int, *, schedules: int = 0) -> Plan:
    """Fill the workspace with Reports that the returned plan archives."""
    return _workspace(reports, schedules)(governed)


def refuse(
    governed: Governed, *reports: str, status: int = 403, what: str = "/archive", times: int | None = None
) -> None:
    for report in reports:
        governed.control.add_fault("status", path=f"{report}{what}", status=status, times=times)


def archived(governed: Governed) -> set[str]:
    return {token for token, report in governed.control.state()["reports"].items() if report["archived"]}


@pytest.mark.parametrize(
    ("status", "concurrency"), [(403, 4), (422, 1), *slow((400, 4), (404, 1), (409, 4), (410, 4), (423, 4))]
)
def test_refusals_at_the_head_of_a_plan_stop_no_other_report(governed: Governed, status: int, concurrency: int) -> None:
    plan = planned(governed, 19)
    refuse(governed, *plan.reports[:5], status=status)
    summary = governed.apply(plan, guard_rails=DEFAULTS, concurrency=concurrency)
    assert archived(governed) == set(plan.reports[5:])
    assert (summary.archived, summary.stopped) == (14, None)
    if status != 404:  # which says that the Report is gone
        assert (len(summary.failures), summary.refused) == (5, 5)
        assert all(f"answered {status}" in failure for failure in summary.failures)


@pytest.mark.parametrize("what", ["$", "/schedules$", "/schedules/[0-9a-f]+$", "/schedules/[0-9a-f]+/subscriptions$"])
def test_a_refusal_of_any_request_about_a_report_is_its_own(governed: Governed, what: str) -> None:
    plan = planned(governed, 8, schedules=1)
    refuse(governed, *plan.reports[:6], what=what)
    summary = governed.apply(plan, guard_rails=DEFAULTS)
    assert archived(governed) == set(plan.reports[6:])
    assert (summary.stopped, summary.refused) == (None, 6)


def test_an_effect_that_does_not_come_about_is_a_matter_of_one_report(governed: Governed) -> None:
    plan = planned(governed, 8)
    for report in plan.reports[:6]:
        live = governed.client.get_report(report).to_json()
        governed.control.add_fault("status", path=f"{report}/archive", status=200, body=live, times=None)
    assert governed.apply(plan, guard_rails=DEFAULTS).archived == 2


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_failures_of_the_service_stop_the_rest(governed: Governed, status: int) -> None:
    plan = planned(governed, 8)
    governed.control.add_fault("status", method="PATCH", status=status, times=None)
    summary = governed.apply(plan, guard_rails=DEFAULTS)
    assert (summary.stopped, len(summary.failures), summary.refused) == ("5 failures in a row", 5, 0)


def test_refusals_between_failures_of_the_service_do_not_hide_them(governed: Governed) -> None:
    plan = planned(governed, 10)
    refuse(governed, *plan.reports[::2])
    governed.control.add_fault("status", method="PATCH", status=503, times=None)
    summary = governed.apply(plan, guard_rails=GuardRails(max_actions=100, max_share=1.0, max_failures_in_a_row=3))
    assert summary.stopped == "3 failures in a row"
    assert summary.refused == 3


def test_a_revoked_token_stops_at_once(governed: Governed) -> None:
    plan = planned(governed, 8)
    governed.control.add_fault("status", method="PATCH", status=401, times=None)
    summary = governed.apply(plan, guard_rails=DEFAULTS)
    assert (summary.stopped, len(summary.failures)) == ("the token is no longer valid", 1)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_token_that_may_nothing_stops_after_a_few_reports(governed: Governed, concurrency: int) -> None:
    plan = planned(governed, 30)
    governed.control.add_fault("status", method="PATCH", status=403, times=None)
    summary = governed.apply(plan, guard_rails=DEFAULTS, concurrency=concurrency)
    assert summary.stopped is not None
    assert "Studio refused the first 20 Reports, and nothing was done" in summary.stopped
    assert 20 <= len(summary.failures) < 20 + concurrency
    assert governed.control.requests_sent() < 4 * 24


def test_one_success_shows_that_the_token_has_rights(governed: Governed) -> None:
    plan = planned(governed, 30)
    refuse(governed, *plan.reports[1:])
    summary = governed.apply(plan, guard_rails=DEFAULTS)
    assert (summary.archived, summary.refused, summary.stopped) == (1, 29, None)


def test_many_refused_actions_of_one_report_are_one_refused_report(governed: Governed) -> None:
    governed.report("Many schedules", schedules=8)
    governed.report("Few")
    governed.nights(100, 0)
    plan = governed.plan()
    governed.control.add_fault("status", method="DELETE", status=403, times=None)
    rails = GuardRails(max_actions=100, max_share=1.0, max_refused_at_first=2)
    assert governed.apply(plan, guard_rails=rails).stopped is None


def test_how_many_refusals_are_allowed_at_first_is_a_guard_rail(governed: Governed) -> None:
    plan = planned(governed, 4)
    refuse(governed, *plan.reports)
    rails = GuardRails.of(max_actions="100", max_share="1.0", max_refused_at_first="2")
    assert governed.apply(plan, guard_rails=rails).refused == 2
    with pytest.raises(GuardRailError, match="max_refused_at_first is 0; it must be 1 or more"):
        GuardRails(max_refused_at_first=0)


def test_a_retry_tries_first_what_did_not_fail(governed: Governed) -> None:
    plan = planned(governed, 14)
    refuse(governed, *plan.reports[:5], status=503)
    assert governed.apply(plan, guard_rails=DEFAULTS).stopped == "5 failures in a row"
    second = governed.apply(plan, guard_rails=DEFAULTS)
    assert (second.archived, len(second.failures)) == (9, 5)


def test_a_retry_tries_each_refused_report_once_more(governed: Governed) -> None:
    plan = planned(governed, 4)
    refuse(governed, *plan.reports[:2], times=2)
    governed.apply(plan)
    governed.control.clear_requests()
    assert governed.apply(plan).refused == 2
    assert len(governed.changes()) == 2
    assert governed.apply(plan).archived == 2


def test_a_refusal_is_journaled_and_listed_by_the_audit(governed: Governed) -> None:
    plan = planned(governed, 3)
    plan.write(governed.storage)
    refuse(governed, plan.reports[0])
    governed.apply(plan)
    audit = Audit(governed.storage, "acme")
    (failed,) = [event for event in audit.events() if event.event is Event.FAILED]
    assert (failed.report, failed.http_status) == (plan.reports[0], 403)
    assert [status.state for status in audit.action_statuses(plan.plan_id)] == [
        ActionState.FAILED,
        ActionState.DONE,
        ActionState.DONE,
    ]


# What the next plans make of it.


def spared(plan: Plan) -> dict[str, str]:
    return {item.report: item.detail for item in plan.spared if item.reason is SpareReason.REFUSED}


def refused_once(governed: Governed, reports: int = 7, refused: int = 5) -> Plan:
    """Return a plan that was carried out, apart from the Reports at its head, which Studio refused."""
    plan = planned(governed, reports)
    plan.write(governed.storage)
    refuse(governed, *plan.reports[:refused])
    governed.apply(plan)
    return plan


def test_the_next_plan_leaves_a_refused_report_alone_and_says_why(governed: Governed) -> None:
    first = refused_once(governed)
    governed.night(-1)
    plan = governed.plan()
    assert plan.actions == ()
    assert set(spared(plan)) == set(first.reports[:5])
    for detail in spared(plan).values():
        assert detail.startswith("refused on 2026-06-01 with 403: PATCH /api/acme/reports/")
        assert "planned again from 2026-06-08" in detail
    shown = plan.to_markdown()
    assert "**Refused by Studio** before, and not in this plan: 5 Reports." in shown
    assert all(f"({report}): refused on 2026-06-01 with 403" in shown for report in first.reports[:5])
    assert plan.summary()["spared"]["refused"] == 5


def test_a_refused_report_is_tried_again_after_a_week_last_of_all_and_does_not_fail_the_night(
    governed: Governed,
) -> None:
    first = refused_once(governed)
    later = governed.report("zz later", extra_views=0)
    governed.nights(-1, -7)
    plan = governed.plan()
    assert plan.reports[0] == later
    assert set(plan.reports[1:]) == set(first.reports[:5])
    notes = {fact.meaning for action in plan.actions[1:] for fact in action.evidence if fact.field == "refused"}
    assert all(note.startswith("refused on 2026-06-01 with 403") for note in notes)
    assert "refused on 2026-06-01 with 403" in plan.to_markdown()
    plan.write(governed.storage)
    summary = governed.apply(plan)
    assert (summary.archived, summary.failures, len(summary.refused_again)) == (1, [], 5)
    governed.night(-8)
    assert all(detail.startswith("refused on 2026-06-08") for detail in spared(governed.plan()).values())


def test_another_refusal_than_the_known_one_is_a_failure(governed: Governed) -> None:
    refused_once(governed, 2, 1)
    governed.night(-7)
    plan = governed.plan()
    plan.write(governed.storage)
    governed.control.clear_faults()
    refuse(governed, *plan.reports, status=409)
    summary = governed.apply(plan)
    assert (len(summary.failures), summary.refused_again) == (1, [])


def test_a_refused_report_that_is_allowed_later_is_archived_and_forgotten(governed: Governed) -> None:
    first = refused_once(governed, 2, 1)
    governed.control.clear_faults()
    governed.night(-7)
    plan = governed.plan()
    plan.write(governed.storage)
    assert governed.apply(plan).archived == 1
    governed.client.unarchive_report(first.reports[0])
    governed.night(-8)
    assert governed.plan().reports == first.reports[:1]
    assert spared(governed.plan()) == {}


def test_a_refused_report_that_is_moved_is_planned_at_once(governed: Governed) -> None:
    first = refused_once(governed, 2, 1)
    elsewhere = governed.control.add_collection("Open to all")
    governed.control.change_report(first.reports[0], collection=elsewhere)
    governed.night(-1)
    assert governed.plan().reports == first.reports[:1]


def test_no_days_plan_a_refused_report_every_night(governed: Governed) -> None:
    first = refused_once(governed, 2, 1)
    governed.night(-1)
    assert governed.plan(retry_refused_days=0).reports == first.reports[:1]


def test_a_refused_report_in_its_grace_does_not_begin_it_again(governed: Governed) -> None:
    governed.report("Dead")
    governed.nights(100, 0)
    governed.plan(grace_days=1).write(governed.storage)
    governed.night(-1)
    plan = governed.plan(grace_days=1)
    plan.write(governed.storage)
    refuse(governed, *plan.reports)
    governed.apply(plan)
    for day in range(2, 8):
        governed.night(-day)
        plan = governed.plan(grace_days=1)
        plan.write(governed.storage)
        assert set(spared(plan)) == {item.report for item in plan.spared}
    governed.night(-8)
    assert len(governed.plan(grace_days=1).actions) == 1


def test_what_a_token_without_rights_was_refused_is_planned_again_but_last(governed: Governed) -> None:
    plan = planned(governed, 25)
    plan.write(governed.storage)
    governed.control.add_fault("status", method="PATCH", status=403, times=None)
    assert governed.apply(plan).stopped is not None
    governed.night(-1)
    second = governed.plan()
    assert spared(second) == {}
    assert second.reports == (*plan.reports[20:], *plan.reports[:20])
    governed.control.clear_faults()
    assert governed.apply(second).archived == 25


def test_more_refused_reports_than_allowed_at_first_block_the_others_for_one_night_only(governed: Governed) -> None:
    plan = planned(governed, 30)
    plan.write(governed.storage)
    refuse(governed, *plan.reports[:22])
    assert governed.apply(plan).archived == 0
    governed.night(-1)
    second = governed.plan()
    second.write(governed.storage)
    governed.apply(second)
    assert archived(governed) == set(plan.reports[22:])


def test_what_failed_with_the_service_is_planned_last(governed: Governed) -> None:
    plan = planned(governed, 8)
    plan.write(governed.storage)
    refuse(governed, *plan.reports[:5], status=500)
    governed.apply(plan, guard_rails=DEFAULTS)
    governed.night(-1)
    second = governed.plan()
    assert second.reports == (*plan.reports[5:], *plan.reports[:5])
    summary = governed.apply(second, guard_rails=DEFAULTS)
    assert (summary.archived, len(summary.failures)) == (3, 5)


def test_a_damaged_event_of_an_earlier_plan_does_not_stop_the_next(governed: Governed) -> None:
    first = refused_once(governed, 2, 1)
    folder = governed.storage / "journals" / "workspace=acme" / f"plan={first.plan_id}"
    (event,) = [path for path in folder.iterdir() if ".failed-" in path.name]
    event.write_text("{")
    governed.night(-1)
    assert governed.plan().reports == first.reports[:1]


def test_a_refused_schedule_of_a_living_report_is_left_alone_too(governed: Governed) -> None:
    report = governed.report(schedules=2, archived_at=(NOW - timedelta(days=10)).isoformat())
    governed.nights(1, 0)
    policy = {"unviewed_days": None, "schedules_of_archived": True}
    plan = governed.plan(**policy)
    plan.write(governed.storage)
    governed.control.add_fault("status", method="DELETE", status=403, times=None)
    governed.apply(plan)
    governed.night(-1)
    second = governed.plan(**policy)
    assert second.actions == ()
    assert [(item.report, item.reason) for item in second.spared] == [(report, SpareReason.REFUSED)] * 2


# Undo, and actions on Reports that a person names.


def test_refusals_stop_no_other_action_of_an_undo(governed: Governed) -> None:
    plan = planned(governed, 12)
    governed.apply(plan)
    refuse(governed, *plan.reports[:6], what="/unarchive")
    summary = governed.undo(plan)
    assert archived(governed) == set(plan.reports[:6])
    assert (summary.unarchived, len(summary.failures), summary.stopped) == (6, 6, None)


@pytest.mark.parametrize(
    ("status", "failures", "reason"),
    [(401, 1, "the token is no longer valid"), (503, 5, "5 failures in a row")],
)
def test_an_undo_stops_when_it_is_not_a_matter_of_the_reports(
    governed: Governed, status: int, failures: int, reason: str
) -> None:
    plan = planned(governed, 8)
    governed.apply(plan)
    governed.control.add_fault("status", method="PATCH", status=status, times=None)
    summary = governed.undo(plan)
    assert (len(summary.failures), summary.stopped) == (failures, reason)
    governed.control.clear_faults()
    assert governed.undo(plan).unarchived == 8


def test_a_retry_of_an_undo_tries_first_what_did_not_fail(governed: Governed) -> None:
    plan = planned(governed, 8)
    governed.apply(plan)
    refuse(governed, *plan.reports[:5], what="/unarchive", status=500)
    assert governed.undo(plan).unarchived == 0
    assert governed.undo(plan).unarchived == 3


def test_a_token_that_may_nothing_stops_an_undo_after_a_few_reports(governed: Governed) -> None:
    plan = planned(governed, 25)
    governed.apply(plan)
    governed.control.add_fault("status", method="PATCH", status=403, times=None)
    summary = governed.undo(plan)
    assert summary.stopped is not None
    assert len(summary.failures) == 20


def test_a_retry_of_an_undo_tries_first_the_schedules_that_did_not_fail(governed: Governed) -> None:
    plan = planned(governed, 8, schedules=1)
    governed.apply(plan)
    first = sorted(plan.reports)[:5]
    governed.control.add_fault("status", method="POST", path=f"({'|'.join(first)})/schedules$", status=503, times=None)
    assert governed.undo(plan).schedules_recreated == {}
    assert len(governed.undo(plan).schedules_recreated) == 3
