# SPDX-License-Identifier: Apache-2.0
"""What exists in an emulated workspace.

What grows by itself (views, scheduled runs) is a function of time, not a simulation: moving the clock by a year costs
nothing, and moving it back gives the earlier counts again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import merge
from itertools import chain
from typing import Any

from airflow_provider_studio.emulator.entities import (
    Collection,
    DataSource,
    Person,
    Query,
    Report,
    Run,
    Schedule,
    Subscription,
    token_for,
)
from airflow_provider_studio.emulator.firing import FREQUENCIES
from airflow_provider_studio.emulator.quirks import Quirks


@dataclass
class World:
    """Everything in one workspace, and what follows from it at a time."""

    workspace: str
    seed: int
    people: dict[str, Person] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)
    data_sources: dict[str, DataSource] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    earlier_schedules: dict[str, list[Schedule]] = field(default_factory=dict)
    """Schedules as they were until they were changed, stopped or deleted, by Report: their runs stay."""
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    runs: dict[str, list[Run]] = field(default_factory=dict)
    """The runs that were asked for over the API, by Report."""
    edited_queries: dict[str, list[Query]] = field(default_factory=dict)
    """The queries of the Reports whose queries somebody changed."""
    records: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """What has no behaviour of its own: definitions, groups, filters, memberships; by kind and token."""
    members_by_collection: dict[str | None, list[str]] = field(default_factory=dict)
    quirks: Quirks = field(default_factory=Quirks)
    purged_until: datetime | None = None
    """The results of runs up to then are gone."""
    purged_sources: dict[str, datetime] = field(default_factory=dict)
    """Likewise for what asks one data source, by its token."""
    pdfs_asked_at: dict[str, datetime] = field(default_factory=dict)
    made: int = 0
    """How many things were made after seeding."""

    def __post_init__(self) -> None:
        self._schedules_by_report: dict[str, list[Schedule]] = {}
        self._subscriptions_by_schedule: dict[str, list[Subscription]] = {}
        for schedule in self.schedules.values():
            self._schedules_by_report.setdefault(schedule.report, []).append(schedule)
        for subscription in self.subscriptions.values():
            self._subscriptions_by_schedule.setdefault(subscription.schedule, []).append(subscription)

    def new_token(self, what: str) -> str:
        """Return a token for something made after seeding."""
        self.made += 1
        return token_for(self.seed, what, "made", self.made)

    def id(self, number: int) -> int | str:
        """A numeric id as the service writes them."""
        return str(number) if self.quirks.ids_as_text else number

    def personal_collection(self, username: str | None) -> Collection | None:
        """A person's own Collection."""
        return next((one for one in self.collections.values() if username and one.owner == username), None)

    def add_report(self, report: Report) -> None:
        """Put a Report into its Collection."""
        self.reports[report.token] = report
        self.members_by_collection.setdefault(report.collection, []).append(report.token)

    def new_report(
        self, name: str | None, collection: str | None, creator: str, now: datetime, **values: Any
    ) -> Report:
        """Make a Report and put it into its Collection."""
        token = self.new_token("report")
        made = Report(token, 2_980_000 + self.made, name, collection, creator, now, now, **values)
        self.add_report(made)
        return made

    def collection_of(self, report: Report) -> Collection | None:
        """The Collection that a Report is in, if it is in one."""
        return None if report.collection is None else self.collections[report.collection]

    def move_report(self, report: Report, collection: str | None) -> None:
        """Put a Report into another Collection, or out of every one."""
        self.members_by_collection[report.collection].remove(report.token)
        report.collection = collection
        self.members_by_collection.setdefault(collection, []).append(report.token)

    def remove_report(self, report: Report) -> None:
        """Delete a Report with its schedules."""
        for schedule in self.schedules_of(report):
            self._drop_schedule(schedule)
        self.earlier_schedules.pop(report.token, None)
        self.members_by_collection[report.collection].remove(report.token)
        self.reports.pop(report.token)

    def archive_report(self, report: Report, now: datetime) -> None:
        """Archive a Report; whether its schedules go on is the quirk `archived_schedules`."""
        report.archived_at = report.archived_at or now
        if self.quirks.archived_schedules == "stop":
            for schedule in self.schedules_of(report):
                schedule.stopped_at = schedule.stopped_at or now

    def unarchive_report(self, report: Report, now: datetime) -> None:
        """Take a Report out of the archive: people use it again, and schedules that had stopped go on."""
        if report.archived_at is not None:
            report.archived_before.append((report.archived_at, now))
        report.archived_at = None
        for schedule in self.schedules_of(report):
            if schedule.stopped_at is not None:
                self.change_schedule(schedule, schedule.cron, now)

    def remove_collection(self, token: str) -> None:
        """Delete a Collection with its Reports."""
        for report in list(self.members_by_collection.get(token, [])):
            self.remove_report(self.reports[report])
        self.collections.pop(token, None)

    def reports_in(self, collection: str, kind: str = "Report") -> list[Report]:
        """A Collection's Reports (or datasets), ordered by their making."""
        tokens = self.members_by_collection.get(collection, [])
        ordered = reversed(tokens) if self.quirks.listing_order == "newest_first" else tokens
        return [report for report in map(self.reports.__getitem__, ordered) if report.type == kind]

    def add_schedule(self, schedule: Schedule) -> None:
        """Give a Report a schedule."""
        self.schedules[schedule.token] = schedule
        self._schedules_by_report.setdefault(schedule.report, []).append(schedule)

    def schedules_of(self, report: Report) -> list[Schedule]:
        """A Report's schedules."""
        return list(self._schedules_by_report.get(report.token, ()))

    def schedules_count(self, report: Report) -> int:
        """How many schedules a Report says that it has."""
        if report.archived_at is not None and self.quirks.archived_schedules_count == "zero":
            return 0
        return len(self._schedules_by_report.get(report.token, ()))

    def breaks_policy(self, cron: dict[str, Any]) -> bool:
        """Whether a schedule fires more often than the admins allow."""
        fastest = self.quirks.fastest_schedule
        return fastest is not None and FREQUENCIES.index(cron["freq"]) < FREQUENCIES.index(fastest)

    def has_refused_schedules(self, report: Report) -> bool:
        """Whether a Report has schedules that break the policy, from before it."""
        if self.quirks.fastest_schedule is None:
            return False
        return any(self.breaks_policy(one.cron) for one in self.schedules_of(report))

    def remove_schedule(self, schedule: Schedule, now: datetime) -> None:
        """Delete a schedule; the runs that it made stay known."""
        self._keep_as_it_was(schedule, now)
        self._drop_schedule(schedule)

    def change_schedule(self, schedule: Schedule, cron: dict[str, Any], now: datetime) -> None:
        """Let a schedule fire at other times from now on; the runs that it made stay as they were."""
        self._keep_as_it_was(schedule, now)
        schedule.cron, schedule.active_since, schedule.stopped_at = cron, now, None

    def _keep_as_it_was(self, schedule: Schedule, now: datetime) -> None:
        kept = replace(schedule, stopped_at=schedule.stopped_at or now)
        self.earlier_schedules.setdefault(schedule.report, []).append(kept)

    def _drop_schedule(self, schedule: Schedule) -> None:
        for subscription in self.subscriptions_of(schedule.token):
            self.remove_subscription(subscription)
        self.schedules.pop(schedule.token)
        self._schedules_by_report[schedule.report].remove(schedule)

    def add_subscription(self, subscription: Subscription) -> None:
        """Subscribe somebody to a schedule."""
        self.subscriptions[subscription.token] = subscription
        self._subscriptions_by_schedule.setdefault(subscription.schedule, []).append(subscription)

    def remove_subscription(self, subscription: Subscription) -> None:
        """End a subscription."""
        self.subscriptions.pop(subscription.token)
        self._subscriptions_by_schedule[subscription.schedule].remove(subscription)

    def subscriptions_of(self, schedule: str) -> list[Subscription]:
        """A schedule's subscriptions."""
        return list(self._subscriptions_by_schedule.get(schedule, ()))

    def _fired(self, report: Report) -> Sequence[Schedule]:
        """A Report's schedules, those included that are not so any more."""
        present, earlier = self._schedules_by_report.get(report.token, ()), self.earlier_schedules.get(report.token)
        return [*present, *earlier] if earlier else present

    def run_count(self, report: Report, now: datetime) -> int:
        """All runs so far."""
        total = report.manual_runs(now)[0]
        for one in self._fired(report):
            total += one.firings(now)
        for run in self.runs.get(report.token, ()):
            total += run.created_at <= now
        return total

    def runs_of(self, report: Report, now: datetime) -> Iterator[Run]:
        """Yield every run, newest first, whoever started it."""
        asked = sorted(self.runs.get(report.token, ()), key=lambda run: run.created_at)[::-1]
        count, _ = report.manual_runs(now)
        by_hand = (report.when_used_for(report.habit.run_every_days * number) for number in range(count, 0, -1))
        yield from merge(
            (run for run in asked if run.created_at <= now),
            (self._past_run(report, at, None, report.creator) for at in by_hand),
            *(self._scheduled_runs(report, one, now) for one in self._fired(report)),
            key=lambda run: run.created_at,
            reverse=True,
        )

    def _scheduled_runs(self, report: Report, schedule: Schedule, now: datetime) -> Iterator[Run]:
        return (self._past_run(report, at, schedule.token, None) for at in schedule.firings_before(now))

    def last_run(self, report: Report, now: datetime) -> Run | None:
        """The newest run."""
        asked = max(
            (run for run in reversed(self.runs.get(report.token, [])) if run.created_at <= now),
            key=lambda run: run.created_at,
            default=None,  # of several at one time, the first is the one that was started last
        )
        by_itself = max(self._last_by_itself(report, now), key=lambda one: one[0], default=None)
        if by_itself is None or (asked is not None and asked.created_at >= by_itself[0]):
            return asked
        return self._past_run(report, *by_itself)

    def _last_by_itself(self, report: Report, now: datetime) -> Iterator[tuple[datetime, str | None, str | None]]:
        """The newest runs that nobody asked for over the API: when, by which schedule, by whom."""
        _, by_hand = report.manual_runs(now)
        if by_hand is not None:
            yield by_hand, None, report.creator
        for schedule in self._fired(report):
            at = schedule.last_firing(now)
            if at is not None:
                yield at, schedule.token, None

    def last_good_run(self, report: Report, now: datetime, last: Run | None) -> Run | None:
        """The newest run that ended well, given the newest one."""
        if last is None or last.is_good(now):
            return last
        return next((run for run in self.runs_of(report, now) if run.is_good(now)), None)

    def _past_run(self, report: Report, at: datetime, schedule: str | None, account: str | None) -> Run:
        token = token_for(self.seed, report.token, "run", schedule, at.isoformat())
        outcome = "completed" if report.notebook else "succeeded"
        return Run(
            token,
            report.token,
            at,
            report.expected_runtime,
            outcome,
            schedule=schedule,
            account=account,
            notebook=report.notebook,
        )

    def start_run(self, report: Report, now: datetime, parameters: dict[str, Any], account: str) -> Run:
        """Start a run, with the outcome and runtime that were set for it, if any."""
        outcome = report.next_outcome or ("completed" if report.notebook else "succeeded")
        runtime = report.expected_runtime if report.next_runtime_seconds is None else report.next_runtime_seconds
        notebook = report.notebook or outcome == "completed"
        token = self.new_token("run")
        run = Run(token, report.token, now, runtime, outcome, parameters, account=account, notebook=notebook)
        report.next_outcome = report.next_runtime_seconds = None
        self.runs.setdefault(report.token, []).append(run)
        return run

    def remove_run(self, report: Report, token: str) -> None:
        """Forget a run that was asked for over the API, as a purge might."""
        self.runs[report.token] = [run for run in self.runs.get(report.token, ()) if run.token != token]

    def find_run(self, report: Report, token: str, now: datetime) -> Run | None:
        """A run of a Report by its token."""
        known = chain(self.runs.get(report.token, ()), self.runs_of(report, now))
        return next((run for run in known if run.token == token and run.created_at <= now), None)

    def has_results(self, run: Run, now: datetime) -> bool:
        """Whether a run has results that nobody purged."""
        purged = self.purged_until_for(run)
        return run.is_good(now) and (purged is None or run.created_at > purged)

    def purged_until_for(self, run: Run) -> datetime | None:
        """Up to when the results are gone that are purged together with a run's."""
        source = self.purged_sources.get(self.data_source_of(self.reports[run.report]))
        return max(filter(None, (self.purged_until, source)), default=None)

    def data_source_of(self, report: Report) -> str:
        """The data source that a Report's queries ask."""
        tokens = list(self.data_sources)
        return tokens[int(report.token[-2:], 16) % len(tokens)]

    def queries_of(self, report: Report) -> list[Query]:
        """A Report's queries."""
        if report.token in self.edited_queries:
            return self.edited_queries[report.token]
        source = self.data_source_of(report)
        return [
            Query(
                token_for(report.token, "query", number),
                10_000_000 + report.id * 8 + number,
                f"Query {number + 1}",
                f"SELECT region, count(*) AS orders\nFROM orders_{number}\nGROUP BY region\n",
                source,
                report.created_at,
                report.edited_at,
            )
            for number in range(report.query_count)
        ]

    def edit_queries(self, report: Report, queries: list[Query], now: datetime) -> None:
        """Give a Report other queries."""
        self.edited_queries[report.token] = queries
        report.query_count, report.edited_at = len(queries), now

    def views(self, report: Report, since: datetime, now: datetime) -> Iterator[tuple[datetime, str]]:
        """Yield when a Report was viewed by habit after `since`, and by whom: always the same handful of people."""
        rate = report.habit.views_per_day
        if rate <= 0:
            return
        total = report.view_count(now) - report.extra_views
        first = int(report.days_used(since) * rate) + 1
        usernames = list(self.people)
        start = int(report.token[:6], 16)
        for number in range(first, total + 1):
            yield report.when_used_for(number / rate), usernames[(start + number * number % 7) % len(usernames)]
