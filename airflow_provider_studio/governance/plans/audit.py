# SPDX-License-Identifier: Apache-2.0
"""Read back what governance did to a workspace: its plans, each action's fate, and every journaled event.

Changes nothing, and reads as little as it can: what became of a plan's actions is told by the names in its journal
alone. The command line and the page in Airflow's UI read the same.
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
from airflow_provider_studio.governance.errors import JournalError, PlanError, PlanTamperedError
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
from airflow_provider_studio.governance.plans.policy import archives_by
from airflow_provider_studio.governance.storage import explained
from airflow_provider_studio.governance.text import counted

log = logging.getLogger(__name__)


class ActionState(StrEnum):
    """Where an action stands."""

    PROPOSED = "proposed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    SKIPPED = "skipped"
    DONE = "done"
    UNDO_FAILED = "undo_failed"
    UNDONE = "undone"


SETTLED = frozenset({ActionState.DONE, ActionState.UNDONE, ActionState.UNDO_FAILED})
"""States of an action that was carried out, whether or not it was taken back."""
_BY_EVENT = (
    (Event.UNDONE, ActionState.UNDONE),
    (Event.UNDO_FAILED, ActionState.UNDO_FAILED),
    (Event.DONE, ActionState.DONE),
    (Event.SKIPPED, ActionState.SKIPPED),
    (Event.FAILED, ActionState.FAILED),
    (Event.INTENT, ActionState.INTERRUPTED),
)
"""The first event that an action has tells its state: what was done outweighs that another try left it alone."""


class JournalEvent(BaseModel):
    """One event of a journal.

    :param actor: who: `dag`, `run`, `task`, `try`, `approver`, as far as known.
    :param sha256: the plan's hash; None in events of earlier versions.
    :param decision: of an answer to an approval: `all`, `schedules` or `reject`.
    :param action: what: `kind`, `report`, `report_name`, `schedule`, …; None for an event of the plan as a whole.
    :param before: what was acted on, in short; the whole of it is the `backup` of an intent.
    :param after: what became of it, in short.
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

    @property
    def report(self) -> str | None:
        """The Report's token."""
        return (self.action or {}).get("report")


@dataclass(frozen=True)
class ActionFate:
    """An action of a plan and what became of it.

    :param last: the event that tells its state; None while it is only proposed.
    """

    action: Action
    state: ActionState
    last: JournalEvent | None


@dataclass(frozen=True)
class PlanFate:
    """A plan and what became of it.

    :param states: how many of its actions are in which state.
    :param approval: the newest approval or rejection; None where nobody was asked.
    :param due_dates: how many items in their grace are due on which later day.
    """

    header: PlanHeader
    path: UPath
    states: Mapping[ActionState, int]
    approval: JournalEvent | None
    due_dates: Mapping[str, int]


def workspaces(storage: UPath) -> list[str]:
    """Return the workspaces that the storage knows plans of."""
    return workspaces_in(storage, Area.PLANS)


def workspace_of(storage: UPath, named: str | None) -> str:
    """Return the workspace that is meant: the one named, or the only one that the storage knows.

    :raises StudioConfigurationError: no workspace has such a name.
    :raises PlanError: none is named, and the storage knows none or several.
    """
    known = workspaces(storage)
    if named is None and len(known) != 1:
        found = f"several: {', '.join(known)}" if known else f"none under {storage}"
        raise PlanError(f"No workspace is named, and the storage knows {found}. Name one.")
    return check_identifier("workspace", named or known[0])


def newest_plan_path(storage: UPath, workspace: str | None = None, *, name: str | None = None) -> UPath:
    """Return the newest plan that was made from a snapshot and looked for stale Reports.

    :param workspace: may be left out where the storage knows one alone.
    :param name: only plans of this name; of any name by default.
    :raises PlanError: there is none.
    """
    chosen = workspace_of(storage, workspace)
    for header in Audit(storage, chosen).headers():
        if header.snapshot is not None and archives_by(header.policy) and name in {None, header.name}:
            return plan_path(storage, chosen, header.plan_id)
    named = "" if name is None else f" with the name {name!r}"
    raise PlanError(
        f"There is no plan for stale Reports of {chosen!r}{named} under {storage}. Run the nightly DAG first."
    )


