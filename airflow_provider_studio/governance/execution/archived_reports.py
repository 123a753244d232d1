# SPDX-License-Identifier: Apache-2.0
"""Warnings that a schedule is restored while its Report stays archived.

Whether Studio runs the schedules of an archived Report is not documented. Either way such a schedule helps nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioError
from airflow_provider_studio.governance.plans.models import Action, ActionKind

_CONSEQUENCE = "Studio may never run them, and nobody sees the results if it does. Unarchive the Report, too."


def warning_before(actions: Iterable[Action], undone: Collection[str]) -> list[str]:
    """Return a warning for each Report whose schedules an undo recreates and which it leaves archived.

    :param actions: the plan's actions that were done.
    :param undone: the ids of those that the undo reverses.
    """
    actions = list(actions)
    archived = {
        action.report
        for action in actions
        if action.baseline.archived or (action.kind is ActionKind.ARCHIVE_REPORT and action.action_id not in undone)
    }
    recreated = {
        action.report for action in actions if action.kind is ActionKind.DELETE_SCHEDULE and action.action_id in undone
    }
    return [
        f"Schedules of Report {report} will exist again, but the Report stays archived: {_CONSEQUENCE}"
        for report in sorted(archived & recreated)
    ]


def warning_after(client: StudioClient, report: str) -> str | None:
    """Return a warning if a Report whose schedules were recreated is archived; None if it is not. One request."""
    try:
        if not client.get_report(report).archived:
            return None
    except StudioError as error:
        return f"Schedules of Report {report} exist again. Whether the Report is archived cannot be read: {error}"
    return f"Schedules of Report {report} exist again, but the Report is archived: {_CONSEQUENCE}"
