# SPDX-License-Identifier: Apache-2.0
"""Only an approval of exactly this plan permits anything; whatever is missing, older or different means no."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio.governance.errors import ApprovalError, PlanError, PlanTamperedError
from airflow_provider_studio.governance.plans.approval import permission_for, referenced_plan
from airflow_provider_studio.governance.plans.journal import PLAN, Event, Journal
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.governance.plans.plan import Plan
from tests.governance.nights import NOW
from tests.governance.small_plans import action, plan_of

EVERYTHING = frozenset(ActionKind)
SCHEDULES = frozenset({ActionKind.DELETE_SCHEDULE})


@pytest.fixture
def plan(storage: UPath) -> Plan:
    made = plan_of(action(), action(schedule="5c4ed0000001"))
    made.write(storage)
    return made


def answer(
    storage: UPath, plan: Plan, event: Event = Event.APPROVED, *, minutes: int = 0, by: str | None = "ada", **facts: Any
) -> None:
    """Write an answer into the journal as the task that asks for approval does."""
    sha256 = facts.pop("sha256", plan.sha256)
    actor = {} if by is None else {"approver": by}
    clock = NOW + timedelta(minutes=minutes)
    journal = Journal(storage, plan.workspace, plan.plan_id, actor=actor, now=lambda: clock)
    journal._sha256 = sha256  # what another version of the provider, or another plan, would write
    journal.write(PLAN, event, **facts)


def value(plan: Plan, decision: str = "all", **fields: Any) -> dict[str, Any]:
    """What the task that asks for approval returns."""
    return {"plan_id": plan.plan_id, "decision": decision, "sha256": plan.sha256, **fields}


@pytest.mark.parametrize(("decision", "kinds"), [("all", EVERYTHING), ("schedules", SCHEDULES)])
@pytest.mark.parametrize("required", [True, False])
def test_an_approval_permits_what_was_approved_and_names_the_approver(
    storage: UPath, plan: Plan, decision: str, kinds: frozenset[ActionKind], required: bool
) -> None:
    answer(storage, plan, decision=decision)
    permission = permission_for(plan, value(plan, decision) if required else None, storage, required=required)
    assert (permission.kinds, permission.approver) == (kinds, "ada")


def test_approval_is_required_unless_the_caller_says_otherwise(storage: UPath, plan: Plan) -> None:
    with pytest.raises(ApprovalError, match="approval is None"):
        permission_for(plan, None, storage)


def test_without_an_answer_all_is_permitted_only_where_no_approval_is_required(storage: UPath, plan: Plan) -> None:
    permission = permission_for(plan, None, storage, required=False)
    assert (permission.kinds, permission.approver) == (EVERYTHING, None)
    with pytest.raises(ApprovalError, match=rf"plan={plan.plan_id} has no answer to this plan\. .*storage_path"):
        permission_for(plan, value(plan), storage)


@pytest.mark.parametrize("approval", [None, {}, "all", "not_required", True, ["all"]])
def test_a_value_that_is_no_approval_permits_nothing(storage: UPath, plan: Plan, approval: Any) -> None:
    answer(storage, plan, decision="all")
    with pytest.raises(ApprovalError, match=r"approval is .*must be what StudioApprovePlanOperator returned"):
        permission_for(plan, approval, storage)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"plan_id": "000000000000"}, "The approval is for plan '000000000000', but the plan to apply is"),
        ({"plan_id": None}, "The approval is for plan None"),
        ({"decision": "reject"}, r"was not approved \('reject'\)"),
        ({"decision": None}, r"was not approved \(None\)"),
        ({"decision": "ALL"}, r"was not approved \('ALL'\)"),
        ({"sha256": None}, "approval has no hash of the plan"),
        ({"sha256": "0" * 64}, f"The approval is of a plan with the hash {'0' * 64}, but plan"),
    ],
)
def test_an_approval_of_another_plan_or_of_nothing_is_refused(
    storage: UPath, plan: Plan, fields: dict[str, Any], match: str
) -> None:
    answer(storage, plan, decision="all")
    with pytest.raises(ApprovalError, match=match):
        permission_for(plan, value(plan, **fields), storage)


@pytest.mark.parametrize("missing", ["plan_id", "decision", "sha256"])
def test_an_approval_without_one_of_its_parts_is_refused(storage: UPath, plan: Plan, missing: str) -> None:
    answer(storage, plan, decision="all")
    passed = value(plan)
    del passed[missing]
    with pytest.raises(ApprovalError):
        permission_for(plan, passed, storage)


@pytest.mark.parametrize(("passed", "journaled"), [("all", "schedules"), ("schedules", "all")])
def test_an_approval_that_differs_from_the_journal_is_refused(
    storage: UPath, plan: Plan, passed: str, journaled: str
) -> None:
    answer(storage, plan, decision=journaled)
    with pytest.raises(ApprovalError, match=f"decision '{passed}', but the journal has '{journaled}' as the newest"):
        permission_for(plan, value(plan, passed), storage)


@pytest.mark.parametrize("decision", [None, "reject", "everything"])
@pytest.mark.parametrize("required", [True, False])
def test_an_answer_in_the_journal_that_is_no_known_decision_permits_nothing(
    storage: UPath, plan: Plan, decision: str | None, required: bool
) -> None:
    answer(storage, plan, decision=decision)
    with pytest.raises(ApprovalError, match=f"in the journal is {decision!r}; it must be one of all, schedules"):
        permission_for(plan, value(plan), storage, required=required)


@pytest.mark.parametrize("required", [True, False])
def test_a_rejection_permits_nothing_and_names_who_and_when(storage: UPath, plan: Plan, required: bool) -> None:
    answer(storage, plan, Event.REJECTED)
    with pytest.raises(ApprovalError, match="was rejected by ada at 2026-06-01 03:00 UTC"):
        permission_for(plan, value(plan), storage, required=required)


def test_a_rejection_by_nobody_known_is_one_too(storage: UPath, plan: Plan) -> None:
    answer(storage, plan, Event.REJECTED, by=None)
    with pytest.raises(ApprovalError, match="was rejected by an unknown person"):
        permission_for(plan, value(plan), storage)


@pytest.mark.parametrize("required", [True, False])
def test_the_newest_answer_counts(storage: UPath, plan: Plan, required: bool) -> None:
    answer(storage, plan, Event.APPROVED, minutes=0, decision="all")
    answer(storage, plan, Event.REJECTED, minutes=1)
    with pytest.raises(ApprovalError, match="was rejected"):
        permission_for(plan, value(plan), storage, required=required)
    answer(storage, plan, Event.APPROVED, minutes=2, decision="schedules", by="bob")
    permission = permission_for(plan, value(plan, "schedules"), storage, required=required)
    assert (permission.kinds, permission.approver) == (SCHEDULES, "bob")


def test_of_two_answers_at_one_instant_the_rejection_counts(storage: UPath, plan: Plan) -> None:
    answer(storage, plan, Event.REJECTED)
    answer(storage, plan, Event.APPROVED, decision="all")
    with pytest.raises(ApprovalError, match="was rejected"):
        permission_for(plan, value(plan), storage)


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("later", [True, False])
def test_an_answer_to_another_plan_of_the_same_id_stops_everything(
    storage: UPath, plan: Plan, required: bool, later: bool
) -> None:
    answer(storage, plan, minutes=1, decision="all")
    answer(storage, plan, minutes=2 if later else 0, decision="all", sha256="f" * 64)
    with pytest.raises(ApprovalError, match=f"another plan with this id, with the hash {'f' * 64}"):
        permission_for(plan, value(plan), storage, required=required)


def test_an_answer_without_a_hash_counts_only_where_no_approval_is_required(storage: UPath, plan: Plan) -> None:
    answer(storage, plan, decision="schedules", sha256=None)
    with pytest.raises(ApprovalError, match="in the journal has no hash of the plan"):
        permission_for(plan, value(plan, "schedules"), storage)
    assert permission_for(plan, None, storage, required=False).kinds == SCHEDULES


def test_an_approval_whose_approver_is_unknown_names_nobody(storage: UPath, plan: Plan) -> None:
    answer(storage, plan, decision="all", by=None)
    assert permission_for(plan, value(plan), storage).approver is None


# Which plan is meant


def reference(plan: Plan, storage: UPath, **fields: Any) -> dict[str, Any]:
    path = storage / "plans" / "workspace=acme" / f"{plan.plan_id}.jsonl"
    return {"path": str(path), "plan_id": plan.plan_id, "sha256": plan.sha256, **fields}


def test_a_plan_is_read_by_what_the_planning_task_returned_or_by_its_path(storage: UPath, plan: Plan) -> None:
    passed = reference(plan, storage)
    assert referenced_plan(passed, storage, "acme").sha256 == plan.sha256
    assert referenced_plan(passed["path"], storage, "acme").sha256 == plan.sha256


@pytest.mark.parametrize("passed", [None, 7, ["plan"], True])
def test_a_value_that_names_no_plan_is_refused(storage: UPath, passed: Any) -> None:
    with pytest.raises(PlanError, match=r"plan is .*must be what StudioPlanOperator returned.*Nothing was touched"):
        referenced_plan(passed, storage, "acme")


@pytest.mark.parametrize("name", ["path", "plan_id", "sha256"])
@pytest.mark.parametrize("other", [None, 7])
def test_a_reference_without_one_of_its_parts_is_refused(storage: UPath, plan: Plan, name: str, other: Any) -> None:
    with pytest.raises(PlanError, match=f"plan has no {name}; it must be all that StudioPlanOperator returned"):
        referenced_plan(reference(plan, storage, **{name: other}), storage, "acme")


@pytest.mark.parametrize("fields", [{"plan_id": "000000000000"}, {"sha256": "0" * 64}])
def test_a_file_that_is_not_the_plan_that_was_made_is_refused(
    storage: UPath, plan: Plan, fields: dict[str, str]
) -> None:
    with pytest.raises(PlanTamperedError, match=rf"not the one that was created: its hash is {plan.sha256}"):
        referenced_plan(reference(plan, storage, **fields), storage, "acme")


@pytest.mark.parametrize("as_path", [True, False])
def test_a_plan_of_another_workspace_is_not_opened(storage: UPath, plan: Plan, as_path: bool) -> None:
    passed = reference(plan, storage)
    with pytest.raises(PlanError, match="Cannot read the plan"):
        referenced_plan(passed["path"] if as_path else passed, storage, "other")
