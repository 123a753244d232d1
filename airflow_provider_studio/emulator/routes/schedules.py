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
from airflow_provider_studio.emulator.routes.endpoint import Answer, Routes, no_content
from airflow_provider_studio.emulator.serializers.schedules import schedule, subscription

_RANGES = {"hour": (0, 23), "minute": (0, 59), "day_of_month": (1, 31)}
_CRON = ("freq", "hour", "minute", "time_zone", "day_of_week", "day_of_month")
_OPTIONS = ("data_previews", "data_tables", "csv_attachments", "pdf_attachments", "report_links")

routes = Routes()


@routes.on("GET", "/reports/{report}/schedules")
@routes.on("GET", "/datasets/{dataset}/schedules")
def schedules(asked: ApiRequest) -> Answer:
    rows = asked.world.schedules_of(asked.report())
    return asked.paged("report_schedules", rows, lambda one: schedule(asked.view, one), counters=False)


@routes.on("POST", "/reports/{report}/schedules", 201)
def create_schedule(asked: ApiRequest) -> Answer:
    found, values = asked.report(), _values(asked)
    creator = asked.account.username or next(iter(asked.world.people))
    cron = _checked_cron(asked, values.get("cron"))
    made = Schedule(asked.world.new_token("schedule"), found.token, cron, asked.now, creator)
    _change(made, values)
    asked.world.add_schedule(made)
    return schedule(asked.view, made)


@routes.on("GET", "/reports/{report}/schedules/{schedule}")
def get_schedule(asked: ApiRequest) -> Answer:
    return schedule(asked.view, asked.schedule())


@routes.on("PATCH", "/reports/{report}/schedules/{schedule}", 202)
def update_schedule(asked: ApiRequest) -> Answer:
    found, values = asked.schedule(), _values(asked)
    if "cron" in values:
        asked.world.change_schedule(found, _checked_cron(asked, values["cron"]), asked.now)
    _change(found, values)
    found.updated_at = asked.now
    return schedule(asked.view, found)


@routes.on("DELETE", "/reports/{report}/schedules/{schedule}")
def delete_schedule(asked: ApiRequest) -> Answer:
    asked.world.remove_schedule(asked.schedule(), asked.now)
    return no_content()


def _values(asked: ApiRequest) -> dict[str, Any]:
    wrapper = None if asked.world.quirks.schedule_body == "flat" else "report_schedule"
    return asked.values(wrapper, cron=dict, name=str, timeout=int, params=dict)


def _checked_cron(asked: ApiRequest, cron: dict[str, Any] | None) -> dict[str, Any]:
    if not cron or cron.get("freq") not in FREQUENCIES:
        raise bad_request("cron.freq is not a known frequency")
    if asked.world.breaks_policy(cron):
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
    return _as_stored(asked.world.quirks, checked)


def _as_stored(quirks: Quirks, cron: dict[str, Any]) -> dict[str, Any]:
    """A cron as the service keeps it, which may not be what was sent."""
    if quirks.schedule_minutes == "rounded" and cron["minute"] is not None:
        cron["minute"] -= cron["minute"] % 15
    if quirks.schedule_time_zones == "first" and cron["time_zone"] is not None:
        zone = ZONES[cron["time_zone"]]
        cron["time_zone"] = next(name for name, other in ZONES.items() if other == zone)
    return cron


def _number(value: object, least: int, most: int) -> int | None:
    """A whole number, also as text, in its range."""
    text = str(value)
    number = int(text) if text.isascii() and text.isdecimal() and not isinstance(value, bool) else -1
    return number if least <= number <= most else None


def _change(one: Schedule, values: dict[str, Any]) -> None:
    one.name = values.get("name") or one.name
    one.params = values.get("params") or one.params
    one.timeout = values.get("timeout") or one.timeout


