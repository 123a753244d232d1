# SPDX-License-Identifier: Apache-2.0
"""The first page: the workspace in numbers, what the newest plan came to, and when the next night runs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from airflow_provider_studio.governance.plans.audit import ActionState
from airflow_provider_studio.governance.plans.policy import archives_by
from airflow_provider_studio.plugin import airflow_db
from airflow_provider_studio.plugin.access import ReadableDags
from airflow_provider_studio.plugin.dependencies import ChosenDep, WorkspaceContext
from airflow_provider_studio.plugin.materialize import UNVIEWED_DAYS
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
_SPENDING_HOURS = 24


@router.get("/")
def overview(request: Request, chosen: ChosenDep, readable_dags: ReadableDags) -> HTMLResponse:
    """Show the overview, or how to begin."""
    dags = airflow_db.nights(readable_dags)
    context: dict[str, Any] = {"section": "overview", "chosen": chosen, "dags": dags}
    night = chosen.night() if chosen.name is not None else None
    if night is None:
        return page(request, "empty.html", context, workspace=chosen.name)
    plans, judging = chosen.plans(), chosen.judging_plan()
    numbers = night.numbers()
    nights = with_stale(night.nights, plans, None if judging is None else judging.header.name)
    spent = chosen.library.records(chosen.workspace, _SPENDING_HOURS)
    context |= {
        "numbers": numbers,
        "nights": nights,
        "series": SERIES,
        "before": nights[-2] if len(nights) > 1 else None,
        "plan": judging,
        "plan_is_of_newest_night": judging is not None and _is_of_newest(chosen, judging),
        "saved_a_week": sum(one.runs_saved_a_week for one in plans),
        "states": ActionState,
        "requests": sum(one.requests for one in spent),
        "rate_limited": sum(one.rate_limited for one in spent),
        "unviewed_days": UNVIEWED_DAYS,
    }
    return page(request, "overview.html", context, workspace=chosen.name)


def _is_of_newest(chosen: WorkspaceContext, plan: PlanLine) -> bool:
    return plan.header.taken_at == chosen.library.nights(chosen.workspace)[-1].taken_at


def with_stale(nights: list[dict[str, Any]], plans: list[PlanLine], name: str | None) -> list[dict[str, Any]]:
    """Add to each snapshot how many Reports its newest plan of a name called stale; None where it has no such plan."""
    stale: dict[str, int] = {}
    for plan in plans:  # newest first
        if plan.header.name == name and archives_by(plan.header.policy):
            stale.setdefault(plan.header.taken_at.isoformat(), plan.numbers.stale)
    return [{**one, "stale": stale.get(one["taken_at"])} for one in nights]
