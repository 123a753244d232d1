# SPDX-License-Identifier: Apache-2.0
"""What needs a person: approvals that wait, unknown outcomes, failures, damaged journals, overdue runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow_provider_studio.governance.plans.audit import ActionState
from airflow_provider_studio.plugin.airflow_db import ScheduledDag
from airflow_provider_studio.plugin.open_approvals import OpenApproval
from airflow_provider_studio.plugin.plan_index import PlanLine

_OVERDUE_AFTER = timedelta(minutes=10)
"""A scheduler that is busy starts a run some minutes late."""


@dataclass(frozen=True)
class Need:
    """One thing that needs a person.

    :param plan: the plan that it is about.
    :param approval: the task that waits for an answer.
    :param status: the state of the plan's actions that it is about, and `count` how many there are.
    :param overdue: the DAG whose run did not start.
    """

    plan: PlanLine | None = None
    approval: OpenApproval | None = None
    status: ActionState | None = None
    count: int = 0
    overdue: ScheduledDag | None = None


def needs_of(plans: Sequence[PlanLine], approvals: Iterable[OpenApproval], dags: Iterable[ScheduledDag]) -> list[Need]:
    """Return what needs a person, the most urgent first.

    :param plans: the workspace's plans, newest first. Failures count for the newest only: later plans try again.
    :param approvals: open ones, of any workspace.
    """
    by_id = {plan.header.plan_id: plan for plan in plans}
    found = [Need(by_id[one.plan_id], approval=one) for one in approvals if one.plan_id in by_id]
    for plan in plans:
        interrupted = plan.states.get(ActionState.INTERRUPTED, 0)
        if interrupted:
            found.append(Need(plan, status=ActionState.INTERRUPTED, count=interrupted))
    for plan in plans[:1]:
        failed = plan.states.get(ActionState.FAILED, 0)
        if failed:
            found.append(Need(plan, status=ActionState.FAILED, count=failed))
    found += [Need(plan) for plan in plans if plan.problem]
    late = datetime.now(UTC) - _OVERDUE_AFTER
    return found + [Need(overdue=dag) for dag in dags if dag.next_at and not dag.paused and dag.next_at < late]
