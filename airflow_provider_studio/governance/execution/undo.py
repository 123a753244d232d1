# SPDX-License-Identifier: Apache-2.0
"""Undo a plan from its journal: unarchive its Reports, recreate its schedules with their subscriptions.

The undo runs in reverse order, is idempotent, and writes to the journal of the plan. Whatever the plan intended is
undone, unless the workspace shows that it had no effect: neither a missing result nor a 404 proves that. A schedule
that an earlier try created before it was killed is found and adopted. Each restored schedule is compared with its
backup field by field. Each undo reports what cannot be restored and what differs, until it is fixed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, TypeVar

from upath import UPath

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioAPIError, StudioError
from airflow_provider_studio.client.models import Report, Schedule
from airflow_provider_studio.client.ratelimit import Priority
from airflow_provider_studio.client.visibility import read_until
from airflow_provider_studio.governance.errors import JournalError, StorageError
from airflow_provider_studio.governance.execution.actions import set_archived
from airflow_provider_studio.governance.execution.archived_reports import warning_after
from airflow_provider_studio.governance.execution.concurrency import run_concurrently
from airflow_provider_studio.governance.execution.failures import Failures
from airflow_provider_studio.governance.execution.guard_rails import GuardRails
from airflow_provider_studio.governance.execution.schedule_restore import (
    RestoredSchedule,
    ScheduleRestorer,
    is_refused_whole,
    reason_in_words,
)
from airflow_provider_studio.governance.execution.summary_text import undo_in_words
from airflow_provider_studio.governance.execution.undo_rails import (
    check_not_protected,
    check_undo,
    plan_of_journal,
    planned_actions,
)
from airflow_provider_studio.governance.execution.undo_selection import actions_on, selected_actions
from airflow_provider_studio.governance.file_names import parsed_action_id, report_of
from airflow_provider_studio.governance.plans.collection_names import CollectionNames
from airflow_provider_studio.governance.plans.deployment_limits import DeploymentLimits
from airflow_provider_studio.governance.plans.journal import PLAN, Event, Journal
from airflow_provider_studio.governance.plans.models import Action, ActionKind
from airflow_provider_studio.governance.plans.snapshot_query import MAX_SNAPSHOT_AGE_DAYS, SnapshotQuery
from airflow_provider_studio.governance.signing import UNSIGNED, Signer
from airflow_provider_studio.governance.storage import utcnow
from airflow_provider_studio.governance.workspace_host import check_host

log = logging.getLogger(__name__)

LiveT = TypeVar("LiveT", Report, list[Schedule])


@dataclass
class UndoSummary:
    """The result of an undo.

    :param schedules_recreated: the new token of each recreated schedule, by its old token.
    :param already: the number of actions that are undone already, or never had an effect.
    :param subscribers_to_add: the number of e-mail subscribers that a person must add again, by new schedule token: the
        API cannot add them.
    :param warnings: what does not help as it is: a recreated schedule whose Report is still archived.
    :param failures: what could not be restored, or differs from the backup, with the reason.
    :param not_tried: actions on schedules that wait for another schedule of their Report.
    :param stopped: why the undo was stopped, if it was.
    """

    plan_id: str
    unarchived: int = 0
    archived_again: int = 0
    schedules_recreated: dict[str, str] = field(default_factory=dict)
    already: int = 0
    subscribers_to_add: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)
    stopped: str | None = None
    requests_spent: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain JSON."""
        return {**vars(self), "failed": len(self.failures)}


