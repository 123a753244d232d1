# SPDX-License-Identifier: Apache-2.0
"""What governance did can be read back: each action's status, and who did what, when, with which answer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from upath import UPath

from airflow_provider_studio.governance.errors import PlanError, StorageError
from airflow_provider_studio.governance.plans.audit import (
    ActionState,
    Audit,
    newest_plan_path,
    workspace_of,
    workspaces,
)
from airflow_provider_studio.governance.plans.journal import PLAN, Event, Journal, parsed_name
from airflow_provider_studio.governance.plans.plan import Plan
from tests.governance.conftest import ACTOR, Governed, built_once
from tests.governance.nights import NOW
from tests.governance.small_plans import action, plan_of


@pytest.fixture
@built_once
def plan(governed: Governed) -> Plan:
    """A written plan for two dead Reports, one with a schedule."""
    governed.report("Dead 1", schedules=1)
    governed.report("Dead 2")
    governed.nights(100, 0)
    plan = governed.plan()
    plan.write(governed.storage)
    return plan


@pytest.fixture
def audit(governed: Governed) -> Audit:
    return Audit(governed.storage, "acme")


def test_a_plan_that_nobody_carried_out_is_only_proposed(governed: Governed, plan: Plan, audit: Audit) -> None:
    assert {status.state for status in audit.action_statuses(plan.plan_id)} == {ActionState.PROPOSED}
    assert workspaces(governed.storage) == ["acme"]
    assert [header.plan_id for header in audit.headers()] == [plan.plan_id]
    assert audit.events() == []


def test_each_actions_fate_is_told_with_who_and_when(governed: Governed, plan: Plan, audit: Audit) -> None:
    broken = plan.reports[0]
    governed.control.add_fault("status", path=f"{broken}/archive", status=403, times=None)
    governed.apply(plan)
    statuses = {status.action.action_id: status for status in audit.action_statuses(plan.plan_id)}
    failed = statuses[f"archive_report-{broken}"]
    assert failed.state is ActionState.FAILED
    assert failed.last is not None
    assert failed.last.http_status == 403
    assert "answered 403" in (failed.last.error or "")
    done = [status for status in statuses.values() if status.state is ActionState.DONE]
    assert len(done) == 2
    assert all(status.last and status.last.actor == ACTOR for status in done)
    (plan_status,) = audit.plan_statuses()
    assert plan_status.states == {ActionState.DONE: 2, ActionState.FAILED: 1}
    governed.control.clear_faults()
    governed.undo(plan)
    states = audit.states(plan.plan_id)
    assert states[f"archive_report-{plan.reports[1]}"] is ActionState.UNDONE


def test_events_are_told_in_order_and_by_report(governed: Governed, plan: Plan, audit: Audit) -> None:
    governed.apply(plan)
    events = audit.events()
    assert [event.at for event in events] == sorted(event.at for event in events)
    plain = next(action.report for action in plan.actions if not action.baseline.schedules)
    of_one = audit.events(report=plain, plan_id=plan.plan_id)
    assert [(event.event, event.report) for event in of_one] == [(Event.INTENT, plain), (Event.DONE, plain)]
    assert audit.events(since=events[-1].at) == events[-1:]


def test_the_newest_answer_to_an_approval_counts(governed: Governed, plan: Plan, audit: Audit) -> None:
    journal = Journal(governed.storage, "acme", plan.plan_id, actor={"approver": "ada"})
    journal.write(PLAN, Event.REJECTED)
    journal.write(PLAN, Event.APPROVED, decision="all")
    approval = audit.plan_status(plan.plan_id).approval
    assert approval is not None
    assert (approval.event, approval.actor) == (Event.APPROVED, {"approver": "ada"})
    assert audit.states(plan.plan_id) == {}


def test_a_plan_that_is_not_there_is_named(audit: Audit) -> None:
    assert list(audit.plan_statuses()) == []
    with pytest.raises(StorageError, match="Cannot read the plan"):
        audit.plan("0123456789ab")


@pytest.mark.parametrize("event", Event)
def test_a_name_tells_its_event(event: Event) -> None:
    assert parsed_name(f"delete_schedule-0a-1b.{event.value}.json") == ("delete_schedule-0a-1b", event)
    assert parsed_name(".probe-1234") is None
    assert parsed_name("x.something.json") is None


def test_the_workspace_is_the_one_that_is_named_or_the_only_one(storage: UPath) -> None:
    with pytest.raises(PlanError, match=r"No workspace is named, and the storage has none under .*Name one"):
        workspace_of(storage, None)
    assert workspace_of(storage, "acme") == "acme", "a first plan may be made for it"
    plan_of(action()).write(storage)
    assert workspace_of(storage, None) == "acme"
    assert workspace_of(storage, "other") == "other"
    plan_of(action(), workspace="other").write(storage)
    with pytest.raises(PlanError, match=r"the storage has several: acme, other\. Name one"):
        workspace_of(storage, None)


def test_the_newest_plan_is_one_for_stale_reports(storage: UPath) -> None:
    with pytest.raises(PlanError, match="There is no plan for stale Reports of 'acme'"):
        newest_plan_path(storage, "acme")
    later = [NOW + timedelta(hours=hours) for hours in range(4)]
    old, new = (plan_of(action(), created_at=at) for at in later[:2])
    named = plan_of(action(), created_at=later[2], snapshot=None, policy={})
    schedules = plan_of(action(), created_at=later[3], policy={"schedules_of_archived": True})
    paths = {plan: plan.write(storage) for plan in (named, new, old, schedules)}
    assert newest_plan_path(storage) == newest_plan_path(storage, "acme") == paths[new]
    newest_first = [schedules, named, new, old]
    assert [header.plan_id for header in Audit(storage, "acme").headers()] == [
        header.plan_id for header in newest_first
    ]


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([Event.INTENT], ActionState.INTERRUPTED),
        ([Event.INTENT, Event.RESUMED], ActionState.INTERRUPTED),
        ([Event.INTENT, Event.FAILED], ActionState.FAILED),
        ([Event.SKIPPED], ActionState.SKIPPED),
        ([Event.INTENT, Event.FAILED, Event.SKIPPED], ActionState.SKIPPED),
        ([Event.INTENT, Event.FAILED, Event.DONE], ActionState.DONE),
        ([Event.INTENT, Event.SKIPPED, Event.DONE], ActionState.DONE),
        ([Event.INTENT, Event.DONE, Event.UNDO_INTENT], ActionState.DONE),
        ([Event.INTENT, Event.DONE, Event.UNDO_FAILED], ActionState.UNDO_FAILED),
        ([Event.INTENT, Event.DONE, Event.UNDO_FAILED, Event.UNDONE], ActionState.UNDONE),
        ([Event.RESUMED], ActionState.PROPOSED),
    ],
)
def test_what_was_done_outweighs_what_was_not(storage: UPath, events: list[Event], state: ActionState) -> None:
    plan = plan_of(action())
    plan.write(storage)
    for order in (events, events[::-1]):
        journal = Journal(storage, "acme", plan.plan_id, actor={}, sha256=plan.sha256)
        for event in order:
            journal.write(plan.actions[0], event)
        audit = Audit(storage, "acme")
        assert audit.states(plan.plan_id) == {plan.actions[0].action_id: state}
        (status,) = audit.action_statuses(plan.plan_id)
        assert status.state is state


def test_only_failures_that_nothing_settled_since_are_listed_the_newest_of_each(storage: UPath) -> None:
    one, other, done = action("0a"), action("0b"), action("0c")
    plan = plan_of(one, other, done)
    for seconds, failed in ((1, one), (3, one), (2, one), (0, done), (0, other)):
        clock = NOW + timedelta(seconds=seconds)
        journal = Journal(storage, "acme", plan.plan_id, actor={}, sha256=plan.sha256, now=lambda at=clock: at)
        journal.write(failed, Event.FAILED, error=f"after {seconds} s")
    Journal(storage, "acme", plan.plan_id, actor={}).write(done, Event.DONE)
    found = {each.report: each.error for each in Audit(storage, "acme").failed(plan.plan_id)}
    assert found == {"0a": "after 3 s", "0b": "after 0 s"}
