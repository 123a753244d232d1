# SPDX-License-Identifier: Apache-2.0
"""
### Refresh exactly the Reports that read a table, after it is loaded

Any of the assets in LOADED starts the DAG, and the Reports that read its table run, each once. There is no list of
Reports to maintain: `studio_report_tables` finds them every night. A task that loads a table in Airflow has the same
asset in its `outlets`; a process outside Airflow sends the event over Airflow's REST API,
`POST /api/v2/assets/events`. The path of an asset names the table: database, schema and table.

Loads that end while the Reports still run cause one further run of each. Delete the schedules that these Reports have
in Studio: the warehouse would bill both.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Asset

from airflow_provider_studio import StudioRefreshReportsOperator

LOADED = (
    Asset("snowflake://my-account/sales/analytics/orders")
    | Asset("snowflake://my-account/sales/crm/customers")
    | Asset("bigquery://my-project/web/events")
)

with DAG(
    dag_id="studio_refresh_by_table",
    schedule=LOADED,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1), "execution_timeout": timedelta(hours=2)},
    dagrun_timeout=timedelta(hours=6),
    tags=["studio", "reports"],
    doc_md=__doc__,
):
    StudioRefreshReportsOperator(task_id="refresh", deferrable=True, max_reports=100, max_running=10)
