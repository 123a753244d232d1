# SPDX-License-Identifier: Apache-2.0
"""
### A nightly inventory

Writes a snapshot of every Report with its schedules, runs and views, and changes nothing. Enable this DAG first: only
snapshots 90 days apart can prove that a Report had no views for 90 days.

Each snapshot emits an event of the asset `studio://<workspace>/inventory`, which can schedule other DAGs.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Param

from airflow_provider_studio import StudioInventoryOperator, StudioNightSummaryOperator

with DAG(
    dag_id="studio_nightly_inventory",
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    dagrun_timeout=timedelta(hours=12),
    tags=["studio", "inventory"],
    doc_md=__doc__,
    params={
        "collection_filter": Param(
            "custom",
            enum=["custom", "all"],
            description="custom excludes other members' personal Collections; all includes them.",
        ),
    },
):
    inventory = StudioInventoryOperator(
        task_id="inventory",
        collection_filter="{{ params.collection_filter }}",  # type: ignore[arg-type]  rendered to one of the two
        execution_timeout=timedelta(hours=6),
    )
    StudioNightSummaryOperator(task_id="summary", inventory=inventory.output, execution_timeout=timedelta(minutes=5))
