# SPDX-License-Identifier: Apache-2.0
"""Archive, unarchive or delete schedules of Reports that a DAG names or selects, each under a one-off plan.

A one-off plan has the same backup, journal, guard rails, stop switch and undo as a nightly plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_studio import settings
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.governance.errors import RefusedError
from airflow_provider_studio.governance.text import counted
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.operators.base import actor_of
from airflow_provider_studio.operators.execution import StudioActingOperator
from airflow_provider_studio.operators.selection import ALL, named, named_or_all
from airflow_provider_studio.operators.stop_switch import STOP_VARIABLE

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["StudioArchiveReportsOperator", "StudioDeleteSchedulesOperator", "StudioUnarchiveReportsOperator"]


class _StudioOneOffOperator(StudioActingOperator):
    """Does one kind of action to the Reports that are named or selected.

    `StudioApplyPlanOperator` documents the other parameters. Give exactly one of `reports` and `where`.

    :param reports: tokens of Reports, URLs of their pages, or names in the newest snapshot; as a list, or separated by
        commas.
    :param where: a SQL condition over the columns of `airflow studio inventory`, evaluated over the newest snapshot.
    :param max_snapshot_age_days: an older snapshot is refused.
    :raises StudioConfigurationError: neither `reports` nor `where`, or both.
    """

    template_fields: Sequence[str] = (
        *StudioActingOperator.template_fields,
        "reports",
        "where",
        "max_snapshot_age_days",
    )
    kind: ClassVar[str]

    def __init__(
        self,
        *,
        reports: Sequence[str] | str | None = None,
        where: str | None = None,
        max_snapshot_age_days: float | str = 2.0,
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
        if (reports is None) == (where is None):
            raise StudioConfigurationError(
                f"reports is {reports!r} and where is {where!r}; give the Reports, or a condition that selects them, "
                "and not both."
            )
        self.reports = reports
        self.where = where
        self.max_snapshot_age_days = max_snapshot_age_days

    def run_with_studio(self, context: Context) -> dict[str, Any]:
        """Make the plan, and carry it out."""
        from airflow_provider_studio.governance.planning.one_off import plan_named
        from airflow_provider_studio.governance.plans.models import ActionKind, SpareReason

        rails, actor, limits = self.guard_rails(), actor_of(context), self.hook.limits
        if self.kind != ActionKind.UNARCHIVE_REPORT:
            limits.check_waiver(f"{type(self).__name__} acts without an approval")
        plan = plan_named(
            self.hook.client,
            settings.storage(self.storage_path),
            () if self.where is not None else named("reports", self.reports),
            where=self.where,
            max_snapshot_age_days=self.max_snapshot_age_days,
            kind=ActionKind(self.kind),
            schedules=self.selected_schedules(),
            actor=actor,
            limits=limits,
            signer=settings.signer(),
        )
        if self.where is not None and not plan.actions and not plan.spared:
            self.log.info("No Report of the newest snapshot matches %s: nothing to do", self.where)
        left_alone = {spared.report: spared.detail for spared in plan.spared}
        for report, detail in left_alone.items():
            self.log.info("Report %s is left alone: %s", report, detail)
        summary = self.carry_out(context, plan, rails=rails, actor=actor, kinds=frozenset(ActionKind))
        result = {**summary, "left_alone": left_alone}
        refused = [
            f"Report {spared.report}: {spared.detail}" for spared in plan.spared if spared.reason is SpareReason.REFUSED
        ]
        if refused:
            context["ti"].xcom_push(key="return_value", value=result)
            raise RefusedError(
                f"Studio refused {counted(len(refused), 'Report')}; everything else is done. No retry helps: give the "
                f"token the rights that it lacks, or leave them out. First: {refused[0]}"
            )
        return result

    def selected_schedules(self) -> list[str] | None:
        """Return the schedules to delete; None for all schedules of the Reports."""
        return None


class StudioArchiveReportsOperator(_StudioOneOffOperator):
    """Archive Reports. Their schedules are deleted first, because they may continue to run.

    Returns `plan_id` (for an undo), `archived`, `schedules_deleted`, `skipped`, and `left_alone`: why a Report was not
    touched, such as that it is archived already. If Studio refuses a Report, the task fails after all other actions are
    done.

    `StudioApplyPlanOperator` documents the other parameters. Give exactly one of `reports` and `where`.

    :param reports: tokens of Reports, URLs of their pages, or names in the newest snapshot.
    :param where: a SQL condition over the newest snapshot, such as `"creator = 'ada'"`. A Report that was used, edited
        or moved since is left alone.
    :param max_snapshot_age_days: an older snapshot is refused.
    """

    kind = "archive_report"


class StudioUnarchiveReportsOperator(_StudioOneOffOperator):
    """Unarchive Reports. To restore the schedules that were deleted with them, use `StudioUndoPlanOperator`.

    Returns `plan_id`, `unarchived`, `left_alone`.

    `StudioApplyPlanOperator` documents the other parameters. Give exactly one of `reports` and `where`.

    :param reports: tokens of Reports, URLs of their pages, or names in the newest snapshot.
    :param where: a SQL condition over the newest snapshot, such as `"creator = 'ada'"`. A Report that was used, edited
        or moved since is left alone.
    :param max_snapshot_age_days: an older snapshot is refused.
    """

    kind = "unarchive_report"


class StudioDeleteSchedulesOperator(_StudioOneOffOperator):
    """Delete schedules of Reports. The API cannot restore them; `StudioUndoPlanOperator` can, from the journal.

    Returns `plan_id`, `schedules_deleted`, `left_alone`.

    `StudioApplyPlanOperator` documents the other parameters. Give exactly one of `reports` and `where`.

    :param reports: tokens of Reports, URLs of their pages, or names in the newest snapshot.
    :param where: a SQL condition over the newest snapshot, such as `"creator = 'ada'"`. A Report that was used, edited
        or moved since is left alone.
    :param max_snapshot_age_days: an older snapshot is refused.
    :param schedules: tokens of the schedules to delete; `"all"`, the default, for all schedules of these Reports. An
        empty value is an error.
    """

    kind = "delete_schedule"
    template_fields: Sequence[str] = (*_StudioOneOffOperator.template_fields, "schedules")

    def __init__(
        self,
        *,
        reports: Sequence[str] | str | None = None,
        where: str | None = None,
        max_snapshot_age_days: float | str = 2.0,
        schedules: Sequence[str] | str = ALL,
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
            reports=reports,
            where=where,
            max_snapshot_age_days=max_snapshot_age_days,
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
        self.schedules = schedules

    def selected_schedules(self) -> list[str] | None:
        """Return the schedules to delete; None for all schedules of the Reports."""
        return named_or_all("schedules", self.schedules)