@routes.on("GET", "/reports/{report}/subscriptions")
def report_subscriptions(asked: ApiRequest) -> Answer:
    owned = asked.world.schedules_of(asked.report())
    rows = [one for each in owned for one in asked.world.subscriptions_of(each.token)]
    return asked.whole("report_subscriptions", rows, lambda one: subscription(asked.view, one))


@routes.on("GET", "/reports/{report}/schedules/{schedule}/subscriptions")
def schedule_subscriptions(asked: ApiRequest) -> Answer:
    rows = asked.world.subscriptions_of(asked.schedule().token)
    return asked.whole("report_subscriptions", rows, lambda one: subscription(asked.view, one))


@routes.on("POST", "/reports/{report}/subscriptions", 201)
def create_subscription(asked: ApiRequest) -> Answer:
    options, joined = _subscription_options(asked), _joined(asked)
    token = asked.world.new_token("subscription")
    made = Subscription(token, joined.token, {f"{name}_enabled": False for name in _OPTIONS} | options, [], asked.now)
    asked.world.add_subscription(made)
    return subscription(asked.view, made)


def _joined(asked: ApiRequest) -> Schedule:
    """The schedule that a new subscription belongs to, which is not documented: the quirk `subscription_joins`."""
    owned = asked.world.schedules_of(asked.report())
    if not owned:
        raise bad_request("The Report has no schedule to subscribe to")
    if asked.world.quirks.subscription_joins == "first":
        return owned[0]
    if asked.world.quirks.subscription_joins == "oldest":
        return min(owned, key=lambda one: one.created_at)
    if asked.world.quirks.subscription_joins == "newest":
        return max(reversed(owned), key=lambda one: one.created_at)
    named = asked.values("report_subscription", report_schedule_token=str).get("report_schedule_token")
    found = next((one for one in owned if one.token == named), None)
    if found is None:
        raise param_missing("report_schedule_token")
    return found


@routes.on("GET", "/reports/{report}/subscriptions/{subscription}")
def get_subscription(asked: ApiRequest) -> Answer:
    return subscription(asked.view, asked.subscription())


@routes.on("PATCH", "/reports/{report}/subscriptions/{subscription}", 202)
def update_subscription(asked: ApiRequest) -> Answer:
    found = asked.subscription()
    found.options |= _subscription_options(asked)
    return subscription(asked.view, found)


@routes.on("DELETE", "/reports/{report}/subscriptions/{subscription}")
def delete_subscription(asked: ApiRequest) -> Answer:
    asked.world.remove_subscription(asked.subscription())
    return no_content()


def _subscription_options(asked: ApiRequest) -> dict[str, bool]:
    names = [f"{name}_enabled" for name in _OPTIONS]
    values = asked.values("report_subscription", **dict.fromkeys(names, bool))
    kept = {name: value for name, value in values.items() if value is not None}
    if asked.world.quirks.subscription_options == "without_pdf":
        kept["pdf_attachments_enabled"] = False
    return kept


@routes.on("GET", "/reports/{report}/subscriptions/{subscription}/email_report_subscription_memberships")
def email_subscribers(asked: ApiRequest) -> Answer:
    return asked.whole("memberships", _subscribed(asked).emails, lambda email: {"email": email})


@routes.on("GET", "/reports/{report}/subscriptions/{subscription}/slack_report_subscription_memberships")
def slack_subscribers(asked: ApiRequest) -> Answer:
    _subscribed(asked)
    return asked.whole("memberships", [], dict)


def _subscribed(asked: ApiRequest) -> Subscription:
    """The subscription whose subscribers are asked for, if the quirk `subscriber_lists` shows them."""
    found, shown = asked.subscription(), asked.world.quirks.subscriber_lists
    if shown == "bad_request":
        raise bad_request(NOT_FOR_KEYS)
    if shown == "forbidden":
        raise ApiError(403, "forbidden", "You do not have permission to view this")
    if shown == "not_found":
        raise not_found("request path")
    return found
