# SPDX-License-Identifier: Apache-2.0
"""The contents of an emulated workspace.

Views and scheduled runs are a function of time, not a simulation: advancing the clock by a year costs nothing, and
setting it back restores the earlier counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import merge
from itertools import chain
from typing import Annotated, Any

from pydantic import Field

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
from airflow_provider_studio.emulator.query_texts import query_text
from airflow_provider_studio.emulator.quirks import Quirks


@dataclass
class Workspace:
    """Everything in one workspace, and its state at a given time. Aliases are the keys in saved files."""

    name: Annotated[str, Field(alias="workspace")]
    seed: int
    people: dict[str, Person] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)
    data_sources: dict[str, DataSource] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    earlier_schedules: dict[str, list[Schedule]] = field(default_factory=dict)
    """Schedules before they were changed, stopped or deleted, by Report: their runs remain listed."""
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    runs: dict[str, list[Run]] = field(default_factory=dict)
    """The runs that were started over the API, by Report."""
    edited_queries: dict[str, list[Query]] = field(default_factory=dict)
    """The queries of Reports whose queries were changed."""
    records: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """Records without behaviour (definitions, groups, filters, memberships), by kind and token."""
    members_by_collection: dict[str | None, list[str]] = field(default_factory=dict)
    quirks: Quirks = field(default_factory=Quirks)
    purged_from: datetime | None = None
    purged_until: datetime | None = None
    """The results of runs in this period are deleted; it has no beginning by default."""
    purged_sources: dict[str, datetime] = field(default_factory=dict)
    """The same for runs on one data source, by its token."""
    pdfs_requested_at: Annotated[dict[str, datetime], Field(alias="pdfs_asked_at")] = field(default_factory=dict)
    created_count: Annotated[int, Field(alias="made")] = 0
    """How many entities were created after seeding."""

    def __post_init__(self) -> None:
        self._schedules_by_report: dict[str, list[Schedule]] = {}
        self._subscriptions_by_schedule: dict[str, list[Subscription]] = {}
        for schedule in self.schedules.values():
            self._schedules_by_report.setdefault(schedule.report, []).append(schedule)
        for subscription in self.subscriptions.values():
            self._subscriptions_by_schedule.setdefault(subscription.schedule, []).append(subscription)

    def new_token(self, what: str) -> str:
        """Return a token for an entity that is created after seeding."""
        self.created_count += 1
        return token_for(self.seed, what, "made", self.created_count)

    def id(self, number: int) -> int | str:
        """Return a numeric id as the service writes it."""
        return str(number) if self.quirks.ids_as_text else number

    def personal_collection(self, username: str | None) -> Collection | None:
        """Return a person's personal Collection."""
        return next(
            (collection for collection in self.collections.values() if username and collection.owner == username), None
        )

    def add_report(self, report: Report) -> None:
        """Add a Report to its Collection."""
        self.reports[report.token] = report
        self.members_by_collection.setdefault(report.collection, []).append(report.token)

    def new_report(
        self, name: str | None, collection: str | None, creator: str, now: datetime, **values: Any
    ) -> Report:
        """Create a Report in its Collection."""
        token = self.new_token("report")
        report = Report(token, 2_980_000 + self.created_count, name, collection, creator, now, now, **values)
        self.add_report(report)
        return report

    def collection_of(self, report: Report) -> Collection | None:
        """Return the Collection of a Report, or None."""
        return None if report.collection is None else self.collections[report.collection]

    def move_report(self, report: Report, collection: str | None) -> None:
        """Move a Report to another Collection, or out of all of them."""
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
        """Archive a Report; the quirk `archived_schedules` decides whether its schedules continue."""
        report.archived_at = report.archived_at or now
        if self.quirks.archived_schedules == "stop":
            for schedule in self.schedules_of(report):
                schedule.stopped_at = schedule.stopped_at or now

    def unarchive_report(self, report: Report, now: datetime) -> None:
        """Unarchive a Report: people use it again, and stopped schedules continue."""
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
        """Return a Collection's Reports (or datasets) in the order of their creation."""
        tokens = self.members_by_collection.get(collection, [])
        ordered = reversed(tokens) if self.quirks.listing_order == "newest_first" else tokens
        return [report for report in map(self.reports.__getitem__, ordered) if report.type == kind]

    def add_schedule(self, schedule: Schedule) -> None:
        """Add a schedule to its Report."""
        self.schedules[schedule.token] = schedule
        self._schedules_by_report.setdefault(schedule.report, []).append(schedule)

    def schedules_of(self, report: Report) -> list[Schedule]:
        """Return a Report's schedules."""
        return list(self._schedules_by_report.get(report.token, ()))

    def schedules_count(self, report: Report) -> int:
        """Return a Report's `schedules_count`."""
        if report.archived_at is not None and self.quirks.archived_schedules_count == "zero":
            return 0
        most = {"zero": 0, "at_most_one": 1}.get(self.quirks.schedules_count)
        count = len(self._schedules_by_report.get(report.token, ()))
        return count if most is None else min(count, most)

    def breaks_policy(self, cron: dict[str, Any]) -> bool:
        """Return whether a schedule fires more often than the admins allow."""
        fastest = self.quirks.fastest_schedule
        return fastest is not None and FREQUENCIES.index(cron["freq"]) < FREQUENCIES.index(fastest)

    def has_refused_schedules(self, report: Report) -> bool:
        """Return whether a Report has schedules from before the policy that break it."""
        if self.quirks.fastest_schedule is None:
            return False
        return any(self.breaks_policy(schedule.cron) for schedule in self.schedules_of(report))

    def remove_schedule(self, schedule: Schedule, now: datetime) -> None:
        """Delete a schedule; its past runs remain listed."""
        self._save_version(schedule, now)
        self._drop_schedule(schedule)

    def change_schedule(self, schedule: Schedule, cron: dict[str, Any], now: datetime) -> None:
        """Make a schedule fire at other times from now on; its past runs remain unchanged."""
        self._save_version(schedule, now)
        schedule.cron, schedule.active_since, schedule.stopped_at = cron, now, None

    def _save_version(self, schedule: Schedule, now: datetime) -> None:
        version = replace(schedule, stopped_at=schedule.stopped_at or now)
        self.earlier_schedules.setdefault(schedule.report, []).append(version)

    def _drop_schedule(self, schedule: Schedule) -> None:
        for subscription in self.subscriptions_of(schedule.token):
            self.remove_subscription(subscription)
        self.schedules.pop(schedule.token)
        self._schedules_by_report[schedule.report].remove(schedule)

    def add_subscription(self, subscription: Subscription) -> None:
        """Add a subscription to its schedule."""
        self.subscriptions[subscription.token] = subscription
        self._subscriptions_by_schedule.setdefault(subscription.schedule, []).append(subscription)

    def remove_subscription(self, subscription: Subscription) -> None:
        """Delete a subscription."""
        self.subscriptions.pop(subscription.token)
        self._subscriptions_by_schedule[subscription.schedule].remove(subscription)

    def subscriptions_of(self, schedule: str) -> list[Subscription]:
        """Return a schedule's subscriptions."""
        return list(self._subscriptions_by_schedule.get(schedule, ()))

    def _schedule_versions(self, report: Report) -> Sequence[Schedule]:
        """Return a Report's schedules, with those that were changed, stopped or deleted."""
        present, earlier = self._schedules_by_report.get(report.token, ()), self.earlier_schedules.get(report.token)
        return [*present, *earlier] if earlier else present

    def run_count(self, report: Report, now: datetime) -> int:
        """Return the number of runs up to a time."""
        total = report.manual_runs(now)[0]
        for schedule in self._schedule_versions(report):
            total += schedule.firings(now)
        for run in self.runs.get(report.token, ()):
            total += run.created_at <= now
        return total

    def runs_of(self, report: Report, now: datetime) -> Iterator[Run]:
        """Yield every run, newest first, however it was started."""
        started = sorted(self.runs.get(report.token, ()), key=lambda run: run.created_at)[::-1]
        count, _ = report.manual_runs(now)
        by_hand = (report.when_used_for(report.habit.run_every_days * number) for number in range(count, 0, -1))
        yield from merge(
            (run for run in started if run.created_at <= now),
            (self._past_run(report, at, None, report.creator) for at in by_hand),
            *(self._scheduled_runs(report, schedule, now) for schedule in self._schedule_versions(report)),
            key=lambda run: run.created_at,
            reverse=True,
        )

    def _scheduled_runs(self, report: Report, schedule: Schedule, now: datetime) -> Iterator[Run]:
        return (self._past_run(report, at, schedule.token, None) for at in schedule.firings_before(now))

    def last_run(self, report: Report, now: datetime) -> Run | None:
        """Return the newest run."""
        started = max(
            (run for run in reversed(self.runs.get(report.token, [])) if run.created_at <= now),
            key=lambda run: run.created_at,
            default=None,
        )
        past = max(self._last_past_runs(report, now), key=lambda run: run[0], default=None)
        if past is None or (started is not None and started.created_at >= past[0]):
            return started
        return self._past_run(report, *past)

    def _last_past_runs(self, report: Report, now: datetime) -> Iterator[tuple[datetime, str | None, str | None]]:
        """Yield the newest run by hand and of each schedule, as arguments of `_past_run`."""
        _, by_hand = report.manual_runs(now)
        if by_hand is not None:
            yield by_hand, None, report.creator
        for schedule in self._schedule_versions(report):
            at = schedule.last_firing(now)
            if at is not None:
                yield at, schedule.token, None

    def last_good_run(self, report: Report, now: datetime, last: Run | None) -> Run | None:
        """Return the newest successful run; `last` is the newest run."""
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
        """Delete a run that was started over the API, as a purge might."""
        self.runs[report.token] = [run for run in self.runs.get(report.token, ()) if run.token != token]

    def find_run(self, report: Report, token: str, now: datetime) -> Run | None:
        """Return a run of a Report by its token, or None."""
        known = chain(self.runs.get(report.token, ()), self.runs_of(report, now))
        return next((run for run in known if run.token == token and run.created_at <= now), None)

    def has_results(self, run: Run, now: datetime) -> bool:
        """Return whether a run has results that were not purged."""
        purged = self.purged_until_for(run)
        return run.is_good(now) and (purged is None or run.created_at > purged)

    def purged_until_for(self, run: Run) -> datetime | None:
        """Return the time of the last purge that covers a run's data source, or None."""
        source = self.purged_sources.get(self.data_source_of(self.reports[run.report]))
        is_covered = self.purged_from is None or run.created_at >= self.purged_from
        return max(filter(None, (self.purged_until if is_covered else None, source)), default=None)

    def data_source_of(self, report: Report) -> str:
        """Return the data source of a Report's queries."""
        tokens = list(self.data_sources)
        return tokens[int(report.token[-2:], 16) % len(tokens)]

    def queries_of(self, report: Report) -> list[Query]:
        """Return a Report's queries."""
        if report.token in self.edited_queries:
            return self.edited_queries[report.token]
        source = self.data_source_of(report)
        return [
            Query(
                token_for(report.token, "query", number),
                10_000_000 + report.id * 8 + number,
                f"Query {number + 1}",
                query_text(report.token, number),
                source,
                report.created_at,
                report.edited_at,
            )
            for number in range(report.query_count)
        ]

    def edit_queries(self, report: Report, queries: list[Query], now: datetime) -> None:
        """Replace a Report's queries."""
        self.edited_queries[report.token] = queries
        report.query_count, report.edited_at = len(queries), now

    def views(self, report: Report, since: datetime, now: datetime) -> Iterator[tuple[datetime, str]]:
        """Yield the times and viewers of a Report's regular views after `since`; the same few people view it."""
        rate = report.habit.views_per_day
        if rate <= 0:
            return
        total = report.view_count(now) - report.extra_views
        first = int(report.days_used(since) * rate) + 1
        usernames = list(self.people)
        start = int(report.token[:6], 16)
        for number in range(first, total + 1):
            yield report.when_used_for(number / rate), usernames[(start + number * number % 7) % len(usernames)]
