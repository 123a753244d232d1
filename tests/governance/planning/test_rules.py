# SPDX-License-Identifier: Apache-2.0
"""The rules of a policy beyond plain staleness: shorter windows, schedules, protections, a condition in SQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_studio.governance.errors import PlanError, PolicyError
from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.audit import newest_plan_path
from airflow_provider_studio.governance.plans.models import ActionKind, Rule, SpareReason
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from tests.governance.conftest import NOW, Governed, ago
from tests.governance.planning.test_planning import reasons


def meanings(plan: Plan) -> str:
    return "; ".join(fact.meaning for action in plan.actions for fact in action.evidence)


def test_where_the_owner_left_fewer_days_are_enough(governed: Governed) -> None:
    people = [member.username or "" for member in governed.client.list_members()]
    left, stays = governed.report(creator="long-gone"), governed.report(creator=people[0])
    governed.nights(60, 0)
    plan = governed.plan(unviewed_days=90, owner_left_days=50)
    assert plan.reports == (left,)
    assert "its owner long-gone is no longer a member" in meanings(plan)
    (fact,) = [fact for fact in plan.actions[0].evidence if fact.field == "creator"]
    assert fact.source == "memberships"
    assert reasons(governed, unviewed_days=90, owner_left_days=50) == {stays: SpareReason.UNPROVEN}


@pytest.mark.parametrize("status", [403, 404])
def test_nobody_counts_as_having_left_where_members_cannot_be_read(governed: Governed, status: int) -> None:
    left = governed.report(creator="long-gone")
    governed.nights(60, 0)
    governed.control.add_fault("status", path="/memberships", status=status, times=None)
    assert reasons(governed, unviewed_days=90, owner_left_days=50) == {left: SpareReason.UNPROVEN}


def test_without_a_query_or_a_run_fewer_days_are_enough(governed: Governed) -> None:
    empty, plain = governed.report(query_count=0), governed.report()
    governed.nights(40, 0)
    plan = governed.plan(unviewed_days=90, empty_days=30)
    assert plan.reports == (empty,)
    assert "it has no query" in meanings(plan)
    never = governed.plan(unviewed_days=None, never_run_days=30)
    assert set(never.reports) == {empty, plain}
    assert "it never ran" in meanings(never)
    governed.client.create_report_run(plain)
    governed.control.advance(timedelta(hours=1))
    governed.night(-1)
    assert reasons(governed, unviewed_days=None, never_run_days=30) == {plain: SpareReason.UNMATCHED}


def test_a_viewed_report_without_a_query_is_spared(governed: Governed) -> None:
    empty = governed.report(query_count=0)
    governed.night(40)
    governed.control.view(empty)
    governed.nights(20, 0)
    assert reasons(governed, unviewed_days=None, empty_days=30) == {empty: SpareReason.VIEWED}


def show_failure(governed: Governed, report: str, nights: int, *, times: int | None = None) -> None:
    """Let lists of a Report's schedules show a run that failed `nights` nights ago.

    :param times: how many lists show it; all by default.
    """
    at = ago(nights)
    body = next(iter(governed.client.list_schedules(report))).to_json() | {
        "last_run_at": (at - timedelta(hours=2)).isoformat(),
        "last_succeeded_at": ago(200).isoformat(),
    }
    page = {"_embedded": {"report_schedules": [body]}}
    governed.control.add_fault("status", path=f"{report}/schedules$", status=200, body=page, times=times)


def failing_schedule(governed: Governed, nights: int) -> str:
    """A viewed Report whose schedule failed on each of several nights; returns its token."""
    report = governed.report(schedules=1)
    for number in range(nights, -1, -1):
        show_failure(governed, report, number)
        governed.control.view(report)
        governed.night(number, verify_within=timedelta(days=1))  # the Report itself shows no failure
        if number:
            governed.control.clear_faults()
    return report


def test_a_schedule_that_only_fails_goes_and_its_report_stays(governed: Governed) -> None:
    report = failing_schedule(governed, 4)
    plan = governed.plan(failing_schedule_runs=5)
    (action,) = plan.actions
    assert (action.kind, action.rule, action.report) == (ActionKind.DELETE_SCHEDULE, Rule.FAILING_SCHEDULE, report)
    assert "failed 5 times in a row since 2025-11-13" in meanings(plan)
    assert governed.plan(failing_schedule_runs=6).actions == ()
    assert governed.plan(failing_schedule_runs=5, protected_reports=[report]).actions == ()
    governed.control.clear_faults()
    show_failure(governed, report, 0, times=3)  # the lists before the deletion; the one after it shows the truth
    assert governed.apply(plan).schedules_deleted == 1
    assert not governed.control.state()["reports"][report]["archived"]


def test_a_failing_schedule_that_was_mended_since_is_kept(governed: Governed) -> None:
    failing_schedule(governed, 4)
    plan = governed.plan(failing_schedule_runs=5)
    governed.control.clear_faults()
    assert dict(governed.apply(plan).skipped) == {"succeeded": 1}


def test_schedules_of_archived_reports_go_explicitly(governed: Governed) -> None:
    report = governed.report(schedules=2, archived_at=ago(10).isoformat())
    governed.nights(1, 0)
    assert governed.plan().actions == ()
    plan = governed.plan(schedules_of_archived=True)
    assert [action.rule for action in plan.actions] == [Rule.SCHEDULE_OF_ARCHIVED] * 2
    assert plan.summary()["stale"] == 0
    assert governed.apply(plan).schedules_deleted == 2
    assert governed.control.state()["reports"][report]["archived"]


def test_the_schedules_of_a_report_that_was_unarchived_since_are_kept(governed: Governed) -> None:
    report = governed.report(schedules=1, archived_at=ago(10).isoformat())
    governed.nights(1, 0)
    plan = governed.plan(schedules_of_archived=True)
    governed.client.unarchive_report(report)
    assert dict(governed.apply(plan).skipped) == {"unarchived": 1}


@pytest.mark.parametrize(
    ("fields", "policy", "reason"),
    [
        ({"description": "for the board #KEEP until May"}, {}, SpareReason.KEEP_MARK),
        ({"description": "#hold"}, {"keep_mark": "#hold"}, SpareReason.KEEP_MARK),
        ({"creator": "ada"}, {"protected_owners": ["ada"]}, SpareReason.PROTECTED_OWNER),
    ],
)
def test_marks_and_owners_protect(
    governed: Governed, fields: dict[str, Any], policy: dict[str, Any], reason: SpareReason
) -> None:
    report = governed.report(**fields)
    governed.nights(100, 0)
    assert reasons(governed, **policy) == {report: reason}


def test_a_mark_set_after_the_plan_protects_too(governed: Governed) -> None:
    report = governed.report()
    governed.nights(100, 0)
    plan = governed.plan()
    governed.control.change_report(report, description="wait #keep")
    assert dict(governed.apply(plan).skipped) == {"protected": 1}


def dataset_in_a_snapshot(governed: Governed, dataset: str) -> None:
    """Let the Collection list a dataset among its Reports, as an inventory of datasets would have it."""
    listed = next(dataset for dataset in governed.client.list_collection_datasets(governed.collection))
    assert listed.token == dataset
    page = {"_embedded": {"reports": [listed.to_json()]}}
    governed.control.add_fault("status", path=f"{governed.collection}/reports", status=200, body=page, times=None)
    governed.nights(100, 0)
    governed.control.clear_faults()


def test_a_dataset_that_feeds_a_live_report_is_spared_by_its_name_and_others_as_datasets(governed: Governed) -> None:
    dataset = governed.report("Orders", type="DatasetReport")
    dataset_in_a_snapshot(governed, dataset)
    (spared,) = governed.plan().spared
    assert (spared.reason, spared.detail) == (SpareReason.DATASET, "Studio has no archive for datasets")
    governed.report("Weekly numbers", imported_datasets=[dataset])
    (spared,) = governed.plan().spared
    assert (spared.reason, spared.detail) == (SpareReason.FEEDS, "feeds the live Report Weekly numbers")


@pytest.mark.parametrize("listed", ["projected", "whole"])
@pytest.mark.parametrize("is_in_snapshot", [True, False])
def test_a_dataset_that_feeds_only_archived_reports_feeds_no_live_one(
    governed: Governed, listed: str, is_in_snapshot: bool
) -> None:
    governed.control.set_quirks(dataset_reports=listed)
    dataset = governed.report("Orders", type="DatasetReport")
    elsewhere = governed.control.add_collection("Elsewhere")
    if not is_in_snapshot:
        dataset_in_a_snapshot(governed, dataset)
    old = governed.control.add_report(
        name="Old", collection=elsewhere, imported_datasets=[dataset], archived_at=ago(200).isoformat()
    )
    if is_in_snapshot:
        dataset_in_a_snapshot(governed, dataset)
    governed.control.clear_requests()
    assert reasons(governed)[dataset] == SpareReason.DATASET
    read_alone = any(
        request["path"].endswith(f"/reports/{old}") for request in governed.control.requests_summary()["requests"]
    )
    assert read_alone is (listed == "projected" and not is_in_snapshot)


def test_a_report_that_cannot_be_read_is_not_called_live(governed: Governed) -> None:
    dataset = governed.report("Orders", type="DatasetReport")
    dataset_in_a_snapshot(governed, dataset)
    other = governed.control.add_report(name="Weekly numbers", imported_datasets=[dataset])
    governed.control.add_fault("status", path=f"/reports/{other}", status=403)
    assert reasons(governed)[dataset] == SpareReason.DATASET
    assert reasons(governed)[dataset] == SpareReason.FEEDS


def test_a_condition_in_sql_narrows(governed: Governed) -> None:
    one, other = governed.report("Sandbox: x"), governed.report("Board")
    governed.nights(100, 0)
    condition = "name LIKE 'Sandbox%' AND views_90d = 0 AND\n schedules_count = 0"
    plan = governed.plan(where=condition)
    assert plan.reports == (one,)
    assert "matches name LIKE 'Sandbox%' AND views_90d = 0 AND schedules_count = 0" in meanings(plan)
    assert reasons(governed, where=condition) == {other: SpareReason.UNMATCHED}
    assert governed.plan(unviewed_days=None, where="name = 'Board'").reports == (other,)


@pytest.mark.parametrize(
    ("condition", "match"),
    [
        ("nonsense = 1", 'Referenced column "nonsense" not found.*over these columns: taken_at, token, name'),
        ("views_90d =", "syntax error"),
        ("true; DROP TABLE facts", "more than one statement"),
        ("token IN (SELECT token FROM read_csv('/etc/passwd'))", "file system operations are disabled"),
        ("token IN (SELECT content FROM read_text('/etc/hostname'))", "file system operations are disabled"),
        ("(SELECT count(*) FROM glob('/*')) > 0", "file system operations are disabled"),
        ("view_count", "has the type BIGINT and is not a condition"),
        ("count(*) > 1", "cannot contain aggregates"),
    ],
)
def test_a_bad_condition_is_named_with_the_mend(governed: Governed, condition: str, match: str) -> None:
    governed.report()
    governed.nights(100, 0)
    with pytest.raises(PolicyError, match=match):
        governed.plan(where=condition)


def test_facts_name_their_source_and_age(governed: Governed) -> None:
    governed.report()
    governed.nights(100, 0)
    (action,) = governed.plan().actions
    assert {(fact.source, fact.age_days, fact.observed_at) for fact in action.evidence} == {("rest", 0.0, NOW)}
    assert "updated_at" not in str(action)


def test_a_saving_is_runs_a_week_times_mean_runtime(governed: Governed) -> None:
    report = governed.report(expected_runtime=90.0)
    for cron in ({"freq": "hourly"}, {"freq": "weekly", "day_of_week": "1,3"}, {"freq": "daily"}):
        governed.control.add_schedule(report, cron=cron)
    governed.nights(100, 0)
    plan = governed.plan()
    assert sorted(action.saving.runs_a_week for action in plan.actions if action.saving) == [2.0, 7.0, 168.0]
    assert plan.summary()["runs_saved_a_week"] == 177.0
    assert plan.summary()["hours_saved_a_week"] == round(177 * 90 / 3600, 2)
    assert "saves 177 scheduled runs and 4.4 hours of query time a week" in plan.to_markdown()


def test_a_plan_says_what_changed_since_the_previous_one(governed: Governed) -> None:
    first, second = governed.report("First"), governed.report("Second")
    governed.nights(100, 0)
    before = governed.plan()
    before.write(governed.storage)
    governed.control.view(first)
    third = governed.report("Third", extra_views=0)
    governed.night(-1)
    plan = governed.plan()
    assert plan.header.previous_plan == before.plan_id
    diff = plan.diff(before)
    assert [action.report for action in diff.new] == [third]
    assert [(action.report, reason) for action, reason in diff.gone] == [(first, "viewed")]
    assert diff.unchanged == 1
    shown = plan.to_markdown(previous=before)
    assert f"Since the previous plan {before.plan_id}: 1 new action (Third), 1 gone (1 viewed), 1 unchanged." in shown
    assert second in shown


def test_a_snapshot_from_the_future_tells_of_a_wrong_clock(governed: Governed) -> None:
    governed.report()
    governed.nights(100, -3)
    with pytest.raises(PlanError, match="a clock was wrong, then or now"):
        make_plan(governed.storage, "acme", StalenessPolicy(), now=lambda: NOW)


def test_an_earlier_plan_whose_policy_would_be_refused_today_does_not_stop_a_new_one(governed: Governed) -> None:
    governed.report()
    governed.nights(100, 0)
    earlier = governed.plan()
    policy = {**earlier.header.policy, "protected_names": [" "], "a_field_of_the_future": 7}
    header = earlier.header.model_copy(update={"policy": policy, "sha256": "", "plan_id": ""})
    path = Plan(header, earlier.actions, earlier.spared).write(governed.storage)
    assert newest_plan_path(governed.storage) == path
    governed.night(-1)
    assert governed.plan().header.previous_plan == path.stem


@pytest.mark.parametrize("rule", ["failing", "archived"])
def test_a_schedule_is_kept_if_its_report_was_moved_into_a_collection_that_is_protected_by_name(
    governed: Governed, rule: str
) -> None:
    finance = governed.control.add_collection("Finance")
    if rule == "failing":
        report = failing_schedule(governed, 4)
    else:
        report = governed.report(schedules=1, archived_at=ago(10).isoformat())
        governed.nights(1, 0)
    rules: dict[str, Any] = {"failing": {"failing_schedule_runs": 5}, "archived": {"schedules_of_archived": True}}[rule]
    plan = governed.plan(unviewed_days=None, protected_collections=["finance"], **rules)
    assert plan.reports == (report,)
    governed.control.change_report(report, collection=finance)
    assert dict(governed.apply(plan).skipped) == {"moved": 1}
