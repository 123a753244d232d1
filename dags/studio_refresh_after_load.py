# SPDX-License-Identifier: Apache-2.0
"""
### Refresh Reports after their table is loaded

Runs the Reports that use a warehouse table as soon as the table is loaded, instead of at a fixed time. Set LOADED to
your table and REPORTS to the Reports that use it. A task that loads the table in Airflow (a COPY, dbt, a transfer) has
the same asset in its `outlets`; a process outside Airflow sends the event over Airflow's REST API,
`POST /api/v2/assets/events`.

Loads that end while the Reports still run cause one further run of each. Each successful run emits an event of the
asset `studio://<workspace>/reports/<token>`, which can schedule further DAGs. Delete the schedules that these Reports
have in Studio: the warehouse would bill both.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, Param, task

from airflow_provider_studio import StudioRunReportOperator

LOADED = Asset("snowflake://my-account/sales/public/orders")
REPORTS = ["0a1b2c3d4e5f"]

with DAG(
    dag_id="studio_refresh_after_load",
    schedule=[LOADED],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1), "execution_timeout": timedelta(hours=2)},
    dagrun_timeout=timedelta(hours=6),
    tags=["studio", "reports"],
    doc_md=__doc__,
    params={
        "reports": Param(
            REPORTS,
            type="array",
            items={"type": "string"},
            description="The Reports that use the table: their tokens, or the URLs of their pages.",
        ),
    },
):

    @task(execution_timeout=timedelta(minutes=5))
    def select_reports(params: dict[str, Any]) -> list[str]:
        """Return the Reports to run, without duplicates."""
        return list(dict.fromkeys(params["reports"]))

    StudioRunReportOperator.partial(task_id="refresh", deferrable=True).expand(report=select_reports())
