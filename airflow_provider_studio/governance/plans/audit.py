# SPDX-License-Identifier: Apache-2.0
"""Read the plans of a workspace, the status of each action, and every journaled event.

This module changes nothing. It derives the status of actions from the file names in the journal, without reading the
files. The command line and the pages in Airflow's UI both use it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from upath import UPath

from airflow_provider_studio.client.auth import check_identifier
from airflow_provider_studio.governance.errors import GovernanceError, JournalError, PlanError, PlanTamperedError
from airflow_provider_studio.governance.file_names import id_of_journal, report_of
from airflow_provider_studio.governance.layout import (
    Area,
    ignored,
    is_plan_id,
    is_plan_of,
    journal_folder,
    journals_in,
    plan_path,
    plan_paths,
    workspaces_in,
)
from airflow_provider_studio.governance.plans.journal import PLAN, Event, parsed_name, read_event
from airflow_provider_studio.governance.plans.models import Action, PlanHeader
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import judges_by
from airflow_provider_studio.governance.signing import UNSIGNED, SignatureStatus, Signer
from airflow_provider_studio.governance.storage import explained
from airflow_provider_studio.governance.text import counted

log = logging.getLogger(__name__)


class ActionState(StrEnum):
    """The state of an action."""

    PROPOSED = "proposed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    SKIPPED = "skipped"
    DONE = "done"
    UNDO_FAILED = "undo_failed"
    UNDONE = "undone"


SETTLED = frozenset({ActionState.DONE, ActionState.UNDONE, ActionState.UNDO_FAILED})
"""States of an action that was done, whether or not it was undone."""
_BY_EVENT = (
    (Event.UNDONE, ActionState.UNDONE),
    (Event.UNDO_FAILED, ActionState.UNDO_FAILED),
    (Event.DONE, ActionState.DONE),
    (Event.SKIPPED, ActionState.SKIPPED),
    (Event.FAILED, ActionState.FAILED),
    (Event.INTENT, ActionState.INTERRUPTED),
)
"""The first of these events in an action's journal determines its state: DONE outweighs a SKIPPED of another try."""


class JournalEvent(BaseModel):
    """One event of a journal.

    :param actor: who acted: `dag`, `run`, `task`, `try`, `approver`, as far as known.
    :param sha256: the plan's hash; None in events of earlier versions.
    :param decision: of an answer to an approval: `all`, `schedules` or `reject`.
    :param action: `kind`, `report`, `report_name`, `schedule`, …; None for an event of the whole plan.
    :param before: a summary of the state before; the `backup` of an intent has all of it.
    :param after: a summary of the state after.
    :param signature_status: what is known about who wrote the event; not in the file.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    event: Event
    action_id: str
    at: AwareDatetime
    workspace: str
    plan_id: str
    sha256: str | None = None
    decision: str | None = None
    actor: dict[str, str] = Field(default_factory=dict)
    action: dict[str, Any] | None = None
    before: Any = None
    after: Any = None
    http_status: int | None = None
    reason: str | None = None
    error: str | None = None
    backup: dict[str, Any] | None = Field(default=None, repr=False)
    signature_status: SignatureStatus = SignatureStatus.UNSIGNED

    @property
    def report(self) -> str | None:
        """The Report's token."""
        return (self.action or {}).get("report")


@dataclass(frozen=True)
class ActionStatus:
    """An action of a plan and its state.

    :param last: the event that determines the state; None while the action is only proposed.
    """

    action: Action
    state: ActionState
    last: JournalEvent | None


@dataclass(frozen=True)
class PlanStatus:
    """A plan and the states of its actions.

    :param states: the number of actions in each state.
    :param approval: the newest approval or rejection; None if there is none.
    :param due_dates: the number of items in the grace period that are due on each day.
    """

    header: PlanHeader
    path: UPath
    states: Mapping[ActionState, int]
    approval: JournalEvent | None
    due_dates: Mapping[str, int]


def workspaces(storage: UPath) -> list[str]:
    """Return the workspaces that have plans in storage."""
    return workspaces_in(storage, Area.PLANS)


