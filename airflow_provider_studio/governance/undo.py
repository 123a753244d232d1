# SPDX-License-Identifier: Apache-2.0
"""Take a plan back from its journal: unarchive its Reports, recreate its schedules with their subscriptions.

In reverse order, idempotent, journaled beside what it reverses. A schedule that an earlier try created before it was
killed is found again and adopted. What cannot be restored is reported with the reason.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from upath import UPath

from airflow_provider_studio.client.api import StudioClient
from airflow_provider_studio.client.errors import StudioConnectionError, StudioError, StudioResponseError
from airflow_provider_studio.client.models import Schedule, ScheduleInput
from airflow_provider_studio.client.ratelimit import Priority
from airflow_provider_studio.governance.errors import JournalError, StorageError
from airflow_provider_studio.governance.journal import Event, Journal
from airflow_provider_studio.governance.plan import ActionKind
from airflow_provider_studio.governance.storage import utcnow

log = logging.getLogger(__name__)


@dataclass
class UndoSummary:
    """What came of an undo.

    :param schedules_recreated: the new schedule's token by the old one's.
    :param already: actions whose effect was undone already, or never came about.
    :param subscribers_to_add: by new schedule token, how many e-mail subscribers a person must add again: the API
        description has no way to.
    :param failures: what could not be restored, and why.
    """

    plan_id: str
    unarchived: int = 0
    schedules_recreated: dict[str, str] = field(default_factory=dict)
    already: int = 0
    subscribers_to_add: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
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
    now: Callable[[], datetime] = utcnow,
) -> UndoSummary:
    """Undo what the journal of a plan says was done.

    :param only: action ids, or Report tokens, to undo; everything by default.
    :param actor: who acts, for the journal.
    :raises JournalError: there is no such journal in this workspace, or `only` names what is not in it.
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
    for action_id in _chosen(journal, only):
        work.undo(action_id)
    work.summary.requests_spent = client.spending.requests - before
    log.info("Undid plan %s: %s", plan_id, work.summary.to_dict())
    return work.summary


def _chosen(journal: Journal, only: Collection[str] | None) -> list[str]:
    """Return the actions to undo: archives first, then schedules, which is the reverse of how they were done."""
    known = journal.action_ids(Event.INTENT)
    if only is None:
        return known
    chosen = [one for one in known if one in only or one.split("-")[1] in only]
    found = set(chosen) | {one.split("-")[1] for one in chosen}
    missing = sorted(set(only) - found)
    if missing:
        raise JournalError(f"The journal has no action or Report {', '.join(missing)}; nothing was undone.")
    return chosen


class _Undo:
    """One undo on its way."""

    def __init__(self, client: StudioClient, journal: Journal, summary: UndoSummary) -> None:
        self._client = client
        self._journal = journal
        self.summary = summary

    def undo(self, action_id: str) -> None:
        """Undo one action; whatever goes wrong with it leaves the others alone."""
        if self._journal.has(action_id, Event.UNDONE):
            self.summary.already += 1
            return
        intent = self._journal.read(action_id, Event.INTENT)
        try:
            if intent["action"]["kind"] == ActionKind.ARCHIVE_REPORT.value:
                self._unarchive(action_id, intent["action"]["report"])
            else:
                self._recreate_schedule(action_id, intent)
        except StorageError:
            raise
        except StudioError as error:
            log.warning("%s could not be undone: %s", action_id, error)
            self._journal.write(action_id, Event.UNDO_FAILED, error=str(error))
            self.summary.failures.append(f"{action_id}: {error}")

    def _unarchive(self, action_id: str, report: str) -> None:
        if self._client.get_report(report).archived is False:
            self.summary.already += 1
        else:
            self._journal.write(action_id, Event.UNDO_INTENT)
            if self._client.unarchive_report(report).archived is not False:
                raise StudioResponseError(f"Report {report} is still archived after Studio was asked to unarchive it.")
            self.summary.unarchived += 1
        self._journal.write(action_id, Event.UNDONE)

    def _recreate_schedule(self, action_id: str, intent: Mapping[str, Any]) -> None:
        report, old = intent["action"]["report"], intent["action"]["schedule"]
        backup = intent["backup"]
        values = ScheduleInput.model_validate(backup["machine_values"])
        live = list(self._client.list_schedules(report))
        if any(schedule.token == old for schedule in live):  # the delete never came about
            self.summary.already += 1
            self._journal.write(action_id, Event.UNDONE, schedule=old)
            return
        resumed = self._journal.has(action_id, Event.UNDO_INTENT)
        if not resumed:
            known = sorted(schedule.token for schedule in live)
            self._journal.write(action_id, Event.UNDO_INTENT, schedules_before=known)
        before = set(self._journal.read(action_id, Event.UNDO_INTENT)["schedules_before"])
        made = self._adopted(live, before, values) if resumed else None
        made = made or self._created(report, before, values)
        self._subscribe(report, made.token, backup["subscriptions"])
        self.summary.schedules_recreated[old] = made.token
        self._journal.write(action_id, Event.UNDONE, schedule=made.token)

    def _created(self, report: str, before: Collection[str], values: ScheduleInput) -> Schedule:
        try:
            return self._client.create_schedule(report, values)
        except StudioConnectionError as error:
            # The answer was lost; the schedule may be there.
            live = list(self._client.list_schedules(report)) if error.may_have_arrived else []
            adopted = self._adopted(live, before, values)
            if adopted is None:
                raise
            return adopted

    @staticmethod
    def _adopted(live: Collection[Schedule], before: Collection[str], values: ScheduleInput) -> Schedule | None:
        """Return a schedule that was made since, with the same values, if there is one."""
        made = (schedule for schedule in live if schedule.token not in before)
        return next((schedule for schedule in made if schedule.machine_values() == values), None)

    def _subscribe(self, report: str, schedule: str, subscriptions: Collection[Mapping[str, Any]]) -> None:
        """Recreate the subscriptions that are not there yet."""
        present = len(list(self._client.list_schedule_subscriptions(report, schedule))) if subscriptions else 0
        for backup in list(subscriptions)[present:]:
            options = {key: value for key, value in backup.items() if key.endswith("_enabled")}
            self._client.create_subscription(report, options)
        members = sum(backup.get("email_subscriber_count") or 0 for backup in subscriptions)
        if members:
            self.summary.subscribers_to_add[schedule] = members
