# SPDX-License-Identifier: Apache-2.0
"""The plans of a workspace, one line each, with the state of their actions; and one plan with its actions.

A plan never changes, so its numbers are read once, without the Reports that it spared. The states of its actions follow
from the names of the files in its journal, which are listed each time.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upath import UPath

from airflow_provider_studio.governance.errors import GovernanceError, JournalError, PlanError, StorageError
from airflow_provider_studio.governance.file_names import DUE_DATES, action_id, event_file, rows_file
from airflow_provider_studio.governance.layout import check_plan_id, ignored, is_plan_of, journal_folder, plan_paths
from airflow_provider_studio.governance.plans.approval import NAMED_BY_DAG
from airflow_provider_studio.governance.plans.audit import ActionState, Audit, JournalEvent
from airflow_provider_studio.governance.plans.changes import ReportChange, Tense, changes
from airflow_provider_studio.governance.plans.journal import PLAN, Event, read_event
from airflow_provider_studio.governance.plans.models import Action, ActionKind, PlanHeader
from airflow_provider_studio.governance.snapshots.frequency import runs_a_week
from airflow_provider_studio.governance.storage import explained
from airflow_provider_studio.plugin.paging import PER_PAGE

log = logging.getLogger(__name__)

_NEWEST = 100
"""How many plans are read again each time; older ones seldom change."""
_OLDER_SECONDS = 3600.0
"""After this time the journal of an older plan is read again: it may have been undone."""
_AT_ONCE = 8
_IN_EFFECT = {ActionState.DONE, ActionState.UNDO_FAILED}


@dataclass(frozen=True)
class ProposedAction:
    """An action as the list needs it.

    :param runs_a_week: scheduled runs that it is expected to save; None where the plan does not say.
    """

    action_id: str
    kind: ActionKind
    report: str
    runs_a_week: float | None


@dataclass(frozen=True)
class PlanNumbers:
    """What a plan proposes."""

    header: PlanHeader
    actions: tuple[ProposedAction, ...]

    def count(self, kind: ActionKind) -> int:
        """Return how many actions of a kind there are."""
        return sum(action.kind is kind for action in self.actions)

    @property
    def stale(self) -> int:
        """How many Reports the plan would archive."""
        return self.count(ActionKind.ARCHIVE_REPORT)

    @property
    def schedules(self) -> int:
        """How many schedules the plan would delete."""
        return self.count(ActionKind.DELETE_SCHEDULE)


@dataclass(frozen=True)
class PlanLine:
    """A plan with the state of its actions.

    :param states: the number of its actions by state.
    :param state_of: the state of each action that the journal has, by its id.
    :param approval: the newest answer; else the first event of an action, if the DAG requires no answer; else None.
    :param actors: the DAG runs that decided on it, applied it or undid it.
    :param runs_saved_a_week: the scheduled runs that no longer happen because of it.
    :param problem: why a part of its journal is unknown; None if all of it can be read.
    """

    numbers: PlanNumbers
    states: Mapping[ActionState, int]
    state_of: Mapping[str, ActionState]
    approval: JournalEvent | None
    actors: frozenset[tuple[str, str]]
    runs_saved_a_week: float
    problem: str | None = None

    @property
    def header(self) -> PlanHeader:
        """The plan's header: what it was made from."""
        return self.numbers.header

    @property
    def approver(self) -> str | None:
        """Who answered in Airflow, by the journal; None if nobody did, or the journal does not say."""
        return None if self.approval is None or self.is_waived else self.approval.actor.get("approver")

    @property
    def is_waived(self) -> bool:
        """Whether it was applied without an answer in Airflow, because the DAG requires none."""
        return self.approval is not None and self.approval.event not in {Event.APPROVED, Event.REJECTED}

    @property
    def approver_named_by_dag(self) -> str | None:
        """The person whom the DAG of a plan without an answer names as its approver."""
        actor = self.approval.actor if self.approval is not None and self.is_waived else {}
        return actor.get(NAMED_BY_DAG) or actor.get("approver")  # earlier versions wrote the latter