class Audit:
    """All plans and journals of one workspace.

    :param storage: the storage root.
    """

    def __init__(self, storage: UPath, workspace: str) -> None:
        self._storage = storage
        self._workspace = workspace

    def headers(self) -> list[PlanHeader]:
        """Return the headers of all plans, the newest first; a file that is no plan is logged and left out."""
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
        return sorted(found, key=lambda one: one.created_at, reverse=True)

    def plan(self, plan_id: str) -> Plan:
        """Read a plan.

        :raises StorageError: there is none.
        :raises PlanTamperedError: it was changed.
        """
        return Plan.read(self._path(plan_id), workspace=self._workspace)

    def plan_fates(self) -> Iterator[PlanFate]:
        """Yield each plan with what became of it, the newest first."""
        for header in self.headers():
            yield self.plan_fate(header.plan_id)

    def plan_fate(self, plan_id: str) -> PlanFate:
        """Return what became of a plan."""
        plan, names = self.plan(plan_id), self._names(plan_id)
        states = self._states(names)
        proposed = (states.get(one.action_id, ActionState.PROPOSED) for one in plan.actions)
        answers = [one for one in self.answers(plan_id) if one.sha256 in {None, plan.sha256}]
        approval = answers[-1] if answers else None
        return PlanFate(plan.header, self._path(plan_id), Counter(proposed), approval, plan.due_dates)

    def answers(self, plan_id: str) -> list[JournalEvent]:
        """Return the approvals and rejections of a plan, the newest last; of two at one instant the rejection."""
        events = self.events(plan_id=plan_id, report=PLAN)
        return [one for one in events if one.event in {Event.APPROVED, Event.REJECTED}]

    def states(self, plan_id: str) -> dict[str, ActionState]:
        """Return the state of each action that the journal knows, by its id; all others are only proposed."""
        return self._states(self._names(plan_id))

    def fates(self, plan_id: str) -> list[ActionFate]:
        """Return each action of a plan with what became of it, in the plan's order.

        :raises JournalError: the journal is that of another plan with the same id.
        """
        plan, names = self.plan(plan_id), self._names(plan_id)
        states, last = self._states(names), self._last(plan_id, names)
        other = next((one.sha256 for one in last.values() if one.sha256 not in {None, plan.sha256}), None)
        if other is not None:
            raise JournalError(
                f"The journal of plan {plan_id} is that of another plan with this id: its hash is {other}, but the "
                f"plan's file has {plan.sha256}. The file was replaced after it was carried out."
            )
        return [
            ActionFate(one, states.get(one.action_id, ActionState.PROPOSED), last.get(one.action_id))
            for one in plan.actions
        ]

    def failed(self, plan_id: str) -> list[JournalEvent]:
        """Return the newest failure of each action that failed and was not settled since."""
        names = self._names(plan_id)
        states = self._states(names)
        kept = {name: known for name, known in names.items() if states.get(known[0]) is ActionState.FAILED}
        return list(self._last(plan_id, kept).values())

    def events(
        self, *, plan_id: str | None = None, report: str | None = None, since: datetime | None = None
    ) -> list[JournalEvent]:
        """Return journaled events in the order in which they happened.

        :param report: only of this Report.
        :param since: none before.
        """
        wanted = self._journaled() if plan_id is None else [plan_id]
        found = (
            self._event(one, name)
            for one in wanted
            for name, (action_id, _) in self._names(one).items()
            if report is None or report in {action_id, report_of(action_id)}
        )
        order = list(Event)  # of events that a clock put at one time
        kept = (one for one in found if since is None or one.at >= since)
        return sorted(kept, key=lambda one: (one.at, order.index(one.event)))

    def _journaled(self) -> list[str]:
        ids = (id_of_journal(one.name) for one in journals_in(self._storage, self._workspace))
        return sorted(one for one in ids if one is not None and is_plan_id(one))

    def _names(self, plan_id: str) -> dict[str, tuple[str, Event]]:
        folder = journal_folder(self._storage, self._workspace, plan_id)
        with explained("list the journal", folder):
            names = [one.name for one in folder.iterdir()] if folder.exists() else []
        return {name: known for name in names if (known := parsed_name(name)) is not None}

    @staticmethod
    def _states(names: Mapping[str, tuple[str, Event]]) -> dict[str, ActionState]:
        had: dict[str, set[Event]] = {}
        for action_id, event in names.values():
            had.setdefault(action_id, set()).add(event)
        had.pop(PLAN, None)
        return {action_id: _state(events) for action_id, events in had.items()}

    def _last(self, plan_id: str, names: Mapping[str, tuple[str, Event]]) -> dict[str, JournalEvent]:
        """Read of each action the newest event among those that tell its state."""
        states = self._states(names)
        telling = {state: event for event, state in _BY_EVENT}
        last: dict[str, JournalEvent] = {}
        for name, (action_id, event) in names.items():
            if action_id in states and telling.get(states[action_id]) is event:
                read = self._event(plan_id, name)
                if action_id not in last or last[action_id].at < read.at:
                    last[action_id] = read
        return last

    def _event(self, plan_id: str, name: str) -> JournalEvent:
        path = journal_folder(self._storage, self._workspace, plan_id) / name
        try:
            return JournalEvent.model_validate(read_event(path))
        except ValidationError as error:
            raise JournalError(
                f"The journal's event {path} is damaged ({counted(error.error_count(), 'field')})."
            ) from None

    def _path(self, plan_id: str) -> UPath:
        return plan_path(self._storage, self._workspace, plan_id)


def _state(events: Collection[Event]) -> ActionState:
    return next((state for event, state in _BY_EVENT if event in events), ActionState.PROPOSED)