def workspace_of(storage: UPath, name: str | None, *, plan_id: str | None = None) -> str:
    """Return the named workspace, or that of a plan, or the only one in storage.

    :raises StudioConfigurationError: no workspace can have this name.
    :raises PlanError: no workspace is named, and storage has none or several.
    """
    known = workspaces(storage)
    if name is None and plan_id is not None:
        known = [workspace for workspace in known if plan_path(storage, workspace, plan_id).exists()] or known
    if name is None and len(known) != 1:
        found = f"several: {', '.join(known)}" if known else f"none under {storage}"
        raise PlanError(f"No workspace is named, and the storage has {found}. Name one.")
    return check_identifier("workspace", name or known[0])


def newest_plan_path(storage: UPath, workspace: str | None = None, *, name: str | None = None) -> UPath:
    """Return the newest plan for stale Reports that was created from a snapshot.

    :param workspace: may be omitted if storage has only one.
    :param name: the name of the plan; any by default.
    :raises PlanError: there is none.
    """
    found = workspace_of(storage, workspace)
    for header in Audit(storage, found).headers():
        if not header.is_one_off and judges_by(header.policy) and name in {None, header.name}:
            return plan_path(storage, found, header.plan_id)
    suffix = "" if name is None else f" with the name {name!r}"
    raise PlanError(
        f"There is no plan for stale Reports of {found!r}{suffix} under {storage}. Run the nightly DAG first."
    )


