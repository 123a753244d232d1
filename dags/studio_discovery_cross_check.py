# SPDX-License-Identifier: Apache-2.0
"""
### A weekly cross-check of two sources

Takes the inventory over the REST API and from Studio's Discovery API (or Database), and fails if they contain
different Reports, so that an incomplete source is found before a plan relies on it. Changes nothing.

The connection needs a signature token of the Discovery API; for the Database, set `discovery_sql_conn_id`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG, Param, task

from airflow_provider_studio import StudioInventoryOperator

with DAG(
    dag_id="studio_discovery_cross_check",
    schedule="0 5 * * 6",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 1, "retry_delay": timedelta(minutes=5)},
    dagrun_timeout=timedelta(hours=12),
    tags=["studio", "inventory"],
    doc_md=__doc__,
    params={
        "source": Param(
            "discovery_api",
            enum=["discovery_api", "discovery_db"],
            description="What the REST inventory is compared with.",
        ),
        "discovery_sql_conn_id": Param(
            None, type=["string", "null"], description="The SQL connection of the Discovery Database."
        ),
        "tolerated": Param(
            0,
            type="integer",
            minimum=0,
            description="How many Reports may be missing in one of the sources.",
        ),
    },
):
    inventory = StudioInventoryOperator(
        task_id="inventory",
        cross_check="{{ params.source }}",  # type: ignore[arg-type]  rendered to one of the two
        discovery_sql_conn_id="{{ params.discovery_sql_conn_id or '' }}",
        execution_timeout=timedelta(hours=6),
    )

    @task(execution_timeout=timedelta(minutes=5))
    def agree(inventory: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        """Fail if a source misses Reports; return the differences between the values of the others."""
        result = inventory["cross_check"]
        missing = {side: result[side] for side in ("only_in_one", "only_in_other")}
        if sum(side["count"] for side in missing.values()) > params["tolerated"]:
            raise AirflowFailException(f"{' and '.join(result['sources'])} contain different Reports: {missing}")
        return dict(result["differences"])

    agree(inventory.output)
