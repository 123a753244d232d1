# SPDX-License-Identifier: Apache-2.0
"""Take a plan back from its journal: unarchive its Reports, recreate its schedules with their subscriptions.

In reverse order, idempotent, journaled beside what it reverses. A schedule that an earlier try created before it was
killed is found again and adopted. What is restored is compared with the backup field by field; what cannot be restored,
and what differs, is reported with the reason by each undo until it is no longer so.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from upath import UPath

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioAPIError, StudioError
from airflow_provider_studio.client.ratelimit import Priority
from airflow_provider_studio.governance.errors import JournalError, StorageError
from airflow_provider_studio.governance.execution.actions import move
from airflow_provider_studio.governance.execution.concurrency import run_concurrently
from airflow_provider_studio.governance.execution.failures import Failures
from airflow_provider_studio.governance.execution.guard_rails import GuardRails
from airflow_provider_studio.governance.execution.schedule_restore import (
    Restored,
    Restoring,
    is_refused_whole,
    reason_in_words,
)
from airflow_provider_studio.governance.file_names import parsed_action_id, report_of
from airflow_provider_studio.governance.plans.journal import PLAN, Event, Journal
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.governance.storage import utcnow

log = logging.getLogger(__name__)


@dataclass
class UndoSummary:
    """What came of an undo.

    :param schedules_recreated: the new schedule's token by the old one's.
    :param already: actions whose effect was undone already, or never came about.
    :param subscribers_to_add: by new schedule token, how many e-mail subscribers a person must add again: the API
        description has no way to.
    :param failures: what could not be restored, or is not as it was, and why.
    :param not_tried: actions on schedules that wait for an earlier one of their Report.
    :param stopped: why the rest was not tried, if it was not.
    """

    plan_id: str
    unarchived: int = 0
    archived_again: int = 0
    schedules_recreated: dict[str, str] = field(default_factory=dict)
    already: int = 0
    subscribers_to_add: dict[str, int] = field(default_factory=dict)
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
    actor: Mapping[str, str],
    concurrency: int = 4,
    now: Callable[[], datetime] = utcnow,
) -> UndoSummary:
    """Undo what the journal of a plan says was done.

    :param only: action ids, or Report tokens, to undo; everything by default.
    :param actor: who acts, for the journal.
    :param concurrency: how many Reports are worked on at once.
    :raises PlanError: the id is none.
    :raises JournalError: there is no such journal in this workspace, `only` names what is not in it, or its actions
        belong to several plans.
    :raises StorageError: the journal cannot be written.
    """
    journal = Journal(storage, client.workspace, plan_id, actor=actor, now=now)
    if not journal.exists():
        raise JournalError(
            f"There is no journal of plan {plan_id!r} for workspace {client.workspace!r} under {storage}. "
            "Check the plan's id, the connection's workspace and [studio] storage_path."
        )
    journal.check_writable()
    before = client.spending.requests
    work = _Undo(client.with_priority(Priority.ACT), journal, UndoSummary(plan_id))
    chosen = _chosen(journal, only)
    journal.check_intents(chosen)
    reports = [one for one in chosen if not _deletes_schedule(one)]
    schedules = sorted(set(chosen) - set(reports))

    def failed_before(actions: Sequence[str]) -> bool:
        """Whether it may fail again: it must not keep a retry from the rest."""
        return any(journal.has(one, Event.UNDO_FAILED) for one in actions)

    try:
        run_concurrently(work.undo, sorted([[one] for one in reports], key=failed_before), concurrency)
        # A Report's schedules one after the other: a new subscription joins its newest schedule.
        each_report = [list(each) for _, each in groupby(schedules, key=report_of)]
        run_concurrently(work.undo, sorted(each_report, key=failed_before), concurrency)
    finally:
        work.summary.requests_spent = client.spending.requests - before
        log.info("Undid plan %s: %s", plan_id, work.summary.to_dict())
    return work.summary


def _deletes_schedule(action_id: str) -> bool:
    key = parsed_action_id(action_id)
    return key is not None and key.kind == ActionKind.DELETE_SCHEDULE


def _chosen(journal: Journal, only: Collection[str] | None) -> list[str]:
    known = [one for one in journal.action_ids(Event.INTENT) if one != PLAN]
    if only is None:
        return known
    chosen = [one for one in known if one in only or report_of(one) in only]
    found = set(chosen) | set(map(report_of, chosen))
    missing = sorted(set(only) - found)
    if missing:
        raise JournalError(f"The journal has no action or Report {', '.join(missing)}; nothing was undone.")
    return chosen


class _Undo:
    """One undo on its way."""

    def __init__(self, client: StudioClient, journal: Journal, summary: UndoSummary) -> None:
        self._client = client
        self._journal = journal
        self._restoring = Restoring(client, journal)
        self._failures = Failures(
            max_in_a_row=GuardRails.max_failures_in_a_row, max_refused_at_first=GuardRails.max_refused_at_first
        )
        self._lock = threading.Lock()
        self.summary = summary

    def undo(self, action_ids: Sequence[str]) -> None:
        """Undo the actions on one Report one after the other.

        One that is not whole ends it: the subscriptions that it lacks would join a schedule that is restored after it.
        """
        # A schedule that an earlier try created may lack subscriptions, and must stay the newest until it has them.
        waiting = sorted((one for one in action_ids if not self._is_settled(one)), key=self._was_refused)
        with self._lock:
            self.summary.already += len(action_ids) - len(waiting)
        while waiting and self.summary.stopped is None:
            action_id = waiting.pop(0)
            if not self._try(action_id, self._journal.read(action_id, Event.INTENT), waiting):
                with self._lock:
                    self.summary.not_tried += waiting
                return

    def _is_settled(self, action_id: str) -> bool:
        """Whether nothing is left to undo: it is undone as it was, or was not ours."""
        if self._journal.has(action_id, Event.UNDONE):
            return not self._journal.read(action_id, Event.UNDONE).get("differs")
        return self._was_not_ours(action_id)

    def _was_refused(self, action_id: str) -> bool:
        """Whether Studio refused to create a schedule when it was tried last, so that nothing of it is there."""
        try:
            failures = self._journal.read_all(action_id, Event.UNDO_FAILED)
        except JournalError:
            return False  # a damaged event concerns one action, which reports it
        return bool(failures) and failures[-1].get("refused") is True

    def _was_not_ours(self, action_id: str) -> bool:
        """Whether somebody else deleted it while we were about to: then it is not ours to bring back."""
        if not self._journal.has(action_id, Event.SKIPPED):
            return False
        if self._journal.has(action_id, Event.DONE, Event.RESUMED):
            return False
        skipped = self._journal.read(action_id, Event.SKIPPED)
        return skipped.get("reason") == "gone" and skipped.get("http_status") == 404

    def _try(self, action_id: str, intent: Mapping[str, Any], waiting: Sequence[str]) -> bool:
        """Undo one action. Returns whether the actions that wait for it may follow."""
        may_follow = True
        try:
            if intent["action"]["kind"] != ActionKind.DELETE_SCHEDULE.value:
                self._move_back(action_id, intent)
            elif self._journal.has(action_id, Event.UNDONE):
                may_follow = self._check_again(action_id, intent, waiting)
            else:
                may_follow = self._recreate_schedule(action_id, intent, waiting)
        except StorageError:
            raise
        except StudioError as error:
            log.warning("%s could not be undone: %s", action_id, error)
            status = error.status if isinstance(error, StudioAPIError) else None
            created = self._restoring.created.get(action_id)
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

    def _move_back(self, action_id: str, intent: Mapping[str, Any]) -> None:
        """Unarchive what was archived, or archive what was taken out."""
        about = intent["action"]
        report, was_archived = about["report"], about["kind"] == ActionKind.UNARCHIVE_REPORT.value
        live = self._client.get_report(report)
        before, after, status = {"archived": live.archived}, {"archived": was_archived}, None
        if live.archived is was_archived:
            self._already()
        else:
            self._journal.write(action_id, Event.UNDO_INTENT, about=about, before=before)
            _, status = move(self._client, report, archive=was_archived)
            with self._lock:
                self.summary.archived_again += was_archived
                self.summary.unarchived += not was_archived
        self._journal.write(action_id, Event.UNDONE, about=about, before=before, after=after, http_status=status)

    def _recreate_schedule(self, action_id: str, intent: Mapping[str, Any], waiting: Sequence[str]) -> bool:
        about, backup = intent["action"], intent["backup"]
        live = list(self._client.list_schedules(about["report"]))
        if any(schedule.token == about["schedule"] for schedule in live):  # the delete never came about
            self._already()
            self._journal.write(action_id, Event.UNDONE, about=about, after={"schedule": about["schedule"]})
            return True
        made = self._restoring.schedule(action_id, about, backup, live)
        with self._lock:
            self.summary.schedules_recreated[about["schedule"]] = made.schedule.token
            if made.subscribers:
                self.summary.subscribers_to_add[made.schedule.token] = made.subscribers
            if made.differs:
                self.summary.failures.append(f"{action_id}: {_differs(about, made, waiting)}")
        self._journal.write(
            action_id,
            Event.UNDONE,
            about=about,
            before={"schedule": None},
            after={"schedule": made.schedule.token, "subscriptions": made.subscriptions},
            http_status=made.http_status,
            differs=list(made.differs),
        )
        return made.is_complete

    def _check_again(self, action_id: str, intent: Mapping[str, Any], waiting: Sequence[str]) -> bool:
        """Look whether a schedule that came back otherwise than it was still differs; add subscriptions it lacks."""
        about, token = intent["action"], self._journal.read(action_id, Event.UNDONE)["after"]["schedule"]
        live = {schedule.token: schedule for schedule in self._client.list_schedules(about["report"])}
        if token not in live:
            why = f"schedule {about['schedule']} came back as {token}, not as it was, and that is gone since."
            self._fail(action_id, intent, why, schedule=None)
            return True
        made = self._restoring.complete(action_id, about["report"], intent["backup"], live[token])
        if made.subscriptions_created:
            after = {"schedule": token, "subscriptions": made.subscriptions}
            self._journal.write(action_id, Event.RESUMED, about=about, after=after, differs=list(made.differs))
        if made.differs:
            self._fail(action_id, intent, _differs(about, made, waiting), schedule=token)
        else:
            self._already()
        return made.is_complete

    def _already(self) -> None:
        with self._lock:
            self.summary.already += 1


def _differs(about: Mapping[str, Any], made: Restored, waiting: Sequence[str]) -> str:
    return (
        f"schedule {about['schedule']} is back as {made.schedule.token}, but not as it was: {'; '.join(made.differs)}. "
        f"Fix it in Studio.{'' if made.is_complete else _not_tried(waiting)}"
    )


def _not_tried(waiting: Sequence[str]) -> str:
    if not waiting:
        return ""
    return f" Not tried after it: {', '.join(waiting)}. Undo again, or name them in `only`."
