# SPDX-License-Identifier: Apache-2.0
"""Schedules and subscriptions."""

from __future__ import annotations

from typing import Any

from airflow_provider_studio.client.time_zones import ZONES
from airflow_provider_studio.emulator.entities import Schedule, Subscription
from airflow_provider_studio.emulator.firing import FREQUENCIES
from airflow_provider_studio.emulator.quirks import Quirks
from airflow_provider_studio.emulator.request import (
    NOT_FOR_KEYS,
    ApiError,
    ApiRequest,
    bad_request,
    not_found,
    param_missing,
)
from airflow_provider_studio.emulator.routes.endpoint import Result, Routes, no_content
from airflow_provider_studio.emulator.serializers.schedules import serialize_schedule, serialize_subscription

_RANGES = {"hour": (0, 23), "minute": (0, 59), "day_of_month": (1, 31)}
_CRON = ("freq", "hour", "minute", "time_zone", "day_of_week", "day_of_month")
_OPTIONS = ("data_previews", "data_tables", "csv_attachments", "pdf_attachments", "report_links")

routes = Routes()


@routes.on("GET", "/reports/{report}/schedules")
@routes.on("GET", "/datasets/{dataset}/schedules")
def schedules(request: ApiRequest) -> Result:
    rows = request.workspace.schedules_of(request.report())
    return request.paged(
        "report_schedules", rows, lambda schedule: serialize_schedule(request.view, schedule), counters=False
    )


@routes.on("POST", "/reports/{report}/schedules", 201)
def create_schedule(request: ApiRequest) -> Result:
    report, values = request.report(), _values(request)
    creator = request.account.username or next(iter(request.workspace.people))
    cron = _checked_cron(request, values.get("cron"))
    schedule = Schedule(request.workspace.new_token("schedule"), report.token, cron, request.now, creator)
    _change(schedule, values)
    request.workspace.add_schedule(schedule)
    return serialize_schedule(request.view, schedule)


@routes.on("GET", "/reports/{report}/schedules/{schedule}")
def get_schedule(request: ApiRequest) -> Result:
    return serialize_schedule(request.view, request.schedule())


@routes.on("PATCH", "/reports/{report}/schedules/{schedule}", 202)
def update_schedule(request: ApiRequest) -> Result:
    schedule, values = request.schedule(), _values(request)
    if "cron" in values:
        request.workspace.change_schedule(schedule, _checked_cron(request, values["cron"]), request.now)
    _change(schedule, values)
    schedule.updated_at = request.now
    return serialize_schedule(request.view, schedule)


@routes.on("DELETE", "/reports/{report}/schedules/{schedule}")
def delete_schedule(request: ApiRequest) -> Result:
    request.workspace.remove_schedule(request.schedule(), request.now)
    return no_content()


def _values(request: ApiRequest) -> dict[str, Any]:
    wrapper = None if request.workspace.quirks.schedule_body == "flat" else "report_schedule"
    return request.values(wrapper, cron=dict, name=str, timeout=int, params=dict)


def _checked_cron(request: ApiRequest, cron: dict[str, Any] | None) -> dict[str, Any]:
    if not cron or cron.get("freq") not in FREQUENCIES:
        raise bad_request("cron.freq is not a known frequency")
    if request.workspace.breaks_policy(cron):
        raise bad_request("cron.freq is more frequent than the workspace's schedule policy allows")
    if cron.get("time_zone") not in {None, *ZONES}:
        raise bad_request("cron.time_zone is not a known time zone")
    for name, (least, most) in _RANGES.items():
        if cron.get(name) is not None and _number(cron[name], least, most) is None:
            raise bad_request(f"cron.{name} is invalid")
    days = cron.get("day_of_week")
    listed = days if isinstance(days, list) else [] if days is None else str(days).split(",")
    if any(_number(day, 0, 7) is None for day in listed):
        raise bad_request("cron.day_of_week is invalid")
    checked = {name: cron.get(name) for name in _CRON}
    checked |= {name: _number(cron.get(name), *_RANGES[name]) for name in _RANGES}
    return _as_stored(request.workspace.quirks, checked)


def _as_stored(quirks: Quirks, cron: dict[str, Any]) -> dict[str, Any]:
    """Return a cron as the service stores it, which may differ from what was sent."""
    if quirks.schedule_minutes == "rounded" and cron["minute"] is not None:
        cron["minute"] -= cron["minute"] % 15
    if quirks.schedule_time_zones == "first" and cron["time_zone"] is not None:
        zone = ZONES[cron["time_zone"]]
        cron["time_zone"] = next(name for name, other in ZONES.items() if other == zone)
    return cron


