# SPDX-License-Identifier: Apache-2.0
"""Notify people about a plan before it is applied, through any of Airflow's notifiers: SMTP, Slack, others.

A notifier of this module sends nothing itself. It reads the plan, and calls the other notifiers with one more name in
their templates.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.notifier import BaseNotifier

from airflow_provider_studio import settings

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_studio.governance.plans.plan import Plan

__all__ = ["StudioOwnersNotifier", "StudioPlanNotifier"]

_FILLED = ("subject", "html_content")
"""Fields of an e-mail notifier that are filled if they are not set."""


class _StudioNotifier(BaseNotifier):
    """Calls other notifiers with the content of a plan.

    :param notifiers: Airflow's notifiers.
    :param plan: what `StudioPlanOperator` returned, the path of a plan, or a template of either; by default what the
        notifier's own task returned.
    :param storage_path: the storage root for a relative path of a plan: by default the `storage_path` of the
        notifier's own task, else `[studio] storage_path`.
    """

    template_fields: Sequence[str] = ("plan", "storage_path")
    name = "studio_plan"

    def __init__(
        self,
        *notifiers: BaseNotifier,
        plan: Mapping[str, Any] | str | None = None,
        storage_path: str | None = None,
    ) -> None:
        super().__init__()
        if not notifiers:
            raise ValueError(f"{type(self).__name__} needs a notifier that sends, such as SmtpNotifier(to=…).")
        self.notifiers = notifiers
        self.plan = plan
        self.storage_path = storage_path

    def notify(self, context: Context) -> None:
        """Send."""
        raise NotImplementedError

    def _read(self, context: Context) -> Plan:
        from airflow_provider_studio.governance.layout import plan_path_from, workspace_of_plan
        from airflow_provider_studio.governance.plans.plan import Plan

        plan = self.plan or context["ti"].xcom_pull(task_ids=context["ti"].task_id)
        if not plan:
            raise ValueError(
                f"{type(self).__name__}: there is no plan; give plan=… or use it as a callback of the task that plans."
            )
        storage_path = self.storage_path or getattr(context.get("task"), "storage_path", None)
        storage = settings.storage(storage_path)
        text = plan if isinstance(plan, str) else plan["path"]
        workspace = workspace_of_plan(text)
        path = plan_path_from(text, storage, workspace)
        found = Plan.read(path, workspace=workspace)
        if not isinstance(plan, str) and plan.get("sha256", found.sha256) != found.sha256:
            raise ValueError(f"{path} is not the plan that was made: its hash is {found.sha256}, not {plan['sha256']}.")
        return found

    def _send(self, context: Context, notice: Any) -> None:
        """Call a copy of each notifier, because a notifier keeps its rendered templates."""
        for notifier in self.notifiers:
            sender = copy.copy(notifier)
            for field, source in zip(_FILLED, ("subject", "html"), strict=True):
                if field in sender.template_fields and getattr(sender, field, "") is None:
                    setattr(sender, field, f"{{{{ {self.name}.{source} }}}}")
            sender({**context, self.name: notice})


class StudioPlanNotifier(_StudioNotifier):
    """Notify the team about what a plan would do.

    The notifiers' templates can use `studio_plan.subject`, `.text`, `.slack` (Slack's markup) and `.html`; an
    `SmtpNotifier` without a subject and content gets them.

    For `on_success_callback` of the task that plans, or for `notifiers=` of `StudioApprovePlanOperator` with
    `plan="{{ ti.xcom_pull(task_ids='plan')['path'] }}"`.
    """

    def notify(self, context: Context) -> None:
        """Send."""
        from airflow_provider_studio.governance.plans.notification_text import plan_notice

        plan = self._read(context)
        if plan.actions:
            self._send(context, plan_notice(plan))
        else:
            self.log.info("Plan %s has no action; no notice is sent", plan.plan_id)


class StudioOwnersNotifier(_StudioNotifier):
    """Notify each owner about their Reports that the plan would archive, now or after the grace period.

    The notifiers' templates can use `studio_owner.owner` (the user name), `.email`, `.subject`, `.text`, `.slack`,
    `.html` and `.reports`. An owner without a known e-mail address gets no notice, and is named in the log.

    For `on_success_callback` of the task that plans, such as
    `StudioOwnersNotifier(SmtpNotifier(to="{{ studio_owner.email }}"))`.
    """

    name = "studio_owner"

    def notify(self, context: Context) -> None:
        """Send."""
        from airflow_provider_studio.governance.plans.notification_text import owner_notices

        sent = 0
        for notice in owner_notices(self._read(context)):
            if notice.email is None:
                self.log.warning("No e-mail address of %s is known: %d Reports", notice.owner, len(notice.reports))
            else:
                self._send(context, notice)
                sent += 1
        self.log.info("Owners who were notified: %d", sent)
