# SPDX-License-Identifier: Apache-2.0
"""One page about a nightly DAG run, from the results of its tasks. Sends no request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_studio.governance.text import markdown

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["StudioNightSummaryOperator"]

_NUMBERS = {
    "inventory": ("reports", "archived", "schedules", "requests_spent"),
    "plan": ("stale", "reports_to_archive", "schedules_to_delete"),
    "applied": ("archived", "schedules_deleted", "already_done", "failed", "refused"),
}
_TITLES = {"inventory": "Inventory", "plan": "Plan", "applied": "Done"}


class StudioNightSummaryOperator(BaseOperator):
    """Summarize a nightly DAG run on one page of Markdown, for a mail, a chat or the DAG run.

    Returns the page, also pushes it as the XCom `markdown`, and logs it. The page names a task that did not run or
    returned nothing, so it can be written with the trigger rule `all_done`.

    :param inventory: what `StudioInventoryOperator` returned.
    :param plan: what `StudioPlanOperator` returned.
    :param applied: what `StudioApplyPlanOperator` returned.
    """

    template_fields: Sequence[str] = ("inventory", "plan", "applied")
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(template_fields, "json")
    ui_color = "#e8f1fb"

    def __init__(
        self,
        *,
        inventory: Mapping[str, Any] | None = None,
        plan: Mapping[str, Any] | None = None,
        applied: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.inventory = inventory
        self.plan = plan
        self.applied = applied

    def execute(self, context: Context) -> str:
        """Write the page."""
        page = night_in_markdown(inventory=self.inventory, plan=self.plan, applied=self.applied)
        context["ti"].xcom_push(key="markdown", value=page)
        self.log.info("%s", page)
        return page


def night_in_markdown(
    *,
    inventory: Mapping[str, Any] | None,
    plan: Mapping[str, Any] | None,
    applied: Mapping[str, Any] | None,
) -> str:
    """Return the numbers of a nightly run as tables, then the plan."""
    steps = {"inventory": inventory, "plan": plan, "applied": applied}
    workspace = next((str(step["workspace"]) for step in steps.values() if step and step.get("workspace")), None)
    lines = [f"# The night of workspace `{workspace}`" if workspace else "# The night", ""]
    lines += ["| step | what | number |", "|---|---|---|"]
    for name, step in steps.items():
        if not step:
            lines.append(f"| {_TITLES[name]} | did not run, or returned nothing | |")
            continue
        numbers = [(what, step[what]) for what in _NUMBERS[name] if isinstance(step.get(what), int | float)]
        numbers += [(f"skipped: {markdown(reason)}", count) for reason, count in _counted(step.get("skipped"))]
        numbers += [(f"spared: {markdown(reason)}", count) for reason, count in _counted(step.get("spared"))]
        lines += [f"| {_TITLES[name]} | {what.replace('_', ' ')} | {number:,} |" for what, number in numbers]
    if plan and plan.get("markdown"):
        lines += ["", str(plan["markdown"])]
    return "\n".join(lines) + "\n"


def _counted(reasons: Any) -> list[tuple[str, int]]:
    """Return the count of each reason; the steps report either counts or lists."""
    if not isinstance(reasons, Mapping):
        return []
    return [(str(reason), found if isinstance(found, int) else len(found)) for reason, found in reasons.items()]
