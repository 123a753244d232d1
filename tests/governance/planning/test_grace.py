# SPDX-License-Identifier: Apache-2.0
"""The grace period: calendar days from the first flag, continued per plan name, and never shortened."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio.governance.errors import PlanError, PolicyError, StorageError
from airflow_provider_studio.governance.planning import previous_plans
from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.audit import Audit
from airflow_provider_studio.governance.plans.models import PlanHeader, Spared, SpareReason
from airflow_provider_studio.governance.plans.notification_text import due_reports, owner_notices
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from tests.governance.conftest import NOW, Governed

TODAY = NOW.date()


def in_days(days: int) -> date:
    return TODAY + timedelta(days=days)


def planned(governed: Governed, days_later: float = 0, *, name: str = "nightly.plan", **policy: Any) -> Plan:
    """Take an inventory that many days after the first, and write its plan."""
    governed.night(-days_later)
    plan = make_plan(
        governed.storage, "acme", StalenessPolicy(**policy), name=name, client=governed.client, now=lambda: governed.now
    )
    plan.write(governed.storage)
    return plan


def due(plan: Plan) -> list[tuple[str, date | None]]:
    """What the plan only flags, with its date."""
    return [(item.report, item.due_on) for item in plan.spared if item.reason is SpareReason.GRACE]


@pytest.fixture
def stale(governed: Governed) -> str:
    """A Report that is stale in every plan of a test."""
    report = governed.report(schedules=1)
    governed.night(100)
    return report


def test_three_plans_within_twenty_minutes_use_up_no_day_of_the_grace(governed: Governed, stale: str) -> None:
    for minutes in (0, 10, 20, 30):
        plan = planned(governed, minutes / 1440, grace_days=2)
        assert (plan.actions, due(plan)) == ((), [(stale, in_days(2))])


def test_what_was_first_flagged_that_many_calendar_days_ago_is_due(governed: Governed, stale: str) -> None:
    for days in (0, 1):
        plan = planned(governed, days, grace_days=2)
        assert (plan.actions, due(plan)) == ((), [(stale, in_days(2))])
    plan = planned(governed, 2, grace_days=2)
    assert plan.reports == (stale,)
    assert len(plan.actions) == 2
    assert {(action.flagged_on, action.due_on) for action in plan.actions} == {(TODAY, in_days(2))}


def test_a_day_without_a_plan_loses_nothing_that_was_flagged(governed: Governed, stale: str) -> None:
    planned(governed, 0, grace_days=3)
    assert planned(governed, 5, grace_days=3).reports == (stale,)


def test_a_plan_that_starts_at_another_time_of_day_counts_calendar_days(governed: Governed, stale: str) -> None:
    planned(governed, 0.8, grace_days=1)  # 22:12 on the first day
    plan = planned(governed, 0.9, grace_days=1)  # 00:36 on the second
    assert plan.reports == (stale,)


def test_a_plan_in_between_that_does_not_flag_it_restarts_the_wait(governed: Governed, stale: str) -> None:
    planned(governed, 0, grace_days=2)
    planned(governed, 1, grace_days=2, protected_reports=[stale])
    plan = planned(governed, 2, grace_days=2)
    assert (plan.actions, due(plan)) == ((), [(stale, in_days(4))])


def test_a_second_plan_of_one_snapshot_that_does_not_flag_it_restarts_the_wait_too(
    governed: Governed, stale: str
) -> None:
    planned(governed, 0, grace_days=1)
    governed.now += timedelta(minutes=1)
    policy = StalenessPolicy(grace_days=1, protected_reports=[stale])
    make_plan(governed.storage, "acme", policy, name="nightly.plan", now=lambda: governed.now).write(governed.storage)
    assert due(planned(governed, 1, grace_days=1)) == [(stale, in_days(2))]


def test_a_promised_date_does_not_move_when_the_grace_is_shortened(governed: Governed, stale: str) -> None:
    planned(governed, 0, grace_days=7)
    for days, grace in ((1, 2), (2, 0), (6, 1)):
        plan = planned(governed, days, grace_days=grace)
        assert (plan.actions, due(plan)) == ((), [(stale, in_days(7))])
    assert planned(governed, 7, grace_days=2).reports == (stale,)


def test_a_longer_grace_counts_from_the_first_flag(governed: Governed, stale: str) -> None:
    planned(governed, 0, grace_days=2)
    assert due(planned(governed, 1, grace_days=10)) == [(stale, in_days(10))]
    assert due(planned(governed, 2, grace_days=2)) == [(stale, in_days(10))]


def test_a_grace_that_is_introduced_later_counts_from_the_first_flag(governed: Governed, stale: str) -> None:
    assert planned(governed, 0).reports == (stale,)
    assert due(planned(governed, 1, grace_days=3)) == [(stale, in_days(3))]


def test_what_was_archived_and_taken_back_is_promised_a_new_wait(governed: Governed, stale: str) -> None:
    planned(governed, 0, grace_days=1)
    plan = planned(governed, 1, grace_days=1)
    assert governed.apply(plan).archived == 1
    governed.undo(plan)
    assert due(planned(governed, 2, grace_days=1)) == [(stale, in_days(3))]


def test_what_failed_to_be_archived_keeps_its_date(governed: Governed, stale: str) -> None:
    planned(governed, 0, grace_days=1)
    governed.control.add_fault("status", method="PATCH", status=500, times=None)
    governed.apply(planned(governed, 1, grace_days=1))
    governed.control.clear_faults()
    assert [action.due_on for action in planned(governed, 2, grace_days=1).actions] == [in_days(1)]


def test_each_schedule_has_a_date_of_its_own(governed: Governed) -> None:
    report = governed.report(schedules=1, archived_at=(NOW - timedelta(days=10)).isoformat())
    rules: dict[str, Any] = {"unviewed_days": None, "schedules_of_archived": True, "grace_days": 2}
    planned(governed, 0, **rules)
    governed.control.add_schedule(report, cron={"hour": 7})
    governed.control.change_report(report, description="other")  # so that its schedules are read again
    plan = planned(governed, 1, **rules)
    assert {item.due_on for item in plan.spared} == {in_days(2), in_days(3)}
    assert sorted(report.when for report in due_reports(plan)) == [f"due on {in_days(2)}", f"due on {in_days(3)}"]


def test_a_plan_that_only_tidies_schedules_does_not_touch_the_grace_of_reports(governed: Governed, stale: str) -> None:
    planned(governed, 0, grace_days=2)
    planned(governed, 1, unviewed_days=None, schedules_of_archived=True)
    assert planned(governed, 2, grace_days=2).reports == (stale,)


def test_two_dags_with_other_policies_do_not_disturb_each_other(governed: Governed, stale: str) -> None:
    first = planned(governed, 0, name="strict.plan", grace_days=2)
    planned(governed, 0.1, name="lax.plan", unviewed_days=3000)
    planned(governed, 1, name="lax.plan", unviewed_days=3000)
    second = planned(governed, 1.1, name="strict.plan", grace_days=2)
    assert due(second) == [(stale, in_days(2))]
    assert second.header.previous_plan == first.plan_id
    planned(governed, 1.9, name="lax.plan", unviewed_days=3000)
    assert planned(governed, 2, name="strict.plan", grace_days=2).reports == (stale,)


def test_the_flags_of_one_dag_are_no_promise_of_another(governed: Governed, stale: str) -> None:
    planned(governed, 0, name="one.plan", grace_days=2)
    plan = planned(governed, 2, name="other.plan", grace_days=2)
    assert (plan.actions, due(plan), plan.header.previous_plan) == ((), [(stale, in_days(4))], None)


def test_what_studio_refused_is_known_to_plans_of_every_name(governed: Governed, stale: str) -> None:
    governed.control.add_fault("status", method="PATCH", path=stale, status=403, times=None)
    governed.apply(planned(governed, 0, name="one.plan"))
    (item,) = planned(governed, 1, name="other.plan").spared
    assert item.reason is SpareReason.REFUSED


def test_a_plan_without_a_name_is_compared_with_none(governed: Governed, stale: str) -> None:
    plan = planned(governed, 0, grace_days=2)
    unnamed = plan.header.model_copy(update={"name": None, "plan_id": "", "sha256": ""})
    Plan(unnamed, plan.actions, plan.spared).write(governed.storage)
    next(path for path in plan_files(governed) if path.stem == plan.plan_id).unlink()
    later = planned(governed, 2, grace_days=2)
    assert (due(later), later.header.previous_plan) == ([(stale, in_days(4))], None)


def plan_files(governed: Governed) -> list[UPath]:
    return list((governed.storage / "plans" / "workspace=acme").glob("*.jsonl"))


def test_an_earlier_plan_that_was_damaged_only_delays(governed: Governed, stale: str) -> None:
    planned(governed, 0, grace_days=1)
    (path,) = plan_files(governed)
    path.write_text(path.read_text().replace('"Old"', '"New"'))
    (path.parent / "broken.jsonl").write_text("nonsense")
    assert due(planned(governed, 1, grace_days=1)) == [(stale, in_days(2))]


def test_an_earlier_plan_that_cannot_be_read_now_fails_the_task_instead_of_restarting_every_wait(
    governed: Governed, stale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(governed, 0, grace_days=1)

    def unreachable(self: Audit, plan_id: str) -> Plan:
        raise StorageError(f"Cannot read the plan {plan_id}: timed out")

    monkeypatch.setattr(previous_plans.Audit, "plan", unreachable)
    with pytest.raises(StorageError, match="timed out"):
        planned(governed, 1, grace_days=1)


def test_an_earlier_plan_from_the_future_tells_of_a_wrong_clock(governed: Governed, stale: str) -> None:
    governed.night(0)
    policy = StalenessPolicy(grace_days=1)
    ahead = make_plan(governed.storage, "acme", policy, name="nightly.plan", now=lambda: NOW + timedelta(days=30))
    ahead.write(governed.storage)
    with pytest.raises(PlanError, match=rf"{ahead.plan_id}.*2026-07-01.*clock"):
        make_plan(governed.storage, "acme", policy, name="nightly.plan", now=lambda: NOW)
    other = make_plan(governed.storage, "acme", policy, name="other.plan", now=lambda: NOW)
    assert due(other) == [(stale, in_days(1))]


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 1000])
def test_a_name_that_is_none_is_refused(governed: Governed, stale: str, name: str) -> None:
    with pytest.raises(PlanError, match="plan_name is "):
        planned(governed, 0, name=name)


def test_a_policy_that_counts_nights_says_what_to_write_instead() -> None:
    with pytest.raises(PolicyError, match=r"grace_nights.*grace_days"):
        StalenessPolicy(grace_nights=3)


def test_the_date_is_shown_wherever_people_read_of_the_plan(governed: Governed) -> None:
    report = governed.report("Waiting", creator="ada")
    governed.night(100)
    plan = planned(governed, 0, grace_days=3)
    due = f"due on {in_days(3)}"
    assert due in plan.to_markdown()
    assert due in plan.spared[0].detail
    (notice,) = owner_notices(plan)
    assert due in notice.text
    assert due in notice.html
    assert (plan.summary()["next_due_on"], plan.summary()["due_later"]) == (in_days(3).isoformat(), 1)
    (line,) = [line for line in plan_files(governed)[0].read_text().splitlines() if report in line]
    assert (json.loads(line)["due_on"], "nights_left" in json.loads(line)) == (in_days(3).isoformat(), False)
    assert "3 days after it was first flagged" in plan.header.policy_in_words


def test_a_plan_that_an_earlier_version_wrote_with_grace_nights_can_still_be_applied(
    governed: Governed, stale: str
) -> None:
    plan = planned(governed)
    policy = {name: value for name, value in plan.header.policy.items() if name != "grace_days"} | {"grace_nights": 2}
    header = plan.header.model_copy(update={"policy": policy, "name": None, "plan_id": "", "sha256": ""})
    actions = [action.model_copy(update={"flagged_on": None, "due_on": None}) for action in plan.actions]
    path = Plan(header, actions, plan.spared).write(governed.storage)
    assert governed.apply(Plan.read(path, workspace="acme")).archived == 1


def test_the_grace_that_an_earlier_version_promised_is_read_but_has_no_date() -> None:
    waiting = Spared(report="0a1b2c3d4e5f", report_name="Old", reason=SpareReason.GRACE, detail="", nights_left=2)
    assert json.loads(waiting.line())["nights_left"] == 2
    header = PlanHeader(
        workspace="acme",
        snapshot="snapshots/x",
        taken_at=NOW,
        created_at=NOW,
        policy={},
        policy_in_words="",
        reports_in_snapshot=1,
    )
    (due_later,) = due_reports(Plan(header, [], [waiting]))
    assert due_later.when == "due on an unknown day"
    assert "1 Report due on an unknown day" in Plan(header, [], [waiting]).to_markdown()
