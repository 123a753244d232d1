# SPDX-License-Identifier: Apache-2.0
"""
### A weekly cross-check of two sources

Takes the inventory over the REST API and from Studio's Discovery API (or Database), and fails where they tell of
different Reports, so that a source that misses some is found before a plan relies on it. Changes nothing.

The connection needs a signature token of the Discovery API, or `discovery_sql_conn_id` the Database's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG, Param, task

from airflow_provider_studio.operators.inventory import StudioInventoryOperator

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
            "discovery_api", enum=["discovery_api", "discovery_db"], description="What the walk is held against."
        ),
        "discovery_sql_conn_id": Param(
            None, type=["string", "null"], description="The SQL connection of the Discovery Database."
        ),
        "tolerated": Param(
            0,
            type="integer",
            minimum=0,
            description="How many Reports may be in one source alone.",
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
        """Fail where one source misses Reports; return how the values of the others differ."""
        found = inventory["cross_check"]
        alone = {side: found[side] for side in ("only_in_one", "only_in_other")}
        if sum(one["count"] for one in alone.values()) > params["tolerated"]:
            raise AirflowFailException(f"{' and '.join(found['sources'])} tell of different Reports: {alone}")
        return dict(found["differences"])

    agree(inventory.output)
