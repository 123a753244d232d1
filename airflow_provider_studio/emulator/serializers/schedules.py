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


def serialize_schedule(view: View, schedule: Schedule) -> Body:
    """Return a schedule: prose for people, machine values in its edit form."""
    report = view.workspace.reports[schedule.report]
    reports = f"{view.root}/reports/{report.token}"
    path = f"{reports}/schedules/{schedule.token}"
    cron, last = schedule.cron, schedule.last_firing(view.now)
    ended = None if last is None else last + timedelta(seconds=report.expected_runtime)
    hour, minute = cron.get("hour"), cron.get("minute") or 0
    body: Body = {
        "token": schedule.token,
        "name": schedule.name or UNTITLED,
        "parameters": schedule.params,
        "created_at": stamp(schedule.created_at),
        "updated_at": stamp(schedule.updated_at or schedule.created_at),
        "retry_state": "ok",
        "retry_count": 0,
        "retry_delay": 0,
        "timeout": schedule.timeout,
        "last_run_at": stamp(last),
        "last_succeeded_at": stamp(ended if ended and ended <= view.now else None),
        "last_scheduled_run": _offset_stamp(last),
        "next_scheduled_run": None if schedule.stopped_at else _offset_stamp(next_firing(cron, view.now)),
        "report_name": report.name,
        "report_token": report.token,
        "report_type": report.type,
        "delivery": None,
        "subscribed": False,
        "subscriber_count": _subscriber_count(view, schedule),
        "frequency": cron["freq"],
        "time_zone": cron.get("time_zone"),
        "hour": None if hour is None else f"{(hour - 1) % 12 + 1}:00 {'am' if hour < 12 else 'pm'}",
        "minute": "the top of the hour" if minute == 0 else f"{minute} minutes past the hour",
        "cron_hour": hour,
        "cron_minute": minute,
        "day_of_month": cron.get("day_of_month"),
        "_links": {
            "account": link(view.root),
            "creator": link(f"/api/{schedule.creator}"),
            "self": link(path),
            "report": link(reports),
            "report_web": link(f"{WEB}/{view.workspace.name}/reports/{report.token}"),
            "report_runs": link(f"{path}/runs?embed[report_runs][executed_by]=1"),
            "report_subscriptions": link(f"{path}/subscriptions"),
        },
    }
    if body["subscriber_count"] is None:
        del body["subscriber_count"]
    if view.workspace.quirks.schedule_forms == "present":
        body["_forms"] = {"edit": _edit_form(view, schedule, path), "destroy": form("delete", path)}
    if cron["freq"] == "weekly" and cron.get("day_of_week") is not None:
        days = str(cron["day_of_week"]).strip("[]").split(",")
        body["day_of_week"] = ",".join(_WEEKDAYS[int(day) % 7] for day in days)
    return body


def _subscriber_count(view: View, schedule: Schedule) -> int | None:
    """Return how many people get a schedule's results; None if the response does not have the number."""
    quirk, subscriptions = view.workspace.quirks.subscriber_count, view.workspace.subscriptions_of(schedule.token)
    counted = {"people": sum(len(subscription.emails) for subscription in subscriptions), "zero": 0}
    return counted.get(quirk)


def _edit_form(view: View, schedule: Schedule, path: str) -> Body:
    """Return the form that changes a schedule, with its machine values; `params` is the object itself, not a field."""
    edit = form(
        "patch",
        path,
        {"report_schedule": {"name": schedule.name, "params": schedule.params, "timeout": schedule.timeout}},
    )
    fields = edit["input"]["report_schedule"]
    fields["cron"] = {name: {"type": "text", "value": value} for name, value in schedule.cron.items()}
    for name, options in _DAYS.items():
        field: dict[str, Any] = {"type": "select", "options": options, "value": schedule.cron.get(name)}
        if field["value"] is None and view.workspace.quirks.schedule_unset_days == "without_value":
            del field["value"]
        fields["cron"][name] = field
    fields["params"] = schedule.params
    if view.workspace.quirks.schedule_params == "wrapped":
        fields["params"] = {"type": "object", "value": schedule.params}
    return edit


def serialize_subscription(view: View, subscription: Subscription) -> Body:
    """Return a subscription; its token is only in its link to itself, and its members are behind other links."""
    report = view.workspace.schedules[subscription.schedule].report
    path, quirks = f"{view.root}/reports/{report}/subscriptions/{subscription.token}", view.workspace.quirks
    return {
        **({"token": subscription.token} if quirks.subscription_token else {}),
        **subscription.options,
        "email_subscriber_count": len(subscription.emails),
        "_links": {
            **({"self": link(path)} if quirks.subscription_self_link else {}),
            "report_schedule": link(f"{view.root}/reports/{report}/schedules/{subscription.schedule}"),
            "email_subscription_memberships": link(f"{path}/email_report_subscription_memberships"),
            "slack_subscription_memberships": link(f"{path}/slack_report_subscription_memberships"),
        },
    }


def _offset_stamp(time: datetime | None) -> str | None:
    """Return a planned time of a schedule, which ends in `+00:00`; all other times end in `Z`."""
    text = stamp(time)
    return None if text is None else f"{text[:-1]}+00:00"
