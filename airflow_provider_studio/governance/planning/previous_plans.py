# SPDX-License-Identifier: Apache-2.0
"""The previous plans that a new plan continues: those with its name. Refusals of Studio are read from all plans."""

from __future__ import annotations

import logging
from datetime import datetime

from upath import UPath

from airflow_provider_studio.governance.errors import GovernanceError, PlanError
from airflow_provider_studio.governance.planning.earlier_failures import EarlierFailure, earlier_failures
from airflow_provider_studio.governance.planning.grace import Flag, Wait, waits_of
from airflow_provider_studio.governance.plans.audit import Audit
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import judges_by
from airflow_provider_studio.governance.signing import UNSIGNED, Signer
from airflow_provider_studio.governance.storage import CLOCKS_DIFFER_BY

log = logging.getLogger(__name__)


class PreviousPlans:
    """The previous plans of a workspace, and those with one name among them.

    A plan that judges Reports continues only plans that judge Reports, and one with rules for schedules only continues
    only such plans. A plan without a name is of an earlier version and is never continued.

    :param name: the name of the new plan.
    :param taken_at: the time of its snapshot.
    :param created_at: the time of its creation.
    :param judges: whether its policy judges which Reports are stale.
    :param signer: verifies the plan that is continued: a forged one could move the end of a grace period.
    :raises PlanError: the newest plan with this name was created in the future.
    """

    def __init__(
        self,
        storage: UPath,
        workspace: str,
        *,
        name: str,
        taken_at: datetime,
        created_at: datetime,
        judges: bool,
        signer: Signer = UNSIGNED,
    ) -> None:
        self._signer = signer
        self._audit = Audit(storage, workspace)
        self._all = self._audit.headers()  # the newest first
        self._created_at = created_at
        self._named = [
            header
            for header in self._all
            if not header.is_one_off and header.name == name and judges_by(header.policy) == judges
        ]
        self._check_clock()
        before = [header for header in self._named if header.taken_at < taken_at]
        newest = max(before, key=lambda header: (header.taken_at, header.created_at), default=None)
        self.plan_id: str | None = None if newest is None else newest.plan_id
        """The id of the newest plan with an earlier snapshot."""

    def waits(self) -> dict[Flag, Wait]:
        """Return the grace period of each item that the last plan flagged; none if that plan is damaged.

        :raises StorageError: the plan cannot be read. Without it every grace period would restart.
        """
        if not self._named:
            return {}
        plan_id = self._named[0].plan_id
        try:
            plan = self._audit.plan(plan_id)
            plan.check_signature(self._signer)
        except PlanError as error:
            log.warning("The previous plan cannot be used, so every grace period restarts: %s", error)
            return {}
        return waits_of(plan, self._audit.states(plan_id))

    def failures(self, days: int) -> dict[str, EarlierFailure]:
        """Return the failures of previous plans of any name, by Report.

        :param days: the number of days for which a refusal keeps a Report out of plans.
        """
        return earlier_failures(self._audit, self._all, self._created_at, days)

    def _check_clock(self) -> None:
        if self._named and self._named[0].created_at > self._created_at + CLOCKS_DIFFER_BY:
            newest = self._named[0]
            raise PlanError(
                f"Plan {newest.plan_id}, the newest with the name {newest.name!r}, was created at "
                f"{newest.created_at:%Y-%m-%d %H:%M UTC}, but it is {self._created_at:%Y-%m-%d %H:%M UTC} now: a clock "
                "was wrong, then or now. Fix the clock. If it is right now, set another plan_name: every grace period "
                "restarts under it."
            )


def previous_plan(storage: UPath, plan: Plan) -> Plan | None:
    """Return the plan that a plan is compared with, or None if there is none or it is damaged."""
    previous = plan.header.previous_plan
    if previous is None:
        return None
    try:
        return Audit(storage, plan.workspace).plan(previous)
    except GovernanceError as error:
        log.warning("The plan cannot be compared with the previous plan: %s", error)
        return None
