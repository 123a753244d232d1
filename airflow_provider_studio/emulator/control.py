# SPDX-License-Identifier: Apache-2.0
"""The control endpoints outside `/api`: set the clock, inject faults, read and change the state of the workspace."""

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
from airflow_provider_studio.emulator.entities import Collection, Report, Schedule, Subscription
from airflow_provider_studio.emulator.faults import Fault
from airflow_provider_studio.emulator.quirks import Quirks
from airflow_provider_studio.emulator.state import EmulatorState

router = APIRouter(prefix="/_emulator")
Body = dict[str, Any]
_DAILY = {"freq": "daily", "hour": 6, "minute": 0, "time_zone": "UTC", "day_of_week": None, "day_of_month": None}
_READ_ONLY = {"token", "id", "collection", "archived_before"}
_TYPES = {item.name: item.type for item in fields(Report) if item.name not in _READ_ONLY}


@contextmanager
def _bad_settings_as_400() -> Iterator[None]:
    """Respond 400 to an invalid setting."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise HTTPException(400, str(error)) from None


def _state(request: Request) -> EmulatorState:
    state: EmulatorState = request.scope["emulator"]
    return state


def _report(request: Request, token: str) -> Report:
    report = _state(request).workspace.reports.get(token)
    if report is None:
        raise HTTPException(404, f"no Report {token}")
    return report


def _collection(request: Request, token: str) -> Collection:
    collection = _state(request).workspace.collections.get(token)
    if collection is None:
        raise HTTPException(404, f"no Collection {token}")
    return collection


@router.get("/clock")
async def clock(request: Request) -> Body:
    clock = _state(request).clock
    return {"now": stamp(clock.now()), "speed": clock.speed}


@router.post("/clock")
async def set_clock(request: Request, settings: Body) -> Body:
    clock = _state(request).clock
    with _bad_settings_as_400():
        if "now" in settings:
            clock.set(datetime.fromisoformat(settings["now"]))
        clock.speed = settings.get("speed", clock.speed)
        clock.advance(timedelta(seconds=settings.get("advance_seconds", 0)))
    return {"now": stamp(clock.now()), "speed": clock.speed}


@router.get("/requests")
async def requests(request: Request, after: int = 0) -> Body:
    return _state(request).log.summary(after)


@router.delete("/requests")
async def clear_requests(request: Request) -> Body:
    _state(request).log.requests.clear()
    return {}


@router.get("/faults")
async def faults(request: Request) -> Body:
    return {"faults": [fault.to_json() for fault in _state(request).faults.active]}


@router.post("/faults")
async def add_fault(request: Request, fault: Body) -> Body:
    with _bad_settings_as_400():
        added = Fault(**fault)
        if added.kind.startswith("tls_") and not _state(request).speaks_tls:
            raise ValueError(f"the fault {added.kind!r} needs an emulator that was started with TLS")
    _state(request).faults.active.append(added)
    return added.to_json()


@router.delete("/faults")
async def clear_faults(request: Request) -> Body:
    _state(request).faults.active.clear()
    return {}


@router.post("/rate_limit")
async def rate_limit(request: Request, settings: Body) -> Body:
    with _bad_settings_as_400():
        _state(request).limits.configure(**settings)
    return settings


@router.post("/quirks")
async def quirks(request: Request, changes: Body) -> Body:
    workspace = _state(request).workspace
    with _bad_settings_as_400():
        workspace.quirks = TypeAdapter(Quirks).validate_python(
            asdict(Quirks(**{**asdict(workspace.quirks), **changes}))
        )
    return asdict(workspace.quirks)


@router.post("/tokens/{token}")
async def set_standing(request: Request, token: str, values: Body) -> Body:
    with _bad_settings_as_400():
        _state(request).set_standing(token, values.get("standing", ""))
    return values


@router.post("/reset")
async def reset(request: Request) -> Body:
    _state(request).reset()
    return {}


@router.get("/snapshot")
async def save(request: Request) -> Response:
    return Response(_state(request).save(), media_type="application/json")


@router.put("/snapshot")
async def restore(request: Request) -> Body:
    with _bad_settings_as_400():
        _state(request).restore(await request.body())
    return {}


@router.get("/state")
async def state(request: Request) -> Body:
    workspace, now = _state(request).workspace, _state(request).clock.now()
    reports = {}
    for report in workspace.reports.values():
        last, collection = workspace.last_run(report, now), workspace.collection_of(report)
        reports[report.token] = {
            "name": report.name,
            "type": report.type,
            "description": report.description,
            "collection": report.collection,
            "personal_of": collection.owner if collection else None,
            "archived": report.archived_at is not None,
            "view_count": report.view_count(now),
            "last_viewed_at": stamp(report.last_viewed_at(now)),
            "created_at": stamp(report.created_at),
            "edited_at": stamp(report.edited_at),
            "runs_count": workspace.run_count(report, now),
            "last_run_at": stamp(last.created_at) if last else None,
            "schedules": [schedule.token for schedule in workspace.schedules_of(report)],
            "dataset_runs": report.dataset_runs,
            "commit_message": report.commit_message,
            "runs_started": [
                {"token": run.token, "state": run.state(now), "parameters": run.parameters}
                for run in workspace.runs.get(report.token, [])
                if run.created_at <= now  # after the clock was set back, a later run has not begun
            ],
        }
    schedules = {
        schedule.token: {
            "report": schedule.report,
            "name": schedule.name,
            "cron": schedule.cron,
            "params": schedule.params,
            "timeout": schedule.timeout,
        }
        for schedule in workspace.schedules.values()
    }
    subscriptions = {
        subscription.token: {
            "schedule": subscription.schedule,
            "options": subscription.options,
            "emails": subscription.emails,
        }
        for subscription in workspace.subscriptions.values()
    }
    collections = {
        collection.token: {
            "name": collection.name,
            "space_type": collection.space_type,
            "personal_of": collection.owner,
        }
        for collection in workspace.collections.values()
    }
    return {
        "workspace": workspace.name,
        "now": stamp(now),
        "reports": reports,
        "schedules": schedules,
        "subscriptions": subscriptions,
        "collections": collections,
    }


@router.post("/reports")
async def add_report(request: Request, values: Body) -> Body:
    state = _state(request)
    checked = _checked({key: value for key, value in values.items() if key != "collection"})
    default = next(collection.token for collection in state.workspace.collections.values() if collection.owner is None)
    place = _place(request, values.get("collection", default))
    name, creator = (
        checked.pop("name", "Created for a test"),
        checked.pop("creator", next(iter(state.workspace.people))),
    )
    report = state.workspace.new_report(name, place, creator, state.clock.now())
    for key, value in checked.items():
        setattr(report, key, value)
    return {"token": report.token}


@router.patch("/reports/{token}")
async def change_report(request: Request, token: str, values: Body) -> Body:
    report, state = _report(request, token), _state(request)
    checked = _checked({key: value for key, value in values.items() if key != "collection"})
    if "collection" in values:
        state.workspace.move_report(report, _place(request, values["collection"]))
    for key, value in checked.items():
        setattr(report, key, value)
    return {"token": token}


def _place(request: Request, collection: str | None) -> str | None:
    return None if collection is None else _collection(request, collection).token


def _checked(values: Body) -> Body:
    """Return a Report's fields after checking their names and types."""
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
async def view(request: Request, token: str, views: dict[str, int]) -> Body:
    report, now = _report(request, token), _state(request).clock.now()
    report.extra_views += views.get("count", 1)
    report.extra_viewed_at = now
    return {"view_count": report.view_count(now)}


