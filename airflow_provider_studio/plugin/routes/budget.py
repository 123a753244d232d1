# SPDX-License-Identifier: Apache-2.0
"""Budget: the requests, waits and 429s of each token in the last hours, by DAG and task."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from airflow_provider_studio.plugin.access import ReadableDags, VisibilityDep
from airflow_provider_studio.plugin.dependencies import WorkspaceDep
from airflow_provider_studio.plugin.rendering import page
from airflow_provider_studio.plugin.usage import budgets

router = APIRouter()
HOURS = (6, 24, 72, 168)


@router.get("/budget")
def budget(
    request: Request,
    workspace: WorkspaceDep,
    readable_dags: ReadableDags,
    visibility: VisibilityDep,
    hours: Annotated[int, Query(ge=1, le=336)] = 24,
) -> HTMLResponse:
    """Show the requests of the last hours."""
    until = datetime.now(UTC)
    since = until - timedelta(hours=hours)
    records = workspace.repository.records(workspace.name, hours) if workspace.name is not None else []
    found = budgets(records, readable_dags, since=since, until=until)
    for token in found:
        token.connections = visibility.connections(token.connections)
    context = {
        "section": "budget",
        "workspace": workspace,
        "hours": hours,
        "hours_offered": HOURS,
        "budgets": found,
    }
    return page(request, "budget.html", context, workspace=workspace.name)
