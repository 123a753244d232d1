# SPDX-License-Identifier: Apache-2.0
"""Make a plan from a policy, apply it, and undo it, all recorded in a journal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowSkipException, XComArg

from airflow_provider_studio import settings
from airflow_provider_studio.governance.errors import GovernanceError
from airflow_provider_studio.governance.text import counted
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.operators.base import StudioOperator, actor_of
from airflow_provider_studio.operators.execution import StudioActingOperator
from airflow_provider_studio.operators.selection import ALL, named_or_all
from airflow_provider_studio.operators.stop_switch import STOP_VARIABLE
from airflow_provider_studio.telemetry import log_folded

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_studio.governance.plans.policy import StalenessPolicy

__all__ = ["APPROVAL_NOT_REQUIRED", "StudioApplyPlanOperator", "StudioPlanOperator", "StudioUndoPlanOperator"]

APPROVAL_NOT_REQUIRED = "not_required"
"""The `approval` of a `StudioApplyPlanOperator` whose DAG requires none."""
_CHOICES = 'approval=approve.output (of a StudioApprovePlanOperator), or approval="not_required" to require none'


class StudioPlanOperator(StudioOperator):
    """Evaluate a staleness policy against the snapshots and write a plan. Changes nothing in Studio.

    Returns the plan in numbers (`plan_id`, `sha256`, `stale`, `reports_to_archive`, `schedules_to_delete`, `due_later`,
    `next_due_on`, `runs_saved_a_week`, `hours_saved_a_week`, `spared`), its `path`, and its `markdown` for an approval.
    The protections of the deployment are added to those of the policy.
    Reads the workspace's members from Studio if the policy depends on owners, the Reports that each stale dataset
    feeds, and who gets otherwise stale Reports by e-mail.

    :param policy: a StalenessPolicy or a mapping of its fields; checked when the DAG is parsed, unless it is templated.
    :param actions: replaces the policy's `actions`: `all`, or `schedules` to archive nothing; None keeps it.
    :param snapshot: the snapshot as the inventory's summary names it; the newest by default.
    :param plan_name: the name that the plans of this task share; `<dag_id>.<task_id>` by default, with the map index of
        a mapped task. A plan is compared with, and continues the grace of, the previous plans of the same name. Set it
        before you rename the DAG or the task; otherwise every waiting period starts again.
    :param storage_path: a storage root other than `[studio] storage_path`.
    :param studio_conn_id: the Airflow connection.
    """

    template_fields: Sequence[str] = (
        *StudioOperator.template_fields,
        "policy",
        "actions",
        "snapshot",
        "plan_name",
        "storage_path",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"policy": "json"}

    def __init__(
        self,
        *,
        policy: StalenessPolicy | Mapping[str, Any],
        actions: str | None = None,
        snapshot: str | None = None,
        plan_name: str | None = None,
        storage_path: str | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(studio_conn_id=studio_conn_id, **kwargs)
        self.policy = policy
        self.actions = actions
        self.snapshot = snapshot
        self.plan_name = plan_name
        self.storage_path = storage_path
        if isinstance(policy, Mapping) and "{{" not in str(policy) and not any(map(_is_of_a_task, policy.values())):
            from airflow_provider_studio.governance.plans.policy import StalenessPolicy

            StalenessPolicy.of(policy)

    def run_with_studio(self, context: Context) -> dict[str, Any]:
        """Make the plan."""
        from airflow_provider_studio.governance.planning.planner import make_plan
        from airflow_provider_studio.governance.planning.previous_plans import previous_plan
        from airflow_provider_studio.governance.plans.policy import StalenessPolicy

        storage, client = settings.storage(self.storage_path), self.hook.client
        policy = self.hook.limits.policy_of(StalenessPolicy.of(self.policy))
        if self.actions is not None:
            policy = StalenessPolicy.of({**policy.model_dump(), "actions": self.actions})
        self.log.info("%s", policy.describe())
        name = _default_name(context) if self.plan_name is None else self.plan_name
        signer = settings.signer()
        plan = make_plan(
            storage, client.workspace, policy, name=name, snapshot=self.snapshot, client=client, signer=signer
        )
        previous = previous_plan(storage, plan)
        path, markdown = (
            plan.write(storage, previous=previous, signer=signer),
            plan.to_markdown(previous=previous),
        )
        summary = plan.summary()
        log_folded(self.log, f"Plan {plan.plan_id} as the approver reads it", markdown.splitlines())
        self.log.info(
            "Plan %s would archive %d of %s and delete %s; due later: %d; its file is %s",
            plan.plan_id,
            summary["reports_to_archive"],
            counted(summary["reports"], "Report"),
            counted(summary["schedules_to_delete"], "schedule"),
            summary["due_later"],
            path,
        )
        return {**summary, "path": str(path), "markdown": markdown}


def _is_of_a_task(value: Any) -> bool:
    """Whether a value is the output of a task, which exists only when that has run."""
    return isinstance(value, XComArg)


def _default_name(context: Context) -> str:
    ti = context["ti"]
    mapped = f"[{ti.map_index}]" if getattr(ti, "map_index", -1) >= 0 else ""
    return f"{ti.dag_id}.{ti.task_id}{mapped}"


class StudioApplyPlanOperator(StudioActingOperator):
    """Carry out a plan: delete stale Reports' schedules, archive the Reports. A retry resumes where the last try ended.

    Returns `archived`, `schedules_deleted`, `skipped` by reason, `already_done`, `warnings`, `refused_again`, and what
    was done, also by earlier tries: `reports` (the first 20, each with `report`, `name`, `collection`, `url`, `what`),
    `reports_not_listed`, and the same as a message in `text` and in Slack's markup in `slack`.

    Skips itself if the plan was rejected. Fails if an action fails, except for refusals that the plan expects. Fails
    without a retry if the stop switch is set, and, before the first change, if the plan is larger or older than the
    guard rails permit.

    :param plan: what `StudioPlanOperator` returned, or the path of a plan in `storage_path`. There is no default:
        only the actions in a plan are carried out.
    :param approval: required: what `StudioApprovePlanOperator` returned, or `"not_required"` if the DAG requires no
        approval. A missing or empty value approves nothing. The journal must hold the same decision, for the plan with
        the same hash, and no later one. A template may choose between the two: it returns the former as JSON
        (`tojson`).
    :param approver: who approved the plan outside of Airflow, if the DAG requires no approval in Airflow. The journal
        records it as a claim of the DAG.
    :param max_actions: the largest number of actions that the plan may have.
    :param max_share: the largest share of the workspace's Reports that the plan may touch; 0.05 is 5 %.
    :param max_collection_share: the same within each Collection, of its Reports that are not archived.
    :param max_failures_in_a_row: the work stops after this many consecutive failures of the service. If Studio refuses
        a change of one Report, the other Reports are still worked on.
    :param max_refused_at_first: the work stops if Studio refuses this many Reports before any action succeeds.
    :param max_age_days: an older plan is refused.
    :param stop_variable: an Airflow Variable that is read before each action; while it is set (to anything but `false`,
        `no`, `off` or `0`), or cannot be read, nothing is changed.
    :param concurrency: how many Reports are worked on in parallel, within the token's budget.
    :param storage_path: a storage root other than `[studio] storage_path`.
    :param studio_conn_id: the Airflow connection.
    """

    template_fields: Sequence[str] = (*StudioActingOperator.template_fields, "plan", "approval", "approver")
    template_fields_renderers: ClassVar[dict[str, str]] = {"plan": "json", "approval": "json"}

    def __init__(
        self,
        *,
        plan: str | Mapping[str, Any],
        approval: Mapping[str, Any] | str | None = None,
        approver: str | None = None,
        max_actions: int | str = 100,
        max_share: float | str = 0.05,
        max_collection_share: float | str = 1.0,
        max_failures_in_a_row: int | str = 5,
        max_refused_at_first: int | str = 20,
        max_age_days: float | str = 7.0,
        stop_variable: str = STOP_VARIABLE,
        concurrency: int | str = 4,
        storage_path: str | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            max_actions=max_actions,
            max_share=max_share,
            max_collection_share=max_collection_share,
            max_failures_in_a_row=max_failures_in_a_row,
            max_refused_at_first=max_refused_at_first,
            max_age_days=max_age_days,
            stop_variable=stop_variable,
            concurrency=concurrency,
            storage_path=storage_path,
            studio_conn_id=studio_conn_id,
            **kwargs,
        )
        if approval is None:
            raise TypeError(f"StudioApplyPlanOperator needs approval, and approval is None. Give it {_CHOICES}.")
        if not approval or (isinstance(approval, str) and approval != APPROVAL_NOT_REQUIRED and "{" not in approval):
            raise ValueError(f"approval is {approval!r}. Give it {_CHOICES}.")
        self.plan = plan
        self.approval = approval
        self.approver = approver
        # Only the DAG's own text may waive the approval: an XCom, which people can edit, may not.
        self._may_waive_approval = isinstance(approval, str) and (
            APPROVAL_NOT_REQUIRED in approval or "xcom" not in approval
        )

    def run_with_studio(self, context: Context) -> dict[str, Any]:
        """Apply the plan."""
        from airflow_provider_studio.governance.plans.approval import permission_for, referenced_plan

        rails, storage = self.guard_rails(), settings.storage(self.storage_path)
        approval = _parsed(self.approval)
        self._skip_if_rejected(approval)
        plan = referenced_plan(self.plan, storage, self.hook.client.workspace)
        required = not (self._may_waive_approval and self.approval == APPROVAL_NOT_REQUIRED)
        if not required:
            self.hook.limits.check_waiver(f"approval is {APPROVAL_NOT_REQUIRED!r}")
        permission = permission_for(plan, approval, storage, required=required, signer=settings.signer())
        actor = actor_of(context) | permission.actor(named_by_dag=str(self.approver) if self.approver else None)
        return self.carry_out(context, plan, rails=rails, actor=actor, kinds=permission.kinds)

    @staticmethod
    def _skip_if_rejected(approval: Any) -> None:
        """Skip the task after a rejection. The approval has skipped it already, except in a mapped task group.

        There Airflow does not find what an earlier task of the same map index skipped.
        """
        if isinstance(approval, Mapping) and approval.get("decision") == "reject":
            raise AirflowSkipException(
                f"Plan {approval.get('plan_id')} was rejected by {approval.get('approver')}: nothing is carried out"
            )


def _parsed(approval: Any) -> Any:
    """Decode an approval that a template rendered as JSON; return any other value as it is."""
    if isinstance(approval, str) and approval.startswith("{"):
        with suppress(ValueError):
            return json.loads(approval)
    return approval


class StudioUndoPlanOperator(StudioOperator):
    """Undo a plan from its journal: unarchive Reports, recreate schedules with their subscriptions.

    Only actions of the plan are undone, within the limits of the deployment, which keep protected Reports from being
    archived again.

    Returns `unarchived`, `schedules_recreated` (new token by old), `subscribers_to_add`, `warnings` (of schedules whose
    Report stays archived). Fails if an action could not be undone, with the reason.

    :param plan_id: the plan's id.
    :param only: what to undo: ids of actions; tokens, addresses or names of Reports, as a list or separated by commas;
        `"all"`, the default, for everything. A name must be that of one Report of the plan. An empty value is an error.
    :param where: undo only the actions on Reports for which this SQL condition over the newest snapshot is true.
    :param max_snapshot_age_days: with `where`, an older snapshot is refused.
    :param concurrency: how many Reports are worked on in parallel, within the token's budget.
    :param storage_path: a storage root other than `[studio] storage_path`.
    :param studio_conn_id: the Airflow connection.
    """

    template_fields: Sequence[str] = (
        *StudioOperator.template_fields,
        "plan_id",
        "only",
        "where",
        "max_snapshot_age_days",
        "concurrency",
        "storage_path",
    )

    def __init__(
        self,
        *,
        plan_id: str,
        only: Sequence[str] | str = ALL,
        where: str | None = None,
        max_snapshot_age_days: float | str = 2.0,
        concurrency: int | str = 4,
        storage_path: str | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(studio_conn_id=studio_conn_id, **kwargs)
        self.plan_id = plan_id
        self.only = only
        self.where = where
        self.max_snapshot_age_days = max_snapshot_age_days
        self.concurrency = concurrency
        self.storage_path = storage_path

    def run_with_studio(self, context: Context) -> dict[str, Any]:
        """Undo the plan."""
        from airflow_provider_studio.governance.execution.undo import undo_plan

        summary = undo_plan(
            self.hook.client,
            settings.storage(self.storage_path),
            self.plan_id,
            only=named_or_all("only", self.only),
            where=self.where,
            max_snapshot_age_days=self.max_snapshot_age_days,
            limits=self.hook.limits,
            signer=settings.signer(),
            concurrency=int(self.concurrency),
            actor=actor_of(context),
        )
        if summary.failures:
            context["ti"].xcom_push(key="return_value", value=summary.to_dict())
            stopped = f", and it stopped: {summary.stopped}" if summary.stopped else ""

            raise GovernanceError(
                f"{counted(len(summary.failures), 'action')} could not be undone{stopped}. First: {summary.failures[0]}"
            )
        return summary.to_dict()
