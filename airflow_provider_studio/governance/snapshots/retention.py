# SPDX-License-Identifier: Apache-2.0
"""Thin old snapshots out: every one for a while, then one a week, then one a month, then none.

Never dropped: the newest night, and any that a plan or journal refers to. What dropped nights told of totals stays in
the facts that later nights remember.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from upath import UPath

from airflow_provider_studio.governance.errors import GovernanceError
from airflow_provider_studio.governance.file_names import (
    SUMMARY,
    id_of_journal,
    id_of_plan_file,
    plan_file,
    snapshots_named_in,
)
from airflow_provider_studio.governance.layout import journals_in, moved_plan_paths, plans_folder
from airflow_provider_studio.governance.snapshots.rolling_history import remember
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore
from airflow_provider_studio.governance.storage import explained


@dataclass(frozen=True)
class Retention:
    """How long snapshots are kept, in days back from the newest.

    :param every_snapshot_days: every snapshot; at least as long as the longest window of a policy, or its proof gets
        coarse.
    :param weekly_days: then the first of each week.
    :param monthly_days: then the first of each month; older snapshots are dropped.
    """

    every_snapshot_days: int = 190
    weekly_days: int = 730
    monthly_days: int = 3650

    def __post_init__(self) -> None:
        if not 1 <= self.every_snapshot_days <= self.weekly_days <= self.monthly_days:
            raise GovernanceError(
                f"every_snapshot_days, weekly_days and monthly_days are {self.every_snapshot_days}, {self.weekly_days} "
                f"and {self.monthly_days}; each must be at least the one before it, and the first at least 1."
            )


@dataclass
class RetentionSummary:
    """What was done: snapshots kept, dropped, and kept only because a plan or journal refers to them."""

    workspace: str
    kept: int = 0
    dropped: list[str] = field(default_factory=list)
    referred_to: list[str] = field(default_factory=list)
    dry_run: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain JSON."""
        return asdict(self)


def retain(storage: UPath, workspace: str, retention: Retention, *, dry_run: bool = False) -> RetentionSummary:
    """Drop the snapshots that need not be kept any more.

    :param dry_run: only say which.
    :raises GovernanceError: a journal's plan is missing, so nobody knows which night it refers to; nothing is dropped.
    """
    store = SnapshotStore(storage, workspace)
    nights = store.all()
    summary = RetentionSummary(workspace, dry_run=dry_run)
    if not nights:
        return summary
    referred = referred_to(storage, workspace)
    due = set(_due(nights, retention))
    for night in nights:
        name = night.folder.name
        if night not in due:
            summary.kept += 1
        elif name in referred:
            summary.kept += 1
            summary.referred_to.append(name)
        else:
            summary.dropped.append(name)
    if summary.dropped and not dry_run:
        remember(store, nights[-1])  # before what it is made from goes
        for night in nights:
            if night.folder.name in summary.dropped:
                _drop(night)
    return summary


def referred_to(storage: UPath, workspace: str) -> frozenset[str]:
    """Return the names of the snapshots' folders that any plan or journal of the workspace refers to.

    :raises GovernanceError: a journal whose plan is missing, and whose events do not tell its snapshot.
    """
    names: set[str] = set()
    known = set()
    for path in moved_plan_paths(storage, workspace):
        names |= _snapshots_in(path)
        known.add(id_of_plan_file(path.name))
    for folder in journals_in(storage, workspace):
        plan_id = id_of_journal(folder.name)
        if plan_id in known:
            continue
        with explained("read", folder):
            told = {name for path in folder.iterdir() for name in _snapshots_in(path)}
        if not told:
            raise GovernanceError(
                f"The journal {folder} refers to a plan that is missing, so nobody knows which snapshot it was made "
                f"from. No snapshot is dropped. Bring {plan_file(str(plan_id))} back to "
                f"{plans_folder(storage, workspace)}, or move the journal."
            )
        names |= told
    return frozenset(names)


def _snapshots_in(path: UPath) -> set[str]:
    with explained("read", path):
        return snapshots_named_in(path.read_text(encoding="utf-8"))


def _due(nights: Sequence[Snapshot], retention: Retention) -> list[Snapshot]:
    """Return the nights that are too old to be kept for their own sake."""
    newest, due = nights[-1].taken_at, []
    seen: set[tuple[Any, ...]] = set()
    for night in nights:  # oldest first: the first of each week or month stays
        age = newest - night.taken_at
        period = _period(night.taken_at, age, retention)
        if period is None:
            continue
        if period == () or period in seen:
            due.append(night)
        seen.add(period)
    return due


def _period(at: datetime, age: timedelta, retention: Retention) -> tuple[Any, ...] | None:
    """Return what a night may stand for: its month or week, nothing any more, or (None) itself."""
    if age <= timedelta(days=retention.every_snapshot_days):
        return None
    if age <= timedelta(days=retention.weekly_days):
        return ("week", *at.isocalendar()[:2])
    if age <= timedelta(days=retention.monthly_days):
        return ("month", at.year, at.month)
    return ()


def _drop(night: Snapshot) -> None:
    """Remove a night; its summary first, so that half of it is no snapshot."""
    with explained("remove", night.folder):
        files = sorted(night.folder.iterdir(), key=lambda path: path.name != SUMMARY)
        for path in files:
            path.unlink()
        if night.folder.exists():
            night.folder.rmdir()
