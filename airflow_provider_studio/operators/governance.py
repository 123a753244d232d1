# SPDX-License-Identifier: Apache-2.0
"""Plan, apply and undo: what a policy says is stale, done and taken back under a journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_studio import settings
from airflow_provider_studio.governance.errors import GovernanceError
from airflow_provider_studio.operators.base import StudioOperator, actor_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_studio.governance.policy import StalenessPolicy


class StudioPlanOperator(StudioOperator):
    """Hold the snapshots against a staleness policy and write a plan. Changes nothing in Studio.

    Returns the plan in numbers (`plan_id`, `stale`, `reports_to_archive`, `schedules_to_delete`, `spared`), its `path`,
    and its `markdown` for an approval.

    :param policy: a StalenessPolicy or its fields; checked when the DAG is parsed, unless it is templated.
    :param snapshot: the snapshot as the inventory's summary names it; the newest by default.
    :param storage_path: another place than `[studio] storage_path`.
    """

    template_fields: Sequence[str] = (*StudioOperator.template_fields, "policy", "snapshot", "storage_path")

    def __init__(
        self,
        *,
        policy: StalenessPolicy | Mapping[str, Any],
        snapshot: str | None = None,
        storage_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.policy = policy
        self.snapshot = snapshot
        self.storage_path = storage_path
        if isinstance(policy, Mapping) and "{{" not in str(policy):
            from airflow_provider_studio.governance.policy import StalenessPolicy

            StalenessPolicy.of(policy)

    def run_with_studio(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Make the plan."""
        from airflow_provider_studio.governance.planning import make_plan
        from airflow_provider_studio.governance.policy import StalenessPolicy

        storage = settings.storage(self.storage_path)
        policy = StalenessPolicy.of(self.policy)
        self.log.info("%s", policy.describe())
        plan = make_plan(storage, self.hook.client.workspace, policy, snapshot=self.snapshot)
        path = plan.write(storage)
        summary = plan.summary()
        self.log.info("Plan %s: %s", path, summary)
        return {**summary, "path": str(path), "markdown": plan.to_markdown()}


class StudioApplyPlanOperator(StudioOperator):
    """Carry a plan out: delete stale Reports' schedules, archive the Reports. A retry goes on where a try ended.

    Returns what came of it: `archived`, `schedules_deleted`, `skipped` by reason, `already_done`. Fails if any action
    did, or if the plan is larger than the guard rails allow, in which case nothing is touched.

    :param plan: what `StudioPlanOperator` returned, or the path of a plan. There is no default: nothing is ever done
        that no plan names.
    :param max_actions: how many actions a plan may have at most.
    :param max_share: which share of the workspace's Reports it may touch at most; 0.05 is 5 %.
    :param approver: who approved the plan, for the journal.
    :param storage_path: another place than `[studio] storage_path`.
    """

    template_fields: Sequence[str] = (
        *StudioOperator.template_fields,
        "plan",
        "max_actions",
        "max_share",
        "approver",
        "storage_path",
    )

    def __init__(
        self,
        *,
        plan: str | Mapping[str, Any],
        max_actions: int | str = 100,
        max_share: float | str = 0.05,
        approver: str | None = None,
        storage_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.max_actions = max_actions
        self.max_share = max_share
        self.approver = approver
        self.storage_path = storage_path

    def run_with_studio(self, context: Context) -> dict[str, Any]:
        """Apply the plan."""
        from airflow_provider_studio.governance.apply import apply_plan
        from airflow_provider_studio.governance.guard_rails import GuardRails
        from airflow_provider_studio.governance.plan import Plan

        rails = GuardRails.of(max_actions=self.max_actions, max_share=self.max_share)
        path = self.plan["path"] if isinstance(self.plan, Mapping) else self.plan
        client = self.hook.client
        plan = Plan.read(settings.in_storage(path), workspace=client.workspace)
        actor = actor_of(context) | ({"approver": str(self.approver)} if self.approver else {})
        summary = apply_plan(client, plan, settings.storage(self.storage_path), guard_rails=rails, actor=actor)
        if summary.failures:
            context["ti"].xcom_push(key="return_value", value=summary.to_dict())
            raise GovernanceError(
                f"{len(summary.failures)} actions of plan {plan.plan_id} failed"
                f"{f', and it stopped: {summary.stopped}' if summary.stopped else ''}. A retry tries them again. "
                f"First: {summary.failures[0]}"
            )
        return summary.to_dict()


class StudioUndoPlanOperator(StudioOperator):
    """Take a plan back from its journal: unarchive Reports, recreate schedules with their subscriptions.

    Returns what came of it: `unarchived`, `schedules_recreated` (new token by old), `subscribers_to_add`. Fails if
    anything could not be restored.

    :param plan_id: the plan's id.
    :param only: action ids or Report tokens to undo; everything by default.
    :param storage_path: another place than `[studio] storage_path`.
    """

    template_fields: Sequence[str] = (*StudioOperator.template_fields, "plan_id", "only", "storage_path")

    def __init__(
        self, *, plan_id: str, only: Sequence[str] | str | None = None, storage_path: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.plan_id = plan_id
        self.only = only
        self.storage_path = storage_path

    def run_with_studio(self, context: Context) -> dict[str, Any]:
        """Undo the plan."""
        from airflow_provider_studio.governance.undo import undo_plan

        summary = undo_plan(
            self.hook.client,
            settings.storage(self.storage_path),
            self.plan_id,
            only=list(self.only) if self.only else None,
            actor=actor_of(context),
        )
        if summary.failures:
            context["ti"].xcom_push(key="return_value", value=summary.to_dict())
            raise GovernanceError(f"{len(summary.failures)} actions could not be undone. First: {summary.failures[0]}")
        return summary.to_dict()
