# SPDX-License-Identifier: Apache-2.0
"""The earlier plans that a new plan continues: those with its name. What Studio refused is read from all plans."""

from __future__ import annotations

import logging
from datetime import datetime

from upath import UPath

from airflow_provider_studio.governance.errors import GovernanceError, PlanError
from airflow_provider_studio.governance.planning.earlier_failures import Setback, setbacks
from airflow_provider_studio.governance.planning.grace import Flag, Wait, waits_of
from airflow_provider_studio.governance.plans.audit import Audit
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import archives_by
from airflow_provider_studio.governance.storage import CLOCKS_DIFFER_BY

log = logging.getLogger(__name__)


class EarlierPlans:
    """The plans that were made before in a workspace, and those with one name among them.

    A plan for schedules alone does not judge Reports, and is passed over where Reports are planned for, and the other
    way round. A plan without a name was made by an earlier version, and is compared with none.

    :param name: the new plan's name.
    :param taken_at: the time of the snapshot that it is made from.
    :param made_at: when it is made.
    :param archives: whether Reports can be stale by its policy.
    :raises PlanError: the newest plan with this name was made in the future.
    """

    def __init__(
        self, storage: UPath, workspace: str, *, name: str, taken_at: datetime, made_at: datetime, archives: bool
    ) -> None:
        self._audit = Audit(storage, workspace)
        self._all = self._audit.headers()  # the newest first
        self._made_at = made_at
        self._named = [
            header
            for header in self._all
            if header.snapshot is not None and header.name == name and archives_by(header.policy) == archives
        ]
        self._check_clock()
        before = [header for header in self._named if header.taken_at < taken_at]
        newest = max(before, key=lambda header: (header.taken_at, header.created_at), default=None)
        self.previous: str | None = None if newest is None else newest.plan_id
        """The id of the newest plan that was made from an earlier snapshot."""

    def waits(self) -> dict[Flag, Wait]:
        """Return the wait of each item that the last plan flagged; none where that plan is damaged.

        :raises StorageError: the plan cannot be read now. Every wait would start again without it.
        """
        if not self._named:
            return {}
        plan_id = self._named[0].plan_id
        try:
            plan = self._audit.plan(plan_id)
        except PlanError as error:
            log.warning("The previous plan cannot be used, so every wait starts again: %s", error)
            return {}
        return waits_of(plan, self._audit.states(plan_id))

    def setbacks(self, days: int) -> dict[str, Setback]:
        """Return what earlier plans of any name or kind failed to do, by Report.

        :param days: for how many days a refusal keeps a Report out of plans.
        """
        return setbacks(self._audit, self._all, self._made_at, days)

    def _check_clock(self) -> None:
        if self._named and self._named[0].created_at > self._made_at + CLOCKS_DIFFER_BY:
            newest = self._named[0]
            raise PlanError(
                f"Plan {newest.plan_id}, the newest with the name {newest.name!r}, was made at "
                f"{newest.created_at:%Y-%m-%d %H:%M UTC}, but it is {self._made_at:%Y-%m-%d %H:%M UTC} now: a clock "
                "was wrong, then or now. Fix the clock. If it is right now, set another plan_name, under which every "
                "wait starts again."
            )


def previous_plan(storage: UPath, plan: Plan) -> Plan | None:
    """Return the plan that a plan is compared with, where there is one that can be read whole."""
    previous = plan.header.previous_plan
    if previous is None:
        return None
    try:
        return Audit(storage, plan.workspace).plan(previous)
    except GovernanceError as error:
        log.warning("The previous plan cannot be compared with: %s", error)
        return None