@router.get("/reports/{token}/views")
async def views(request: Request, token: str, since: datetime) -> Body:
    found = _state(request).workspace.views(_report(request, token), since, _state(request).clock.now())
    return {"views": [{"at": stamp(at), "viewer": username} for at, username in found]}


@router.post("/reports/{token}/schedules")
async def add_schedule(request: Request, token: str, values: Body) -> Body:
    state, report = _state(request), _report(request, token)
    cron = {**_DAILY, **values.get("cron", {})}
    schedule = Schedule(state.workspace.new_token("schedule"), token, cron, report.created_at, report.creator)
    schedule.params, schedule.name = values.get("params", {}), values.get("name", schedule.name)
    state.workspace.add_schedule(schedule)
    emails, channels = (list(map(str, values.get(name, ()))) for name in ("emails", "slack"))
    if emails or channels:
        subscription = state.workspace.new_token("subscription")
        state.workspace.add_subscription(
            Subscription(subscription, schedule.token, {}, emails, report.created_at, channels)
        )
    return {"token": schedule.token}


@router.delete("/reports/{token}")
async def remove_report(request: Request, token: str) -> Body:
    _state(request).workspace.remove_report(_report(request, token))
    return {}


@router.delete("/reports/{token}/runs/{run}")
async def remove_run(request: Request, token: str, run: str) -> Body:
    _state(request).workspace.remove_run(_report(request, token), run)
    return {}


@router.post("/collections")
async def add_collection(request: Request, values: Body) -> Body:
    workspace = _state(request).workspace
    with _bad_settings_as_400():
        collection = Collection(workspace.new_token("collection"), 1_950_000 + workspace.created_count, **values)
    workspace.collections[collection.token] = collection
    return {"token": collection.token}


@router.delete("/collections/{token}")
async def remove_collection(request: Request, token: str) -> Body:
    _state(request).workspace.remove_collection(_collection(request, token).token)
    return {}


@router.post("/collections/{token}/forbid")
async def forbid_collection(request: Request, token: str) -> Body:
    _collection(request, token).forbidden = True
    return {}
