# SPDX-License-Identifier: Apache-2.0
"""
### One governed night for many workspaces

For each connection of the param `connections`: takes a snapshot, makes a plan, asks a person for approval, applies the
plan. The workspaces are independent: one that fails, or whose plan is rejected, does not hold up the others. Each has
the budget of its own token, its own folder in storage, its own required action, journal and undo (`studio_undo` with
its connection).

To use it, list your connections in the param, or set the Airflow Variable `studio_connections` to a JSON list of them.
Two connections may not open the same workspace: the tasks would do the same work twice.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Param, Variable, task, task_group

from airflow_provider_studio import (
    StudioApplyPlanOperator,
    StudioApprovePlanOperator,
    StudioInventoryOperator,
    StudioPlanOperator,
)

POLICY = {"unviewed_days": 90, "unrun_days": 90, "minimum_age_days": 30, "protected_names": ["*do not archive*"]}

with DAG(
    dag_id="studio_many_workspaces",
    schedule="0 4 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    dagrun_timeout=timedelta(days=2),
    tags=["studio", "governance"],
    doc_md=__doc__,
    params={
        "connections": Param(
            None,
            type=["array", "null"],
            items={"type": "string"},
            description="Ids of Airflow connections, one per workspace. Empty: the Variable studio_connections.",
        ),
    },
):

    @task(execution_timeout=timedelta(minutes=5))
    def connections(params: dict[str, Any]) -> list[str]:
        """Return the connections to use."""
        return list(params["connections"] or Variable.get("studio_connections", deserialize_json=True))

    @task_group
    def workspace(connection: str) -> None:
        """The night of one workspace."""
        inventory = StudioInventoryOperator(
            task_id="inventory", studio_conn_id=connection, execution_timeout=timedelta(hours=6)
        )

        plan = StudioPlanOperator(
            task_id="plan",
            studio_conn_id=connection,
            policy=POLICY,
            # The default has the task's map index, which another connection has once the list changes.
            plan_name="studio_many_workspaces",
            execution_timeout=timedelta(hours=1),
        )

        approve = StudioApprovePlanOperator(
            task_id="approve",
            plan=plan.output,
            response_timeout=timedelta(hours=20),
            retry_delay=timedelta(seconds=10),  # asks again soon if Airflow lost the answer
        )

        apply = StudioApplyPlanOperator(
            task_id="apply",
            studio_conn_id=connection,
            plan=plan.output,
            approval=approve.output,
            execution_timeout=timedelta(hours=6),
        )

        inventory >> plan >> approve >> apply

    workspace.expand(connection=connections())
