# SPDX-License-Identifier: Apache-2.0
"""What exists in an emulated workspace.

What grows by itself (views, scheduled runs) is a function of time, not a simulation: moving the clock by a year costs
nothing, and moving it back gives the earlier counts again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from airflow_provider_studio.emulator.things import (
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


@dataclass
class Quirks:
    """How the emulated service behaves where sources disagree or nobody could look.

    :param ids_as_text: whether numeric ids are decimal strings, as lately, or JSON numbers, as before.
    :param results_as_zip: whether `content.csv` is a zip archive.
    :param archived_schedules: whether a schedule goes on firing when its Report is archived.
    :param second_archive: the status of archiving an archived Report.
    :param alien_key: a key that every Report carries and nobody knows, as after a release of the service.
    """

    ids_as_text: bool = False
    results_as_zip: bool = False
    archived_schedules: Literal["keep", "stop"] = "keep"
    second_archive: Literal[200, 400] = 200
    alien_key: bool = False


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
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    runs: dict[str, list[Run]] = field(default_factory=dict)
    """The runs that were asked for over the API, by Report."""
    edited_queries: dict[str, list[Query]] = field(default_factory=dict)
    """The queries of the Reports whose queries somebody changed."""
    records: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """What has no behaviour of its own: definitions, groups, filters, memberships; by kind and token."""
    members_by_collection: dict[str, list[str]] = field(default_factory=dict)
    quirks: Quirks = field(default_factory=Quirks)
    purged_until: datetime | None = None
    """The results of runs up to then are gone."""
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

    def new_report(self, name: str | None, collection: str, creator: str, now: datetime, **values: Any) -> Report:
        """Make a Report and put it into its Collection."""
        token = self.new_token("report")
        made = Report(token, 2_980_000 + self.made, name, collection, creator, now, now, **values)
        self.add_report(made)
        return made

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

    def archive_report(self, report: Report, now: datetime) -> None:
        """Archive a Report; whether its schedules go on is the quirk `archived_schedules`."""
        report.archived_at = report.archived_at or now
        if self.quirks.archived_schedules == "stop":
            for schedule in self.schedules_of(report):
                schedule.stopped_at = schedule.stopped_at or now

    def unarchive_report(self, report: Report) -> None:
        """Take a Report out of the archive."""
        report.archived_at = None
        for schedule in self.schedules_of(report):
            schedule.stopped_at = None

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
        return list(self._schedules_by_report.get(report.token, ()))

    def remove_schedule(self, schedule: Schedule, now: datetime) -> None:
        """Delete a schedule; the runs that it made stay known."""
        report = self.reports[schedule.report]
        report.earlier_scheduled_run = max(
            filter(None, [report.earlier_scheduled_run, schedule.last_firing(now)]), default=None
        )
        report.earlier_scheduled_runs += schedule.firings(now)
        self._drop_schedule(schedule)

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

    def run_count(self, report: Report, now: datetime) -> int:
        """All runs so far."""
        scheduled = sum(one.firings(now) for one in self.schedules_of(report))
        asked = sum(run.created_at <= now for run in self.runs.get(report.token, []))
        return report.manual_runs(now)[0] + report.earlier_scheduled_runs + scheduled + asked

    def recent_runs(self, report: Report, now: datetime, most: int = 45) -> list[Run]:
        """The newest runs, newest first, whoever started them."""
        found = [run for run in self.runs.get(report.token, ()) if run.created_at <= now]
        for at, schedule, account in self._last_by_itself(report, now):
            if schedule not in self.schedules:
                found.append(self._past_run(report, at, schedule, account))
        for one in self.schedules_of(report):
            firings = zip(one.firings_before(now), range(most), strict=False)
            found += [self._past_run(report, at, one.token, None) for at, _ in firings]
        return sorted(found, key=lambda run: run.created_at, reverse=True)[:most]

    def last_run(self, report: Report, now: datetime) -> Run | None:
        """The newest run."""
        asked = max(
            (run for run in self.runs.get(report.token, ()) if run.created_at <= now),
            key=lambda run: run.created_at,
            default=None,
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
        if report.earlier_scheduled_run is not None and report.earlier_scheduled_run <= now:
            yield report.earlier_scheduled_run, "deleted", None
        for schedule in self._schedules_by_report.get(report.token, ()):
            at = schedule.last_firing(now)
            if at is not None:
                yield at, schedule.token, None

    def last_good_run(self, report: Report, now: datetime, last: Run | None) -> Run | None:
        """The newest run that ended well, given the newest one."""
        if last is None or last.is_good(now):
            return last
        return next((run for run in self.recent_runs(report, now) if run.is_good(now)), None)

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
        known = [*self.runs.get(report.token, []), *self.recent_runs(report, now)]
        return next((run for run in known if run.token == token and run.created_at <= now), None)

    def has_results(self, run: Run, now: datetime) -> bool:
        """Whether a run has results that nobody purged."""
        return run.is_good(now) and (self.purged_until is None or run.created_at > self.purged_until)

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
        first = max(0, int((since - report.created_at).total_seconds() / 86400 * rate)) + 1
        usernames = list(self.people)
        start = int(report.token[:6], 16)
        for number in range(first, total + 1):
            at = report.created_at + timedelta(days=number / rate)
            yield at, usernames[(start + number * number % 7) % len(usernames)]
