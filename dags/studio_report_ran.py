# SPDX-License-Identifier: Apache-2.0
"""Export the results of a Report whenever it has run well, whoever ran it: a schedule in Studio, a person, another DAG.

A watcher in the triggerer looks at the Report once a minute, which costs one request of the token's budget, and makes
an asset event of each new good run. This DAG is scheduled by those events, and by those that `StudioRunReportOperator`
makes of the runs that other DAGs start. Put your own Report into REPORT.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_studio.operators.reports import StudioExportReportRunOperator
from airflow_provider_studio.triggers.reports import StudioReportRanTrigger

REPORT = "studio://acme/reports/0a1b2c3d4e5f"

report_ran = Asset(
    REPORT,
    watchers=[AssetWatcher(name="report_ran", trigger=StudioReportRanTrigger(report=REPORT, interval_seconds=60))],
)

with DAG(
    dag_id="studio_report_ran",
    schedule=[report_ran],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1), "execution_timeout": timedelta(hours=1)},
    tags=["studio", "reports"],
    doc_md=__doc__,
):

    @task
    def newest(triggering_asset_events: Any = None) -> dict[str, Any]:
        """Return what the newest event tells of a run; a watcher's tells it as its payload. They come in no order."""
        told = max(triggering_asset_events[report_ran], key=lambda event: event.timestamp).extra
        return told.get("payload", told)

    StudioExportReportRunOperator(
        task_id="export",
        report=REPORT,
        run=newest(),
        path="exports/{{ ti.xcom_pull(task_ids='newest')['run'] }}.csv",
    )
