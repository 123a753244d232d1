# SPDX-License-Identifier: Apache-2.0
"""How much one plan may do at most, found out before its first action."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from airflow_provider_studio.governance.errors import GuardRailError
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.storage import CLOCKS_DIFFER_BY

__all__ = ["GuardRails"]

_MEND = "Look at the plan; if it is right, raise the limit for this run. Nothing was touched."
_WHOLE = ("max_actions", "max_failures_in_a_row", "max_refused_at_first")


@dataclass(frozen=True)
class GuardRails:
    """How much one plan may do at most.

    :param max_actions: actions in the plan.
    :param max_share: share of the snapshot's Reports that the plan touches, above 0 and at most 1.
    :param max_collection_share: the same within each Collection, of its Reports that are not archived.
    :param max_failures_in_a_row: after this many failures of the service in a row nothing more is tried. What Studio
        refuses of one Report is no such failure.
    :param max_refused_at_first: if Studio refuses this many Reports before anything is done, nothing more is tried: the
        token may lack rights.
    :param max_age_days: an older plan is refused: much may have happened since.
    :raises GuardRailError: a value that makes no sense.
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
        """Return the guard rails that numbers stand for, or the texts that templates make of them."""
        return cls(**{name: _number(name, value) for name, value in values.items()})  # type: ignore[arg-type]

    def check(self, plan: Plan, now: datetime) -> None:
        """Refuse a plan that is larger or older than it may be.

        :raises GuardRailError: says how large it is, what is allowed, and the mend.
        """
        if len(plan.actions) > self.max_actions:
            raise GuardRailError(
                f"Plan {plan.plan_id} has {len(plan.actions)} actions; max_actions allows {self.max_actions}. {_MEND}"
            )
        self._check_age(plan, now)
        if plan.header.snapshot is not None:  # what a person named is a share of nothing
            self._check_shares(plan)

    def _check_age(self, plan: Plan, now: datetime) -> None:
        age = now - plan.header.created_at
        made = f"Plan {plan.plan_id} was made at {plan.header.created_at:%Y-%m-%d %H:%M UTC}"
        if age < -CLOCKS_DIFFER_BY:
            raise GuardRailError(
                f"{made}, but it is {now:%Y-%m-%d %H:%M UTC} here: a clock was wrong, then or now, and the plan's age "
                "cannot be told. Mend the clock and make a new plan. Nothing was touched."
            )
        if age / timedelta(days=1) > self.max_age_days:
            raise GuardRailError(
                f"{made}, {age.days} days ago; max_age_days allows {self.max_age_days:g}. Make a new plan. "
                "Nothing was touched."
            )

    def _check_shares(self, plan: Plan) -> None:
        share = len(plan.reports) / max(1, plan.header.reports_in_snapshot)
        if share > self.max_share:
            raise GuardRailError(
                f"Plan {plan.plan_id} touches {share:.1%} of the workspace's Reports; "
                f"max_share allows {self.max_share:.1%}. {_MEND}"
            )
        places = {one.report: one.baseline.collection for one in plan.actions if not one.baseline.archived}
        for collection, touched in Counter(places.values()).items():
            within = touched / max(1, plan.header.reports_by_collection.get(collection or "", touched))
            if within > self.max_collection_share:
                raise GuardRailError(
                    f"Plan {plan.plan_id} touches {within:.1%} of the Reports in Collection {collection}; "
                    f"max_collection_share allows {self.max_collection_share:.1%}. {_MEND}"
                )


def _number(name: str, value: Any) -> float:
    try:
        return int(value) if name in _WHOLE else float(value)
    except (TypeError, ValueError):
        wanted = "a whole number" if name in _WHOLE else "a number such as 0.05 for 5 %"
        raise GuardRailError(f"{name} is {value!r}; it must be {wanted}.") from None
