# SPDX-License-Identifier: Apache-2.0
"""The first page: the workspace in numbers, the result of the newest plan, and when the nightly DAGs run next."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from airflow_provider_studio.governance.plans.audit import ActionState
from airflow_provider_studio.governance.plans.policy import judges_by
from airflow_provider_studio.plugin.access import ReadableDags
from airflow_provider_studio.plugin.airflow_db import scheduled_dags
from airflow_provider_studio.plugin.dependencies import WorkspaceContext, WorkspaceDep
from airflow_provider_studio.plugin.materialize import UNVIEWED_DAYS
from airflow_provider_studio.plugin.needs import needs_of
from airflow_provider_studio.plugin.open_approvals import open_approvals
from airflow_provider_studio.plugin.plan_index import PlanLine
from airflow_provider_studio.plugin.rendering import page

router = APIRouter()
SERIES = (
    ("reports", "Reports"),
    ("unviewed", f"Unviewed for {UNVIEWED_DAYS} days"),
    ("stale", "Stale by the plan"),
    ("scheduled", "Scheduled"),
    ("scheduled_unviewed", "Scheduled but unviewed"),
    ("archived", "Archived"),
)
_USAGE_HOURS = 24


@router.get("/")
def overview(request: Request, workspace: WorkspaceDep, readable_dags: ReadableDags) -> HTMLResponse:
    """Show the overview, or how to begin."""
    dags = scheduled_dags(readable_dags)
    context: dict[str, Any] = {"section": "overview", "workspace": workspace, "dags": dags}
    snapshot = workspace.snapshot() if workspace.name is not None else None
    if snapshot is None:
        return page(request, "empty.html", context, workspace=workspace.name)
    plans, judging = workspace.plans(), workspace.judging_plan()
    snapshots = with_stale(snapshot.snapshots, plans, None if judging is None else judging.header.name)
    records = workspace.repository.records(workspace.required_name, _USAGE_HOURS)
    context |= {
        "needs": needs_of(plans, open_approvals(readable_dags), dags),
        "numbers": snapshot.numbers(),
        "snapshots": snapshots,
        "series": SERIES,
        "previous": snapshots[-2] if len(snapshots) > 1 else None,
        "plan": judging,
        "plan_is_of_newest_snapshot": judging is not None and _is_of_newest(workspace, judging),
        "saved_a_week": sum(plan.runs_saved_a_week for plan in plans),
        "states": ActionState,
        "requests": sum(record.requests for record in records),
        "rate_limited": sum(record.rate_limited for record in records),
        "unviewed_days": UNVIEWED_DAYS,
    }
    return page(request, "overview.html", context, workspace=workspace.name)


def _is_of_newest(workspace: WorkspaceContext, plan: PlanLine) -> bool:
    return plan.header.taken_at == workspace.repository.snapshots(workspace.required_name)[-1].taken_at


def with_stale(snapshots: list[dict[str, Any]], plans: list[PlanLine], name: str | None) -> list[dict[str, Any]]:
    """Add to each snapshot how many Reports its newest plan of a name calls stale; None where it has no such plan."""
    stale: dict[str, int] = {}
    for plan in plans:  # newest first
        if plan.header.name == name and judges_by(plan.header.policy):
            stale.setdefault(plan.header.taken_at.isoformat(), plan.numbers.stale)
    return [{**snapshot, "stale": stale.get(snapshot["taken_at"])} for snapshot in snapshots]
