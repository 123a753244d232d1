# SPDX-License-Identifier: Apache-2.0
"""The base of all operators that change a workspace: guard rails, the stop switch, one journaled path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_studio import settings
from airflow_provider_studio.governance.errors import GovernanceError, RefusedError, StoppedError
from airflow_provider_studio.governance.layout import plan_path
from airflow_provider_studio.governance.text import counted
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.operators.base import StudioOperator
from airflow_provider_studio.operators.stop_switch import STOP_VARIABLE, stop_reason
from airflow_provider_studio.telemetry import log_group

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_studio.governance.execution.apply import ApplySummary
    from airflow_provider_studio.governance.execution.guard_rails import GuardRails
    from airflow_provider_studio.governance.plans.plan import Plan

GUARD_RAILS = (
    "max_actions",
    "max_share",
    "max_collection_share",
    "max_failures_in_a_row",
    "max_refused_at_first",
    "max_age_days",
)


class StudioActingOperator(StudioOperator):
    """Carries out a plan. All changes to a workspace go through this class.

    The deployment's limits (`[studio]` and the connection) apply to all of them: a parameter can only be stricter.

    :param max_actions: the largest number of actions that a plan may have.
    :param max_share: the largest share of the workspace's Reports that a plan may touch; 0.05 is 5 %.
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

    template_fields: Sequence[str] = (
        *StudioOperator.template_fields,
        *GUARD_RAILS,
        "stop_variable",
        "concurrency",
        "storage_path",
    )

    def __init__(
        self,
        *,
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
        super().__init__(studio_conn_id=studio_conn_id, **kwargs)
        self.max_actions = max_actions
        self.max_share = max_share
        self.max_collection_share = max_collection_share
        self.max_failures_in_a_row = max_failures_in_a_row
        self.max_refused_at_first = max_refused_at_first
        self.max_age_days = max_age_days
        self.stop_variable = stop_variable
        self.concurrency = concurrency
        self.storage_path = storage_path

    def guard_rails(self) -> GuardRails:
        """Return the guard rails.

        :raises GuardRailError: a value that makes no sense.
        """
        from airflow_provider_studio.governance.execution.guard_rails import GuardRails

        return GuardRails.of(**{name: getattr(self, name) for name in GUARD_RAILS})

    def carry_out(
        self,
        context: Context,
        plan: Plan,
        *,
        rails: GuardRails,
        actor: Mapping[str, str],
        kinds: frozenset[Any],
    ) -> dict[str, Any]:
        """Carry out a plan, or resume it.

        :param kinds: the kinds of actions that are permitted.
        :raises GovernanceError: an action failed, or the work was stopped. A refusal that the plan expects is no
            failure.
        """
        from airflow_provider_studio.governance.execution.apply import apply_plan
        from airflow_provider_studio.governance.plans.done_text import done_in_words
        from airflow_provider_studio.governance.signing import SignatureStatus

        signature = settings.signer().status(plan.header.identity)
        if signature is not SignatureStatus.VALID:
            self.log.warning("Plan %s is %s: only its hash was verified", plan.plan_id, signature.value)
        with log_group(self.log, f"Plan {plan.plan_id}: {counted(len(plan.actions), 'action')}, one by one"):
            summary = apply_plan(
                self.hook.client,
                plan,
                settings.storage(self.storage_path),
                guard_rails=rails,
                limits=self.hook.limits,
                signer=settings.signer(),
                actor=actor,
                kinds=kinds,
                stop=lambda: stop_reason(self.stop_variable),
                concurrency=int(self.concurrency),
            )
        path = plan_path(settings.storage(self.storage_path), plan.workspace, plan.plan_id)
        result = {**summary.to_dict(), **done_in_words(plan, summary.done), "path": str(path)}
        self.log.info("The plan is %s", path)
        for refusal in summary.refused_again:
            self.log.warning("Studio refused it again, as the plan expects: %s", refusal)
        if summary.failures or summary.stopped is not None:
            context["ti"].xcom_push(key="return_value", value=result)
            raise _failure_of(plan, summary)
        return result


def _failure_of(plan: Plan, summary: ApplySummary) -> GovernanceError:
    if not summary.failures:
        return StoppedError(
            f"Plan {plan.plan_id} was stopped: {summary.stopped}. The journal records what was done. To resume, remove "
            "the reason for the stop and clear this task."
        )
    failed = (
        f"{counted(len(summary.failures), 'action')} of plan {plan.plan_id} failed"
        f"{f', and it stopped: {summary.stopped}' if summary.stopped else ''}."
    )
    if summary.retry_helps:
        return GovernanceError(f"{failed} A retry tries them again. First: {summary.failures[0]}")
    return RefusedError(
        f"{failed} No retry helps: give the token the rights that it lacks, or protect these Reports in the "
        f"policy. First: {summary.failures[0]}"
    )
