# SPDX-License-Identifier: Apache-2.0
"""The control endpoints outside `/api`: move the clock, inject faults, look at the truth, change the world."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, HTTPException, Request

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.faults import Fault
from airflow_provider_studio.emulator.state import EmulatorState
from airflow_provider_studio.emulator.world import Habit, Report, Schedule

router = APIRouter(prefix="/_emulator")
Answer = dict[str, Any]


def _state(request: Request) -> EmulatorState:
    state: EmulatorState = request.app.state.emulator
    return state


def _report(request: Request, token: str) -> Report:
    found = _state(request).world.reports.get(token)
    if found is None:
        raise HTTPException(404, f"no Report {token}")
    return found


@router.get("/clock")
async def clock(request: Request) -> Answer:
    return {"now": stamp(_state(request).clock.now())}


@router.post("/clock")
async def move_clock(request: Request, move: dict[str, Any]) -> Answer:
    clock = _state(request).clock
    if "now" in move:
        clock.set(datetime.fromisoformat(move["now"]))
    clock.advance(timedelta(seconds=move.get("advance_seconds", 0)))
    return {"now": stamp(clock.now())}


@router.get("/requests")
async def requests(request: Request, after: int = 0) -> Answer:
    return _state(request).log.summary(after)


@router.delete("/requests")
async def clear_requests(request: Request) -> Answer:
    _state(request).log.requests.clear()
    return {}


@router.get("/faults")
async def faults(request: Request) -> Answer:
    return {"faults": [fault.to_json() for fault in _state(request).faults.active]}


@router.post("/faults")
async def add_fault(request: Request, fault: dict[str, Any]) -> Answer:
    try:
        made = Fault(**fault)
    except (TypeError, ValueError) as error:
        raise HTTPException(400, str(error)) from None
    _state(request).faults.active.append(made)
    return made.to_json()


@router.delete("/faults")
async def clear_faults(request: Request) -> Answer:
    _state(request).faults.active.clear()
    return {}


@router.post("/rate_limit")
async def rate_limit(request: Request, settings: dict[str, Any]) -> Answer:
    try:
        _state(request).limits.configure(**settings)
    except (TypeError, ValueError) as error:
        raise HTTPException(400, str(error)) from None
    return settings


@router.get("/state")
async def state(request: Request) -> Answer:
    world, now = _state(request).world, _state(request).clock.now()
    reports = {}
    for report in world.reports.values():
        last = world.last_run(report, now)
        reports[report.token] = {
            "name": report.name,
            "type": report.type,
            "description": report.description,
            "collection": report.collection,
            "personal_of": world.collections[report.collection].owner,
            "archived": report.archived_at is not None,
            "view_count": report.view_count(now),
            "created_at": stamp(report.created_at),
            "edited_at": stamp(report.edited_at),
            "last_run_at": stamp(last.created_at) if last else None,
            "schedules": [one.token for one in world.schedules_of(report)],
            "runs_asked": [
                {"token": run.token, "state": run.state(now), "parameters": run.parameters}
                for run in world.runs.get(report.token, [])
            ],
        }
    schedules = {
        one.token: {
            "report": one.report,
            "name": one.name,
            "cron": one.cron,
            "params": one.params,
            "timeout": one.timeout,
        }
        for one in world.schedules.values()
    }
    subscriptions = {
        one.token: {"schedule": one.schedule, "options": one.options, "emails": one.emails}
        for one in world.subscriptions.values()
    }
    collections = {
        one.token: {"name": one.name, "space_type": one.space_type, "personal_of": one.owner}
        for one in world.collections.values()
    }
    return {
        "workspace": world.workspace,
        "now": stamp(now),
        "reports": reports,
        "schedules": schedules,
        "subscriptions": subscriptions,
        "collections": collections,
    }


@router.post("/reports")
async def add_report(request: Request, values: dict[str, Any]) -> Answer:
    state = _state(request)
    now = state.clock.now()
    default = next(one.token for one in state.world.collections.values() if one.owner is None)
    report = Report(
        token=state.world.new_token("report"),
        id=2_980_000,
        name=values.pop("name", "Made for a test"),
        collection=values.pop("collection", default),
        creator=next(iter(state.world.people)),
        created_at=now,
        edited_at=now,
    )
    _change(report, values)
    state.world.add_report(report)
    return {"token": report.token}


@router.patch("/reports/{token}")
async def change_report(request: Request, token: str, values: dict[str, Any]) -> Answer:
    report, world = _report(request, token), _state(request).world
    if "collection" in values:
        world.move_report(report, values.pop("collection"))
    _change(report, values)
    return {"token": token}


_TIMES = {"created_at", "edited_at", "archived_at"}
_PLAIN = {"name", "description", "type", "extra_views", "expected_runtime", "query_count", "notebook", "creator"}
_NEXT_RUN = {"next_outcome", "next_runtime_seconds"}


def _change(report: Report, values: dict[str, Any]) -> None:
    for key, value in values.items():
        if key in _TIMES:
            setattr(report, key, None if value is None else datetime.fromisoformat(value))
        elif key in _PLAIN | _NEXT_RUN:
            setattr(report, key, value)
        elif key == "habit":
            until = value.get("until")
            until = None if until is None else datetime.fromisoformat(until)
            report.habit = Habit(value.get("views_per_day", 0.0), value.get("run_every_days", 0.0), until)
        else:
            known = ", ".join(sorted(_TIMES | _PLAIN | _NEXT_RUN | {"habit", "collection"}))
            raise HTTPException(400, f"unknown field {key!r}; known: {known}")


@router.post("/reports/{token}/views")
async def view(request: Request, token: str, views: dict[str, int]) -> Answer:
    report = _report(request, token)
    report.extra_views += views.get("count", 1)
    return {"view_count": report.view_count(_state(request).clock.now())}


_DAILY = {
    "freq": "daily",
    "hour": 6,
    "minute": 0,
    "time_zone": "UTC",
    "day_of_week": None,
    "day_of_month": None,
}


@router.post("/reports/{token}/schedules")
async def add_schedule(request: Request, token: str, values: dict[str, Any]) -> Answer:
    state, report = _state(request), _report(request, token)
    cron = {**_DAILY, **values.get("cron", {})}
    made = Schedule(state.world.new_token("schedule"), token, cron, report.created_at, report.creator)
    made.params = values.get("params", {})
    state.world.add_schedule(made)
    return {"token": made.token}


@router.delete("/reports/{token}")
async def remove_report(request: Request, token: str) -> Answer:
    _state(request).world.remove_report(_report(request, token))
    return {}


@router.delete("/collections/{token}")
async def remove_collection(request: Request, token: str) -> Answer:
    _state(request).world.remove_collection(token)
    return {}


@router.post("/collections/{token}/forbid")
async def forbid_collection(request: Request, token: str) -> Answer:
    _state(request).world.collections[token].forbidden = True
    return {}
