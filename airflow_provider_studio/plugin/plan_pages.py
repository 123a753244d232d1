# SPDX-License-Identifier: Apache-2.0
"""One plan as its page shows it: a page of its actions with evidence, fate and journal, and whom it spared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_studio.governance.file_names import DUE_DATES, rows_file
from airflow_provider_studio.governance.plans.audit import ActionState, JournalEvent
from airflow_provider_studio.governance.plans.journal import PLAN
from airflow_provider_studio.plugin.paging import PER_PAGE
from airflow_provider_studio.plugin.plan_index import PlanLine


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
