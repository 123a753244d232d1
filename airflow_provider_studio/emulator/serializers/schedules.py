# SPDX-License-Identifier: Apache-2.0
"""Schedules and subscriptions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import Schedule, Subscription
from airflow_provider_studio.emulator.firing import next_firing
from airflow_provider_studio.emulator.serializers.hal import WEB, Body, View, form, link

_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_DAYS = {"day_of_week": list(range(7)), "day_of_month": list(range(1, 32))}
UNTITLED = "Untitled schedule"


def schedule(view: View, one: Schedule) -> Body:
    """A schedule: prose for people, machine values in its edit form."""
    report = view.world.reports[one.report]
    reports = f"{view.root}/reports/{report.token}"
    path = f"{reports}/schedules/{one.token}"
    cron, last = one.cron, one.last_firing(view.now)
    ended = None if last is None else last + timedelta(seconds=report.expected_runtime)
    hour, minute = cron.get("hour"), cron.get("minute") or 0
    body: Body = {
        "token": one.token,
        "name": one.name or UNTITLED,
        "parameters": one.params,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at or one.created_at),
        "retry_state": "ok",
        "retry_count": 0,
        "retry_delay": 0,
        "timeout": one.timeout,
        "last_run_at": stamp(last),
        "last_succeeded_at": stamp(ended if ended and ended <= view.now else None),
        "last_scheduled_run": _offset_stamp(last),
        "next_scheduled_run": None if one.stopped_at else _offset_stamp(next_firing(cron, view.now)),
        "report_name": report.name,
        "report_token": report.token,
        "report_type": report.type,
        "delivery": None,
        "subscribed": False,
        "subscriber_count": sum(len(each.emails) for each in view.world.subscriptions_of(one.token)),
        "frequency": cron["freq"],
        "time_zone": cron.get("time_zone"),
        "hour": None if hour is None else f"{(hour - 1) % 12 + 1}:00 {'am' if hour < 12 else 'pm'}",
        "minute": "the top of the hour" if minute == 0 else f"{minute} minutes past the hour",
        "cron_hour": hour,
        "cron_minute": minute,
        "day_of_month": cron.get("day_of_month"),
        "_links": {
            "account": link(view.root),
            "creator": link(f"/api/{one.creator}"),
            "self": link(path),
            "report": link(reports),
            "report_web": link(f"{WEB}/{view.world.workspace}/reports/{report.token}"),
            "report_runs": link(f"{path}/runs?embed[report_runs][executed_by]=1"),
            "report_subscriptions": link(f"{path}/subscriptions"),
        },
    }
    if view.world.quirks.schedule_forms == "present":
        body["_forms"] = {"edit": _edit_form(view, one, path), "destroy": form("delete", path)}
    if cron["freq"] == "weekly" and cron.get("day_of_week") is not None:
        days = str(cron["day_of_week"]).strip("[]").split(",")
        body["day_of_week"] = ",".join(_WEEKDAYS[int(day) % 7] for day in days)
    return body


def _edit_form(view: View, one: Schedule, path: str) -> Body:
    """The form that changes a schedule, with the machine's values; `params` is the object itself, not a field."""
    edit = form("patch", path, {"report_schedule": {"name": one.name, "params": one.params, "timeout": one.timeout}})
    fields = edit["input"]["report_schedule"]
    fields["cron"] = {name: {"type": "text", "value": value} for name, value in one.cron.items()}
    for name, options in _DAYS.items():
        field: dict[str, Any] = {"type": "select", "options": options, "value": one.cron.get(name)}
        if field["value"] is None and view.world.quirks.schedule_unset_days == "without_value":
            del field["value"]
        fields["cron"][name] = field
    fields["params"] = one.params
    if view.world.quirks.schedule_params == "wrapped":
        fields["params"] = {"type": "object", "value": one.params}
    return edit


def subscription(view: View, one: Subscription) -> Body:
    """A subscription: named by its link to itself alone; its members are behind its other links."""
    report = view.world.schedules[one.schedule].report
    path, quirks = f"{view.root}/reports/{report}/subscriptions/{one.token}", view.world.quirks
    return {
        **({"token": one.token} if quirks.subscription_token else {}),
        **one.options,
        "email_subscriber_count": len(one.emails),
        "_links": {
            **({"self": link(path)} if quirks.subscription_self_link else {}),
            "report_schedule": link(f"{view.root}/reports/{report}/schedules/{one.schedule}"),
            "email_subscription_memberships": link(f"{path}/email_report_subscription_memberships"),
            "slack_subscription_memberships": link(f"{path}/slack_report_subscription_memberships"),
        },
    }


def _offset_stamp(time: datetime | None) -> str | None:
    """A schedule's planned times end in `+00:00` where everything else ends in `Z`."""
    text = stamp(time)
    return None if text is None else f"{text[:-1]}+00:00"
