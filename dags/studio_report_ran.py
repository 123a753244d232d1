# SPDX-License-Identifier: Apache-2.0
"""Export the results of a Report after each successful run, by a schedule in Studio, a person or another DAG.

A watcher in the triggerer polls the Report once a minute, with one request, and emits an asset event for each new
successful run. These events schedule this DAG, as do those that `StudioRunReportOperator` emits for the runs of other
DAGs. Set REPORT to your Report.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_studio import StudioExportReportRunOperator, StudioReportRanTrigger

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
        """Return the run of the newest event; events have no order, and a watcher's has the run in its payload."""
        extra = max(triggering_asset_events[report_ran], key=lambda event: event.timestamp).extra
        return extra.get("payload", extra)

    StudioExportReportRunOperator(
        task_id="export",
        report=REPORT,
        run=newest(),
        path="exports/{{ ti.xcom_pull(task_ids='newest')['run'] }}.csv",
    )
