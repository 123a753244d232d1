# SPDX-License-Identifier: Apache-2.0
"""The tabs on Airflow's pages of a DAG, a run and a task: the plans they made or applied, their requests and waits.

Each needs permission to read that DAG, besides the permission that every page needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from airflow_provider_studio.governance.plans.audit import ActionState
from airflow_provider_studio.hooks.usage import UsageRecord
from airflow_provider_studio.plugin.access import MAY_READ_RUNS, MAY_READ_TASKS, Visibility, VisibilityDep
from airflow_provider_studio.plugin.airflow_db import plans_made_by
from airflow_provider_studio.plugin.dependencies import RepositoryDep
from airflow_provider_studio.plugin.plan_index import PlanLine
from airflow_provider_studio.plugin.rendering import page
from airflow_provider_studio.plugin.repository import Repository
from airflow_provider_studio.plugin.usage import of_task

router = APIRouter()
_HOURS = 336
"""How long usage records are kept."""


@router.get("/dags/{dag_id}", dependencies=[MAY_READ_RUNS])
def dag(request: Request, repository: RepositoryDep, visibility: VisibilityDep, dag_id: str) -> HTMLResponse:
    """Show the requests of a DAG's runs, and the plans they applied."""
    return _show(request, repository, visibility, dag_id=dag_id)


@router.get("/dag-runs/{dag_id}/{run_id:path}", dependencies=[MAY_READ_RUNS])
def dag_run(
    request: Request, repository: RepositoryDep, visibility: VisibilityDep, dag_id: str, run_id: str
) -> HTMLResponse:
    """Show a run's plan, its result, and the requests of its tasks."""
    return _show(request, repository, visibility, dag_id=dag_id, run_id=run_id)


@router.get("/task-instances/{dag_id}/{task_id}/{run_id:path}", dependencies=[MAY_READ_TASKS])
def task_instance(
    request: Request, repository: RepositoryDep, visibility: VisibilityDep, *, dag_id: str, task_id: str, run_id: str
) -> HTMLResponse:
    """Show a task's requests and waits."""
    return _show(request, repository, visibility, dag_id=dag_id, run_id=run_id, task_id=task_id)


def _show(
    request: Request,
    repository: Repository,
    visibility: Visibility,
    *,
    dag_id: str,
    run_id: str | None = None,
    task_id: str | None = None,
) -> HTMLResponse:
    records, plans = [], []
    for workspace in visibility.workspaces(repository.workspaces()):
        records += of_task(repository.records(workspace, _HOURS), dag_id, run_id, task_id)
        if task_id is None:
            plans += _plans_of(repository.plans(workspace), dag_id, run_id)
    context = {
        "dag_id": dag_id,
        "run_id": run_id,
        "task_id": task_id,
        "plans": plans[:20],
        "states": ActionState,
        "total": _sum(records),
        "connections": _connections(records, visibility),
        "by_task": _grouped(records, lambda record: record.task_id),
        "by_run": _grouped(records, lambda record: record.run_id) if run_id is None else [],
        "tries": _grouped(records, lambda record: record.try_number) if task_id else [],
        "endpoints": sum((Counter(record.endpoints) for record in records), Counter[str]()).most_common(12),
        "retention_days": timedelta(hours=_HOURS).days,
    }
    return page(request, "run.html", context)


def _is_changed_by(plan: PlanLine, dag_id: str, run_id: str | None) -> bool:
    return any(dag == dag_id and run_id in {None, run} for dag, run in plan.actors)


def _plans_of(plans: Sequence[PlanLine], dag_id: str, run_id: str | None) -> list[PlanLine]:
    """Return the plans that a run made, decided on, applied or undid."""
    made = plans_made_by(dag_id, run_id) if run_id is not None else set()
    return [plan for plan in plans if plan.header.plan_id in made or _is_changed_by(plan, dag_id, run_id)]


def _sum(records: Sequence[UsageRecord]) -> dict[str, Any]:
    return {
        "requests": sum(record.requests for record in records),
        "rate_limited": sum(record.rate_limited for record in records),
        "seconds_waited": sum(record.seconds_waited for record in records),
        "begun": min((record.begun for record in records), default=None),
        "ended": max((record.ended for record in records), default=None),
    }


def _connections(records: Sequence[UsageRecord], visibility: Visibility) -> list[str]:
    """Return the workspaces of the records, with the connections that the user may see."""
    seen = set(visibility.connections(sorted({record.connection for record in records})))
    names = {(record.workspace, record.connection if record.connection in seen else "") for record in records}
    return sorted(" · ".join(filter(None, name)) for name in names)


def _grouped(records: Sequence[UsageRecord], key: Any) -> list[tuple[Any, dict[str, Any]]]:
    groups: dict[Any, list[UsageRecord]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return [(name, _sum(group)) for name, group in groups.items()]
