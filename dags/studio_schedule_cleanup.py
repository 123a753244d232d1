# SPDX-License-Identifier: Apache-2.0
"""
### A weekly clean-up of schedules

Deletes schedules that failed repeatedly, and those of archived Reports, because it is unknown whether they stopped. No
Report is archived. A person approves first, unless the param `approval` is off.

The DAG `studio_undo` can recreate the deleted schedules. A snapshot has only the last run of a schedule, so let
`studio_nightly_inventory` first take at least `failing_runs` snapshots.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Param, task

from airflow_provider_studio import (
    StudioApplyPlanOperator,
    StudioApprovePlanOperator,
    StudioInventoryOperator,
    StudioPlanOperator,
)


def policy(context: dict[str, Any], jinja_env: Any) -> dict[str, Any]:  # noqa: ARG001  Airflow's own signature
    """Return a policy with rules for schedules only; without `unviewed_days` no Report is stale."""
    return {
        "unviewed_days": None,
        "failing_schedule_runs": context["params"]["failing_runs"],
        "schedules_of_archived": True,
    }


with DAG(
    dag_id="studio_schedule_cleanup",
    schedule="0 4 * * 0",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    dagrun_timeout=timedelta(days=6),
    tags=["studio", "governance"],
    doc_md=__doc__,
    params={
        "failing_runs": Param(10, type="integer", minimum=1, description="Delete after this many failures in a row."),
        "approval": Param(True, type="boolean", description="Wait for a person's approval."),
        "max_actions": Param(
            100, type="integer", minimum=1, maximum=1000, description="Refuse a plan with more actions."
        ),
    },
):
    inventory = StudioInventoryOperator(task_id="inventory", execution_timeout=timedelta(hours=6))

    plan = StudioPlanOperator(
        task_id="plan",
        policy=policy,
        snapshot="{{ ti.xcom_pull(task_ids='inventory')['snapshot'] }}",
        execution_timeout=timedelta(hours=1),
    )

    @task.branch(execution_timeout=timedelta(minutes=5))
    def decide(plan: dict[str, Any], params: dict[str, Any]) -> str | None:
        """Select the next task: ask for approval, apply immediately, or nothing if the plan is empty."""
        if not plan["schedules_to_delete"]:
            return None
        return "apply" if params["approval"] is False else "approve"

    approve = StudioApprovePlanOperator(
        task_id="approve", plan=plan.output, response_timeout=timedelta(days=5), retry_delay=timedelta(seconds=10)
    )

    apply = StudioApplyPlanOperator(
        task_id="apply",
        plan=plan.output,
        max_actions="{{ params.max_actions }}",
        max_share=1.0,  # deleting schedules that always fail does no harm; max_actions limits their number
        # If the param `approval` is off, none is required; otherwise only what `approve` returned is an approval.
        approval="{{ 'not_required' if params.approval is false else ti.xcom_pull(task_ids='approve') | tojson }}",
        trigger_rule="none_failed_min_one_success",
        execution_timeout=timedelta(hours=6),
    )

    inventory >> plan
    decide(plan.output) >> [approve, apply]
    approve >> apply
