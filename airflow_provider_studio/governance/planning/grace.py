# SPDX-License-Identifier: Apache-2.0
"""The grace period of a flagged item, before a plan may act on it: calendar days in UTC, fixed as a date.

The date is stored in the plan. A later plan may postpone it but never advance it: owners were notified of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

from airflow_provider_studio.governance.plans.audit import SETTLED, ActionState
from airflow_provider_studio.governance.plans.models import Action, Rule, Spared, SpareReason
from airflow_provider_studio.governance.plans.plan import Plan

_FLAGGED = {SpareReason.GRACE, SpareReason.REFUSED}

Flag = tuple[str, str | None]
"""A Report, or one schedule of a Report, that a policy flags."""


@dataclass(frozen=True)
class Wait:
    """The grace period of one flagged item.

    :param flagged_on: the day of the first plan that flagged it; every plan since then flagged it too.
    :param due_on: the first day on which a plan may act on it.
    """

    flagged_on: date
    due_on: date

    @classmethod
    def started(cls, today: date, grace_days: int) -> Self:
        """Return the grace period of an item that is flagged for the first time."""
        return cls(today, today + timedelta(days=grace_days))

    def continued(self, grace_days: int) -> Wait:
        """Return the grace period under the policy of a later plan, whose number of days may differ."""
        return Wait(self.flagged_on, max(self.due_on, self.flagged_on + timedelta(days=grace_days)))


def waits_of(plan: Plan, states: Mapping[str, ActionState]) -> dict[Flag, Wait]:
    """Return the grace period of each item that a plan flagged.

    An item that the plan changed is omitted: if it is flagged again, somebody restored it, and it gets a new date.

    :param states: the states of the plan's actions in the journal.
    """
    pending = (action for action in plan.actions if states.get(action.action_id) not in SETTLED)
    archived = {action.report for action in plan.actions if action.schedule is None}
    items = [action for action in pending if action.schedule is None or action.report not in archived]
    flagged: list[Action | Spared] = [*items, *(item for item in plan.spared if item.reason in _FLAGGED)]
    return {
        _flag(item): Wait(item.flagged_on, item.due_on)
        for item in flagged
        if item.flagged_on is not None and item.due_on is not None
    }


def _flag(record: Action | Spared) -> Flag:
    """Return the flagged item. A stale Report is one item, which includes its schedules."""
    is_stale = isinstance(record, Action) and record.rule is Rule.STALE
    return record.report, None if is_stale else record.schedule
