# SPDX-License-Identifier: Apache-2.0
"""The control endpoints outside `/api`: move the clock, inject faults, look at the truth, change the world."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import Collection, Report, Schedule
from airflow_provider_studio.emulator.faults import Fault
from airflow_provider_studio.emulator.quirks import Quirks
from airflow_provider_studio.emulator.state import EmulatorState

router = APIRouter(prefix="/_emulator")
Answer = dict[str, Any]
_DAILY = {"freq": "daily", "hour": 6, "minute": 0, "time_zone": "UTC", "day_of_week": None, "day_of_month": None}
_NOT_TO_CHANGE = {"token", "id", "collection", "archived_before"}
_TYPES = {one.name: one.type for one in fields(Report) if one.name not in _NOT_TO_CHANGE}


@contextmanager
def _refusing() -> Iterator[None]:
    """Answer 400 where a setting makes no sense."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise HTTPException(400, str(error)) from None


def _state(request: Request) -> EmulatorState:
    state: EmulatorState = request.scope["emulator"]
    return state


def _report(request: Request, token: str) -> Report:
    found = _state(request).world.reports.get(token)
    if found is None:
        raise HTTPException(404, f"no Report {token}")
    return found


def _collection(request: Request, token: str) -> Collection:
    found = _state(request).world.collections.get(token)
    if found is None:
        raise HTTPException(404, f"no Collection {token}")
    return found


@router.get("/clock")
async def clock(request: Request) -> Answer:
    clock = _state(request).clock
    return {"now": stamp(clock.now()), "speed": clock.speed}


@router.post("/clock")
async def move_clock(request: Request, move: Answer) -> Answer:
    clock = _state(request).clock
    with _refusing():
        if "now" in move:
            clock.set(datetime.fromisoformat(move["now"]))
        clock.speed = move.get("speed", clock.speed)
        clock.advance(timedelta(seconds=move.get("advance_seconds", 0)))
    return {"now": stamp(clock.now()), "speed": clock.speed}


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
async def add_fault(request: Request, fault: Answer) -> Answer:
    with _refusing():
        made = Fault(**fault)
        if made.kind.startswith("tls_") and not _state(request).speaks_tls:
            raise ValueError(f"the fault {made.kind!r} needs an emulator that was started with TLS")
    _state(request).faults.active.append(made)
    return made.to_json()


@router.delete("/faults")
async def clear_faults(request: Request) -> Answer:
    _state(request).faults.active.clear()
    return {}


@router.post("/rate_limit")
async def rate_limit(request: Request, settings: Answer) -> Answer:
    with _refusing():
        _state(request).limits.configure(**settings)
    return settings


@router.post("/quirks")
async def quirks(request: Request, changes: Answer) -> Answer:
    world = _state(request).world
    with _refusing():
        world.quirks = TypeAdapter(Quirks).validate_python(asdict(Quirks(**{**asdict(world.quirks), **changes})))
    return asdict(world.quirks)


@router.post("/tokens/{token}")
async def set_standing(request: Request, token: str, values: Answer) -> Answer:
    with _refusing():
        _state(request).set_standing(token, values.get("standing", ""))
    return values


@router.post("/reset")
async def reset(request: Request) -> Answer:
    _state(request).reset()
    return {}


@router.get("/snapshot")
async def save(request: Request) -> Response:
    return Response(_state(request).save(), media_type="application/json")


@router.put("/snapshot")
async def restore(request: Request) -> Answer:
    with _refusing():
        _state(request).restore(await request.body())
    return {}


