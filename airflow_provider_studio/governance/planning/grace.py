# SPDX-License-Identifier: Apache-2.0
"""How long a flagged item waits before a plan may act on it: calendar days in UTC, promised as a date.

The date is stored in the plan. A later plan may move it later, never earlier: owners were told of it.
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
    """The wait of one flagged item.

    :param flagged_on: the day of the first plan that flagged it; every plan since did.
    :param due_on: the first day on which a plan may act on it.
    """

    flagged_on: date
    due_on: date

    @classmethod
    def started(cls, today: date, grace_days: int) -> Self:
        """Return the wait of an item that is flagged for the first time."""
        return cls(today, today + timedelta(days=grace_days))

    def continued(self, grace_days: int) -> Wait:
        """Return the wait under the policy of a later plan, whose grace may differ."""
        return Wait(self.flagged_on, max(self.due_on, self.flagged_on + timedelta(days=grace_days)))


def waits_of(plan: Plan, states: Mapping[str, ActionState]) -> dict[Flag, Wait]:
    """Return the wait of each item that a plan flagged.

    An item that the plan's actions changed is left out: if it is flagged again, somebody restored it, and its owner is
    promised a new date.

    :param states: the states of the plan's actions, as the journal has them.
    """
    pending = (one for one in plan.actions if states.get(one.action_id) not in SETTLED)
    # A Report that is to be archived is one item; its schedules are part of it.
    archived = [one for one in pending if one.rule is not Rule.STALE or one.schedule is None]
    flagged: list[Action | Spared] = [*archived, *(one for one in plan.spared if one.reason in _FLAGGED)]
    return {
        _flag(one): Wait(one.flagged_on, one.due_on)
        for one in flagged
        if one.flagged_on is not None and one.due_on is not None
    }


def _flag(record: Action | Spared) -> Flag:
    return record.report, record.schedule
