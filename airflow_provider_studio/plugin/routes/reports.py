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
from airflow_provider_studio.governance.plans.audit import ActionState
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.governance.text import csv_pieces
from airflow_provider_studio.plugin.csv_export import Exports
from airflow_provider_studio.plugin.dependencies import ChosenDep
from airflow_provider_studio.plugin.materialize import UNVIEWED_DAYS
from airflow_provider_studio.plugin.paging import PER_PAGE, pages_of
from airflow_provider_studio.plugin.plan_index import PlanLine, Proposed
from airflow_provider_studio.plugin.queries import EXPORTED, NightTables, ReportQuery
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
"""Sort key, heading, and whether the greatest are looked for first."""
_Text = Annotated[str, Query(max_length=200)]


def _wanted(
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


WantedDep = Annotated[ReportQuery, Depends(_wanted)]


@router.get("/reports")
def reports(
    request: Request,
    chosen: ChosenDep,
    wanted: WantedDep,
    number: Annotated[int, Query(alias="page", ge=1, le=10**9)] = 1,
) -> HTMLResponse:
    """Show a page of the Reports that match."""
    night = chosen.night() if chosen.name is not None else None
    if night is None:
        return page(request, "empty.html", {"section": "reports", "chosen": chosen, "dags": []}, workspace=chosen.name)
    rows, total = night.page(wanted, number)
    pages = pages_of(total)
    if number > pages:
        rows, total = night.page(wanted, pages)
    context = {
        "section": "reports",
        "chosen": chosen,
        "wanted": wanted,
        "query": query_of(wanted),
        "filtered": any(value for name, value in asdict(wanted).items() if name not in {"sort", "descending"}),
        "rows": rows,
        "total": total,
        "number": min(number, pages),
        "pages": pages,
        "per_page": PER_PAGE,
        "columns": _COLUMNS,
        "choices": night.choices,
        "verdicts": night.verdicts(),
        "taken_at": night.nights[-1]["taken_at"],
        "unviewed_days": UNVIEWED_DAYS,
    }
    return page(request, "reports.html", context, workspace=chosen.name)


def query_of(wanted: ReportQuery) -> dict[str, Any]:
    """Return what the table's links carry along."""
    given = {"q": wanted.search, "sort": wanted.sort, "desc": "1" if wanted.descending else ""}
    names = ("collection", "owner", "verdict", "schedule", "state")
    return given | {name: getattr(wanted, name) for name in names}


@functools.cache
def _exports() -> Exports:
    return Exports()


ExportsDep = Annotated[Exports, Depends(_exports)]


def _newest_night(chosen: ChosenDep) -> NightTables:
    night = chosen.night()
    if night is None:
        raise HTTPException(404, "There is no snapshot yet.")
    return night


@router.get("/reports.csv")
async def export(
    request: Request,
    chosen: ChosenDep,
    night: Annotated[NightTables, Depends(_newest_night)],
    wanted: WantedDep,
    exports: ExportsDep,
) -> StreamingResponse:
    """Return all Reports that match as CSV."""
    name = export_name(chosen.workspace, night.nights[-1]["taken_at"][:10])
    plain = "".join(one if (one.isascii() and one.isalnum()) or one in "-_." else "_" for one in name)
    pieces = csv_pieces(EXPORTED, night.export(wanted))
    return await exports.response(request, pieces, chosen.library.cache / "exports", plain)


@router.get("/reports/{token}")
def report(request: Request, chosen: ChosenDep, token: str) -> HTMLResponse:
    """Show one Report: what is known, why it is stale or spared, its past, its schedules."""
    night = chosen.night()
    if night is None:
        raise HTTPException(404, "There is no snapshot yet.")
    found = night.report(token)
    gone = night.disappeared(token) if found is None else None
    if found is None and gone is None:
        raise HTTPException(404, f"No night of workspace {chosen.workspace!r} knows a Report {token!r}.")
    plans = chosen.plans()
    done = _done_to(plans, token)
    context = {
        "section": "reports",
        "chosen": chosen,
        "token": token,
        "report": found,
        "gone": gone,
        "history": night.history(token),
        "schedules": night.schedules(token) if found else [],
        "plan": chosen.judging_plan(),
        "done_to_it": done,
        "archived_since": _archived_since(done, night.nights[-1]["taken_at"]),
        "unviewed_days": UNVIEWED_DAYS,
        "nights": night.nights,
    }
    return page(request, "report.html", context, workspace=chosen.name)


def _archived_since(done: list[tuple[PlanLine, Proposed, ActionState]], taken_at: str) -> PlanLine | None:
    """Return the plan that archived a Report after the snapshot that the page shows, if one did."""
    since = datetime.fromisoformat(taken_at)
    archived = (
        plan
        for plan, action, state in done
        if action.kind is ActionKind.ARCHIVE_REPORT and state is ActionState.DONE and plan.header.taken_at >= since
    )
    return next(archived, None)


def _done_to(plans: list[PlanLine], token: str) -> list[tuple[PlanLine, Proposed, ActionState]]:
    """Return what plans proposed for a Report, and what became of it, newest first."""
    return [
        (plan, action, plan.state_of.get(action.action_id, ActionState.PROPOSED))
        for plan in plans
        for action in plan.numbers.actions
        if action.report == token
    ]
