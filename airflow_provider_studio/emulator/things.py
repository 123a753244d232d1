# SPDX-License-Identifier: Apache-2.0
"""The things of an emulated workspace, as they are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_studio.emulator.firing import firings_before, firings_between

_QUEUE_SHARE = 0.1


def token_for(*parts: object) -> str:
    """Return a token of 12 hex digits that is always the same for the same parts."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:12]


@dataclass
class Person:
    """A member of the workspace."""

    username: str
    name: str
    email: str
    admin: bool = False


@dataclass
class Collection:
    """A Collection; a personal one has an owner."""

    token: str
    id: int
    name: str
    space_type: str = "custom"
    description: str | None = None
    restricted: bool = False
    owner: str | None = None
    forbidden: bool = False


@dataclass
class Subscription:
    """Who gets the results of one schedule's runs."""

    token: str
    schedule: str
    options: dict[str, bool]
    emails: list[str]
    created_at: datetime


@dataclass
class Schedule:
    """A schedule with its machine values."""

    token: str
    report: str
    cron: dict[str, Any]
    created_at: datetime
    creator: str
    name: str = "Untitled schedule"
    params: dict[str, Any] = field(default_factory=dict)
    timeout: int = 86100
    updated_at: datetime | None = None
    stopped_at: datetime | None = None
    """Since when its Report is archived, where archiving stops schedules."""

    def _until(self, now: datetime) -> datetime:
        return now if self.stopped_at is None or now < self.stopped_at else self.stopped_at

    def firings_before(self, now: datetime) -> Iterator[datetime]:
        """When it fired, the newest first."""
        return firings_before(self.cron, self._until(now), since=self.created_at)

    def last_firing(self, now: datetime) -> datetime | None:
        """When it last fired, or None before the first time."""
        return next(self.firings_before(now), None)

    def firings(self, now: datetime) -> int:
        """How often it fired."""
        return firings_between(self.cron, self.created_at, self._until(now))


@dataclass
class Run:
    """One Report run; its state follows from the clock."""

    token: str
    report: str
    created_at: datetime
    runtime_seconds: float
    outcome: str
    parameters: dict[str, Any] = field(default_factory=dict)
    schedule: str | None = None
    account: str | None = None

    def completed_at(self, now: datetime) -> datetime | None:
        """When it ended, or None while it has not."""
        end = self.created_at + timedelta(seconds=self.runtime_seconds)
        return end if end <= now else None

    def state(self, now: datetime) -> str:
        """`enqueued`, then `pending`, then its outcome."""
        if self.completed_at(now) is not None:
            return self.outcome
        queued = self.created_at + timedelta(seconds=self.runtime_seconds * _QUEUE_SHARE)
        return "enqueued" if now < queued else "pending"

    def is_good(self, now: datetime) -> bool:
        """Whether it has ended well."""
        return self.state(now) in {"succeeded", "completed"}


@dataclass
class Habit:
    """How people use a Report until they stop: views a day, and a run by hand every so many days."""

    views_per_day: float = 0.0
    run_every_days: float = 0.0
    until: datetime | None = None

    def days(self, since: datetime, now: datetime) -> float:
        """Days of use between two times."""
        end = now if self.until is None or now < self.until else self.until
        return (end - since).total_seconds() / 86400 if end > since else 0.0


@dataclass
class Query:
    """A query of a Report."""

    token: str
    id: int
    name: str
    raw_query: str
    data_source: str
    created_at: datetime
    updated_at: datetime


@dataclass
class DataSource:
    """A connection of the workspace to a warehouse."""

    token: str
    id: int
    name: str
    vendor: str
    description: str
    created_at: datetime
    updated_at: datetime


@dataclass
class Report:
    """A Report, or a dataset."""

    token: str
    id: int
    name: str | None
    collection: str
    creator: str
    created_at: datetime
    edited_at: datetime
    description: str | None = None
    type: str = "Report"
    archived_at: datetime | None = None
    habit: Habit = field(default_factory=Habit)
    extra_views: int = 0
    extra_viewed_at: datetime | None = None
    expected_runtime: float = 2.0
    query_count: int = 1
    notebook: bool = False
    form: dict[str, list[str]] = field(default_factory=dict)
    """The parameters that its runs take, each with its choices; without choices any text goes."""
    settings: dict[str, bool] = field(default_factory=dict)
    imported_datasets: list[str] = field(default_factory=list)
    next_outcome: str | None = None
    next_runtime_seconds: float | None = None
    earlier_scheduled_run: datetime | None = None
    """The last firing of a schedule that is gone."""
    earlier_scheduled_runs: int = 0

    def _viewed_until(self, now: datetime) -> datetime:
        return now if self.archived_at is None or now < self.archived_at else self.archived_at

    def view_count(self, now: datetime) -> int:
        """All views so far; an archived Report gets no more."""
        days = self.habit.days(self.created_at, self._viewed_until(now))
        return int(self.habit.views_per_day * days) + self.extra_views

    def last_viewed_at(self, now: datetime) -> datetime | None:
        """When somebody last viewed it."""
        habitual = self.view_count(now) - self.extra_views
        times = [] if self.extra_viewed_at is None or self.extra_viewed_at > now else [self.extra_viewed_at]
        if habitual:
            times.append(self.created_at + timedelta(days=habitual / self.habit.views_per_day))
        return max(times, default=None)

    def manual_runs(self, now: datetime) -> tuple[int, datetime | None]:
        """How often people ran it, and when last."""
        every = self.habit.run_every_days
        if every <= 0:
            return 0, None
        count = int(self.habit.days(self.created_at, now) / every)
        return count, self.created_at + timedelta(days=every * count) if count else None
