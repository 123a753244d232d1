# SPDX-License-Identifier: Apache-2.0
"""What a plan says of each Report: stale with proof, or spared with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.governance.errors import PlanError
from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.models import ActionKind, SpareReason
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from tests.governance.conftest import Governed, ago


def reasons(governed: Governed, **policy: Any) -> dict[str, SpareReason]:
    return {item.report: item.reason for item in governed.plan(**policy).spared}


def test_a_report_unviewed_for_the_window_is_stale_with_its_evidence(governed: Governed) -> None:
    report = governed.report()
    governed.nights(100, 50, 0)
    plan = governed.plan(unrun_days=90)
    (action,) = plan.actions
    assert (action.kind, action.report) == (ActionKind.ARCHIVE_REPORT, report)
    meanings = {fact.field: fact.meaning for fact in action.evidence}
    assert meanings["view_count"] == f"not viewed since {ago(100):%Y-%m-%d} (5 views then and now)"
    assert meanings["edited_at"] == f"last edited {ago(365):%Y-%m-%d}"
    assert meanings["last_run_by_person_at"] == "run by a person: never"
    assert governed.changes() == []


def test_a_history_shorter_than_the_window_proves_nothing(governed: Governed) -> None:
    report = governed.report()
    governed.nights(89, 0)
    assert reasons(governed) == {report: SpareReason.UNPROVEN}
    governed.nights(91)
    assert reasons(governed) == {}


def test_the_proof_needs_an_anchor_exactly_as_old_as_the_window(governed: Governed) -> None:
    governed.report()
    governed.nights(90, 0)
    assert len(governed.plan(unviewed_days=90).actions) == 1


def test_a_report_that_was_never_viewed_needs_no_history(governed: Governed) -> None:
    report = governed.report(extra_views=0)
    governed.night()
    assert governed.plan().reports == (report,)


def test_a_report_younger_than_the_window_and_never_viewed_is_unproven(governed: Governed) -> None:
    report = governed.report(extra_views=0, created_at=ago(60).isoformat(), edited_at=ago(60).isoformat())
    governed.night()
    assert reasons(governed, unviewed_days=30) == {}
    assert reasons(governed, unviewed_days=90) == {report: SpareReason.EDITED}


@pytest.mark.parametrize("days", [80, 10])
def test_one_view_within_the_window_is_a_sign_of_life(governed: Governed, days: int) -> None:
    report = governed.report()
    governed.nights(120, 100)
    governed.control.view(report)
    governed.nights(days, 0)
    assert reasons(governed) == {report: SpareReason.VIEWED}


def test_views_before_the_window_are_none(governed: Governed) -> None:
    report = governed.report()
    governed.night(200)
    governed.control.view(report, 7)
    governed.nights(100, 0)
    assert governed.plan().reports == (report,)


def test_a_view_count_that_moved_and_came_back_is_a_sign_of_life(governed: Governed) -> None:
    report = governed.report()
    governed.night(100)
    governed.control.view(report, 3)
    governed.night(50)
    governed.control.view(report, -3)
    governed.night()
    assert reasons(governed) == {report: SpareReason.VIEWED}


def test_the_young_the_edited_and_the_run_are_spared(governed: Governed) -> None:
    young = governed.report(created_at=ago(20).isoformat(), edited_at=ago(20).isoformat())
    edited = governed.report(edited_at=ago(40).isoformat())
    run = governed.report()
    governed.nights(120, 100)
    governed.control.set_clock(ago(30))
    governed.client.create_report_run(run)
    governed.night()
    assert reasons(governed, unrun_days=60) == {
        young: SpareReason.YOUNG,
        edited: SpareReason.EDITED,
        run: SpareReason.RUN,
    }
    assert governed.plan(unrun_days=20).reports == (run,)
    assert governed.plan().reports == (run,), "without unrun_days, runs are ignored"


def test_a_schedules_runs_are_no_sign_of_life(governed: Governed) -> None:
    report = governed.report(schedules=1)
    governed.nights(100, 50, 1, 0)
    plan = governed.plan(unrun_days=90)
    assert [action.kind for action in plan.actions] == [ActionKind.DELETE_SCHEDULE, ActionKind.ARCHIVE_REPORT]
    assert plan.reports == (report,)


def test_behind_a_schedules_runs_a_persons_may_hide_until_history_is_long_enough(governed: Governed) -> None:
    report = governed.report(schedules=1, extra_views=0)
    governed.night()
    assert reasons(governed, unrun_days=30) == {report: SpareReason.UNPROVEN}


def test_archived_reports_are_no_business_of_a_plan(governed: Governed) -> None:
    governed.report(archived_at=ago(10).isoformat())
    governed.nights(100, 0)
    plan = governed.plan()
    assert (plan.actions, plan.spared, plan.header.reports_in_snapshot) == ((), (), 1)


def test_a_stale_report_that_was_taken_out_of_its_collection_is_spared(governed: Governed) -> None:
    outside, inside = governed.report(), governed.report()
    governed.night(100)
    governed.control.change_report(outside, collection=None)
    governed.night()
    plan = governed.plan()
    assert plan.reports == (inside,)
    (item,) = plan.spared
    assert (item.report, item.reason) == (outside, SpareReason.UNPROVEN)
    assert "in no Collection" in item.detail


def test_the_schedule_of_an_archived_report_in_no_collection_is_deleted(governed: Governed) -> None:
    outside = governed.report(schedules=1)
    governed.night(1)
    governed.client.archive_report(outside)
    governed.control.change_report(outside, collection=None)
    governed.night()
    plan = governed.plan(schedules_of_archived=True)
    assert [(action.report, action.baseline.collection) for action in plan.actions] == [(outside, None)]
    assert governed.apply(plan).schedules_deleted == 1


@pytest.mark.parametrize("how", ["token", "name"])
def test_protected_collections_by_token_or_name(governed: Governed, how: str) -> None:
    report = governed.report()
    governed.nights(100, 0)
    collection = governed.control.state()["collections"][governed.collection]
    named = governed.collection if how == "token" else collection["name"]
    assert reasons(governed, protected_collections=[named]) == {report: SpareReason.PROTECTED_COLLECTION}


def test_protected_reports_and_names(governed: Governed) -> None:
    named, token = governed.report("Board: DO NOT ARCHIVE"), governed.report()
    governed.nights(100, 0)
    found = reasons(governed, protected_names=["*do not archive*"], protected_reports=[token])
    assert found == {named: SpareReason.PROTECTED_NAME, token: SpareReason.PROTECTED_REPORT}


def test_what_studio_does_not_tell_is_no_proof(governed: Governed) -> None:
    body = {"_embedded": {"reports": [{"token": "0123456789ab", "archived": False, "schedules_count": 0}]}}
    governed.control.add_fault("status", path=f"{governed.collection}/reports", status=200, body=body, times=None)
    governed.nights(100, 0)
    (item,) = governed.plan().spared
    assert item.reason is SpareReason.UNPROVEN
    assert item.detail == "Studio did not return created_at, edited_at, view_count"


def test_a_night_in_which_a_collection_could_not_be_read_proves_nothing_wrong(governed: Governed) -> None:
    report = governed.report()
    governed.night(100)
    governed.control.add_fault("status", path=f"{governed.collection}/reports", status=403, times=1)
    governed.nights(50, 0)
    assert governed.plan().reports == (report,)


def test_a_plan_is_made_from_the_snapshot_that_was_named(governed: Governed) -> None:
    report = governed.report()
    governed.night(100)
    named = governed.night(5)
    governed.control.view(report)
    governed.night()
    plan = make_plan(governed.storage, "acme", StalenessPolicy(), snapshot=named.snapshot)
    assert plan.reports == (report,)
    assert reasons(governed) == {report: SpareReason.VIEWED}


def test_without_a_snapshot_there_is_no_plan(governed: Governed) -> None:
    with pytest.raises(PlanError, match="Run the inventory first"):
        governed.plan()
    governed.night()
    with pytest.raises(PlanError, match="no finished snapshot 'snapshots/x'"):
        make_plan(governed.storage, "acme", StalenessPolicy(), snapshot="snapshots/x")


def test_the_same_nights_and_policy_make_the_same_plan(governed: Governed) -> None:
    for number in range(5):
        governed.report(f"Old {number}", schedules=number % 2)
    governed.nights(100, 0)
    assert governed.plan().plan_id == governed.plan().plan_id
    assert governed.plan(unviewed_days=60).plan_id != governed.plan().plan_id
