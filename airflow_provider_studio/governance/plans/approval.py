# SPDX-License-Identifier: Apache-2.0
"""Identify a plan, and read which part of it a person approved. Anything missing or different means no approval.

A plan is identified by its full hash: the XCom of the task that planned, the file, the approval and the journal must
all have the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from upath import UPath

from airflow_provider_studio.governance.errors import ApprovalError, PlanError, PlanTamperedError
from airflow_provider_studio.governance.layout import journal_folder, plan_path_from
from airflow_provider_studio.governance.plans.audit import Audit, JournalEvent
from airflow_provider_studio.governance.plans.journal import Event
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.signing import UNSIGNED, Signer

DECISIONS = {"all": frozenset(ActionKind), "schedules": frozenset({ActionKind.DELETE_SCHEDULE})}
"""The kinds of actions that each approval permits."""
BY_DAG = {"approval": "dag"}
"""What the actor of an event has if the DAG's `approval=` argument requires no approval."""
NAMED_BY_DAG = "approver_named_by_dag"
"""Where an actor has the `approver=` argument of a DAG: a claim of its author, not an answer of that person."""
_NOTHING = "Nothing was touched."


@dataclass(frozen=True)
class Permission:
    """The approved part of a plan.

    :param kinds: the permitted kinds of actions.
    :param approver: who approved; None if no approval was required, or if the journal does not name the person.
    :param is_waived: whether no approval was required, and nobody answered.
    """

    kinds: frozenset[ActionKind]
    approver: str | None
    is_waived: bool = False

    def actor(self, named_by_dag: str | None = None) -> dict[str, str]:
        """Return who approved, for the journal.

        :param named_by_dag: the person whom the DAG's author names as the approver.
        """
        if self.is_waived:
            return BY_DAG | ({NAMED_BY_DAG: named_by_dag} if named_by_dag else {})
        return {} if self.approver is None else {"approver": self.approver}


def approver_in_words(actor: Mapping[str, str]) -> str:
    """Return who approved what an actor did, or that the DAG required nobody; empty if neither is known."""
    claimed = actor.get(NAMED_BY_DAG)
    if actor.get("approval") == BY_DAG["approval"]:
        return f"the DAG's approval= argument{f', which names {claimed}' if claimed else ''}"
    return actor.get("approver", "")


def referenced_plan(reference: Any, storage: UPath, workspace: str) -> Plan:
    """Read the plan that an external value references, and verify its hash.

    :param reference: the return value of `StudioPlanOperator`, or the path of a plan.
    :raises PlanError: it references no plan of this workspace in this storage.
    :raises PlanTamperedError: the plan is not the referenced one.
    """
    if isinstance(reference, str):
        return Plan.read(plan_path_from(reference, storage, workspace), workspace=workspace)
    if not isinstance(reference, Mapping):
        raise PlanError(
            f"plan is {reference!r}; it must be what StudioPlanOperator returned, or the path of a plan. The task that "
            f"plans may have been marked a success manually, or its XCom deleted: clear it. {_NOTHING}"
        )
    missing = [name for name in ("path", "plan_id", "sha256") if not isinstance(reference.get(name), str)]
    if missing:
        raise PlanError(
            f"plan has no {missing[0]}; it must be all that StudioPlanOperator returned. An earlier version of the "
            f"provider may have created it: clear the task that plans. {_NOTHING}"
        )
    plan = Plan.read(plan_path_from(reference["path"], storage, workspace), workspace=workspace)
    if (reference["plan_id"], reference["sha256"]) != (plan.plan_id, plan.sha256):
        raise PlanTamperedError(
            f"The plan at {reference['path']} is not the one that was created: its hash is {plan.sha256}, but the plan "
            f"{reference['plan_id']} with the hash {reference['sha256']} is expected. Create a new plan. {_NOTHING}"
        )
    return plan


def newest_answer(storage: UPath, plan: Plan, signer: Signer = UNSIGNED) -> JournalEvent | None:
    """Return the newest answer to a plan in its journal, or None if nobody has answered.

    Of two answers at the same time, a rejection counts as the newer one.

    :raises ApprovalError: an answer is to another plan with the same id.
    """
    answers = Audit(storage, plan.workspace, signer=signer).answers(plan.plan_id)
    for answer in answers:
        if answer.sha256 not in {None, plan.sha256}:
            raise ApprovalError(
                f"The journal of plan {plan.plan_id} has an answer to another plan with this id, with the hash "
                f"{answer.sha256}; the hash of this one is {plan.sha256}. Create a new plan. {_NOTHING}"
            )
    return answers[-1] if answers else None


