# SPDX-License-Identifier: Apache-2.0
"""What every operator that changes a workspace shares: guard rails, the stop switch, one journaled path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_studio import settings
from airflow_provider_studio.governance.errors import GovernanceError, RefusedError, StoppedError
from airflow_provider_studio.governance.layout import plan_path
from airflow_provider_studio.governance.text import counted
from airflow_provider_studio.operators.base import StudioOperator
from airflow_provider_studio.operators.stop_switch import stop_reason
from airflow_provider_studio.telemetry import log_group

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

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
    """Carries a plan out, and nothing else can.

    :param max_actions: how many actions a plan may have at most.
    :param max_share: which share of the workspace's Reports it may touch at most; 0.05 is 5 %.
    :param max_collection_share: the same within each Collection, of its Reports that are not archived.
    :param max_failures_in_a_row: after this many failures of the service in a row nothing more is tried. What Studio
        refuses of one Report leaves the others alone.
    :param max_refused_at_first: if Studio refuses this many Reports before anything is done, nothing more is tried.
    :param max_age_days: an older plan is refused.
    :param stop_variable: an Airflow Variable that is read before each action; while it is set (to anything but `false`,
        `no`, `off` or `0`), nothing is done. Where it cannot be read, nothing is done either.
    :param concurrency: how many Reports are worked on at once, within the token's budget.
    :param storage_path: another place than `[studio] storage_path`.
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
        stop_variable: str = "studio_stop",
        concurrency: int | str = 4,
        storage_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
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
        """Carry a plan out, or go on with it.

        :param kinds: the kinds of its actions that may be done.
        :raises GovernanceError: an action failed, or the work was stopped. What Studio refused before, as the plan
            says, is no failure.
        """
        from airflow_provider_studio.governance.execution.apply import apply_plan

        with log_group(self.log, f"Plan {plan.plan_id}: {counted(len(plan.actions), 'action')}, one by one"):
            summary = apply_plan(
                self.hook.client,
                plan,
                settings.storage(self.storage_path),
                guard_rails=rails,
                actor=actor,
                kinds=kinds,
                stop=lambda: stop_reason(self.stop_variable),
                concurrency=int(self.concurrency),
            )
        result = {**summary.to_dict(), "path": str(self._path(plan))}
        self.log.info("Plan %s: %s", plan.plan_id, result)
        for refusal in summary.refused_again:
            self.log.warning("Studio refused it again, as the plan expects: %s", refusal)
        if not summary.failures and summary.stopped is None:
            return result
        context["ti"].xcom_push(key="return_value", value=result)
        if not summary.failures:
            raise StoppedError(
                f"Plan {plan.plan_id} was stopped: {summary.stopped}. What was done is in the journal; once nothing "
                "stops it, clear this task and it goes on."
            )
        failed = (
            f"{counted(len(summary.failures), 'action')} of plan {plan.plan_id} failed"
            f"{f', and it stopped: {summary.stopped}' if summary.stopped else ''}."
        )
        if summary.retry_helps:
            raise GovernanceError(f"{failed} A retry tries them again. First: {summary.failures[0]}")
        raise RefusedError(
            f"{failed} No retry helps: give the token the rights that it lacks, or protect these Reports in the "
            f"policy. First: {summary.failures[0]}"
        )

    def _path(self, plan: Plan) -> Any:
        return plan_path(settings.storage(self.storage_path), plan.workspace, plan.plan_id)
