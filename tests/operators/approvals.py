# SPDX-License-Identifier: Apache-2.0
"""Tasks of a plan, its approval and its apply, and a person who answers at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from upath import UPath

from airflow_provider_studio.governance.plans.journal import Journal
from airflow_provider_studio.operators.approval import StudioApprovePlanOperator
from airflow_provider_studio.operators.inventory import StudioInventoryOperator
from airflow_provider_studio.operators.plans import (
    StudioApplyPlanOperator,
    StudioPlanOperator,
)
from tests.operators.test_governance_operators import POLICY

ALL, SCHEDULES, REJECT = "Approve all", "Approve schedules only", "Reject"
_PARKED = {"TaskAwaitingInput", "TaskDeferred"}


class Answered(StudioApprovePlanOperator):
    """Waits for a decision as in Airflow, and gets one from ada at once.

    :param choices: what she chooses.
    :param meanwhile: what happens between the question and the answer.
    """

    def __init__(
        self, *, choices: list[str], meanwhile: Callable[[Any], None] = lambda _operator: None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.choices, self.meanwhile = choices, meanwhile

    def execute(self, context: Any) -> Any:
        try:
            super().execute(context)
        except BaseException as parked:
            if type(parked).__name__ not in _PARKED:
                raise
        self.meanwhile(self)
        return self.execute_complete(
            context,
            {
                "chosen_options": self.choices,
                "params_input": {},
                "responded_at": datetime.now(UTC),
                "responded_by_user": {"id": "1", "name": "ada"},
            },
        )


def asked(plan: Any, *choices: str, **options: Any) -> Answered:
    return Answered(task_id=options.pop("task_id", "approve"), plan=plan.output, choices=list(choices), **options)


def planned() -> StudioPlanOperator:
    plan = StudioPlanOperator(task_id="plan", policy=POLICY)
    StudioInventoryOperator(task_id="inventory") >> plan
    return plan


def applied(by: Any, **options: Any) -> StudioApplyPlanOperator:
    return StudioApplyPlanOperator(
        task_id=options.pop("task_id", "apply"), **{"plan": by.output, "max_share": 1.0, "max_actions": 1000, **options}
    )


def storage(tmp_path: Path) -> UPath:
    return UPath(tmp_path / "studio")


def journal(tmp_path: Path, plan: dict[str, Any]) -> Journal:
    return Journal(storage(tmp_path), "acme", plan["plan_id"], actor={"approver": "eve"}, sha256=plan["sha256"])