class Audit:
    """All plans and journals of one workspace.

    :param storage: the storage root.
    :param signer: verifies the signatures of events.
    """

    def __init__(self, storage: UPath, workspace: str, *, signer: Signer = UNSIGNED) -> None:
        self._signer = signer
        self._storage = storage
        self._workspace = workspace

    def headers(self) -> list[PlanHeader]:
        """Return the headers of all plans, the newest first; a file that is not a plan is logged and omitted."""
        found = []
        for path in plan_paths(self._storage, self._workspace):
            try:
                header = Plan.read_header(path)
                if header.workspace == self._workspace and is_plan_of(path, header.workspace, header.plan_id):
                    found.append(header)
                else:
                    ignored(path, f"it is the plan {header.plan_id} of {header.workspace!r}, renamed or moved")
            except PlanTamperedError as error:
                log.warning("%s", error)
        return sorted(found, key=lambda header: header.created_at, reverse=True)

    def plan(self, plan_id: str) -> Plan:
        """Read a plan.

        :raises StorageError: there is none.
        :raises PlanTamperedError: it was changed after its creation.
        """
        return Plan.read(self._path(plan_id), workspace=self._workspace)

    def plan_statuses(self) -> Iterator[PlanStatus]:
        """Yield the status of each plan, the newest first."""
        for header in self.headers():
            yield self.plan_status(header.plan_id)

    def plan_status(self, plan_id: str) -> PlanStatus:
        """Return the status of a plan."""
        plan, names = self.plan(plan_id), self._names(plan_id)
        states = self._states(names)
        found = (states.get(action.action_id, ActionState.PROPOSED) for action in plan.actions)
        answers = [event for event in self.answers(plan_id) if event.sha256 in {None, plan.sha256}]
        approval = answers[-1] if answers else None
        return PlanStatus(plan.header, self._path(plan_id), Counter(found), approval, plan.due_dates)

    def answers(self, plan_id: str) -> list[JournalEvent]:
        """Return the approvals and rejections of a plan, the newest last; at equal times the rejection is last."""
        events = self.events(plan_id=plan_id, report=PLAN)
        return [event for event in events if event.event in {Event.APPROVED, Event.REJECTED}]

    def states(self, plan_id: str) -> dict[str, ActionState]:
        """Return the state of each action in the journal, by its id; all other actions are only proposed."""
        return self._states(self._names(plan_id))

    def action_statuses(self, plan_id: str) -> list[ActionStatus]:
        """Return the status of each action of a plan, in the plan's order.

        :raises JournalError: the journal belongs to another plan with the same id.
        """
        plan, names = self.plan(plan_id), self._names(plan_id)
        states, last = self._states(names), self._last(plan_id, names)
        hashes = {event.sha256 for event in last.values()} - {None, plan.sha256}
        other = next(iter(hashes), None)
        if other is not None:
            raise JournalError(
                f"The journal of plan {plan_id} belongs to another plan with this id: its hash is {other}, but the "
                f"plan's file has {plan.sha256}. The file was replaced after the plan was applied."
            )
        return [
            ActionStatus(action, states.get(action.action_id, ActionState.PROPOSED), last.get(action.action_id))
            for action in plan.actions
        ]

    def failed(self, plan_id: str) -> list[JournalEvent]:
        """Return the newest failure of each action that failed and is not settled since."""
        names = self._names(plan_id)
        states = self._states(names)
        failed = {name: parsed for name, parsed in names.items() if states.get(parsed[0]) is ActionState.FAILED}
        return list(self._last(plan_id, failed).values())

    def events(
        self,
        *,
        plan_id: str | None = None,
        report: str | None = None,
        since: datetime | None = None,
        skip_damaged: bool = False,
    ) -> list[JournalEvent]:
        """Return journaled events in time order.

        :param plan_id: only events of this plan.
        :param report: only events of this Report.
        :param since: only events at or after this time.
        :param skip_damaged: whether a damaged event is logged and left out.
        :raises JournalError: an event is damaged.
        """
        read = self._event_or_none if skip_damaged else self._event
        plan_ids = self._journaled() if plan_id is None else [plan_id]
        found = (
            read(journal, name)
            for journal in plan_ids
            for name, (action_id, _) in self._names(journal).items()
            if report is None or report in {action_id, report_of(action_id)}
        )
        order = list(Event)  # decides between events with equal times
        events = (event for event in found if event is not None and (since is None or event.at >= since))
        return sorted(events, key=lambda event: (event.at, order.index(event.event)))

    def _journaled(self) -> list[str]:
        ids = (id_of_journal(path.name) for path in journals_in(self._storage, self._workspace))
        return sorted(plan_id for plan_id in ids if plan_id is not None and is_plan_id(plan_id))

    def _names(self, plan_id: str) -> dict[str, tuple[str, Event]]:
        folder = journal_folder(self._storage, self._workspace, plan_id)
        with explained("list the journal", folder):
            names = [path.name for path in folder.iterdir()] if folder.exists() else []
        return {name: parsed for name in names if (parsed := parsed_name(name)) is not None}

    @staticmethod
    def _states(names: Mapping[str, tuple[str, Event]]) -> dict[str, ActionState]:
        by_action: dict[str, set[Event]] = {}
        for action_id, event in names.values():
            by_action.setdefault(action_id, set()).add(event)
        by_action.pop(PLAN, None)
        return {action_id: _state(events) for action_id, events in by_action.items()}

    def _last(self, plan_id: str, names: Mapping[str, tuple[str, Event]]) -> dict[str, JournalEvent]:
        """Read the newest of the events that determine the state of each action."""
        states = self._states(names)
        event_of = {state: event for event, state in _BY_EVENT}
        last: dict[str, JournalEvent] = {}
        for name, (action_id, event) in names.items():
            if action_id in states and event_of.get(states[action_id]) is event:
                newest = self._event(plan_id, name)
                if action_id not in last or last[action_id].at < newest.at:
                    last[action_id] = newest
        return last

    def _event(self, plan_id: str, name: str) -> JournalEvent:
        path = journal_folder(self._storage, self._workspace, plan_id) / name
        try:
            event = read_event(path)
            return JournalEvent.model_validate({**event, "signature_status": self._signer.status(event)})
        except ValidationError as error:
            raise JournalError(
                f"The journal's event {path} is damaged ({counted(error.error_count(), 'field')})."
            ) from None

    def _event_or_none(self, plan_id: str, name: str) -> JournalEvent | None:
        try:
            return self._event(plan_id, name)
        except GovernanceError as error:
            log.warning("%s", error)
            return None

    def _path(self, plan_id: str) -> UPath:
        return plan_path(self._storage, self._workspace, plan_id)


def _state(events: Collection[Event]) -> ActionState:
    return next((state for event, state in _BY_EVENT if event in events), ActionState.PROPOSED)
