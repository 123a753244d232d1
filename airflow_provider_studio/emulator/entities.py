# SPDX-License-Identifier: Apache-2.0
"""The entities of an emulated workspace, as they are stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_studio.emulator.firing import firings_before, firings_between

_QUEUE_SHARE = 0.1
_NOTEBOOK_SHARE = 0.7
_ZERO = timedelta()


def token_for(*parts: object) -> str:
    """Return a token of 12 hex digits that depends only on the parts."""
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
    creator: str | None = None
    """Who created it, if a person did after seeding."""
    access_level: str | None = None
    """What members may do who do not belong to it, if it was set: `view`, `edit`, `none`, `restricted`."""
    forbidden: bool = False


@dataclass
class Subscription:
    """The recipients of the results of one schedule's runs."""

    token: str
    schedule: str
    options: dict[str, bool]
    emails: list[str]
    created_at: datetime
    channels: list[str] = field(default_factory=list)
    """Slack channels."""


@dataclass
class Schedule:
    """A schedule with its machine values."""

    token: str
    report: str
    cron: dict[str, Any]
    created_at: datetime
    creator: str
    name: str | None = "Untitled schedule"
    params: dict[str, Any] = field(default_factory=dict)
    timeout: int = 86100
    updated_at: datetime | None = None
    active_since: datetime | None = None
    """When it was last changed; None if it is as it was created."""
    stopped_at: datetime | None = None
    """When it stopped: it was changed or deleted, or its Report was archived and archiving stops schedules."""

    @property
    def since(self) -> datetime:
        """The time from which it fires as it is now."""
        return self.active_since or self.created_at

    def _until(self, now: datetime) -> datetime:
        return now if self.stopped_at is None or now < self.stopped_at else self.stopped_at

    def firings_before(self, now: datetime) -> Iterator[datetime]:
        """Yield the times at which it fired, newest first."""
        return firings_before(self.cron, self._until(now), since=self.since)

    def last_firing(self, now: datetime) -> datetime | None:
        """Return when it last fired, or None if it has not fired yet."""
        return next(self.firings_before(now), None)

    def firings(self, now: datetime) -> int:
        """Return how often it fired."""
        return firings_between(self.cron, self.since, self._until(now))


@dataclass
class Run:
    """One Report run; its state depends on the time."""

    token: str
    report: str
    created_at: datetime
    runtime_seconds: float
    outcome: str
    parameters: dict[str, Any] = field(default_factory=dict)
    schedule: str | None = None
    account: str | None = None
    notebook: bool = False

    def completed_at(self, now: datetime) -> datetime | None:
        """Return when it ended, or None if it has not ended yet."""
        end = self.created_at + timedelta(seconds=self.runtime_seconds)
        return end if end <= now else None

    def state(self, now: datetime) -> str:
        """Return `enqueued`, then `pending`, then `running_notebook` if it has a notebook, then its outcome."""
        if self.completed_at(now) is not None:
            return self.outcome
        passed = (now - self.created_at) / timedelta(seconds=self.runtime_seconds)
        if self.notebook and passed >= _NOTEBOOK_SHARE:
            return "running_notebook"
        return "enqueued" if passed < _QUEUE_SHARE else "pending"

    def python_state(self, now: datetime) -> str:
        """Return the state of its notebook; `none` without one."""
        if not self.notebook:
            return "none"
        state = self.state(now)
        return {"completed": "succeeded", "running_notebook": "submitted", "failed": "failed"}.get(state, "pending")

    def is_good(self, now: datetime) -> bool:
        """Return whether it succeeded."""
        return self.state(now) in {"succeeded", "completed"}


@dataclass
class Habit:
    """How people use a Report until they stop: views per day, and days between manual runs."""

    views_per_day: float = 0.0
    run_every_days: float = 0.0
    until: datetime | None = None


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
    collection: str | None
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
    """The parameters of its runs, each with its choices; a parameter without choices takes any text."""
    settings: dict[str, bool] = field(default_factory=dict)
    imported_datasets: list[str] = field(default_factory=list)
    dataset_runs: dict[str, str | None] = field(default_factory=dict)
    """The run of each imported dataset that it uses since it was refreshed."""
    synced_at: datetime | None = None
    commit_message: str | None = None
    """When its queries were last committed to GitHub, and with which message."""
    is_embedded: bool = False
    is_signed: bool = False
    public: bool = False
    shared: bool = False
    next_outcome: str | None = None
    next_runtime_seconds: float | None = None
    archived_before: list[tuple[datetime, datetime]] = field(default_factory=list)
    """The periods for which it was archived, until it was unarchived."""

    def days_used(self, now: datetime) -> float:
        """Return for how many days people have used it; nobody uses an archived Report."""
        end, until = now, self.habit.until
        if until is not None and until < end:
            end = until
        if self.archived_at is not None and self.archived_at < end:
            end = self.archived_at
        used = end - self.created_at
        for start, stop in self.archived_before:
            used -= max(_ZERO, min(stop, end) - start)
        return max(0.0, used.total_seconds() / 86400)

    def when_used_for(self, days: float) -> datetime:
        """Return when people had used it for this number of days."""
        at = self.created_at + timedelta(days=days)
        for start, stop in self.archived_before:
            at += stop - start if at > start else _ZERO
        return at

    def view_count(self, now: datetime) -> int:
        """Return the number of views up to a time."""
        return int(self.habit.views_per_day * self.days_used(now)) + self.extra_views

    def last_viewed_at(self, now: datetime) -> datetime | None:
        """Return when it was last viewed, or None if it never was."""
        regular = self.view_count(now) - self.extra_views
        times = [] if self.extra_viewed_at is None or self.extra_viewed_at > now else [self.extra_viewed_at]
        if regular:
            times.append(self.when_used_for(regular / self.habit.views_per_day))
        return max(times, default=None)

    def manual_runs(self, now: datetime) -> tuple[int, datetime | None]:
        """Return how often people ran it by hand, and when they last did."""
        every = self.habit.run_every_days
        if every <= 0:
            return 0, None
        count = int(self.days_used(now) / every)
        return count, self.when_used_for(every * count) if count else None
