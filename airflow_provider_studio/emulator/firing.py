# SPDX-License-Identifier: Apache-2.0
"""When a schedule fires, from its machine values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

ZONES = {
    "UTC": "UTC",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "Eastern Time (US & Canada)": "America/New_York",
    "London": "Europe/London",
    "Berlin": "Europe/Berlin",
    "Tokyo": "Asia/Tokyo",
}
"""Rails' names, which the API uses, and what they stand for."""
_MINUTES = {"every_15_minutes": 15, "every_30_minutes": 30, "hourly": 60}
_DAYS = {"daily": 1.0, "weekly": 7.0, "monthly": 30.4}


def firings_before(cron: dict[str, Any], now: datetime, *, since: datetime) -> Iterator[datetime]:
    """Yield the times at or before `now` at which a schedule made at `since` fired, newest first."""
    at = _aligned(cron, now)
    while at > since:
        if at <= now and _on_day(cron, at):
            yield at.astimezone(UTC)
        at = at - timedelta(minutes=_MINUTES.get(cron["freq"], 1440))


def next_firing(cron: dict[str, Any], now: datetime) -> datetime:
    """When a schedule fires next."""
    at = _aligned(cron, now)
    while at <= now or not _on_day(cron, at):
        at = at + timedelta(minutes=_MINUTES.get(cron["freq"], 1440))
    return at.astimezone(UTC)


def firings_between(cron: dict[str, Any], since: datetime, until: datetime) -> int:
    """About how often a schedule fired: exact for what fires by the hour or the day."""
    minutes = max(0.0, (until - since) / timedelta(minutes=1))
    if cron["freq"] in _MINUTES:
        return int(minutes / _MINUTES[cron["freq"]])
    days = len(_weekdays(cron)) if cron["freq"] == "weekly" else 1
    return int(minutes / 1440 / _DAYS[cron["freq"]] * days)


def _aligned(cron: dict[str, Any], now: datetime) -> datetime:
    """A time of day at which the schedule fires, on or just before `now`."""
    local = now.astimezone(ZoneInfo(ZONES.get(cron.get("time_zone") or "UTC", "UTC")))
    minute = cron.get("minute") or 0
    step = _MINUTES.get(cron["freq"])
    if step is None:
        return local.replace(hour=cron.get("hour") or 0, minute=minute, second=0, microsecond=0)
    start = local.replace(minute=minute % step, second=0, microsecond=0)
    return start + timedelta(minutes=step * ((local - start) // timedelta(minutes=step)))


def _weekdays(cron: dict[str, Any]) -> set[int]:
    """The days of the week on which it fires, Sunday 0."""
    days = cron.get("day_of_week")
    if days is None:
        return {1}
    listed = days if isinstance(days, list) else str(days).split(",")
    return {int(day) % 7 for day in listed}


def _on_day(cron: dict[str, Any], at: datetime) -> bool:
    if cron["freq"] == "weekly":
        return at.isoweekday() % 7 in _weekdays(cron)
    if cron["freq"] == "monthly":
        return at.day == (cron.get("day_of_month") or 1)
    return True
