# SPDX-License-Identifier: Apache-2.0
"""A contrary service for a sequence of nights: small workspaces, what people do meanwhile, and the truth."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Lock
from typing import Any

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.entities import Habit, Schedule, Subscription, token_for
from airflow_provider_studio.emulator.state import EmulatorState
from tests.conftest import client_of

NOW = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)
WORLDS = 12


@functools.cache
def world(number: int) -> bytes:
    """Return a saved workspace of 10 to 60 Reports: most in one Collection, half of them unused, many scheduled."""
    random = Random(f"world {number}")
    state = EmulatorState("acme", 10 + 50 * number // (WORLDS - 1), number, NOW, 0)
    workspace = state.workspace
    crowded = next(iter(workspace.collections))
    for report in list(workspace.reports.values()):
        shared = workspace.collections[report.collection or ""].owner is None
        if shared and random.random() < 0.6:
            workspace.move_report(report, crowded)
        if report.type == "Report" and random.random() < 0.5:
            report.created_at, report.edited_at = NOW - timedelta(days=900), NOW - timedelta(days=500)
            report.habit = Habit(random.choice([0.0, 0.5]), 0.0, NOW - timedelta(days=400))
            for hour in range(random.choice([0, 0, 1, 2, 3])):
                _add_schedule(state, report.token, hour)
    return state.save()


def _add_schedule(state: EmulatorState, report: str, hour: int) -> None:
    cron = {"freq": "daily", "hour": 6 + hour, "minute": 10, "time_zone": "UTC"}
    cron |= {"day_of_week": None, "day_of_month": None}
    token, created = token_for(report, "schedule", hour), NOW - timedelta(days=300 - hour)
    creator = next(iter(state.workspace.people))
    params = {"number": hour} if hour else {}
    state.workspace.add_schedule(Schedule(token, report, cron, created, creator, params=params))
    options = {"csv_attachments_enabled": True, "pdf_attachments_enabled": bool(hour % 2)}
    state.workspace.add_subscription(Subscription(token_for(token), token, options, ["a@example.com"], created))


class Truth:
    """The workspace as it is, not as the API returns it."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.now = datetime.fromisoformat(state["now"])
        self.reports: dict[str, dict[str, Any]] = state["reports"]
        self.schedules: dict[str, dict[str, Any]] = state["schedules"]
        self.subscriptions: dict[str, dict[str, Any]] = state["subscriptions"]
        self.collections: dict[str, dict[str, Any]] = state["collections"]

    @property
    def shared(self) -> set[str]:
        """The Reports and datasets in Collections that are nobody's personal one."""
        return {
            token
            for token, report in self.reports.items()
            if report["collection"] is not None and report["personal_of"] is None
        }

    @property
    def shared_collections(self) -> set[str]:
        return {token for token, collection in self.collections.items() if collection["personal_of"] is None}

    def archived(self) -> set[str]:
        return {token for token, report in self.reports.items() if report["archived"]}

    def delivered(self, report: str) -> Counter[str]:
        """A Report's schedules with what their subscriptions deliver, without tokens, which change."""
        found: Counter[str] = Counter()
        for token, schedule in self.schedules.items():
            if schedule["report"] == report:
                options = sorted(
                    str(sorted(name for name, value in each["options"].items() if value))
                    for each in self.subscriptions.values()
                    if each["schedule"] == token
                )
                cron = sorted((name, value) for name, value in schedule["cron"].items() if value is not None)
                found[str((schedule["name"], cron, sorted(schedule["params"].items()), options))] += 1
        return found

    def rest_of(self, report: str) -> dict[str, Any]:
        """Everything about a Report that neither an action nor the time changes."""
        names = ("name", "type", "description", "collection", "created_at", "edited_at", "runs_started")
        fields = self.reports[report]
        return {name: fields[name] for name in names} | {"runs_started": len(fields["runs_started"])}


class Service:
    """A running emulator whose quirks and workspace are replaced for each example, and a client of it."""

    def __init__(self, emulator: StudioEmulator) -> None:
        self.emulator, self.control = emulator, emulator.control
        self.waited = 0.0
        self._lock = Lock()

    def begin(self, world_number: int, quirks: dict[str, Any]) -> None:
        """Restore a workspace, with these quirks."""
        self.control.clear_faults()
        self.control.restore(world(world_number))
        self.control.set_quirks(**quirks)
        self.control.set_speed(0)
        self.control.clear_requests()
        self.now = NOW
        self.control.set_clock(self.now)
        self.client: StudioClient = client_of(self.emulator, sleep=self.sleep)

    def clock(self) -> datetime:
        """The time of the service and of this machine, which do not advance by themselves."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Wait: both clocks advance."""
        self.waited += max(0.0, seconds)
        self.advance(timedelta(seconds=seconds))

    def advance(self, by: timedelta) -> None:
        with self._lock:
            self.now += by
            self.control.set_clock(self.now)

    def truth(self) -> Truth:
        return Truth(self.control.state())

    def report(self, number: int) -> str | None:
        """Return one of the shared Reports that people can run, if there is one."""
        truth = self.truth()
        tokens = sorted(token for token in truth.shared if truth.reports[token]["type"] == "Report")
        return tokens[number % len(tokens)] if tokens else None

    def people(self, what: str, number: int) -> str:
        """Let people create Reports, or do something to one of them; return its token."""
        control, now, truth = self.control, self.now.isoformat(), self.truth()
        tokens, shared = sorted(truth.shared), sorted(truth.shared_collections)
        place = shared[number % len(shared)]
        if what == "create" or not tokens:
            return control.add_report(name="New", collection=place, created_at=now, edited_at=now)
        token = tokens[number % len(tokens)]
        changes: dict[str, Callable[[], Any]] = {
            "edit": lambda: control.change_report(token, name="Renamed", edited_at=now),
            "view": lambda: control.view(token),
            "archive": lambda: control.change_report(token, archived_at=now),
            "unarchive": lambda: control.change_report(token, archived_at=None),
            "schedule": lambda: control.add_schedule(token, cron={"hour": number % 24}, name="By a person"),
            "move": lambda: control.change_report(token, collection=place),
            "delete": lambda: control.remove_report(token),
        }
        changes[what]()
        return token