class PlanIndex:
    """Reads plans and their journals; what never changes is read once."""

    def __init__(self) -> None:
        self._numbers: dict[str, PlanNumbers | None] = {}
        self._runs: dict[tuple[str, str, str], float] = {}
        self._older: dict[tuple[str, str], tuple[float, PlanLine]] = {}
        self._people: dict[tuple[str, str], tuple[object, tuple[JournalEvent | None, frozenset[tuple[str, str]]]]] = {}

    def lines(self, storage: UPath, workspace: str) -> list[PlanLine]:
        """Return the plans of a workspace, the newest first, without files that are no plan.

        :raises StorageError: the storage cannot be read.
        """
        paths = plan_paths(storage, workspace)
        audit = Audit(storage, workspace)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            read = list(filter(None, pool.map(self._numbers_of, paths)))
            newest_first = sorted(read, key=lambda plan: plan.header.created_at, reverse=True)
            lines = list(pool.map(lambda plan: self._line(audit, storage, plan), newest_first[:_NEWEST]))
            return lines + list(pool.map(lambda plan: self._older_line(audit, storage, plan), newest_first[_NEWEST:]))

    def _older_line(self, audit: Audit, storage: UPath, numbers: PlanNumbers) -> PlanLine:
        key, now = (numbers.header.workspace, numbers.header.plan_id), time.monotonic()
        read_at, line = self._older.get(key, (0.0, None))
        if line is None or now - read_at > _OLDER_SECONDS:
            line = self._line(audit, storage, numbers)
            self._older[key] = (now, line)
        return line

    def _numbers_of(self, path: UPath) -> PlanNumbers | None:
        if path.path not in self._numbers:
            try:
                self._numbers[path.path] = _read_numbers(path)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError, PlanError):
                self._ignore(path)
            except StorageError:
                if not path.is_dir():
                    raise
                self._ignore(path)
        return self._numbers[path.path]

    def _ignore(self, path: UPath) -> None:
        ignored(path, "it is no plan, or not the plan that its name says")
        self._numbers[path.path] = None

    def _line(self, audit: Audit, storage: UPath, numbers: PlanNumbers) -> PlanLine:
        """Return a plan's line; a damaged journal costs what it says, not the page."""
        try:
            return self._line_with_journal(audit, storage, numbers)
        except GovernanceError as error:
            log.warning("%s", error)
            return PlanLine(numbers, {}, {}, None, frozenset(), 0.0, problem=str(error))

    def _line_with_journal(self, audit: Audit, storage: UPath, numbers: PlanNumbers) -> PlanLine:
        known = audit.states(numbers.header.plan_id)
        states = Counter(known.get(action.action_id, ActionState.PROPOSED) for action in numbers.actions)
        approval, actors = self._people_of(audit, numbers, known)
        saved = sum(
            self._saved(storage, numbers.header, action)
            for action in numbers.actions
            if action.kind is ActionKind.DELETE_SCHEDULE and known.get(action.action_id) in _IN_EFFECT
        )
        return PlanLine(numbers, states, known, approval, actors, saved)

    def _people_of(
        self, audit: Audit, numbers: PlanNumbers, known: Mapping[str, ActionState]
    ) -> tuple[JournalEvent | None, frozenset[tuple[str, str]]]:
        """Return the approval and the runs that acted; they are read again after an action changed its state."""
        plan_id = numbers.header.plan_id
        decisions = audit.events(plan_id=plan_id, report=PLAN)
        key, version = (numbers.header.workspace, plan_id), (len(decisions), frozenset(known.items()))
        if key not in self._people or self._people[key][0] != version:
            by_state = {known[action.action_id]: action for action in numbers.actions if action.action_id in known}
            events = list(decisions)
            for action in by_state.values():
                events += audit.events(plan_id=plan_id, report=action.report)
            actors = frozenset((event.actor.get("dag", ""), event.actor.get("run", "")) for event in events)
            self._people[key] = (version, (_approval(events), actors))
        return self._people[key][1]

    def _saved(self, storage: UPath, header: PlanHeader, action: ProposedAction) -> float:
        if action.runs_a_week is not None:
            return action.runs_a_week
        key = (header.workspace, header.plan_id, action.action_id)
        if key not in self._runs:
            self._runs[key] = _runs_in_backup(storage, *key)
        return self._runs[key]


def _approval(events: list[JournalEvent]) -> JournalEvent | None:
    """Return the newest answer, else the first event of an action that was done without one."""
    answers = [event for event in events if event.event in {Event.APPROVED, Event.REJECTED}]
    waived = [event for event in events if event.actor.get("approver") or event.actor.get("approval")]
    return max(answers or waived[:1], key=lambda event: event.at, default=None)


def _read_numbers(path: UPath) -> PlanNumbers:
    """Read a plan to its last action. What it spared follows, and may be every Report of the workspace."""
    actions = []
    with explained("read the plan", path), path.open("r", encoding="utf-8") as file:
        header = PlanHeader.model_validate_json(file.readline())
        _check_place(path, header)
        for line in file:
            record = json.loads(line)
            if "kind" not in record:
                break
            key = action_id(record["kind"], record["report"], record.get("schedule"))
            runs = (record.get("saving") or {}).get("runs_a_week")
            actions.append(ProposedAction(key, ActionKind(record["kind"]), record["report"], runs))
    return PlanNumbers(header, tuple(actions))


