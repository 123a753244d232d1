# SPDX-License-Identifier: Apache-2.0
"""Retention of plans and journals, which have names, user names and e-mail addresses in them.

Kept in any case: the newest plan of each name, from which the next one continues, and whatever an undo may still need,
unless an admin sets a time after which nothing is undone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from upath import UPath

from airflow_provider_studio.governance.errors import GovernanceError
from airflow_provider_studio.governance.layout import (
    journal_folder,
    one_off_records,
    plan_path,
    plan_text_path,
)
from airflow_provider_studio.governance.plans.audit import Audit
from airflow_provider_studio.governance.plans.journal import PLAN, Event, Journal
from airflow_provider_studio.governance.plans.models import PlanHeader
from airflow_provider_studio.governance.storage import remove_files, remove_folder, utcnow


@dataclass(frozen=True)
class PlanRetention:
    """How long plans are kept with their journals, in days since the plan was created.

    :param plans_days: plans that have nothing to undo: nothing was done, or all of it is undone. At least the longest
        `grace_days` and `retry_refused_days` of a policy, which read earlier plans.
    :param undo_days: all other plans; None keeps them, because without its journal a plan cannot be undone.
    """

    plans_days: int = 400
    undo_days: int | None = None

    def __post_init__(self) -> None:
        if not self.plans_days >= 1:
            raise GovernanceError(f"plans_days is {self.plans_days}; it must be at least 1.")
        if self.undo_days is not None and self.undo_days < self.plans_days:
            raise GovernanceError(
                f"undo_days is {self.undo_days}, but plans_days is {self.plans_days}; it must be at least as long."
            )


@dataclass
class PlanRetentionSummary:
    """The result: plans kept, dropped, and kept only because an undo may need them."""

    workspace: str
    kept: int = 0
    dropped: list[str] = field(default_factory=list)
    kept_for_undo: list[str] = field(default_factory=list)
    dry_run: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain JSON."""
        return asdict(self)


def retain_plans(
    storage: UPath,
    workspace: str,
    retention: PlanRetention,
    *,
    dry_run: bool = False,
    now: Callable[[], datetime] = utcnow,
) -> PlanRetentionSummary:
    """Drop plans that are too old, with their journals.

    :param dry_run: only report which.
    :raises StorageError: the storage cannot be read or written.
    """
    summary = PlanRetentionSummary(workspace, dry_run=dry_run)
    names: set[str | None] = set()
    for header in Audit(storage, workspace).headers():  # the newest first
        is_newest = header.name not in names
        names.add(header.name)
        age = (now() - header.created_at) / timedelta(days=1)
        if is_newest or age <= retention.plans_days:
            summary.kept += 1
        elif _may_be_undone(storage, header) and (retention.undo_days is None or age <= retention.undo_days):
            summary.kept += 1
            summary.kept_for_undo.append(header.plan_id)
        else:
            summary.dropped.append(header.plan_id)
    if not dry_run:
        for plan_id in summary.dropped:
            _drop(storage, workspace, plan_id)
    return summary


def _may_be_undone(storage: UPath, header: PlanHeader) -> bool:
    """Whether an action was begun and is not undone."""
    journal = Journal(storage, header.workspace, header.plan_id, actor={})
    begun = set(journal.action_ids(Event.INTENT)) - {PLAN}
    return any(not journal.has(action_id, Event.UNDONE) for action_id in begun)


def _drop(storage: UPath, workspace: str, plan_id: str) -> None:
    """Remove a journal, then its plan: a journal without its plan would keep snapshots from being dropped."""
    remove_folder(journal_folder(storage, workspace, plan_id))
    path = plan_path(storage, workspace, plan_id)
    remove_files([*one_off_records(storage, workspace, plan_id), plan_text_path(path), path])
