# SPDX-License-Identifier: Apache-2.0
"""
### A governed night

Takes a snapshot of every Report, makes a plan of what is stale, asks a person to approve it, carries it out under a
journal, and refreshes one Report and exports its results.

Nothing is changed before the task `apply`, and what it did can be taken back with the DAG `studio_undo`. A workspace's
first nights change nothing: views are totals, so *not viewed for 90 days* takes snapshots 90 days apart to prove.

The approval waits in the UI under *Required Actions*: approve all, approve schedules only, or reject; no answer in 20
hours is a rejection. While the Airflow Variable `studio_stop` is set, nothing is changed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Param, task

from airflow_provider_studio.operators.approval import StudioApprovePlanOperator
from airflow_provider_studio.operators.inventory import StudioInventoryOperator
from airflow_provider_studio.operators.plans import StudioApplyPlanOperator, StudioPlanOperator
from airflow_provider_studio.operators.reports import StudioExportReportRunOperator, StudioRunReportOperator

POLICY = {
    "unviewed_days": Param(90, type="integer", minimum=1, description="Stale: not viewed or edited for so long."),
    "unrun_days": Param(
        90, type=["integer", "null"], minimum=1, description="Stale: nor run by a person. Empty does not look at runs."
    ),
    "minimum_age_days": Param(30, type="integer", minimum=0, description="Younger Reports are left alone."),
    "owner_left_days": Param(
        None, type=["integer", "null"], minimum=1, description="Fewer days, where the owner left the workspace."
    ),
    "empty_days": Param(None, type=["integer", "null"], minimum=1, description="Fewer days, where there is no query."),
    "never_run_days": Param(None, type=["integer", "null"], minimum=1, description="Fewer days, where it never ran."),
    "where": Param(
        None, type=["string", "null"], description="A condition in SQL that must hold too, such as views_90d = 0."
    ),
    "failing_schedule_runs": Param(
        None,
        type=["integer", "null"],
        minimum=1,
        description="Delete a schedule after so many failed runs in a row; its Report stays.",
    ),
    "schedules_of_archived": Param(False, type="boolean", description="Delete the schedules of archived Reports."),
    "grace_days": Param(
        0, type="integer", minimum=0, maximum=365, description="Act this many calendar days after the first flag."
    ),
    "retry_refused_days": Param(
        7, type="integer", minimum=0, description="Plan a Report again this many days after Studio refused it."
    ),
    "protected_collections": Param([], type="array", description="Tokens or names of Collections to leave alone."),
    "protected_reports": Param([], type="array", description="Tokens of Reports to leave alone."),
    "protected_owners": Param([], type="array", description="User names whose Reports to leave alone."),
    "protected_names": Param(
        ["*do not archive*"],
        type="array",
        description="Patterns of Reports' names to leave alone: * is any text, ? is one character.",
    ),
    "keep_mark": Param(
        "#keep", type=["string", "null"], description="Leave alone what has this text in its description."
    ),
}


def policy(context: dict[str, Any], jinja_env: Any) -> dict[str, Any]:  # noqa: ARG001  Airflow's own signature
    """Return the run's policy: the params as they are, which no template can render without turning lists to text."""
    return {name: context["params"][name] for name in POLICY}


with DAG(
    dag_id="studio_nightly_governance",
    schedule="0 3 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    dagrun_timeout=timedelta(days=2),
    tags=["studio", "governance"],
    doc_md=__doc__,
    params={
        **POLICY,
        "approval": Param(True, type="boolean", description="Wait for a person before anything is changed."),
        "max_actions": Param(100, type="integer", minimum=1, description="A larger plan is refused."),
        "max_share": Param(
            0.05,
            type="number",
            exclusiveMinimum=0,
            maximum=1,
            description="Share of the Reports that a plan may touch.",
        ),
        "max_collection_share": Param(
            1.0,
            type="number",
            exclusiveMinimum=0,
            maximum=1,
            description="The same within each Collection.",
        ),
        "refresh_report": Param(
            None,
            type=["string", "null"],
            description="A Report to run afterwards: its token or the address of its page.",
        ),
    },
):
    inventory = StudioInventoryOperator(task_id="inventory", execution_timeout=timedelta(hours=6))

    plan = StudioPlanOperator(
        task_id="plan",
        policy=policy,
        snapshot="{{ ti.xcom_pull(task_ids='inventory')['snapshot'] }}",
        execution_timeout=timedelta(hours=1),
    )

    @task.branch(execution_timeout=timedelta(minutes=5))
    def decide(plan: dict[str, Any], params: dict[str, Any]) -> str | None:
        """Ask a person, act at once, or have nothing to do."""
        if not plan["reports_to_archive"] and not plan["schedules_to_delete"]:
            return None
        return "apply" if params["approval"] is False else "approve"

    # To tell people, hang notifiers on it: StudioPlanNotifier(SmtpNotifier(to=…)); see docs/governance.md.
    approve = StudioApprovePlanOperator(
        task_id="approve",
        plan=plan.output,
        response_timeout=timedelta(hours=20),
        retry_delay=timedelta(seconds=10),  # asks again soon where Airflow lost the first answer
    )

    apply = StudioApplyPlanOperator(
        task_id="apply",
        plan=plan.output,
        max_actions="{{ params.max_actions }}",
        max_share="{{ params.max_share }}",
        max_collection_share="{{ params.max_collection_share }}",
        # A run whose param `approval` is off needs none; in any other, what `approve` did not return is no approval.
        approval="{{ 'not_required' if params.approval is false else ti.xcom_pull(task_ids='approve') | tojson }}",
        trigger_rule="none_failed_min_one_success",
        execution_timeout=timedelta(hours=6),
    )

    @task.short_circuit(
        trigger_rule="none_failed", ignore_downstream_trigger_rules=False, execution_timeout=timedelta(minutes=5)
    )
    def wants_refresh(params: dict[str, Any]) -> bool:
        """Go on only where a Report was named."""
        return bool(params["refresh_report"])

    refresh = StudioRunReportOperator(
        task_id="refresh", report="{{ params.refresh_report }}", execution_timeout=timedelta(hours=2)
    )

    export = StudioExportReportRunOperator(
        task_id="export",
        report="{{ ti.xcom_pull(task_ids='refresh')['report'] }}",
        run=refresh.output,
        path="exports/{{ ti.xcom_pull(task_ids='refresh')['report'] }}/{{ ti.xcom_pull(task_ids='refresh')['run'] }}",
        execution_timeout=timedelta(hours=1),
    )

    decided = decide(plan.output)
    inventory >> plan
    decided >> [approve, apply]
    approve >> apply >> wants_refresh() >> refresh >> export
