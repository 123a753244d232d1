# SPDX-License-Identifier: Apache-2.0
"""What must be true after each step, whatever the service does; compared with the emulator's state."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.emulator.state import SECRET
from airflow_provider_studio.governance.file_names import action_id
from airflow_provider_studio.governance.plans.models import Action, ActionKind, Rule
from airflow_provider_studio.governance.plans.plan import Plan
from tests.contrary.service import Truth

_WINDOWS = ("unviewed_days", "owner_left_days", "empty_days", "never_run_days")


@functools.cache
def _database() -> duckdb.DuckDBPyConnection:
    """Open a database once: it takes longer than to read a snapshot."""
    return duckdb.connect(config={"threads": 1})


@dataclass
class Rows:
    """The rows of a snapshot, by token."""

    reports: dict[str, dict[str, Any]]
    schedules: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, folder: str) -> Rows:
        tables = []
        for table in ("reports", "schedules"):
            result = _database().execute(f"SELECT * FROM read_parquet('{folder}/{table}.parquet')")
            names = [column[0] for column in result.description]
            found = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
            by_token = {row["token"]: row for row in found}
            assert len(by_token) == len(found), f"a token appears twice in {table}"
            tables.append(by_token)
        return cls(*tables)


def check_refusal(error: Exception) -> None:
    """A refusal says what is wrong, in few words and without a secret."""
    text = str(error)
    assert 20 < len(text) < 4000, text[:200]
    assert SECRET not in text


def check_snapshot(rows: Rows, truth: Truth, later: Truth) -> None:
    """Every Report of the shared Collections is in the snapshot, and nothing that does not exist.

    :param truth: the workspace when the inventory began.
    :param later: the workspace when it ended: people viewed Reports while it waited.
    """
    missing = truth.shared - rows.reports.keys()
    assert not missing, f"missed without a word: {sorted(missing)}"
    known = {token: row for token, row in rows.reports.items() if not row["unknown"]}
    assert not known.keys() - truth.reports.keys(), "Reports that do not exist"
    for token, row in known.items():
        report = truth.reports[token]
        assert report["personal_of"] is None, f"a personal Report: {token}"
        assert row["archived"] in (None, report["archived"]), (token, row["archived"])
        if row["view_count"] is not None:
            assert report["view_count"] <= row["view_count"] <= later.reports[token]["view_count"], token
        assert row["name"] in (None, report["name"]), token
        if row["schedules_count"] is not None and row["verified_at"] == row["taken_at"]:
            listed = {each for each, schedule in rows.schedules.items() if schedule["report"] == token}
            assert listed == set(report["schedules"]), (token, "schedules")


def check_plan(plan: Plan, truth: Truth) -> None:
    """A plan names only Reports that exist, are shared and, if they are stale, were not viewed for the window.

    :param truth: the workspace when the snapshot was taken.
    """
    days = min(plan.header.policy[name] for name in _WINDOWS if plan.header.policy[name] is not None)
    for action in plan.actions:
        report = truth.reports[action.report]
        assert report["personal_of"] is None, "a personal Report is planned"
        if action.kind is ActionKind.ARCHIVE_REPORT:
            assert not report["archived"]
        if action.schedule is not None:
            assert action.schedule in report["schedules"], "a schedule that does not exist"
        if action.rule is Rule.STALE:
            since = truth.now - timedelta(days=days)
            for name in ("last_viewed_at", "edited_at"):
                assert report[name] is None or report[name] <= since.isoformat(), (action.report, name, report[name])
        if action.rule is Rule.SCHEDULE_OF_ARCHIVED:
            assert report["archived"]


@dataclass
class Backups:
    """Checks, when an action is sent, that its backup is durable and is of that Report."""

    folder: Path
    missing: list[str] = field(default_factory=list)

    def check(self, kind: ActionKind, report: str, schedule: str | None = None) -> None:
        name = action_id(kind.value, report, schedule)
        path = self.folder / f"{name}.intent.json"
        backup = json.loads(path.read_text())["backup"] if path.exists() else {}
        of = backup.get("report") or {}
        saved = (backup.get("schedule") or {}).get("token")
        if not backup or of.get("token", report) != report or (schedule is not None and saved != schedule):
            self.missing.append(f"{name}: the backup is of {of.get('token')} and {saved}")


@contextmanager
def backups_before_actions(folder: Path) -> Iterator[None]:
    """Fail if an archival or a deletion is sent before its backup is durable."""
    backups = Backups(folder)
    archive, delete = StudioClient.archive_report, StudioClient.delete_schedule

    def archived(client: StudioClient, report: str, *args: Any, **options: Any) -> Any:
        backups.check(ActionKind.ARCHIVE_REPORT, report)
        return archive(client, report, *args, **options)

    def deleted(client: StudioClient, report: str, schedule: str, *args: Any, **options: Any) -> Any:
        backups.check(ActionKind.DELETE_SCHEDULE, report, schedule)
        return delete(client, report, schedule, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StudioClient, "archive_report", archived)
        patch.setattr(StudioClient, "delete_schedule", deleted)
        yield
    assert not backups.missing, backups.missing


def check_only_planned(plan: Plan, before: Truth, after: Truth) -> None:
    """Nothing but what the plan names is different."""
    planned = {action.report for action in plan.actions if action.kind is ActionKind.ARCHIVE_REPORT}
    deleted = {action.schedule for action in plan.actions if action.schedule is not None}
    assert before.archived() ^ after.archived() <= planned, "archived or unarchived outside the plan"
    assert before.schedules.keys() - after.schedules.keys() <= deleted, "deleted outside the plan"
    assert not after.schedules.keys() - before.schedules.keys(), "an apply creates no schedules"
    for token in after.schedules:
        assert before.schedules[token] == after.schedules[token], "a schedule was changed"
    check_nothing_else(before, after)


def check_nothing_else(before: Truth, after: Truth) -> None:
    """Nothing is different that no action changes."""
    assert before.reports.keys() == after.reports.keys()
    assert before.collections == after.collections
    for token in before.reports:
        assert before.rest_of(token) == after.rest_of(token), token


def done_in(folder: Path) -> set[str]:
    """The actions that a journal calls done."""
    return {path.name.removesuffix(".done.json") for path in folder.glob("*.done.json")}


def check_journal(folder: Path, plan: Plan, earlier: set[str], before: Truth, after: Truth) -> None:
    """What an apply calls done is so, and what it did has a backup in the journal.

    :param earlier: what was done before this apply; people or an undo may have reversed it.
    """
    done = done_in(folder) - earlier
    for action in plan.actions:
        name = action.action_id
        is_so, was_so = _is_so(action, after), _is_so(action, before)
        assert is_so or name not in done, f"{name} is journaled as done and is not"
        assert was_so or not is_so or (folder / f"{name}.intent.json").exists(), f"{name} is done without a backup"


def _is_so(action: Action, truth: Truth) -> bool:
    if action.schedule is not None:
        return action.schedule not in truth.schedules
    return action.report not in truth.reports or truth.reports[action.report]["archived"]


def check_only_undone(plan: Plan, before: Truth, after: Truth) -> None:
    """An undo changes only Reports of the plan, and deletes no schedule."""
    planned = {action.report for action in plan.actions}
    assert before.archived() ^ after.archived() <= planned, "archived or unarchived outside the plan"
    for token in after.reports.keys() - planned:
        assert before.delivered(token) == after.delivered(token), token
    check_nothing_else(before, after)


def check_restored(plan: Plan, original: Truth, after: Truth, touched: set[str]) -> None:
    """The Reports of a plan are as before it, except those that people touched."""
    for token in {action.report for action in plan.actions} & original.reports.keys() - touched:
        assert after.reports[token]["archived"] == original.reports[token]["archived"], token
        assert after.delivered(token) == original.delivered(token), token
