# SPDX-License-Identifier: Apache-2.0
"""
### Find out which tables each Report reads

After the nightly inventory, `tables.parquet` is written beside its snapshot. Only Reports that were edited cost a
request. `airflow studio reports --reading analytics.orders` and the DAG `studio_refresh_by_table` use it. It needs the
extra `lineage`. Set WORKSPACE to yours.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from airflow_provider_studio import StudioReportTablesOperator, create_asset

WORKSPACE = "acme"

with DAG(
    dag_id="studio_report_tables",
    schedule=[create_asset(workspace=WORKSPACE)],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "execution_timeout": timedelta(hours=4)},
    tags=["studio", "reports"],
    doc_md=__doc__,
):
    StudioReportTablesOperator(task_id="tables")
