# SPDX-License-Identifier: Apache-2.0
"""Request a person's approval of a plan in Airflow's "Required Actions"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, SkipMixin
from airflow.providers.standard.operators.hitl import HITLOperator

from airflow_provider_studio import settings
from airflow_provider_studio.client.errors import StudioError
from airflow_provider_studio.governance.plans.answers import ANSWERS, REJECT, SHOWN_PLAN
from airflow_provider_studio.operators.base import actor_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.notifier import BaseNotifier
    from airflow.providers.common.compat.sdk import Context
    from airflow.sdk.execution_time.hitl import HITLUser

    from airflow_provider_studio.governance.plans.plan import Plan

__all__ = ["StudioApprovePlanOperator"]


class StudioApprovePlanOperator(HITLOperator, SkipMixin):
    """Show a plan in Airflow's UI and wait for a decision: approve all, approve schedules only, or reject.

    A plan with nothing to do needs no decision: the task skips itself. No decision within `response_timeout` is a
    rejection. A rejection skips the tasks directly downstream; a task with
    the trigger rule `none_failed` still runs. The plan's journal records the decision, the person, and the plan's hash.

    The page shows the plan's file after its hash is verified. If the plan changes before the decision, nothing is
    approved; nor if Airflow still shows an earlier plan, because a waiting run's tasks were cleared.

    The approver is the person in Airflow's own record of the answer. Only a person can approve, and if there are
    `assigned_users`, only one of them.

    Returns `decision` (`all`, `schedules`), `approver`, `plan_id`, `sha256`, for `StudioApplyPlanOperator(approval=…)`.

    :param plan: what `StudioPlanOperator` returned.
    :param subject: the headline; the plan in one line by default.
    :param response_timeout: how long to wait.
    :param notifiers: notifiers that are called when the task starts to wait, such as `StudioPlanNotifier`.
    :param assigned_users: the users who may decide; by default everyone with access to the DAG's required actions.
    :param storage_path: a storage root other than `[studio] storage_path`, where the plan's journal is.
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
        notifiers: Sequence[BaseNotifier] | BaseNotifier | None = None,
        assigned_users: HITLUser | list[HITLUser] | None = None,
        storage_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            subject=subject,
            options=list(ANSWERS),
            defaults=REJECT,
            response_timeout=response_timeout,
            notifiers=notifiers,
            assigned_users=assigned_users,
            **kwargs,
        )
        self.plan = plan
        self.storage_path = storage_path

    def execute(self, context: Context) -> Any:
        """Show the plan, and wait for the decision."""
        from airflow_provider_studio.governance.planning.previous_plans import previous_plan
        from airflow_provider_studio.governance.plans.changes import request_in_words

        plan = self._plan()
        if not plan.actions:
            raise AirflowSkipException(f"Plan {plan.plan_id} has nothing to do, so nobody is asked")
        self.subject = self.subject or f"Studio workspace {plan.workspace}: {request_in_words(plan.actions)}?"
        self.body = plan.to_markdown(previous=previous_plan(settings.storage(self.storage_path), plan))
        self._check_shown(context, plan)
        context["ti"].xcom_push(key=SHOWN_PLAN, value=plan.sha256)
        return super().execute(context)

    def _check_shown(self, context: Context, plan: Plan) -> None:
        """Check that Airflow shows this plan: it keeps the text of a task's first question, also for later tries.

        :raises AirflowFailException: it shows another plan.
        """
        from airflow.sdk.execution_time.comms import CreateHITLDetailPayload
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        question = CreateHITLDetailPayload(
            ti_id=context["ti"].id,
            options=self.options,
            subject=self.subject,
            body=self.body,
            defaults=self.defaults,
            params=self.serialized_params,
            multiple=self.multiple,
            assigned_users=[{"id": user["id"], "name": user["name"]} for user in self.assigned_users or []],
        )
        shown = getattr(SUPERVISOR_COMMS.send(question), "body", None)
        if shown is not None and plan.sha256 not in shown:
            raise AirflowFailException(
                f"Airflow still shows an earlier plan under Required Actions, not plan {plan.plan_id}: it keeps the "
                "text of a task's first question. Nothing is approved. Trigger a new DAG run."
            )

    def _plan(self) -> Plan:
        """Read the plan, and verify its hash.

        :raises AirflowFailException: the plan is missing, or was replaced.
        """
        from airflow_provider_studio.governance.plans.approval import referenced_plan

        workspace = str(self.plan.get("workspace")) if isinstance(self.plan, Mapping) else ""
        try:
            plan = referenced_plan(self.plan, settings.storage(self.storage_path), workspace)
            plan.check_signature(settings.signer())
        except StudioError as error:
            if error.retry_helps:
                raise
            raise AirflowFailException(f"{type(error).__name__}: {error}") from error
        return plan

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Write the decision into the journal, and skip the downstream tasks after a rejection."""
        response = super().execute_complete(context=context, event=event)
        plan = self._plan()
        shown = context["ti"].xcom_pull(
            task_ids=self.task_id, key=SHOWN_PLAN, map_indexes=getattr(context["ti"], "map_index", -1)
        )
        if shown != plan.sha256:
            raise AirflowFailException(
                f"The decision is about a plan with the hash {shown}, but plan {plan.plan_id} has {plan.sha256}: the "
                "plan changed before the decision. Nothing is approved. Clear this task to request a new one."
            )
        options = response["chosen_options"]
        if len(options) != 1:
            raise AirflowFailException(
                f"The decision is {options!r}; it must be exactly one of {list(ANSWERS)}. Nothing is approved. Clear "
                "this task to request a new one."
            )
        decision = ANSWERS[options[0]]
        user = response["responded_by_user"]
        if decision != "reject":
            self._check_person(user, options[0])
        approver = (user and (user.get("name") or user.get("id"))) or "nobody in time"
        self._journal(context, plan, decision, approver)
        if decision != "reject":
            self.log.info("Plan %s is approved by %s: %s", plan.plan_id, approver, options[0])
        else:
            self.log.info("Rejected by %s: the tasks directly downstream are skipped", approver)
            downstream = [task for task in context["task"].get_direct_relatives(upstream=False) if not task.is_teardown]
            if downstream:
                self.skip(ti=context["ti"], tasks=downstream)
        return {"decision": decision, "approver": approver, "plan_id": plan.plan_id, "sha256": plan.sha256}

    def _check_person(self, user: HITLUser | None, option: str) -> None:
        """Check that Airflow's record of an approval names a person who may give it.

        :raises AirflowFailException: it does not.
        """
        if not user or not user.get("id"):
            raise AirflowFailException(
                f"Airflow's record of the answer {option!r} names no person. Nothing is approved. Clear this task to "
                "request a new decision."
            )
        assigned = {str(assigned["id"]) for assigned in self.assigned_users or []}
        if assigned and str(user["id"]) not in assigned:
            raise AirflowFailException(
                f"{user.get('name') or user['id']} (id {user['id']}) answered {option!r}, but assigned_users are "
                f"{', '.join(sorted(assigned))}. Nothing is approved. Clear this task to request a new decision."
            )

    def _journal(self, context: Context, plan: Plan, decision: str, approver: str) -> None:
        from airflow_provider_studio.governance.plans.journal import PLAN, Event, Journal

        journal = Journal(
            settings.storage(self.storage_path),
            plan.workspace,
            plan.plan_id,
            actor=actor_of(context) | {"approver": approver},
            sha256=plan.sha256,
            signer=settings.signer(),
        )
        journal.write(PLAN, Event.REJECTED if decision == "reject" else Event.APPROVED, decision=decision)
