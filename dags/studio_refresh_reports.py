# SPDX-License-Identifier: Apache-2.0
"""Refresh a list of Reports every morning, each in a mapped task of its own.

However many Reports there are, they hold no worker while they run, and all of them together stay inside the one budget
of requests that their token has. A Report that fails does not stop the others; a retry goes on with the run that is
already there. Each good run makes an event of the asset `studio://<workspace>/reports/<token>`, by which other DAGs can
be scheduled.

Try it: `airflow dags trigger studio_refresh_reports --conf '{"reports": ["0a1b2c3d4e5f"]}'`
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_provider_studio.operators.reports import StudioRunReportOperator

with DAG(
    dag_id="studio_refresh_reports",
    schedule="0 6 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1), "execution_timeout": timedelta(hours=2)},
    tags=["studio", "reports"],
    doc_md=__doc__,
    params={
        "reports": Param(
            [],
            type="array",
            items={"type": "string"},
            description="Tokens of Reports, or the addresses of their pages.",
        ),
    },
):

    @task
    def wanted() -> list[str]:
        """Return the Reports to refresh."""
        return list(get_current_context()["params"]["reports"])

    StudioRunReportOperator.partial(task_id="refresh", deferrable=True).expand(report=wanted())
