# SPDX-License-Identifier: Apache-2.0
"""What exists in an emulated workspace.

What grows by itself (views, scheduled runs) is a function of time, not a simulation: moving the clock by a year costs
nothing, and moving it back gives the earlier counts again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_studio.emulator.firing import firings_before, firings_between

_QUEUE_SHARE = 0.1


def token_for(*parts: object) -> str:
    """Return a token of 12 hex digits that is always the same for the same parts."""
    return hashlib.sha256("/".join(str(part) for part in parts).encode()).hexdigest()[:12]


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

    def last_firing(self, now: datetime) -> datetime | None:
        """When it last fired, or None before the first time."""
        return next(firings_before(self.cron, now, since=self.created_at), None)


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


@dataclass
class Habit:
    """How people use a Report until they stop: views a day, and a run by hand every so many days."""

    views_per_day: float = 0.0
    run_every_days: float = 0.0
    until: datetime | None = None

    def days(self, since: datetime, now: datetime) -> float:
        """Days of use between two times."""
        end = now if self.until is None else min(now, self.until)
        return max(0.0, (end - since) / timedelta(days=1))


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
    expected_runtime: float = 2.0
    query_count: int = 1
    notebook: bool = False
    next_outcome: str | None = None
    next_runtime_seconds: float | None = None
    earlier_scheduled_run: datetime | None = None
    """The last firing of a schedule that is gone."""
    earlier_scheduled_runs: int = 0

    def view_count(self, now: datetime) -> int:
        """All views so far; an archived Report gets no more."""
        end = now if self.archived_at is None else min(now, self.archived_at)
        return int(self.habit.views_per_day * self.habit.days(self.created_at, end)) + self.extra_views

    def manual_runs(self, now: datetime) -> tuple[int, datetime | None]:
        """How often people ran it, and when last."""
        every = self.habit.run_every_days
        if every <= 0:
            return 0, None
        count = int(self.habit.days(self.created_at, now) / every)
        return count, self.created_at + timedelta(days=every * count) if count else None


class World:
    """Everything in one workspace, and what follows from it at a time."""

    def __init__(self, workspace: str, seed: int) -> None:
        self.workspace = workspace
        self.seed = seed
        self.people: dict[str, Person] = {}
        self.collections: dict[str, Collection] = {}
        self.reports: dict[str, Report] = {}
        self.schedules: dict[str, Schedule] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.runs: dict[str, list[Run]] = {}
        self.members_by_collection: dict[str, list[str]] = {}
        self._schedules_by_report: dict[str, list[Schedule]] = {}
        self._made = 0

    def new_token(self, what: str) -> str:
        """Return a token for something made after seeding."""
        self._made += 1
        return token_for(self.seed, what, "made", self._made)

    def add_report(self, report: Report) -> None:
        """Put a Report into its Collection."""
        self.reports[report.token] = report
        self.members_by_collection.setdefault(report.collection, []).append(report.token)

    def move_report(self, report: Report, collection: str) -> None:
        """Put a Report into another Collection."""
        self.members_by_collection[report.collection].remove(report.token)
        report.collection = collection
        self.members_by_collection.setdefault(collection, []).append(report.token)

    def remove_report(self, report: Report) -> None:
        """Delete a Report with its schedules."""
        for schedule in self.schedules_of(report):
            self._drop_schedule(schedule)
        self.members_by_collection[report.collection].remove(report.token)
        self.reports.pop(report.token)

    def remove_collection(self, token: str) -> None:
        """Delete a Collection with its Reports."""
        for report in list(self.members_by_collection.get(token, [])):
            self.remove_report(self.reports[report])
        self.collections.pop(token, None)

    def reports_in(self, collection: str, kind: str = "Report") -> list[Report]:
        """A Collection's Reports (or datasets) in the order of their making."""
        members = (self.reports[token] for token in self.members_by_collection.get(collection, []))
        return [report for report in members if report.type == kind]

    def add_schedule(self, schedule: Schedule) -> None:
        """Give a Report a schedule."""
        self.schedules[schedule.token] = schedule
        self._schedules_by_report.setdefault(schedule.report, []).append(schedule)

    def schedules_of(self, report: Report) -> list[Schedule]:
        """A Report's schedules."""
        return list(self._schedules_by_report.get(report.token, []))

    def remove_schedule(self, schedule: Schedule, now: datetime) -> None:
        """Delete a schedule; the runs that it made stay known."""
        report = self.reports[schedule.report]
        report.earlier_scheduled_run = max(
            filter(None, [report.earlier_scheduled_run, schedule.last_firing(now)]), default=None
        )
        report.earlier_scheduled_runs += firings_between(schedule.cron, schedule.created_at, now)
        self._drop_schedule(schedule)

    def _drop_schedule(self, schedule: Schedule) -> None:
        self.schedules.pop(schedule.token)
        self._schedules_by_report[schedule.report].remove(schedule)
        for subscription in self.subscriptions_of(schedule.token):
            self.subscriptions.pop(subscription.token)

    def subscriptions_of(self, schedule: str) -> list[Subscription]:
        """A schedule's subscriptions."""
        return [one for one in self.subscriptions.values() if one.schedule == schedule]

    def run_count(self, report: Report, now: datetime) -> int:
        """All runs so far."""
        scheduled = sum(firings_between(one.cron, one.created_at, now) for one in self.schedules_of(report))
        asked = sum(run.created_at <= now for run in self.runs.get(report.token, []))
        return report.manual_runs(now)[0] + report.earlier_scheduled_runs + scheduled + asked

    def recent_runs(self, report: Report, now: datetime, most: int = 45) -> list[Run]:
        """The newest runs, newest first, whoever started them."""
        found = [run for run in self.runs.get(report.token, []) if run.created_at <= now]
        _, by_hand = report.manual_runs(now)
        if by_hand is not None:
            found.append(self._past_run(report, by_hand, None, report.creator))
        if report.earlier_scheduled_run is not None:
            found.append(self._past_run(report, report.earlier_scheduled_run, "deleted", None))
        for schedule in self.schedules_of(report):
            firings = firings_before(schedule.cron, now, since=schedule.created_at)
            found += [
                self._past_run(report, at, schedule.token, None) for at, _ in zip(firings, range(most), strict=False)
            ]
        return sorted(found, key=lambda run: run.created_at, reverse=True)[:most]

    def last_run(self, report: Report, now: datetime) -> Run | None:
        """The newest run."""
        return next(iter(self.recent_runs(report, now, most=1)), None)

    def _past_run(self, report: Report, at: datetime, schedule: str | None, account: str | None) -> Run:
        token = token_for(self.seed, report.token, "run", at.isoformat())
        outcome = "completed" if report.notebook else "succeeded"
        return Run(token, report.token, at, report.expected_runtime, outcome, schedule=schedule, account=account)

    def start_run(self, report: Report, now: datetime, parameters: dict[str, Any], account: str) -> Run:
        """Start a run, with the outcome and runtime that were set for it, if any."""
        outcome = report.next_outcome or ("completed" if report.notebook else "succeeded")
        runtime = report.expected_runtime if report.next_runtime_seconds is None else report.next_runtime_seconds
        run = Run(self.new_token("run"), report.token, now, runtime, outcome, parameters, account=account)
        report.next_outcome = report.next_runtime_seconds = None
        self.runs.setdefault(report.token, []).append(run)
        return run

    def find_run(self, report: Report, token: str, now: datetime) -> Run | None:
        """A run of a Report by its token."""
        return next((run for run in self.recent_runs(report, now) if run.token == token), None)