def _number(value: object, least: int, most: int) -> int | None:
    """Return a whole number within a range, also from text; None if it is not one."""
    text = str(value)
    number = int(text) if text.isascii() and text.isdecimal() and not isinstance(value, bool) else -1
    return number if least <= number <= most else None


def _change(schedule: Schedule, values: dict[str, Any]) -> None:
    schedule.name = values.get("name") or schedule.name
    schedule.params = values.get("params") or schedule.params
    schedule.timeout = values.get("timeout") or schedule.timeout


@routes.on("GET", "/reports/{report}/subscriptions")
def report_subscriptions(request: ApiRequest) -> Result:
    owned = request.workspace.schedules_of(request.report())
    rows = [subscription for schedule in owned for subscription in request.workspace.subscriptions_of(schedule.token)]
    return request.whole(
        "report_subscriptions", rows, lambda subscription: serialize_subscription(request.view, subscription)
    )


@routes.on("GET", "/reports/{report}/schedules/{schedule}/subscriptions")
def schedule_subscriptions(request: ApiRequest) -> Result:
    rows = request.workspace.subscriptions_of(request.schedule().token)
    return request.whole(
        "report_subscriptions", rows, lambda subscription: serialize_subscription(request.view, subscription)
    )


@routes.on("POST", "/reports/{report}/subscriptions", 201)
def create_subscription(request: ApiRequest) -> Result:
    options, joined = _subscription_options(request), _joined(request)
    token = request.workspace.new_token("subscription")
    subscription = Subscription(
        token, joined.token, {f"{name}_enabled": False for name in _OPTIONS} | options, [], request.now
    )
    request.workspace.add_subscription(subscription)
    return serialize_subscription(request.view, subscription)


def _joined(request: ApiRequest) -> Schedule:
    """Return the schedule that a new subscription belongs to; undocumented, so the quirk `subscription_joins`."""
    owned = request.workspace.schedules_of(request.report())
    if not owned:
        raise bad_request("The Report has no schedule to subscribe to")
    if request.workspace.quirks.subscription_joins == "first":
        return owned[0]
    if request.workspace.quirks.subscription_joins == "oldest":
        return min(owned, key=lambda schedule: schedule.created_at)
    if request.workspace.quirks.subscription_joins == "newest":
        return max(reversed(owned), key=lambda schedule: schedule.created_at)
    named = request.values("report_subscription", report_schedule_token=str).get("report_schedule_token")
    schedule = next((schedule for schedule in owned if schedule.token == named), None)
    if schedule is None:
        raise param_missing("report_schedule_token")
    return schedule


@routes.on("GET", "/reports/{report}/subscriptions/{subscription}")
def get_subscription(request: ApiRequest) -> Result:
    return serialize_subscription(request.view, request.subscription())


@routes.on("PATCH", "/reports/{report}/subscriptions/{subscription}", 202)
def update_subscription(request: ApiRequest) -> Result:
    subscription = request.subscription()
    subscription.options |= _subscription_options(request)
    return serialize_subscription(request.view, subscription)


@routes.on("DELETE", "/reports/{report}/subscriptions/{subscription}")
def delete_subscription(request: ApiRequest) -> Result:
    request.workspace.remove_subscription(request.subscription())
    return no_content()


def _subscription_options(request: ApiRequest) -> dict[str, bool]:
    names = [f"{name}_enabled" for name in _OPTIONS]
    values = request.values("report_subscription", **dict.fromkeys(names, bool))
    options = {name: value for name, value in values.items() if value is not None}
    if request.workspace.quirks.subscription_options == "without_pdf":
        options["pdf_attachments_enabled"] = False
    return options


@routes.on("GET", "/reports/{report}/subscriptions/{subscription}/email_report_subscription_memberships")
def email_subscribers(request: ApiRequest) -> Result:
    return request.whole("memberships", _subscribed(request).emails, lambda email: {"email": email})


@routes.on("GET", "/reports/{report}/subscriptions/{subscription}/slack_report_subscription_memberships")
def slack_subscribers(request: ApiRequest) -> Result:
    return request.whole("memberships", _subscribed(request).channels, lambda channel: {"channel": channel})


def _subscribed(request: ApiRequest) -> Subscription:
    """Return the subscription that the path names, if the quirk `subscriber_lists` shows its subscribers."""
    subscription, shown = request.subscription(), request.workspace.quirks.subscriber_lists
    if shown == "bad_request":
        raise bad_request(NOT_FOR_KEYS)
    if shown == "forbidden":
        raise ApiError(403, "forbidden", "You do not have permission to view this")
    if shown == "not_found":
        raise not_found("request path")
    return subscription
