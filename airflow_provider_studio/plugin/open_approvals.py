# SPDX-License-Identifier: Apache-2.0
"""Plans that wait for a person's answer, from Airflow's own record of required actions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_studio.governance.plans.answers import SHOWN_PLAN
from airflow_provider_studio.plugin.airflow_db import from_json, returned_plans

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_WAITING = ("awaiting_input", "deferred")
"""Airflow before 3.3 defers a task that waits for an answer."""


@dataclass(frozen=True)
class OpenApproval:
    """A task that waits for an answer to a plan.

    :param asked_at: when it began to wait.
    :param until: when no answer becomes a rejection; None before Airflow 3.3, which does not record it there.
    """

    plan_id: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    asked_at: datetime
    until: datetime | None


def open_approvals(readable_dags: Collection[str]) -> list[OpenApproval]:
    """Return the approvals that wait in DAGs that the user may read, the longest wait first."""
    query = (
        select(TaskInstance, HITLDetail.created_at)
        .join(HITLDetail, HITLDetail.ti_id == TaskInstance.id)
        .where(HITLDetail.responded_at.is_(None), TaskInstance.state.in_(_WAITING))
        .order_by(HITLDetail.created_at)
    )
    found = []
    with create_session() as session:
        for task, asked_at in session.execute(query):
            if task.dag_id not in readable_dags:
                continue
            plan_id = _shown_plan(session, task)
            if plan_id is not None:
                place = (task.dag_id, task.run_id, task.task_id, task.map_index)
                found.append(OpenApproval(plan_id, *place, asked_at, task.trigger_timeout))
    return found


def _shown_plan(session: Session, task: TaskInstance) -> str | None:
    """Return the id of the plan that a task shows; None for a task of another kind."""
    shown = select(XComModel).where(
        XComModel.dag_id == task.dag_id,
        XComModel.run_id == task.run_id,
        XComModel.task_id == task.task_id,
        XComModel.map_index == task.map_index,
        XComModel.key == SHOWN_PLAN,
    )
    digest = next((from_json(xcom.value) for xcom in session.scalars(shown)), None)
    if digest is None:
        return None
    plans = returned_plans(session, task.dag_id, task.run_id)
    return next((str(plan["plan_id"]) for plan in plans if plan.get("sha256") == digest), None)
