# SPDX-License-Identifier: Apache-2.0
"""All plans of a workspace in one line each, with what became of them.

A plan's own numbers never change and are read once, without the Reports that it spared; what became of its actions is
told by the names in its journal, which are listed anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upath import UPath

from airflow_provider_studio.governance.errors import JournalError, PlanError
from airflow_provider_studio.governance.file_names import DUE_DATES, action_id, event_file, rows_file
from airflow_provider_studio.governance.layout import check_plan_id, ignored, is_plan_of, journal_folder, plan_paths
from airflow_provider_studio.governance.plans.audit import ActionState, Audit, JournalEvent
from airflow_provider_studio.governance.plans.journal import PLAN, Event, read_event
from airflow_provider_studio.governance.plans.models import ActionKind, PlanHeader
from airflow_provider_studio.governance.snapshots.frequency import runs_a_week
from airflow_provider_studio.governance.storage import explained
from airflow_provider_studio.plugin.paging import PER_PAGE

_NEWEST = 100
"""How many plans are told of: a season of nights."""
_AT_ONCE = 8
_IN_EFFECT = {ActionState.DONE, ActionState.UNDO_FAILED}


@dataclass(frozen=True)
class Proposed:
    """An action as the list needs it.

    :param runs_a_week: scheduled runs that it is expected to save; None where the plan does not tell.
    """

    action_id: str
    kind: ActionKind
    report: str
    runs_a_week: float | None


@dataclass(frozen=True)
class PlanNumbers:
    """What a plan proposes."""

    header: PlanHeader
    actions: tuple[Proposed, ...]

    def count(self, kind: ActionKind) -> int:
        """Return how many actions of a kind there are."""
        return sum(one.kind is kind for one in self.actions)

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
    """A plan and what became of it.

    :param states: how many of its actions are in which state.
    :param state_of: the state of each action that the journal knows, by its id.
    :param approval: who said yes or no, and when; None where nobody was asked, or has answered.
    :param actors: the DAG runs that decided on it, carried it out or took it back.
    :param runs_saved_a_week: schedules' runs that do not happen any more because of it.
    """

    numbers: PlanNumbers
    states: Mapping[ActionState, int]
    state_of: Mapping[str, ActionState]
    approval: JournalEvent | None
    actors: frozenset[tuple[str, str]]
    runs_saved_a_week: float

    @property
    def header(self) -> PlanHeader:
        """What the plan was made from."""
        return self.numbers.header

    @property
    def approver(self) -> str | None:
        """Who said yes or no, as far as the journal tells."""
        return None if self.approval is None else self.approval.actor.get("approver")


class PlanIndex:
    """Reads plans and their journals, what never changes only once."""

    def __init__(self) -> None:
        self._numbers: dict[str, PlanNumbers | None] = {}
        self._runs: dict[tuple[str, str, str], float] = {}
        self._people: dict[tuple[str, str], tuple[object, tuple[JournalEvent | None, frozenset[tuple[str, str]]]]] = {}

    def lines(self, storage: UPath, workspace: str) -> list[PlanLine]:
        """Return the newest plans of a workspace, the newest first; a file that is no plan is left out.

        :raises StorageError: the storage cannot be read.
        """
        paths = plan_paths(storage, workspace)
        audit = Audit(storage, workspace)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            read = list(filter(None, pool.map(self._numbers_of, paths)))
            newest = sorted(read, key=lambda one: one.header.created_at, reverse=True)[:_NEWEST]
            return list(pool.map(lambda one: self._line(audit, storage, one), newest))

    def _numbers_of(self, path: UPath) -> PlanNumbers | None:
        if path.path not in self._numbers:
            try:
                self._numbers[path.path] = _read_numbers(path)
            except (ValueError, KeyError, PlanError):
                ignored(path, "it is no plan, or not the plan that its name says")
                self._numbers[path.path] = None
        return self._numbers[path.path]

    def _line(self, audit: Audit, storage: UPath, numbers: PlanNumbers) -> PlanLine:
        known = audit.states(numbers.header.plan_id)
        states = Counter(known.get(one.action_id, ActionState.PROPOSED) for one in numbers.actions)
        approval, actors = self._people_of(audit, numbers, known)
        saved = sum(
            self._saved(storage, numbers.header, one)
            for one in numbers.actions
            if one.kind is ActionKind.DELETE_SCHEDULE and known.get(one.action_id) in _IN_EFFECT
        )
        return PlanLine(numbers, states, known, approval, actors, saved)

    def _people_of(
        self, audit: Audit, numbers: PlanNumbers, known: Mapping[str, ActionState]
    ) -> tuple[JournalEvent | None, frozenset[tuple[str, str]]]:
        """Return the approval and the runs that acted: read anew where an action changed its state since."""
        plan_id = numbers.header.plan_id
        decisions = audit.events(plan_id=plan_id, report=PLAN)
        key, version = (numbers.header.workspace, plan_id), (len(decisions), frozenset(known.items()))
        if key not in self._people or self._people[key][0] != version:
            one_of_each = {known[one.action_id]: one for one in numbers.actions if one.action_id in known}
            events = list(decisions)
            for action in one_of_each.values():
                events += audit.events(plan_id=plan_id, report=action.report)
            actors = frozenset((one.actor.get("dag", ""), one.actor.get("run", "")) for one in events)
            self._people[key] = (version, (_approval(events), actors))
        return self._people[key][1]

    def _saved(self, storage: UPath, header: PlanHeader, action: Proposed) -> float:
        if action.runs_a_week is not None:
            return action.runs_a_week
        key = (header.workspace, header.plan_id, action.action_id)
        if key not in self._runs:
            self._runs[key] = _from_backup(storage, *key)
        return self._runs[key]


def _approval(events: list[JournalEvent]) -> JournalEvent | None:
    """Return the newest answer; an action that names its approver tells of one too."""
    answers = [one for one in events if one.event in {Event.APPROVED, Event.REJECTED}]
    named = [one for one in events if one.actor.get("approver")]
    return max(answers or named[:1], key=lambda one: one.at, default=None)


def _read_numbers(path: UPath) -> PlanNumbers:
    """Read a plan down to its last action; what it spared comes after, and may be every Report there is."""
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
            actions.append(Proposed(key, ActionKind(record["kind"]), record["report"], runs))
    return PlanNumbers(header, tuple(actions))


def _check_place(path: UPath, header: PlanHeader) -> None:
    """Refuse a plan that is not where it says: its id and workspace name folders of this machine.

    :raises PlanError: the header's id or workspace is not that of the file.
    """
    check_plan_id(header.plan_id)
    if not is_plan_of(path, header.workspace, header.plan_id):
        raise PlanError(f"{path} is a plan of another name or workspace.")


def _from_backup(storage: UPath, workspace: str, plan_id: str, action: str) -> float:
    """Return how often a deleted schedule ran, from its backup; 0 where that does not tell."""
    path = journal_folder(storage, workspace, plan_id) / event_file(action, Event.INTENT.value)
    try:
        return runs_a_week(read_event(path)["backup"]["machine_values"]["cron"]) or 0.0
    except (JournalError, KeyError, TypeError):
        return 0.0


@dataclass(frozen=True)
class Row:
    """An action and what became of it.

    :param action: as the plan has it, with its evidence.
    :param events: what the journal tells of it, oldest first.
    """

    action: dict[str, Any]
    state: ActionState
    events: tuple[JournalEvent, ...]


class PlanView:
    """A plan whose tables are made.

    :param tables: the folder that `prepare_plan` made.
    :param events: the plan's whole journal, oldest first.
    """

    def __init__(self, line: PlanLine, tables: Path, events: Sequence[JournalEvent]) -> None:
        self._line = line
        self._tables = tables
        self._events = events

    def page(self, fate: str, number: int) -> tuple[list[Row], int]:
        """Return a page of the actions in some state, or in any, and how many there are."""
        kept = [place for place, state in enumerate(self._states()) if fate in {"", state}]
        shown = self._actions(kept[PER_PAGE * (number - 1) : PER_PAGE * number])
        by_action: dict[str, list[JournalEvent]] = {}
        for event in self._events:
            by_action.setdefault(event.action_id, []).append(event)
        rows = [
            Row(action, self._state(action["action_id"]), tuple(by_action.get(action["action_id"], ())))
            for action in shown
        ]
        return rows, len(kept)

    def fates(self) -> list[tuple[ActionState, int]]:
        """Return how many actions are in which state, in the order of a night."""
        counted = Counter(self._states())
        return [(state, counted[state]) for state in ActionState if counted[state]]

    def plan_events(self) -> list[JournalEvent]:
        """Return what happened to the plan as a whole."""
        return [one for one in self._events if one.action_id == PLAN]

    def due_dates(self) -> list[tuple[str, int]]:
        """Return how many items in their grace are due on which day, the soonest first."""
        return sorted(json.loads((self._tables / DUE_DATES).read_text(encoding="utf-8")).items())

    def _actions(self, places: Sequence[int]) -> list[dict[str, Any]]:
        """Return the actions in some lines. A plan may have as many as there are Reports, so no others are parsed."""
        wanted = set(places)
        with (self._tables / rows_file("actions")).open(encoding="utf-8") as lines:
            return [json.loads(line) for place, line in enumerate(lines) if place in wanted]

    def _states(self) -> list[ActionState]:
        return [self._state(action.action_id) for action in self._line.numbers.actions]

    def _state(self, action_id: str) -> ActionState:
        return self._line.state_of.get(action_id, ActionState.PROPOSED)