def undo_plan(
    client: StudioClient,
    storage: UPath,
    plan_id: str,
    *,
    only: Collection[str] | None = None,
    where: str | None = None,
    max_snapshot_age_days: float | str = MAX_SNAPSHOT_AGE_DAYS,
    limits: DeploymentLimits | None = None,
    signer: Signer = UNSIGNED,
    actor: Mapping[str, str],
    concurrency: int = 4,
    now: Callable[[], datetime] = utcnow,
) -> UndoSummary:
    """Undo the actions that the journal of a plan records as done.

    Only actions of the plan are undone: the plan in storage must have each of them.

    :param only: what to undo: ids of actions; tokens, addresses or names of Reports; everything by default.
    :param where: undo only the actions on Reports for which this SQL condition over the newest snapshot is true.
    :param max_snapshot_age_days: with `where`, an older snapshot is refused.
    :param limits: the deployment's limits, which apply to an undo as well; no protected Report is archived again.
    :param signer: verifies the signatures of the plan and its journal, and signs new events.
    :param actor: who acts, for the journal.
    :param concurrency: the number of Reports processed concurrently.
    :raises PlanError: the id is not a plan's id, or the plan was changed.
    :raises JournalError: the workspace has no such journal, `only` names an unknown action or Report, or the journal
        has an action that the plan does not have.
    :raises StudioConfigurationError: `only` has a name that no Report of the plan has, or several have.
    :raises GuardRailError: the undo exceeds a limit of the deployment.
    :raises WrongWorkspaceError: the files in storage are of another host.
    :raises StorageError: the journal cannot be written, or the plan cannot be read.
    """
    if not Journal(storage, client.workspace, plan_id, actor=actor, now=now).exists():
        raise JournalError(
            f"There is no journal of plan {plan_id!r} for workspace {client.workspace!r} under {storage}. "
            "Check the plan's id, the connection's workspace and [studio] storage_path."
        )
    check_host(client, storage)
    limits = limits or DeploymentLimits()
    plan = plan_of_journal(storage, client.workspace, plan_id, signer)
    journal = Journal(storage, client.workspace, plan_id, actor=actor, sha256=plan.sha256, signer=signer, now=now)
    journal.check_writable()
    before = client.spending.requests
    done = [action_id for action_id in journal.action_ids(Event.INTENT) if action_id != PLAN]
    selected = selected_actions(plan, done, only)
    if where is not None:
        query = SnapshotQuery(storage, client.workspace, max_age_days=max_snapshot_age_days, now=now)
        selected = actions_on(query.matching(where).tokens, selected)
        if not selected:
            log.info("No action of plan %s is on a Report that matches %s: nothing to undo", plan_id, where)
    actions = planned_actions(journal, plan, selected)
    check_undo(plan, actions, limits)
    undo = _Undo(client.with_priority(Priority.ACT), journal, actions, limits, UndoSummary(plan_id))
    moves = [action_id for action_id in selected if not _deletes_schedule(action_id)]
    deletions = sorted(set(selected) - set(moves))

    def failed_before(action_ids: Sequence[str]) -> bool:
        """Whether an action failed in an earlier try; it comes last because it may fail again and stop the undo."""
        return any(journal.has(action_id, Event.UNDO_FAILED) for action_id in action_ids)

    try:
        run_concurrently(
            undo.undo_actions, sorted([[action_id] for action_id in moves], key=failed_before), concurrency
        )
        # A Report's schedules in sequence: Studio adds a new subscription to the newest schedule.
        by_report = [list(group) for _, group in groupby(deletions, key=report_of)]
        run_concurrently(undo.undo_actions, sorted(by_report, key=failed_before), concurrency)
    finally:
        undo.summary.requests_spent = client.spending.requests - before
        log.info("Undid plan %s: %s", plan_id, undo_in_words(undo.summary))
    return undo.summary


def _deletes_schedule(action_id: str) -> bool:
    key = parsed_action_id(action_id)
    return key is not None and key.kind == ActionKind.DELETE_SCHEDULE


