# SPDX-License-Identifier: Apache-2.0
"""The endpoints of schedules and subscriptions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from airflow_provider_studio.emulator.asked import ApiError, Asked
from airflow_provider_studio.emulator.render import listing
from airflow_provider_studio.emulator.world import Schedule, Subscription

_FREQUENCIES = {"every_15_minutes", "every_30_minutes", "hourly", "daily", "weekly", "monthly"}

router = APIRouter(prefix="/api")


@router.get("/{workspace}/reports/{report}/schedules")
async def schedules(request: Request) -> Response:
    asked = Asked(request)
    rows = asked.world.schedules_of(asked.report())
    return JSONResponse(asked.paged("report_schedules", rows, asked.render.schedule))


@router.post("/{workspace}/reports/{report}/schedules")
async def create_schedule(request: Request) -> Response:
    asked = Asked(request)
    found, values = asked.report(), (await asked.body()).get("report_schedule")
    if not isinstance(values, dict):
        raise ApiError(400, "param_missing", "param is missing or the value is empty: report_schedule")
    creator = asked.account.username or next(iter(asked.world.people))
    made = Schedule(asked.world.new_token("schedule"), found.token, _checked_cron(values), asked.now, creator)
    _change(made, values)
    asked.world.add_schedule(made)
    return JSONResponse(asked.render.schedule(made), 201)


@router.get("/{workspace}/reports/{report}/schedules/{schedule}")
async def schedule(request: Request) -> Response:
    asked = Asked(request)
    return JSONResponse(asked.render.schedule(asked.schedule()))


@router.patch("/{workspace}/reports/{report}/schedules/{schedule}")
async def update_schedule(request: Request) -> Response:
    asked = Asked(request)
    found, values = asked.schedule(), (await asked.body()).get("report_schedule")
    if not isinstance(values, dict):
        raise ApiError(400, "param_missing", "param is missing or the value is empty: report_schedule")
    found.cron = _checked_cron(values) if "cron" in values else found.cron
    _change(found, values)
    found.updated_at = asked.now
    return JSONResponse(asked.render.schedule(found), 202)


@router.delete("/{workspace}/reports/{report}/schedules/{schedule}")
async def delete_schedule(request: Request) -> Response:
    asked = Asked(request)
    asked.world.remove_schedule(asked.schedule(), asked.now)
    return Response(status_code=204)


def _checked_cron(values: dict[str, Any]) -> dict[str, Any]:
    cron = values.get("cron")
    if not isinstance(cron, dict) or cron.get("freq") not in _FREQUENCIES:
        raise ApiError(400, "bad_request", "cron.freq is not a known frequency")
    return {key: cron.get(key) for key in ("freq", "hour", "minute", "time_zone", "day_of_week", "day_of_month")}


def _change(schedule: Schedule, values: dict[str, Any]) -> None:
    schedule.name = values.get("name") or schedule.name
    schedule.params = values.get("params", schedule.params)
    schedule.timeout = values.get("timeout", schedule.timeout)


@router.get("/{workspace}/reports/{report}/subscriptions")
async def report_subscriptions(request: Request) -> Response:
    asked = Asked(request)
    owned = {one.token for one in asked.world.schedules_of(asked.report())}
    rows = [one for one in asked.world.subscriptions.values() if one.schedule in owned]
    return JSONResponse(listing(asked.path, "report_subscriptions", [asked.render.subscription(one) for one in rows]))


@router.get("/{workspace}/reports/{report}/schedules/{schedule}/subscriptions")
async def schedule_subscriptions(request: Request) -> Response:
    asked = Asked(request)
    rows = asked.world.subscriptions_of(asked.schedule().token)
    return JSONResponse(listing(asked.path, "report_subscriptions", [asked.render.subscription(one) for one in rows]))


@router.post("/{workspace}/reports/{report}/subscriptions")
async def create_subscription(request: Request) -> Response:
    asked = Asked(request)
    values = (await asked.body()).get("report_subscription")
    if not isinstance(values, dict):
        raise ApiError(400, "param_missing", "param is missing or the value is empty: report_subscription")
    schedules = asked.world.schedules_of(asked.report())
    if not schedules:
        raise ApiError(400, "bad_request", "The Report has no schedule to subscribe to")
    token = asked.world.new_token("subscription")
    options = {key: bool(value) for key, value in values.items() if key.endswith("_enabled")}
    made = Subscription(token, schedules[-1].token, options, [], asked.now)  # the newest schedule
    asked.world.subscriptions[token] = made
    return JSONResponse(asked.render.subscription(made), 201)


@router.get("/{workspace}/reports/{report}/subscriptions/{subscription}")
async def subscription(request: Request) -> Response:
    asked = Asked(request)
    return JSONResponse(asked.render.subscription(asked.subscription()))


@router.delete("/{workspace}/reports/{report}/subscriptions/{subscription}")
async def delete_subscription(request: Request) -> Response:
    asked = Asked(request)
    asked.world.subscriptions.pop(asked.subscription().token)
    return Response(status_code=204)


@router.get("/{workspace}/reports/{report}/subscriptions/{subscription}/email_report_subscription_memberships")
async def subscription_members(request: Request) -> Response:
    asked = Asked(request)
    found = asked.subscription()
    rows = [{"token": f"{found.token[:10]}{at:02d}", "email": email} for at, email in enumerate(found.emails)]
    return JSONResponse(listing(asked.path, "memberships", rows))
