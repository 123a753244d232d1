# SPDX-License-Identifier: Apache-2.0
"""Plans and their journals: what was proposed and why, who approved it, and the status of each action."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse

from airflow_provider_studio import settings
from airflow_provider_studio.governance.plans.answers import ANSWERS
from airflow_provider_studio.governance.plans.audit import ActionState
from airflow_provider_studio.plugin.access import ReadableDags
from airflow_provider_studio.plugin.airflow_db import has_answer
from airflow_provider_studio.plugin.dependencies import WorkspaceContext, WorkspaceDep
from airflow_provider_studio.plugin.materialize import STALE
from airflow_provider_studio.plugin.open_approvals import open_approvals
from airflow_provider_studio.plugin.paging import PER_PAGE, pages_of
from airflow_provider_studio.plugin.plan_index import PlanLine, PlanView
from airflow_provider_studio.plugin.queries import verdict_counts
from airflow_provider_studio.plugin.rendering import page

router = APIRouter()
UNDO_DAG = "studio_undo"


@router.get("/plans")
def plans(
    request: Request, workspace: WorkspaceDep, number: Annotated[int, Query(alias="page", ge=1, le=10**9)] = 1
) -> HTMLResponse:
    """Show all plans, newest first."""
    lines = workspace.plans() if workspace.name is not None else []
    pages = pages_of(len(lines))
    first = PER_PAGE * (min(number, pages) - 1)
    context = {
        "section": "plans",
        "workspace": workspace,
        "plans": lines[first : first + PER_PAGE],
        "first": first,
        "total": len(lines),
        "number": min(number, pages),
        "pages": pages,
        "states": ActionState,
    }
    return page(request, "plans.html", context, workspace=workspace.name)


@router.get("/plans/{plan_id}")
def plan(
    request: Request,
    workspace: WorkspaceDep,
    plan_id: str,
    *,
    readable_dags: ReadableDags,
    status: Annotated[str, Query(max_length=40)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=10**9)] = 1,
) -> HTMLResponse:
    """Show one plan: each action with its evidence and its status."""
    line = line_of(workspace, plan_id)
    context = {"section": "plans", "workspace": workspace, "undo_dag": UNDO_DAG}
    context |= plan_context(workspace, line, status, number)
    context["open_approvals"] = [one for one in open_approvals(readable_dags) if one.plan_id == plan_id]
    context |= {"readable_dags": readable_dags, "runs": sorted(run for run in line.actors if run[0] in readable_dags)}
    return page(request, "plan.html", context, workspace=workspace.name)


def line_of(workspace: WorkspaceContext, plan_id: str) -> PlanLine:
    """Return a plan's line.

    :raises HTTPException: there is no such plan.
    """
    found = next((line for line in workspace.plans() if line.header.plan_id == plan_id), None)
    if found is None:
        raise HTTPException(404, f"Workspace {workspace.required_name!r} has no plan {plan_id!r}.")
    return found


def is_confirmed(line: PlanLine) -> bool:
    """Whether Airflow's own record has the person's answer that the journal has, if it has one."""
    if line.approval is None or line.approver is None:
        return True
    options = [option for option, decision in ANSWERS.items() if decision == line.approval.decision]
    return has_answer(line.approval.actor, options)


def plan_context(workspace: WorkspaceContext, line: PlanLine, status: str = "", number: int = 1) -> dict[str, Any]:
    """Return what the plan's template shows."""
    plan_id = line.header.plan_id
    tables = workspace.repository.plan_tables(workspace.required_name, plan_id)
    view = PlanView(line, tables, workspace.repository.events(workspace.required_name, plan_id))
    rows, total = view.page(status, number)
    return {
        "plan": line,
        "rows": rows,
        "total": total,
        "number": number,
        "pages": pages_of(total),
        "per_page": PER_PAGE,
        "status": status,
        "status_counts": view.status_counts(),
        "events": view.plan_events(),
        "due_dates": view.due_dates(),
        "unconfirmed": not is_confirmed(line),
        "signature": settings.signer().status(line.header.identity),
        "spared": [(verdict, count) for verdict, count in verdict_counts(tables) if verdict != STALE],
        "states": ActionState,
    }