class _Undo:
    """The state of a running undo."""

    def __init__(
        self,
        client: StudioClient,
        journal: Journal,
        actions: Mapping[str, Action],
        limits: DeploymentLimits,
        summary: UndoSummary,
    ) -> None:
        self._client = client
        self._journal = journal
        self._actions = actions
        self._limits = limits
        self._collections = CollectionNames(client, limits)
        self._restorer = ScheduleRestorer(client, journal)
        self._failures = Failures(
            max_in_a_row=GuardRails.max_failures_in_a_row, max_refused_at_first=GuardRails.max_refused_at_first
        )
        self._lock = threading.Lock()
        self._unarchived: set[str] = set()
        """The Reports that this undo unarchived, or found unarchived."""
        self.summary = summary

    def undo_actions(self, action_ids: Sequence[str]) -> None:
        """Undo the actions on one Report in sequence.

        An incomplete schedule ends the sequence: Studio would add its missing subscriptions to the schedule after it.
        """
        # A schedule from an earlier try may lack subscriptions, and must stay the newest until it has them.
        waiting = sorted(
            (action_id for action_id in action_ids if not self._is_settled(action_id)), key=self._was_refused
        )
        with self._lock:
            self.summary.already += len(action_ids) - len(waiting)
        while waiting and self.summary.stopped is None:
            action_id = waiting.pop(0)
            if not self._try(action_id, self._intent(action_id), waiting):
                with self._lock:
                    self.summary.not_tried += waiting
                break
        self._warn_of_archived(action_ids)

    def _warn_of_archived(self, action_ids: Sequence[str]) -> None:
        """Warn if this undo recreated schedules of a Report that is archived."""
        about = [self._actions[action_id] for action_id in action_ids]
        recreated = {action.report for action in about if action.schedule in self.summary.schedules_recreated}
        for report in recreated - self._unarchived:
            warning = warning_after(self._client, report)
            if warning is not None:
                log.warning("%s", warning)
                with self._lock:
                    self.summary.warnings.append(warning)

    def _intent(self, action_id: str) -> dict[str, Any]:
        """Return the intent of an action, with the plan's record of what the action is."""
        intent = self._journal.read(action_id, Event.INTENT)
        return {**intent, "action": self._actions[action_id].model_dump(mode="json", exclude={"evidence"})}

    def _is_settled(self, action_id: str) -> bool:
        """Whether nothing is left to undo: it is undone without differences."""
        return self._journal.has(action_id, Event.UNDONE) and not self._journal.read(action_id, Event.UNDONE).get(
            "differs"
        )

    def _was_refused(self, action_id: str) -> bool:
        """Whether Studio refused to create the schedule in the last try, so that no part of it exists."""
        try:
            failures = self._journal.read_all(action_id, Event.UNDO_FAILED)
        except JournalError:
            return False  # a damaged event is reported by the action itself
        return bool(failures) and failures[-1].get("refused") is True

    def _try(self, action_id: str, intent: Mapping[str, Any], waiting: Sequence[str]) -> bool:
        """Undo one action. Return whether the waiting actions may follow."""
        may_follow = True
        try:
            if intent["action"]["kind"] != ActionKind.DELETE_SCHEDULE.value:
                self._revert_archived(action_id, intent)
            elif self._journal.has(action_id, Event.UNDONE):
                may_follow = self._check_again(action_id, intent, waiting)
            else:
                may_follow = self._recreate_schedule(action_id, intent, waiting)
        except StorageError:
            raise
        except StudioError as error:
            log.warning("%s could not be undone: %s", action_id, error)
            status = error.status if isinstance(error, StudioAPIError) else None
            created = self._restorer.created.get(action_id)
            may_follow = created is None and is_refused_whole(error)
            why = reason_in_words(error, intent) + ("" if may_follow else _not_tried(waiting))
            self._fail(action_id, intent, why, schedule=created, http_status=status, refused=may_follow)
            with self._lock:
                reason = self._failures.failure(intent["action"]["report"], error)
                self.summary.stopped = self.summary.stopped or reason
        else:
            with self._lock:
                self._failures.success()
        return may_follow

    def _fail(
        self,
        action_id: str,
        intent: Mapping[str, Any],
        why: str,
        *,
        schedule: str | None,
        http_status: int | None = None,
        refused: bool = False,
    ) -> None:
        after = {"schedule": schedule} if schedule is not None else None
        facts: dict[str, Any] = {"after": after, "error": why, "http_status": http_status, "refused": refused}
        self._journal.write(action_id, Event.UNDO_FAILED, about=intent["action"], **facts)
        with self._lock:
            self.summary.failures.append(f"{action_id}: {why}")

    def _revert_archived(self, action_id: str, intent: Mapping[str, Any]) -> None:
        """Unarchive a Report that the plan archived, or archive one that it unarchived."""
        about = intent["action"]
        report, was_archived = about["report"], about["kind"] == ActionKind.UNARCHIVE_REPORT.value
        live = self._after_effect(
            action_id, lambda: self._client.get_report(report), lambda live: live.archived is not was_archived
        )
        if was_archived:
            check_not_protected(live, self._limits, self._collections)
        before, after, status = {"archived": live.archived}, {"archived": was_archived}, None
        if live.archived is was_archived:
            self._already()
        else:
            self._journal.write(action_id, Event.UNDO_INTENT, about=about, before=before)
            _, status = set_archived(self._client, report, archived=was_archived)
            with self._lock:
                self.summary.archived_again += was_archived
                self.summary.unarchived += not was_archived
        if not was_archived:
            self._unarchived.add(report)
        self._journal.write(action_id, Event.UNDONE, about=about, before=before, after=after, http_status=status)

    def _recreate_schedule(self, action_id: str, intent: Mapping[str, Any], waiting: Sequence[str]) -> bool:
        about, backup = intent["action"], intent["backup"]
        live = self._after_effect(
            action_id,
            lambda: list(self._client.list_schedules(about["report"])),
            lambda live: about["schedule"] not in {schedule.token for schedule in live},
        )
        if any(schedule.token == about["schedule"] for schedule in live):  # the deletion had no effect
            self._already()
            self._journal.write(action_id, Event.UNDONE, about=about, after={"schedule": about["schedule"]})
            return True
        restored = self._restorer.restore(action_id, about, backup, live)
        with self._lock:
            self.summary.schedules_recreated[about["schedule"]] = restored.schedule.token
            if restored.subscribers:
                self.summary.subscribers_to_add[restored.schedule.token] = restored.subscribers
            if restored.differs:
                self.summary.failures.append(f"{action_id}: {_differs(about, restored, waiting)}")
        self._journal.write(
            action_id,
            Event.UNDONE,
            about=about,
            before={"schedule": None},
            after={"schedule": restored.schedule.token, "subscriptions": restored.subscriptions},
            http_status=restored.http_status,
            differs=list(restored.differs),
        )
        return restored.is_complete

    def _after_effect(self, action_id: str, read: Callable[[], LiveT], shows_effect: Callable[[LiveT], bool]) -> LiveT:
        """Read what an action may have changed, and wait for its effect if the apply has not seen it."""
        if self._journal.has(action_id, Event.DONE):
            return read()
        return read_until(read, shows_effect, sleep=self._client.sleep)

    def _check_again(self, action_id: str, intent: Mapping[str, Any], waiting: Sequence[str]) -> bool:
        """Check whether a restored schedule still differs from its backup; add missing subscriptions."""
        about, token = intent["action"], self._journal.read(action_id, Event.UNDONE)["after"]["schedule"]
        live = {schedule.token: schedule for schedule in self._client.list_schedules(about["report"])}
        if token not in live:
            why = f"schedule {about['schedule']} was restored as {token} with differences, and {token} is gone now."
            self._fail(action_id, intent, why, schedule=None)
            return True
        restored = self._restorer.complete(action_id, about["report"], intent["backup"], live[token])
        if restored.subscriptions_created:
            after = {"schedule": token, "subscriptions": restored.subscriptions}
            self._journal.write(action_id, Event.RESUMED, about=about, after=after, differs=list(restored.differs))
        if restored.differs:
            self._fail(action_id, intent, _differs(about, restored, waiting), schedule=token)
        else:
            self._already()
        return restored.is_complete

    def _already(self) -> None:
        with self._lock:
            self.summary.already += 1


def _differs(about: Mapping[str, Any], restored: RestoredSchedule, waiting: Sequence[str]) -> str:
    return (
        f"schedule {about['schedule']} was restored as {restored.schedule.token}, but differs: "
        f"{'; '.join(restored.differs)}. "
        f"Fix it in Studio.{'' if restored.is_complete else _not_tried(waiting)}"
    )


def _not_tried(waiting: Sequence[str]) -> str:
    if not waiting:
        return ""
    return f" Not tried after it: {', '.join(waiting)}. Undo again, or name them in `only`."
