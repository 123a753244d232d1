# SPDX-License-Identifier: Apache-2.0
"""
### Refresh Reports when their table was loaded

Runs the Reports that show a warehouse table as soon as a load of it is done, instead of at an hour when it should be.
Put your own table into LOADED and the Reports that show it into REPORTS. Whatever loads the table in Airflow (a COPY,
dbt, a transfer) names the same asset among its `outlets`; what loads it elsewhere sends the event over Airflow's REST
API, `POST /api/v2/assets/events`.

Loads that end while the Reports still run are answered together, by one more run of each. Each good run makes an event
of the asset `studio://<workspace>/reports/<token>`, by which further DAGs can be scheduled. Delete the schedules that
these Reports have in Studio: the warehouse would bill both.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, Param, task

from airflow_provider_studio.operators.reports import StudioRunReportOperator

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
            description="The Reports that show the table: their tokens, or the addresses of their pages.",
        ),
    },
):

    @task(execution_timeout=timedelta(minutes=5))
    def showing(params: dict[str, Any]) -> list[str]:
        """Return the Reports to run, each once."""
        return list(dict.fromkeys(params["reports"]))

    StudioRunReportOperator.partial(task_id="refresh", deferrable=True).expand(report=showing())
