# SPDX-License-Identifier: Apache-2.0
"""For those who know already what they want: archive, unarchive, delete schedules, each under a one-off plan.

The same backup, journal, guard rails, stop switch and undo as a night's plan: there is no second way to destroy
anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_studio import settings
from airflow_provider_studio.governance.errors import RefusedError
from airflow_provider_studio.governance.text import counted
from airflow_provider_studio.operators.base import actor_of
from airflow_provider_studio.operators.execution import StudioActingOperator
from airflow_provider_studio.operators.selection import ALL, named, named_or_all

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class _StudioDirectOperator(StudioActingOperator):
    """Does one kind of thing to the Reports that it is given.

    :param reports: tokens, or addresses of their pages.
    """

    template_fields: Sequence[str] = (*StudioActingOperator.template_fields, "reports")
    kind: ClassVar[str]

    def __init__(self, *, reports: Sequence[str] | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reports = reports

    def run_with_studio(self, context: Context) -> dict[str, Any]:
        """Make the plan, and carry it out."""
        from airflow_provider_studio.governance.planning.one_off import plan_named
        from airflow_provider_studio.governance.plans.models import ActionKind, SpareReason

        rails, actor = self.guard_rails(), actor_of(context)
        plan = plan_named(
            self.hook.client,
            settings.storage(self.storage_path),
            named("reports", self.reports),
            kind=ActionKind(self.kind),
            schedules=self.chosen_schedules(),
            actor=actor,
        )
        left = {one.report: one.detail for one in plan.spared}
        for report, detail in left.items():
            self.log.info("Report %s is left alone: %s", report, detail)
        done = self.carry_out(context, plan, rails=rails, actor=actor, kinds=frozenset(ActionKind))
        result = {**done, "left_alone": left}
        refused = [f"Report {one.report}: {one.detail}" for one in plan.spared if one.reason is SpareReason.REFUSED]
        if refused:
            context["ti"].xcom_push(key="return_value", value=result)
            raise RefusedError(
                f"Studio refused {counted(len(refused), 'Report')}; everything else is done. No retry helps: give the "
                f"token the rights that it lacks, or leave them out. First: {refused[0]}"
            )
        return result

    def chosen_schedules(self) -> list[str] | None:
        """Return the schedules to delete; None for all that the Reports have."""
        return None


class StudioArchiveReportsOperator(_StudioDirectOperator):
    """Archive Reports, and delete their schedules first, which would otherwise go on firing for all that is known.

    Returns what came of it: `plan_id` (for an undo), `archived`, `schedules_deleted`, `skipped`, and `left_alone`: why
    a Report was not touched, such as that it is archived already. Fails, after all else is done, if Studio refuses a
    Report. Parameters as of `StudioApplyPlanOperator`, and

    :param reports: tokens, or addresses of their pages.
    """

    kind = "archive_report"


class StudioUnarchiveReportsOperator(_StudioDirectOperator):
    """Take Reports out of the archive. The schedules that an archiving deleted come back with `StudioUndoPlanOperator`.

    Returns what came of it: `plan_id`, `unarchived`, `left_alone`. Parameters as of `StudioApplyPlanOperator`, and

    :param reports: tokens, or addresses of their pages.
    """

    kind = "unarchive_report"


class StudioDeleteSchedulesOperator(_StudioDirectOperator):
    """Delete schedules of Reports; the API has no way back, the journal has (`StudioUndoPlanOperator`).

    Returns what came of it: `plan_id`, `schedules_deleted`, `left_alone`. Parameters as of `StudioApplyPlanOperator`,
    and

    :param reports: tokens, or addresses of their pages.
    :param schedules: tokens of the schedules to delete; `"all"`, the default, for all of these Reports'. An empty value
        is an error.
    """

    kind = "delete_schedule"
    template_fields: Sequence[str] = (*_StudioDirectOperator.template_fields, "schedules")

    def __init__(self, *, schedules: Sequence[str] | str = ALL, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.schedules = schedules

    def chosen_schedules(self) -> list[str] | None:
        """Return the schedules to delete; None for all that the Reports have."""
        return named_or_all("schedules", self.schedules)