def permission_for(
    plan: Plan, approval: Any, storage: UPath, *, required: bool = True, signer: Signer = UNSIGNED
) -> Permission:
    """Return the part of a plan that the newest answer in its journal permits.

    :param approval: the return value of `StudioApprovePlanOperator`.
    :param required: whether an approval is required. An existing answer counts in any case.
    :param signer: verifies that a process with the deployment's key wrote the answer.
    :raises ApprovalError: there is no approval of this plan, or it was rejected, or somebody else wrote it.
    """
    answer = newest_answer(storage, plan, signer)
    if required:
        _check_value(plan, approval)
    elif answer is None:
        return Permission(DECISIONS["all"], None, is_waived=True)
    if answer is None:
        raise ApprovalError(
            f"The journal {journal_folder(storage, plan.workspace, plan.plan_id)} has no answer to this plan. Set "
            f"the same storage_path for both tasks, or clear the task that asks for approval and answer it. {_NOTHING}"
        )
    decision = _decision(plan, answer)
    refusal = signer.refusal(answer.signature_status)
    if refusal is not None:
        raise ApprovalError(f"The answer to plan {plan.plan_id} in the journal {refusal}. {_NOTHING}")
    if required and answer.sha256 is None:
        raise ApprovalError(
            f"The answer to plan {plan.plan_id} in the journal has no hash of the plan: an earlier version of the "
            f"provider wrote it. Clear the task that asks for approval and answer it again. {_NOTHING}"
        )
    if required and approval["decision"] != decision:
        raise ApprovalError(
            f"approval has the decision {approval['decision']!r}, but the journal has {decision!r} as the newest "
            f"answer to plan {plan.plan_id}. Clear the task that asks for approval and answer it again. {_NOTHING}"
        )
    return Permission(DECISIONS[decision], answer.actor.get("approver"))


def _decision(plan: Plan, answer: JournalEvent) -> str:
    """Return the decision of an answer that approves a plan."""
    if answer.event is Event.REJECTED:
        raise ApprovalError(
            f"Plan {plan.plan_id} was rejected by {answer.actor.get('approver', 'an unknown person')} at "
            f"{answer.at:%Y-%m-%d %H:%M UTC}. Create a new plan, or clear the task that asks for approval. {_NOTHING}"
        )
    if answer.decision not in DECISIONS:
        raise ApprovalError(
            f"The answer to plan {plan.plan_id} in the journal is {answer.decision!r}; it must be one of "
            f"{', '.join(DECISIONS)}. Clear the task that asks for approval and answer it again. {_NOTHING}"
        )
    return answer.decision


def _check_value(plan: Plan, approval: Any) -> None:
    """Check the return value of the task that asked for approval."""
    if not isinstance(approval, Mapping) or not approval:
        raise ApprovalError(
            f"approval is {approval!r}; it must be what StudioApprovePlanOperator returned (approval=approve.output). "
            "The task that asks for approval may have been skipped or marked a success manually, or its XCom deleted: "
            'clear it and answer it. If no approval is required, the DAG must say so: approval="not_required". '
            "Nothing was touched."
        )
    if approval.get("plan_id") != plan.plan_id:
        raise ApprovalError(
            f"The approval is for plan {approval.get('plan_id')!r}, but the plan to apply is {plan.plan_id}. "
            f"Ask for approval of this plan. {_NOTHING}"
        )
    if approval.get("decision") not in DECISIONS:
        raise ApprovalError(f"Plan {plan.plan_id} was not approved ({approval.get('decision')!r}). {_NOTHING}")
    if approval.get("sha256") is None:
        raise ApprovalError(
            "approval has no hash of the plan: an earlier version of the provider wrote it. Clear the task that asks "
            f"for approval and answer it again. {_NOTHING}"
        )
    if approval["sha256"] != plan.sha256:
        raise ApprovalError(
            f"The approval is of a plan with the hash {approval['sha256']}, but plan {plan.plan_id} to apply has "
            f"{plan.sha256}. Ask for approval of this plan. {_NOTHING}"
        )
