# SPDX-License-Identifier: Apache-2.0
"""What belongs on the pages of a DAG, of a run and of a task in Airflow's own UI: the plans they made or carried out,
and the requests and waits they cost.

Each asks for leave to read that DAG, on top of what every page asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from airflow_provider_studio.governance.plans.audit import ActionState
from airflow_provider_studio.hooks.usage import Spent
from airflow_provider_studio.plugin.access import MAY_READ_RUNS, MAY_READ_TASKS
from airflow_provider_studio.plugin.airflow_db import made_plans
from airflow_provider_studio.plugin.dependencies import LibraryDep
from airflow_provider_studio.plugin.plan_index import PlanLine
from airflow_provider_studio.plugin.rendering import page
from airflow_provider_studio.plugin.repository import Library
from airflow_provider_studio.plugin.usage import of_task

router = APIRouter()
_HOURS = 336
"""As long as spending records are kept."""


@router.get("/dags/{dag_id}", dependencies=[MAY_READ_RUNS])
def dag(request: Request, library: LibraryDep, dag_id: str) -> HTMLResponse:
    """Show what a DAG's runs spent, and the plans they carried out."""
    return _show(request, library, dag_id)


@router.get("/dag-runs/{dag_id}/{run_id:path}", dependencies=[MAY_READ_RUNS])
def dag_run(request: Request, library: LibraryDep, dag_id: str, run_id: str) -> HTMLResponse:
    """Show a run's plan, what became of it, and what its tasks spent."""
    return _show(request, library, dag_id, run_id)


@router.get("/task-instances/{dag_id}/{task_id}/{run_id:path}", dependencies=[MAY_READ_TASKS])
def task_instance(request: Request, library: LibraryDep, dag_id: str, task_id: str, run_id: str) -> HTMLResponse:
    """Show a task's requests and waits."""
    return _show(request, library, dag_id, run_id, task_id)


def _show(
    request: Request, library: Library, dag_id: str, run_id: str | None = None, task_id: str | None = None
) -> HTMLResponse:
    spent, plans = [], []
    for workspace in library.workspaces():
        spent += of_task(library.records(workspace, _HOURS), dag_id, run_id, task_id)
        if task_id is None:
            plans += _wanted_plans(library.plans(workspace), dag_id, run_id)
    context = {
        "dag_id": dag_id,
        "run_id": run_id,
        "task_id": task_id,
        "plans": plans[:20],
        "states": ActionState,
        "total": _sum(spent),
        "by_task": _grouped(spent, lambda one: one.task_id),
        "by_run": _grouped(spent, lambda one: one.run_id) if run_id is None else [],
        "tries": _grouped(spent, lambda one: one.try_number) if task_id else [],
        "endpoints": sum((Counter(one.endpoints) for one in spent), Counter[str]()).most_common(12),
        "kept_days": timedelta(hours=_HOURS).days,
    }
    return page(request, "run.html", context)


def _carried_out_by(plan: PlanLine, dag_id: str, run_id: str | None) -> bool:
    return any(dag == dag_id and run_id in {None, run} for dag, run in plan.actors)


def _wanted_plans(plans: Sequence[PlanLine], dag_id: str, run_id: str | None) -> list[PlanLine]:
    """Return the plans that a run made, decided on, carried out or took back."""
    made = made_plans(dag_id, run_id) if run_id is not None else set()
    return [one for one in plans if one.header.plan_id in made or _carried_out_by(one, dag_id, run_id)]


def _sum(spent: Sequence[Spent]) -> dict[str, Any]:
    return {
        "requests": sum(one.requests for one in spent),
        "rate_limited": sum(one.rate_limited for one in spent),
        "seconds_waited": sum(one.seconds_waited for one in spent),
        "begun": min((one.begun for one in spent), default=None),
        "ended": max((one.ended for one in spent), default=None),
        "connections": sorted({f"{one.workspace} · {one.connection}" for one in spent}),
    }


def _grouped(spent: Sequence[Spent], key: Any) -> list[tuple[Any, dict[str, Any]]]:
    groups: dict[Any, list[Spent]] = {}
    for one in spent:
        groups.setdefault(key(one), []).append(one)
    return [(name, _sum(ones)) for name, ones in groups.items()]
