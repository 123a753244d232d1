# SPDX-License-Identifier: Apache-2.0
"""The plans of the nights before: what was flagged how often already, and what a new plan is compared with."""

from __future__ import annotations

import logging
from datetime import datetime

from upath import UPath

from airflow_provider_studio.governance.errors import GovernanceError
from airflow_provider_studio.governance.planning.setbacks import Setback, setbacks
from airflow_provider_studio.governance.plans.audit import Audit
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import archives_by
from airflow_provider_studio.governance.plans.records import PlanHeader, Rule, SpareReason

log = logging.getLogger(__name__)

_FLAGGED = {SpareReason.GRACE, SpareReason.REFUSED}

Flag = tuple[str, str | None]
"""A Report, or one schedule of a Report, that a policy speaks of."""


class EarlierPlans:
    """The plans of earlier nights, the newest of each.

    A plan that only tidies schedules says nothing of Reports, and is passed over where Reports are planned for, and the
    other way round.

    :param before: the time of the snapshot that is planned from now.
    :param archives: whether Reports can be stale by the policy that is planned for.
    """

    def __init__(self, storage: UPath, workspace: str, before: datetime, *, archives: bool) -> None:
        self._audit = Audit(storage, workspace)
        self._all = self._audit.headers()  # the newest first
        nights: dict[str, PlanHeader] = {}
        for header in self._all:
            if header.snapshot is None or header.taken_at >= before:
                continue
            if archives_by(header.policy) == archives:
                nights.setdefault(header.snapshot, header)
        self._headers = sorted(nights.values(), key=lambda one: one.taken_at, reverse=True)

    @property
    def newest(self) -> str | None:
        """The id of last night's plan."""
        return self._headers[0].plan_id if self._headers else None

    def flagged(self, most_nights: int) -> dict[Flag, int]:
        """Return in how many nights, one after the other up to the last, each was flagged."""
        counts: dict[Flag, int] = {}
        for number, header in enumerate(self._headers[:most_nights]):
            plan = _read(self._audit, header.plan_id)
            tonight = _flags(plan) if plan is not None else set()
            counts |= {flag: number + 1 for flag in tonight if counts.get(flag, 0) == number}
        return counts

    def setbacks(self, now: datetime, days: int) -> dict[str, Setback]:
        """Return what earlier plans of any kind failed to do, by Report.

        :param days: for how many days a refusal keeps a Report out of plans.
        """
        return setbacks(self._audit, self._all, now, days)


def last_night(storage: UPath, plan: Plan) -> Plan | None:
    """Return the plan of the night before, where there is one that can be read whole."""
    previous = plan.header.previous_plan
    return None if previous is None else _read(Audit(storage, plan.workspace), previous)


def _read(audit: Audit, plan_id: str) -> Plan | None:
    try:
        return audit.plan(plan_id)
    except GovernanceError as error:
        log.warning("An earlier plan is of no use: %s", error)
        return None


def _flags(plan: Plan) -> set[Flag]:
    acted = {(one.report, None if one.rule is Rule.STALE else one.schedule) for one in plan.actions}
    return acted | {(one.report, one.schedule) for one in plan.spared if one.reason in _FLAGGED}
