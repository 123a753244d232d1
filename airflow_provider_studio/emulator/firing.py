# SPDX-License-Identifier: Apache-2.0
"""When a schedule fires, computed from its machine values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_studio.client.time_zones import ZONES

FREQUENCIES = ("every_15_minutes", "every_30_minutes", "hourly", "daily", "weekly", "monthly")
_MINUTES = {"every_15_minutes": 15, "every_30_minutes": 30, "hourly": 60}
_DAY = timedelta(days=1)


def firings_before(cron: dict[str, Any], now: datetime, *, since: datetime) -> Iterator[datetime]:
    """Yield the times after `since` and up to `now` at which a schedule fired, newest first."""
    at = _latest(cron, now)
    step = _step(cron)
    while at > since:
        if _on_day(cron, at):
            yield at.astimezone(UTC)
        at -= step


def next_firing(cron: dict[str, Any], now: datetime) -> datetime:
    """Return when a schedule fires next."""
    at = _latest(cron, now) + _step(cron)
    while not _on_day(cron, at):
        at += _DAY
    return at.astimezone(UTC)


def firings_between(cron: dict[str, Any], since: datetime, until: datetime) -> int:
    """Return how often a schedule fired after `since` and up to `until`."""
    if until <= since:
        return 0
    first, last = _latest(cron, since), _latest(cron, until)
    if cron["freq"] in _MINUTES:
        return int((last.astimezone(UTC) - first.astimezone(UTC)) / _step(cron))
    return _days_until(cron, last.date()) - _days_until(cron, first.date())


@cache
def _zone(name: str | None) -> ZoneInfo:
    return ZoneInfo(ZONES.get(name or "UTC", "UTC"))


def _step(cron: dict[str, Any]) -> timedelta:
    return timedelta(minutes=_MINUTES.get(cron["freq"], 1440))


def _latest(cron: dict[str, Any], now: datetime) -> datetime:
    """Return the latest time up to `now` with the schedule's time of day, on any day."""
    local = now.astimezone(_zone(cron.get("time_zone")))
    minute = cron.get("minute") or 0
    step = _MINUTES.get(cron["freq"])
    if step is None:
        at = local.replace(hour=cron.get("hour") or 0, minute=minute, second=0, microsecond=0)
        return at if at <= local else at - _DAY
    passed = (local.minute - minute) % step
    return local.replace(second=0, microsecond=0) - timedelta(minutes=passed)


def _weekdays(cron: dict[str, Any]) -> set[int]:
    """Return the days of the week on which it fires; Sunday is 0."""
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


def _days_until(cron: dict[str, Any], last: date) -> int:
    """Return on how many days the schedule fires, from a fixed day in the past up to this one."""
    if cron["freq"] == "daily":
        return last.toordinal()
    if cron["freq"] == "weekly":  # ordinal 7 was a Sunday
        return sum((last.toordinal() - weekday) // 7 for weekday in _weekdays(cron))
    day = cron.get("day_of_month") or 1
    months = last.year * 12 + last.month - 1 + (last.day >= day)
    return months if day <= 28 else sum(_has_day(month, day) for month in range(1970 * 12, months))


def _has_day(month: int, day: int) -> bool:
    """Return whether a month, counted from year 0, has this day."""
    first = date(month // 12, month % 12 + 1, 1)
    return (first + timedelta(days=day - 1)).month == first.month