@router.get("/state")
async def state(request: Request) -> Answer:
    world, now = _state(request).world, _state(request).clock.now()
    reports = {}
    for report in world.reports.values():
        last, place = world.last_run(report, now), world.collection_of(report)
        reports[report.token] = {
            "name": report.name,
            "type": report.type,
            "description": report.description,
            "collection": report.collection,
            "personal_of": place.owner if place else None,
            "archived": report.archived_at is not None,
            "view_count": report.view_count(now),
            "last_viewed_at": stamp(report.last_viewed_at(now)),
            "created_at": stamp(report.created_at),
            "edited_at": stamp(report.edited_at),
            "runs_count": world.run_count(report, now),
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
async def add_report(request: Request, values: Answer) -> Answer:
    state = _state(request)
    checked = _checked({key: value for key, value in values.items() if key != "collection"})
    default = next(one.token for one in state.world.collections.values() if one.owner is None)
    place = _place(request, values.get("collection", default))
    name, creator = checked.pop("name", "Made for a test"), checked.pop("creator", next(iter(state.world.people)))
    report = state.world.new_report(name, place, creator, state.clock.now())
    for key, value in checked.items():
        setattr(report, key, value)
    return {"token": report.token}


@router.patch("/reports/{token}")
async def change_report(request: Request, token: str, values: Answer) -> Answer:
    report, state = _report(request, token), _state(request)
    checked = _checked({key: value for key, value in values.items() if key != "collection"})
    if "collection" in values:
        state.world.move_report(report, _place(request, values["collection"]))
    for key, value in checked.items():
        setattr(report, key, value)
    return {"token": token}


def _place(request: Request, collection: str | None) -> str | None:
    return None if collection is None else _collection(request, collection).token


def _checked(values: Answer) -> Answer:
    """A Report's fields, each of its own type."""
    unknown = next((key for key in values if key not in _TYPES), None)
    if unknown is not None:
        raise HTTPException(400, f"unknown field {unknown!r}; known: {', '.join(sorted([*_TYPES, 'collection']))}")
    some = {"token": "", "id": 0, "name": "", "collection": "", "creator": "", "created_at": 0, "edited_at": 0}
    try:
        report = TypeAdapter(Report).validate_python(some | values)
    except ValidationError as error:
        first = error.errors()[0]
        raise HTTPException(400, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return {key: getattr(report, key) for key in values}


@router.post("/reports/{token}/views")
async def view(request: Request, token: str, views: dict[str, int]) -> Answer:
    report, now = _report(request, token), _state(request).clock.now()
    report.extra_views += views.get("count", 1)
    report.extra_viewed_at = now
    return {"view_count": report.view_count(now)}


@router.get("/reports/{token}/views")
async def views(request: Request, token: str, since: datetime) -> Answer:
    found = _state(request).world.views(_report(request, token), since, _state(request).clock.now())
    return {"views": [{"at": stamp(at), "viewer": username} for at, username in found]}


@router.post("/reports/{token}/schedules")
async def add_schedule(request: Request, token: str, values: Answer) -> Answer:
    state, report = _state(request), _report(request, token)
    cron = {**_DAILY, **values.get("cron", {})}
    made = Schedule(state.world.new_token("schedule"), token, cron, report.created_at, report.creator)
    made.params, made.name = values.get("params", {}), values.get("name", made.name)
    state.world.add_schedule(made)
    return {"token": made.token}


@router.delete("/reports/{token}")
async def remove_report(request: Request, token: str) -> Answer:
    _state(request).world.remove_report(_report(request, token))
    return {}


@router.delete("/reports/{token}/runs/{run}")
async def remove_run(request: Request, token: str, run: str) -> Answer:
    _state(request).world.remove_run(_report(request, token), run)
    return {}


@router.post("/collections")
async def add_collection(request: Request, values: Answer) -> Answer:
    world = _state(request).world
    with _refusing():
        made = Collection(world.new_token("collection"), 1_950_000 + world.made, **values)
    world.collections[made.token] = made
    return {"token": made.token}


@router.delete("/collections/{token}")
async def remove_collection(request: Request, token: str) -> Answer:
    _state(request).world.remove_collection(_collection(request, token).token)
    return {}


@router.post("/collections/{token}/forbid")
async def forbid_collection(request: Request, token: str) -> Answer:
    _collection(request, token).forbidden = True
    return {}
