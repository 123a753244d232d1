# SPDX-License-Identifier: Apache-2.0
"""Limits for one plan, checked before its first action."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from airflow_provider_studio.governance.errors import GuardRailError
from airflow_provider_studio.governance.plans.deployment_limits import DeploymentLimits
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.storage import CLOCKS_DIFFER_BY

__all__ = ["GuardRails"]

log = logging.getLogger(__name__)

_HOW_TO_FIX = (
    "Review the plan; if it is correct, raise the limit for this run, up to the one that [studio] and the connection "
    "set. Nothing was touched."
)
_LIMITED = ("max_actions", "max_share", "max_collection_share")
"""The guard rails that a deployment can limit."""
_WHOLE = ("max_actions", "max_failures_in_a_row", "max_refused_at_first")


@dataclass(frozen=True)
class GuardRails:
    """Limits for one plan.

    :param max_actions: the number of actions in the plan.
    :param max_share: the share of the snapshot's Reports that the plan changes, above 0 and at most 1.
    :param max_collection_share: the same share within each Collection, of its Reports that are not archived.
    :param max_failures_in_a_row: this many consecutive failures of the service stop the apply. A refusal of one Report
        is not such a failure.
    :param max_refused_at_first: if Studio refuses this many Reports before the first success, the apply stops: the
        token may lack permissions.
    :param max_age_days: an older plan is refused: its data may be outdated.
    :raises GuardRailError: a value is invalid.
    """

    max_actions: int = 100
    max_share: float = 0.05
    max_collection_share: float = 1.0
    max_failures_in_a_row: int = 5
    max_refused_at_first: int = 20
    max_age_days: float = 7.0

    def __post_init__(self) -> None:
        for name in _WHOLE:
            if not getattr(self, name) >= 1:
                raise GuardRailError(f"{name} is {getattr(self, name)!r}; it must be 1 or more.")
        for name in ("max_share", "max_collection_share"):
            if not 0 < getattr(self, name) <= 1:
                raise GuardRailError(
                    f"{name} is {getattr(self, name)!r}; it must be above 0 and at most 1 (0.05 is 5 %)."
                )
        if not self.max_age_days > 0:
            raise GuardRailError(f"max_age_days is {self.max_age_days!r}; it must be above 0.")

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Return guard rails from numbers, or from the texts that templates render."""
        return cls(**{name: _number(name, value) for name, value in values.items()})  # type: ignore[arg-type]

    def within(self, limits: DeploymentLimits) -> Self:
        """Return guard rails that do not exceed the limits of the deployment."""
        lowered = {
            name: limit
            for name in _LIMITED
            if (limit := getattr(limits, name)) is not None and limit < getattr(self, name)
        }
        for name, limit in lowered.items():
            log.info("%s is %s: the deployment's limit, instead of %s", name, limit, getattr(self, name))
        return replace(self, **lowered)

    def check(self, plan: Plan, now: datetime) -> None:
        """Refuse a plan that exceeds a limit.

        :raises GuardRailError: names the size, the limit and the fix.
        """
        if len(plan.actions) > self.max_actions:
            raise GuardRailError(
                f"Plan {plan.plan_id} has {len(plan.actions)} actions; max_actions allows {self.max_actions}. "
                f"{_HOW_TO_FIX}"
            )
        self._check_age(plan, now)
        if plan.header.snapshot is not None:  # named Reports have no snapshot to take a share of
            self._check_shares(plan)

    def _check_age(self, plan: Plan, now: datetime) -> None:
        age = now - plan.header.created_at
        created = f"Plan {plan.plan_id} was created at {plan.header.created_at:%Y-%m-%d %H:%M UTC}"
        if age < -CLOCKS_DIFFER_BY:
            raise GuardRailError(
                f"{created}, but it is {now:%Y-%m-%d %H:%M UTC} here: a clock was wrong, then or now, and the plan's "
                "age is unknown. Fix the clock and create a new plan. Nothing was touched."
            )
        if age / timedelta(days=1) > self.max_age_days:
            raise GuardRailError(
                f"{created}, {age.days} days ago; max_age_days allows {self.max_age_days:g}. Create a new plan. "
                "Nothing was touched."
            )

    def _check_shares(self, plan: Plan) -> None:
        share = len(plan.reports) / max(1, plan.header.reports_in_snapshot)
        if share > self.max_share:
            raise GuardRailError(
                f"Plan {plan.plan_id} touches {share:.1%} of the workspace's Reports; "
                f"max_share allows {self.max_share:.1%}. {_HOW_TO_FIX}"
            )
        collections = {
            action.report: action.baseline.collection for action in plan.actions if not action.baseline.archived
        }
        for collection, touched in Counter(collections.values()).items():
            within = touched / max(1, plan.header.reports_by_collection.get(collection or "", touched))
            if within > self.max_collection_share:
                raise GuardRailError(
                    f"Plan {plan.plan_id} touches {within:.1%} of the Reports in Collection {collection}; "
                    f"max_collection_share allows {self.max_collection_share:.1%}. {_HOW_TO_FIX}"
                )


def _number(name: str, value: Any) -> float:
    try:
        return int(value) if name in _WHOLE else float(value)
    except (TypeError, ValueError):
        expected = "a whole number" if name in _WHOLE else "a number such as 0.05 for 5 %"
        raise GuardRailError(f"{name} is {value!r}; it must be {expected}.") from None
