# SPDX-License-Identifier: Apache-2.0
"""When a schedule should have run, and whether it did: computed from the values of its cron, in its time zone.

Studio's schedules have six frequencies and no cron expression. A library for expressions takes a millisecond for each
time, which is too long for all schedules of a workspace.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_provider_studio.client.schedule_values import Frequency
from airflow_provider_studio.client.time_zones import ZONES

_EARLY = timedelta(minutes=2)
"""A run that began at most this long before a due time counts as the run of that time: clocks differ."""
_STEPS = {Frequency.EVERY_15_MINUTES: 15, Frequency.EVERY_30_MINUTES: 30, Frequency.HOURLY: 60}
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAY = r"\d+|[a-z]+"
_RANGE = re.compile(rf"({_DAY})\s*-\s*({_DAY})")


@dataclass(frozen=True)
class DueTimes:
    """The times at which a schedule fires. Of a local time that exists twice, the first counts.

    :param zone: the time zone of its hour and its days.
    :param step: minutes between two firings; None if it fires once on each of its days.
    :param is_on: whether it fires on a day.
    """

    zone: ZoneInfo
    minute: int
    hour: int = 0
    step: int | None = None
    is_on: Callable[[date], bool] = lambda _day: True

    def last(self, at: datetime) -> datetime:
        """Return the newest time up to `at`."""
        if self.step is not None:
            local = at.astimezone(self.zone)
            passed = timedelta(minutes=(local.minute - self.minute) % self.step, seconds=local.second)
            return at.astimezone(UTC).replace(microsecond=0) - passed
        return next(due for due in self._from(at, timedelta(days=-1)) if due <= at)

    def next(self, after: datetime) -> datetime:
        """Return the first time after `after`."""
        if self.step is not None:
            return self.last(after) + timedelta(minutes=self.step)
        return next(due for due in self._from(after, timedelta(days=1)) if due > after)

    def _from(self, at: datetime, step: timedelta) -> Iterator[datetime]:
        """Yield the times from a day on; forwards or backwards."""
        first = at.astimezone(self.zone).date()
        for number in count():
            day = first + number * step
            if self.is_on(day):
                yield datetime.combine(day, time(self.hour, self.minute), self.zone).astimezone(UTC)


def due_times(cron: Mapping[str, Any], next_run: datetime | None = None) -> DueTimes | None:
    """Return when a schedule fires; None if that is unknown.

    Sources disagree whether the numbers of days begin at 0 or at 1, so numbers are read with Sunday as 0 or 7, and are
    believed only if the next run that Studio plans is on one of these days.

    :param cron: `freq`, `hour`, `minute`, `time_zone`, `day_of_week` and `day_of_month`: a row of a snapshot's
        `schedules`, or the values of a `Cron`.
    :param next_run: the schedule's next run, as Studio returns it.
    """
    zone, freq = _zone(cron.get("time_zone")), cron.get("freq")
    hour, minute = cron.get("hour"), cron.get("minute")
    if zone is None or freq not in set(Frequency):
        return None
    if freq in _STEPS:
        is_needed = freq == Frequency.HOURLY
        return None if is_needed and minute is None else DueTimes(zone, minute or 0, step=_STEPS[Frequency(freq)])
    is_on = _days_of(cron, freq, zone, next_run)
    if hour is None or minute is None or is_on is None:
        return None
    return DueTimes(zone, minute, hour, is_on=is_on)


def late_since(
    due: DueTimes | None, now: datetime, *, runs: Iterable[datetime | None], created_at: datetime | None
) -> datetime | None:
    """Return the first time at which a schedule should have run and did not; None if it is not late.

    :param runs: when the newest runs began, of the schedule and of its Report: a run by a person counts.
    :param created_at: when the schedule was created.
    :raises ValueError: it is unknown whether it is late: its times are unknown, or it never ran and its age is unknown.
    """
    known = [at for at in (*runs, created_at) if at is not None]
    if due is None or not known:
        raise ValueError("the schedule's times, or its runs and its age, are unknown")
    newest = max(known)
    if newest + _EARLY >= due.last(now):
        return None
    return due.next(newest + _EARLY)


def days_of_week(written: Any) -> set[int]:
    """Return the days of the week in a text or a list; 0 and 7 are both Sunday, since sources disagree."""
    text = ("" if written is None else str(written)).lower()
    days: set[int] = set()
    for first, last in _RANGE.findall(text):
        begin, end = _day(first), _day(last)
        if begin is not None and end is not None:
            days |= {(begin + number) % 7 for number in range((end - begin) % 7 + 1)}
    days |= {day for name in re.findall(_DAY, text) if (day := _day(name)) is not None}
    return set(range(7)) if "*" in text else days


def _days_of(
    cron: Mapping[str, Any], freq: str, zone: ZoneInfo, next_run: datetime | None
) -> Callable[[date], bool] | None:
    """Return whether the schedule fires on a day; None if its days are unknown."""
    if freq == Frequency.DAILY:
        return lambda _day: True
    if freq == Frequency.MONTHLY:
        number = cron.get("day_of_month")
        return None if number is None else lambda day: bool(day.day == number)
    days = days_of_week(cron.get("day_of_week"))
    are_numbers = not re.search("[a-z]", str(cron.get("day_of_week")).lower())
    planned = None if next_run is None else _weekday(next_run.astimezone(zone).date())
    if not days or (are_numbers and planned not in days):
        return None
    return lambda day: _weekday(day) in days


def _weekday(day: date) -> int:
    """Return the number of a day of the week; Sunday is 0."""
    return day.isoweekday() % 7


@cache
def _zone(name: str | None) -> ZoneInfo | None:
    """Return the zone that a name stands for, Rails' or IANA's; None if it is unknown."""
    try:
        return None if name is None else ZoneInfo(ZONES.get(name, name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _day(written: str) -> int | None:
    """Return the number of a day, Sunday first; None if it is not a day."""
    if written.isdecimal():
        return int(written) % 7 if int(written) <= 7 else None
    return _DAYS.index(written[:3]) if written[:3] in _DAYS else None
