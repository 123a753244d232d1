# SPDX-License-Identifier: Apache-2.0
"""Plans and their journals: what was proposed and why, who said yes, and what became of each action."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse

from airflow_provider_studio.governance.plans.audit import ActionState
from airflow_provider_studio.plugin.dependencies import ChosenDep, WorkspaceContext
from airflow_provider_studio.plugin.materialize import STALE
from airflow_provider_studio.plugin.paging import pages_of
from airflow_provider_studio.plugin.plan_index import PlanLine, PlanView
from airflow_provider_studio.plugin.queries import verdict_counts
from airflow_provider_studio.plugin.rendering import page

router = APIRouter()
UNDO_DAG = "studio_undo"


@router.get("/plans")
def plans(request: Request, chosen: ChosenDep) -> HTMLResponse:
    """Show all plans, newest first."""
    lines = chosen.plans() if chosen.name is not None else []
    context = {"section": "plans", "chosen": chosen, "plans": lines, "states": ActionState}
    return page(request, "plans.html", context, workspace=chosen.name)


@router.get("/plans/{plan_id}")
def plan(
    request: Request,
    chosen: ChosenDep,
    plan_id: str,
    fate: Annotated[str, Query(max_length=40)] = "",
    number: Annotated[int, Query(alias="page", ge=1)] = 1,
) -> HTMLResponse:
    """Show one plan: each action with its evidence and its fate."""
    line = line_of(chosen, plan_id)
    return page(
        request,
        "plan.html",
        {"section": "plans", "chosen": chosen, "undo_dag": UNDO_DAG, **plan_context(chosen, line, fate, number)},
        workspace=chosen.name,
    )


def line_of(chosen: WorkspaceContext, plan_id: str) -> PlanLine:
    """Return a plan's line.

    :raises HTTPException: there is no such plan.
    """
    found = next((one for one in chosen.plans() if one.header.plan_id == plan_id), None)
    if found is None:
        raise HTTPException(404, f"Workspace {chosen.workspace!r} has no plan {plan_id!r}.")
    return found


def plan_context(chosen: WorkspaceContext, line: PlanLine, fate: str = "", number: int = 1) -> dict[str, Any]:
    """Return what the plan's template shows."""
    plan_id = line.header.plan_id
    tables = chosen.library.plan_tables(chosen.workspace, plan_id)
    view = PlanView(line, tables, chosen.library.events(chosen.workspace, plan_id))
    shown, total = view.page(fate, number)
    return {
        "plan": line,
        "rows": shown,
        "total": total,
        "number": number,
        "pages": pages_of(total),
        "fate": fate,
        "fates": view.fates(),
        "events": view.plan_events(),
        "due_dates": view.due_dates(),
        "spared": [(name, count) for name, count in verdict_counts(tables) if name != STALE],
        "states": ActionState,
    }