def _check_place(path: UPath, header: PlanHeader) -> None:
    """Refuse a plan in a wrong place: its id and workspace become names of folders on this machine.

    :raises PlanError: the header's id or workspace is not that of the file.
    """
    check_plan_id(header.plan_id)
    if not is_plan_of(path, header.workspace, header.plan_id):
        raise PlanError(f"{path} is a plan with another id or workspace.")


def _runs_in_backup(storage: UPath, workspace: str, plan_id: str, action: str) -> float:
    """Return the runs a week of a deleted schedule, from its backup; 0 where the backup does not say."""
    path = journal_folder(storage, workspace, plan_id) / event_file(action, Event.INTENT.value)
    try:
        return runs_a_week(read_event(path)["backup"]["machine_values"]["cron"]) or 0.0
    except (JournalError, KeyError, TypeError):
        return 0.0


_TENSES = {
    **dict.fromkeys((ActionState.DONE, ActionState.UNDONE, ActionState.UNDO_FAILED), Tense.DONE),
    **dict.fromkeys((ActionState.SKIPPED, ActionState.FAILED), Tense.NOT_DONE),
}
"""The tense of an action by its state; others are still open."""


@dataclass(frozen=True)
class ActionRow:
    """An action with its state.

    :param action: the action in the plan, with its evidence.
    :param tense: whether it is planned, done, or left out.
    :param events: its events in the journal, oldest first.
    """

    action: dict[str, Any]
    state: ActionState
    events: tuple[JournalEvent, ...]
    tense: Tense

    @property
    def change(self) -> ReportChange:
        """The action in words, with the Report's Collection and page."""
        fields = {name: value for name, value in self.action.items() if name != "action_id"}
        (change,) = changes([Action.model_validate(fields)])
        return change

    @property
    def what(self) -> str:
        """What will happen, happened, or did not happen to the Report."""
        return self.change.in_words(self.tense)


class PlanView:
    """A plan whose tables are prepared.

    :param tables: the folder that `prepare_plan` returned.
    :param events: the plan's whole journal, oldest first.
    """

    def __init__(self, line: PlanLine, tables: Path, events: Sequence[JournalEvent]) -> None:
        self._line = line
        self._tables = tables
        self._events = events

    def page(self, status: str, number: int) -> tuple[list[ActionRow], int]:
        """Return a page of the actions with a status, or with any status for "", and their total number."""
        matching = [place for place, state in enumerate(self._states()) if status in {"", state}]
        actions = self._actions(matching[PER_PAGE * (number - 1) : PER_PAGE * number])
        by_action: dict[str, list[JournalEvent]] = {}
        for event in self._events:
            by_action.setdefault(event.action_id, []).append(event)
        rows = [self._row(action, tuple(by_action.get(action["action_id"], ()))) for action in actions]
        return rows, len(matching)

    def _row(self, action: dict[str, Any], events: tuple[JournalEvent, ...]) -> ActionRow:
        state, approval = self._state(action["action_id"]), self._line.approval
        is_rejected = approval is not None and approval.event is Event.REJECTED
        open_tense = Tense.NOT_DONE if is_rejected else Tense.PLANNED
        return ActionRow(action, state, events, _TENSES.get(state, open_tense))

    def status_counts(self) -> list[tuple[ActionState, int]]:
        """Return the number of actions by state, in the order of `ActionState`."""
        counts = Counter(self._states())
        return [(state, counts[state]) for state in ActionState if counts[state]]

    def plan_events(self) -> list[JournalEvent]:
        """Return the events of the plan as a whole."""
        return [event for event in self._events if event.action_id == PLAN]

    def due_dates(self) -> list[tuple[str, int]]:
        """Return the number of items in their grace by the day on which they are due, the soonest first."""
        return sorted(json.loads((self._tables / DUE_DATES).read_text(encoding="utf-8")).items())

    def _actions(self, places: Sequence[int]) -> list[dict[str, Any]]:
        """Return the actions in these lines. Others are not parsed: a plan may have an action for every Report."""
        selected = set(places)
        with (self._tables / rows_file("actions")).open(encoding="utf-8") as lines:
            return [json.loads(line) for place, line in enumerate(lines) if place in selected]

    def _states(self) -> list[ActionState]:
        return [self._state(action.action_id) for action in self._line.numbers.actions]

    def _state(self, action_id: str) -> ActionState:
        return self._line.state_of.get(action_id, ActionState.PROPOSED)
