# SPDX-License-Identifier: Apache-2.0
"""
### A weekly e-mail to owners

Notifies each owner which of their Reports the newest plan would archive, now or after a grace period, and how to keep
them.
Reads the plan that the DAG `studio_nightly_governance` wrote; sends no request to Studio and changes nothing.

It sends through Airflow's SMTP connection `smtp_default`. An owner without a known e-mail address is named in the log.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import DAG, Param, task

from airflow_provider_studio import StudioOwnersNotifier

with DAG(
    dag_id="studio_owner_digest",
    schedule="0 8 * * 1",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 1, "retry_delay": timedelta(minutes=5)},
    dagrun_timeout=timedelta(hours=2),
    tags=["studio", "governance"],
    doc_md=__doc__,
    params={
        "workspace": Param(
            None,
            type=["string", "null"],
            description="The workspace of the plans; optional if the storage has only one.",
        ),
        "plan_name": Param(
            "studio_nightly_governance.plan",
            type=["string", "null"],
            description="The name of the plans; empty for the newest plan of any name.",
        ),
    },
):

    @task(
        execution_timeout=timedelta(minutes=30),
        on_success_callback=[StudioOwnersNotifier(SmtpNotifier(to="{{ studio_owner.email }}"))],
    )
    def newest_plan(params: dict[str, Any]) -> dict[str, str]:
        """Return the path of the newest plan, which the notifier reads."""
        from airflow_provider_studio.governance.plans.audit import newest_plan_path
        from airflow_provider_studio.settings import storage

        return {"path": str(newest_plan_path(storage(), params["workspace"], name=params["plan_name"]))}

    newest_plan()
