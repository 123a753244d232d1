# SPDX-License-Identifier: Apache-2.0
"""Reports: the table with its filters, its export, and one Report's page."""

from __future__ import annotations

import functools
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from airflow_provider_studio.governance.file_names import export_name
from airflow_provider_studio.governance.lineage.confidence import Confidence
from airflow_provider_studio.governance.lineage.readers import name_of
from airflow_provider_studio.governance.plans.audit import ActionState
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.governance.text import csv_pieces
from airflow_provider_studio.plugin.csv_export import Exports
from airflow_provider_studio.plugin.dependencies import WorkspaceContext, WorkspaceDep
from airflow_provider_studio.plugin.materialize import UNVIEWED_DAYS
from airflow_provider_studio.plugin.paging import PER_PAGE, pages_of
from airflow_provider_studio.plugin.plan_index import PlanLine, ProposedAction
from airflow_provider_studio.plugin.queries import EXPORTED, ReportQuery, SnapshotTables
from airflow_provider_studio.plugin.rendering import page

router = APIRouter()
_COLUMNS = (
    ("name", "Report", False),
    ("collection", "Collection", False),
    ("owner", "Owner", False),
    ("views", "Views", True),
    ("views_90d", "Views 90 d", True),
    ("last_run", "Last run", True),
    ("schedules", "Schedules", True),
    ("verdict", "Verdict", False),
)
"""Sort key, heading, and whether the first click puts the greatest on top."""
_Text = Annotated[str, Query(max_length=200)]


def _report_query(
    *,
    q: _Text = "",
    collection: _Text = "",
    owner: _Text = "",
    verdict: _Text = "",
    schedule: _Text = "",
    state: _Text = "",
    sort: _Text = "name",
    desc: bool = False,
) -> ReportQuery:
    return ReportQuery(
        search=q,
        collection=collection,
        owner=owner,
        verdict=verdict,
        schedule=schedule,
        state=state,
        sort=sort,
        descending=desc,
    )


QueryDep = Annotated[ReportQuery, Depends(_report_query)]


@router.get("/reports")
def reports(
    request: Request,
    workspace: WorkspaceDep,
    query: QueryDep,
    number: Annotated[int, Query(alias="page", ge=1, le=10**9)] = 1,
) -> HTMLResponse:
    """Show a page of the matching Reports."""
    snapshot = workspace.snapshot() if workspace.name is not None else None
    if snapshot is None:
        context = {"section": "reports", "workspace": workspace, "dags": []}
        return page(request, "empty.html", context, workspace=workspace.name)
    rows, total = snapshot.page(query, number)
    pages = pages_of(total)
    if number > pages:
        rows, total = snapshot.page(query, pages)
    context = {
        "section": "reports",
        "workspace": workspace,
        "query": query,
        "parameters": url_parameters(query),
        "filtered": any(value for name, value in asdict(query).items() if name not in {"sort", "descending"}),
        "rows": rows,
        "total": total,
        "number": min(number, pages),
        "pages": pages,
        "per_page": PER_PAGE,
        "columns": _COLUMNS,
        "choices": snapshot.choices,
        "verdicts": snapshot.verdicts(),
        "taken_at": snapshot.snapshots[-1]["taken_at"],
        "unviewed_days": UNVIEWED_DAYS,
    }
    return page(request, "reports.html", context, workspace=workspace.name)


def url_parameters(query: ReportQuery) -> dict[str, Any]:
    """Return the query as parameters of the table's links."""
    parameters = {"q": query.search, "sort": query.sort, "desc": "1" if query.descending else ""}
    names = ("collection", "owner", "verdict", "schedule", "state")
    return parameters | {name: getattr(query, name) for name in names}


@functools.cache
def _exports() -> Exports:
    return Exports()


ExportsDep = Annotated[Exports, Depends(_exports)]


def _newest_snapshot(workspace: WorkspaceDep) -> SnapshotTables:
    snapshot = workspace.snapshot()
    if snapshot is None:
        raise HTTPException(404, "There is no snapshot yet.")
    return snapshot


@router.get("/reports.csv")
async def export(
    request: Request,
    workspace: WorkspaceDep,
    snapshot: Annotated[SnapshotTables, Depends(_newest_snapshot)],
    query: QueryDep,
    exports: ExportsDep,
) -> StreamingResponse:
    """Return all matching Reports as CSV."""
    name = export_name(workspace.required_name, snapshot.snapshots[-1]["taken_at"][:10])
    plain = "".join(letter if (letter.isascii() and letter.isalnum()) or letter in "-_." else "_" for letter in name)
    pieces = csv_pieces(EXPORTED, snapshot.export(query))
    return await exports.response(request, pieces, workspace.repository.cache / "exports", plain)


@router.get("/reports/{token}")
def report(request: Request, workspace: WorkspaceDep, token: str) -> HTMLResponse:
    """Show one Report: its facts, why it is stale or spared, its history, its schedules."""
    snapshot = _newest_snapshot(workspace)
    found = snapshot.report(token)
    gone = snapshot.disappeared(token) if found is None else None
    if found is None and gone is None:
        raise HTTPException(404, f"No snapshot of workspace {workspace.required_name!r} has a Report {token!r}.")
    actions = _actions_on(workspace.plans(), token)
    context = {
        "section": "reports",
        "workspace": workspace,
        "token": token,
        "report": found,
        "gone": gone,
        "history": snapshot.history(token),
        "schedules": snapshot.schedules(token) if found else [],
        "tables": _tables(workspace, token),
        "plan": workspace.judging_plan(),
        "actions": actions,
        "archived_since": _archived_since(actions, snapshot.snapshots[-1]["taken_at"]),
        "unviewed_days": UNVIEWED_DAYS,
    }
    return page(request, "report.html", context, workspace=workspace.name)


def _tables(workspace: WorkspaceContext, token: str) -> list[dict[str, Any]]:
    """Return a row for each table of each query, and for each query whose tables are unknown."""
    rows = workspace.repository.report_tables(workspace.required_name, token)
    return [
        {**row, "table": str(name_of(row)) if row["table_name"] is not None else None}
        for row in rows
        if row["table_name"] is not None or row["confidence"] == Confidence.UNRESOLVED
    ]


def _archived_since(actions: list[tuple[PlanLine, ProposedAction, ActionState]], taken_at: str) -> PlanLine | None:
    """Return the plan that archived a Report after the snapshot that the page shows, if one did."""
    since = datetime.fromisoformat(taken_at)
    archived = (
        plan
        for plan, action, state in actions
        if action.kind is ActionKind.ARCHIVE_REPORT and state is ActionState.DONE and plan.header.taken_at >= since
    )
    return next(archived, None)


def _actions_on(plans: list[PlanLine], token: str) -> list[tuple[PlanLine, ProposedAction, ActionState]]:
    """Return the actions that plans propose for a Report, with their status, newest first."""
    return [
        (plan, action, plan.state_of.get(action.action_id, ActionState.PROPOSED))
        for plan in plans
        for action in plan.numbers.actions
        if action.report == token
    ]
