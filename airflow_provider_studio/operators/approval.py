# SPDX-License-Identifier: Apache-2.0
"""Ask a person before a plan is carried out, in Airflow's own "Required Actions"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import SkipMixin
from airflow.providers.standard.operators.hitl import HITLOperator

from airflow_provider_studio import settings
from airflow_provider_studio.operators.base import actor_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

APPROVE_ALL = "Approve all"
APPROVE_SCHEDULES = "Approve schedules only"
REJECT = "Reject"
DECISIONS = {APPROVE_ALL: "all", APPROVE_SCHEDULES: "schedules", REJECT: "reject"}


class StudioApprovePlanOperator(HITLOperator, SkipMixin):
    """Show a plan in Airflow's UI and wait for an answer: approve all, approve schedules only, or reject.

    No answer within `response_timeout` is a rejection. A rejection skips what comes directly after; a trigger rule of
    `none_failed` lets a task run all the same. Who answered stands in the plan's journal.

    Returns `decision` (`all`, `schedules`), `approver`, `plan_id`, for `StudioApplyPlanOperator(approval=…)`.

    :param plan: what `StudioPlanOperator` returned.
    :param subject: the headline; the plan in one line by default.
    :param response_timeout: how long to wait.
    :param storage_path: another place than `[studio] storage_path`, where the plan's journal is.
    """

    inherits_from_skipmixin = True
    template_fields: Sequence[str] = (*HITLOperator.template_fields, "plan", "storage_path")
    template_fields_renderers: ClassVar[dict[str, str]] = {"plan": "json"}

    def __init__(
        self,
        *,
        plan: Mapping[str, Any],
        subject: str = "",
        response_timeout: timedelta = timedelta(hours=20),
        storage_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            subject=subject,
            options=list(DECISIONS),
            defaults=REJECT,
            response_timeout=response_timeout,
            **kwargs,
        )
        self.plan = plan
        self.storage_path = storage_path

    def execute(self, context: Context) -> Any:
        """Ask."""
        from airflow_provider_studio.governance.words import counted

        plan = self.plan
        self.subject = self.subject or (
            f"Studio workspace {plan['workspace']}: archive {counted(plan['reports_to_archive'], 'Report')} and delete "
            f"{counted(plan['schedules_to_delete'], 'schedule')}?"
        )
        self.body = plan["markdown"]
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Write the answer into the journal, and skip what follows a rejection."""
        answer = super().execute_complete(context=context, event=event)
        decision = DECISIONS[answer["chosen_options"][0]]
        user = answer["responded_by_user"] or {}
        approver = user.get("name") or user.get("id") or "nobody in time"
        self._journal(context, decision, approver)
        if decision == "reject":
            self.log.info("Rejected by %s: what follows is skipped", approver)
            following = [one for one in context["task"].get_direct_relatives(upstream=False) if not one.is_teardown]
            if following:
                self.skip(ti=context["ti"], tasks=following)
        return {"decision": decision, "approver": approver, "plan_id": self.plan["plan_id"]}

    def _journal(self, context: Context, decision: str, approver: str) -> None:
        from airflow_provider_studio.governance.plans.journal import PLAN, Event, Journal

        journal = Journal(
            settings.storage(self.storage_path),
            self.plan["workspace"],
            self.plan["plan_id"],
            actor=actor_of(context) | {"approver": approver},
        )
        journal.write(PLAN, Event.REJECTED if decision == "reject" else Event.APPROVED, decision=decision)
