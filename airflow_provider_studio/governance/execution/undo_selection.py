# SPDX-License-Identifier: Apache-2.0
"""Which actions of a plan an undo reverses: all, or those that a person names."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from airflow_provider_studio.client.identifiers import is_report_address, report_token
from airflow_provider_studio.governance.errors import JournalError
from airflow_provider_studio.governance.file_names import report_of
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.report_names import NamedReport, is_reference, tokens_of_names


def selected_actions(plan: Plan, action_ids: Iterable[str], only: Collection[str] | None) -> list[str]:
    """Return the actions to undo.

    :param action_ids: the actions that can be undone.
    :param only: ids of actions; tokens, addresses or names of Reports; all actions by default.
    :raises JournalError: an id or a token is none of these actions and their Reports.
    :raises StudioConfigurationError: no Report of the plan has a name, or several have it.
    """
    known = list(action_ids)
    if only is None:
        return known
    wanted = _references(plan, [only] if isinstance(only, str) else only)
    selected = [action_id for action_id in known if action_id in wanted or report_of(action_id) in wanted]
    missing = sorted(wanted - set(selected) - set(map(report_of, selected)))
    if missing:
        raise JournalError(f"The journal has no action or Report {', '.join(missing)}; nothing was undone.")
    return selected


def actions_on(reports: Iterable[str], action_ids: Iterable[str]) -> list[str]:
    """Return the actions on these Reports."""
    tokens = set(reports)
    return [action_id for action_id in action_ids if report_of(action_id) in tokens]


def _references(plan: Plan, only: Collection[str]) -> set[str]:
    """Return ids of actions and tokens of Reports."""
    reports = {
        action.report: NamedReport(action.report, action.report_name, action.baseline.collection)
        for action in plan.actions
    }
    known = {*reports, *(action.action_id for action in plan.actions)}
    addresses = {text: report_token(text, plan.workspace) for text in only if is_report_address(text)}
    names = [text for text in only if text not in known and not is_reference(text)]
    tokens = tokens_of_names("only", names, reports.values(), place=f"plan {plan.plan_id}")
    return {addresses.get(text) or tokens.get(text) or text for text in only}
