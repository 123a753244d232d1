# SPDX-License-Identifier: Apache-2.0
"""Retention of snapshots: every one for some time, then one a week, then one a month, then none.

Never dropped: the newest snapshot, and any that a plan or journal refers to. The totals of dropped snapshots remain in
the history of later ones.
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
from airflow_provider_studio.governance.snapshots.rolling_history import write_history
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore
from airflow_provider_studio.governance.storage import explained, remove_folder


@dataclass(frozen=True)
class Retention:
    """How long snapshots are kept, in days back from the newest.

    :param every_snapshot_days: every snapshot; at least the longest window of a policy, or its proof gets less
        precise.
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
    """The result: snapshots kept, dropped, and kept only because a plan or journal refers to them."""

    workspace: str
    kept: int = 0
    dropped: list[str] = field(default_factory=list)
    referred_to: list[str] = field(default_factory=list)
    dry_run: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain JSON."""
        return asdict(self)


def retain(storage: UPath, workspace: str, retention: Retention, *, dry_run: bool = False) -> RetentionSummary:
    """Drop the snapshots that are too old.

    :param dry_run: only report which.
    :raises GovernanceError: a journal's plan is missing, so its snapshot is unknown; nothing is dropped.
    """
    store = SnapshotStore(storage, workspace)
    snapshots = store.all()
    summary = RetentionSummary(workspace, dry_run=dry_run)
    if not snapshots:
        return summary
    referenced = referred_to(storage, workspace)
    due = set(_due(snapshots, retention))
    for snapshot in snapshots:
        name = snapshot.folder.name
        if snapshot not in due:
            summary.kept += 1
        elif name in referenced:
            summary.kept += 1
            summary.referred_to.append(name)
        else:
            summary.dropped.append(name)
    if summary.dropped and not dry_run:
        write_history(store, snapshots[-1])  # while the rows that it is computed from exist
        for snapshot in snapshots:
            if snapshot.folder.name in summary.dropped:
                remove_folder(snapshot.folder, first=SUMMARY)  # without its summary it is no snapshot
    return summary


def referred_to(storage: UPath, workspace: str) -> frozenset[str]:
    """Return the names of the snapshots' folders that any plan or journal of the workspace refers to.

    :raises GovernanceError: a journal's plan is missing, and its events do not name a snapshot.
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
            found = {name for path in folder.iterdir() for name in _snapshots_in(path)}
        if not found:
            raise GovernanceError(
                f"The journal {folder} refers to a plan that is missing, so the snapshot of the plan is "
                f"unknown. No snapshot is dropped. Restore {plan_file(str(plan_id))} in "
                f"{plans_folder(storage, workspace)}, or move the journal."
            )
        names |= found
    return frozenset(names)


def _snapshots_in(path: UPath) -> set[str]:
    with explained("read", path):
        return snapshots_named_in(path.read_text(encoding="utf-8"))


def _due(snapshots: Sequence[Snapshot], retention: Retention) -> list[Snapshot]:
    """Return the snapshots that are old enough to be dropped."""
    newest, due = snapshots[-1].taken_at, []
    seen: set[tuple[Any, ...]] = set()
    for snapshot in snapshots:  # oldest first: the first of each week or month stays
        age = newest - snapshot.taken_at
        period = _period(snapshot.taken_at, age, retention)
        if period is None:
            continue
        if period == () or period in seen:
            due.append(snapshot)
        seen.add(period)
    return due


def _period(at: datetime, age: timedelta, retention: Retention) -> tuple[Any, ...] | None:
    """Return the month or week of which one snapshot is kept; () if none is kept, None if every one is."""
    if age <= timedelta(days=retention.every_snapshot_days):
        return None
    if age <= timedelta(days=retention.weekly_days):
        return ("week", *at.isocalendar()[:2])
    if age <= timedelta(days=retention.monthly_days):
        return ("month", at.year, at.month)
    return ()
