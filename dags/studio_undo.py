# SPDX-License-Identifier: Apache-2.0
"""
### Undo a plan

Unarchives the Reports that a plan archived and recreates the schedules that it deleted, from the plan's journal. Pass
the plan's id, which the task `plan` returned; name actions or Reports, or give a condition, to undo only those. A
second run changes nothing that is already undone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Param

from airflow_provider_studio import StudioUndoPlanOperator


def only(context: dict[str, Any], jinja_env: Any) -> list[str] | str:  # noqa: ARG001  Airflow's own signature
    """Return the param unchanged; a template would turn a list into text."""
    return context["params"]["only"]


def where(context: dict[str, Any], jinja_env: Any) -> str | None:  # noqa: ARG001  Airflow's own signature
    """Return the param unchanged; a template would turn None into text."""
    return context["params"]["where"]


with DAG(
    dag_id="studio_undo",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
    tags=["studio", "governance"],
    doc_md=__doc__,
    params={
        "plan_id": Param(type="string", minLength=1, description="The plan to undo."),
        "only": Param(
            "all",
            type=["string", "array"],
            description="Ids of actions, tokens or names of Reports, separated by commas; all undoes everything.",
        ),
        "where": Param(
            None,
            type=["string", "null"],
            description="Undo only Reports for which this SQL condition is true, such as owner = 'ada'.",
        ),
        "connection": Param("studio_default", type="string", description="The connection of the plan's workspace."),
    },
):
    StudioUndoPlanOperator(
        task_id="undo",
        plan_id="{{ params.plan_id }}",
        only=only,
        where=where,
        studio_conn_id="{{ params.connection }}",
        execution_timeout=timedelta(hours=6),
    )
