# SPDX-License-Identifier: Apache-2.0
"""
### A governed night

Takes a snapshot of every Report, plans what to do with stale ones, asks a person for approval, applies the plan with a
journal, refreshes one Report and exports its results.

Nothing is changed before the task `apply`, and the DAG `studio_undo` can undo its actions. The first nights change
nothing: views are totals, so only snapshots 90 days apart can prove that a Report had no views for 90 days.

The approval is in the UI under *Required Actions*: approve all, approve schedules only, or reject; no answer within 20
hours is a rejection. While the Airflow Variable `studio_stop` is set, nothing is changed.

Anyone who may trigger this DAG may set its params. Options of Airflow's `[studio]` section limit them, such as
`approval_required`, `max_actions` and `protected_collections`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Param, task

from airflow_provider_studio import (
    StudioApplyPlanOperator,
    StudioApprovePlanOperator,
    StudioExportReportRunOperator,
    StudioInventoryOperator,
    StudioPlanOperator,
    StudioRunReportOperator,
)

POLICY = {
    "unviewed_days": Param(90, type="integer", minimum=1, description="Stale: no views or edits for this many days."),
    "unrun_days": Param(
        90,
        type=["integer", "null"],
        minimum=1,
        description="Stale: no runs by a person for this many days. Empty ignores runs.",
    ),
    "minimum_age_days": Param(30, type="integer", minimum=0, description="Younger Reports are never stale."),
    "owner_left_days": Param(
        None, type=["integer", "null"], minimum=1, description="Days without views if the owner left the workspace."
    ),
    "empty_days": Param(
        None, type=["integer", "null"], minimum=1, description="Days without views if it has no query."
    ),
    "never_run_days": Param(
        None, type=["integer", "null"], minimum=1, description="Days without views if it never ran."
    ),
    "actions": Param(
        "all",
        enum=["all", "schedules"],
        description="schedules: delete the schedules of stale Reports, and archive nothing.",
    ),
    "where": Param(None, type=["string", "null"], description="A further SQL condition, such as views_90d = 0."),
    "failing_schedule_runs": Param(
        None,
        type=["integer", "null"],
        minimum=1,
        description="Delete a schedule after this many failed runs in a row; its Report stays.",
    ),
    "schedules_of_archived": Param(False, type="boolean", description="Delete the schedules of archived Reports."),
    "grace_days": Param(
        0, type="integer", minimum=0, maximum=365, description="Act this many calendar days after the first flag."
    ),
    "retry_refused_days": Param(
        7,
        type="integer",
        minimum=0,
        description="Plan a Report again this many days after Studio refused to change it.",
    ),
    "protected_collections": Param([], type="array", description="Tokens or names of Collections to protect."),
    "protected_reports": Param([], type="array", description="Tokens of Reports to protect."),
    "protected_owners": Param([], type="array", description="User names whose Reports to protect."),
    "protected_names": Param(
        ["*do not archive*"],
        type="array",
        description="Name patterns of Reports to protect: * is any text, ? is one character.",
    ),
    "keep_mark": Param(
        "#keep", type=["string", "null"], description="Protect Reports with this text in their description."
    ),
    "protected_subscribers": Param(
        1,
        type=["integer", "null"],
        minimum=0,
        description="Protect Reports that at least this many people get by e-mail. Empty protects none.",
    ),
    "protected_uses": Param(
        ["embedded", "public"], type="array", description="Protect Reports that are embedded, public or shared."
    ),
}


def policy(context: dict[str, Any], jinja_env: Any) -> dict[str, Any]:  # noqa: ARG001  Airflow's own signature
    """Return the run's policy from its params; a template would turn their lists into text."""
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
        "approval": Param(True, type="boolean", description="Wait for a person's approval."),
        "max_actions": Param(
            100, type="integer", minimum=1, maximum=1000, description="Refuse a plan with more actions."
        ),
        "max_share": Param(
            0.05,
            type="number",
            exclusiveMinimum=0,
            maximum=0.5,
            description="Refuse a plan for a larger share of the Reports.",
        ),
        "max_collection_share": Param(
            1.0,
            type="number",
            exclusiveMinimum=0,
            maximum=1,
            description="The same for each Collection.",
        ),
        "refresh_report": Param(
            None,
            type=["string", "null"],
            description="A Report to run afterwards: its token or the URL of its page.",
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
        """Select the next task: ask for approval, apply immediately, or nothing if the plan is empty."""
        if not plan["reports_to_archive"] and not plan["schedules_to_delete"]:
            return None
        return "apply" if params["approval"] is False else "approve"

    # To notify people, add StudioPlanNotifier(SmtpNotifier(to=…)) to its notifiers; see docs/governance.md.
    approve = StudioApprovePlanOperator(
        task_id="approve",
        plan=plan.output,
        response_timeout=timedelta(hours=20),
        retry_delay=timedelta(seconds=10),  # asks again soon if Airflow lost the answer
    )

    apply = StudioApplyPlanOperator(
        task_id="apply",
        plan=plan.output,
        max_actions="{{ params.max_actions }}",
        max_share="{{ params.max_share }}",
        max_collection_share="{{ params.max_collection_share }}",
        # If the param `approval` is off, none is required; otherwise only what `approve` returned is an approval.
        approval="{{ 'not_required' if params.approval is false else ti.xcom_pull(task_ids='approve') | tojson }}",
        trigger_rule="none_failed_min_one_success",
        execution_timeout=timedelta(hours=6),
    )

    @task.short_circuit(
        trigger_rule="none_failed", ignore_downstream_trigger_rules=False, execution_timeout=timedelta(minutes=5)
    )
    def wants_refresh(params: dict[str, Any]) -> bool:
        """Continue only if a Report was named."""
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
