# SPDX-License-Identifier: Apache-2.0
"""Refresh a list of Reports every morning, each in a mapped task.

The tasks occupy no worker while the Reports run, and together they stay within the request budget of their token. A
Report that fails does not stop the others; a retry resumes the existing run. Each successful run emits an event of the
asset `studio://<workspace>/reports/<token>`, which can schedule other DAGs.

Try it: `airflow dags trigger studio_refresh_reports --conf '{"reports": ["0a1b2c3d4e5f"]}'`
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_provider_studio import StudioRunReportOperator

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
            description="Tokens of Reports, or the URLs of their pages.",
        ),
    },
):

    @task
    def select_reports() -> list[str]:
        """Return the Reports to refresh."""
        return list(get_current_context()["params"]["reports"])

    StudioRunReportOperator.partial(task_id="refresh", deferrable=True).expand(report=select_reports())
