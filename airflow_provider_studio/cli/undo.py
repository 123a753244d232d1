# SPDX-License-Identifier: Apache-2.0
"""`undo`: undo a plan from its journal, after a question."""

from __future__ import annotations

import argparse
import getpass
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.cli import airflow_process
from airflow_provider_studio.cli.arguments import DEFAULT_CONN_ID, storage_root
from airflow_provider_studio.cli.command import command, confirm, say
from airflow_provider_studio.cli.output import Table

if TYPE_CHECKING:
    from airflow_provider_studio.governance.plans.audit import ActionStatus


@command
def run(options: argparse.Namespace) -> Table:
    """Undo the plan and return each action with its new state."""
    from airflow_provider_studio import settings
    from airflow_provider_studio.governance.execution.archived_reports import warning_before
    from airflow_provider_studio.governance.execution.undo import undo_plan
    from airflow_provider_studio.governance.execution.undo_selection import actions_on, selected_actions
    from airflow_provider_studio.governance.plans.audit import ActionState, Audit
    from airflow_provider_studio.governance.plans.snapshot_query import SnapshotQuery
    from airflow_provider_studio.operators.selection import named

    storage = settings.storage(storage_root(options.storage))
    hook = airflow_process.studio_hook(options.conn or DEFAULT_CONN_ID)
    client = hook.client
    audit = Audit(storage, client.workspace)
    done = [status for status in audit.action_statuses(options.plan) if status.state is ActionState.DONE]
    only = None if options.only is None else named("--only", options.only)
    plan = audit.plan(options.plan)
    selected = selected_actions(plan, (action.action_id for action in plan.actions), only)
    if options.where is not None:
        selected = actions_on(SnapshotQuery(storage, client.workspace).matching(options.where).tokens, selected)
        if not selected:
            say(f"No action of plan {options.plan} is on a Report that matches {options.where}. Nothing to undo.")
            return Table.of([])
    to_undo = [status for status in done if status.action.action_id in selected]
    if to_undo and not options.yes:
        for warning in warning_before((status.action for status in done), selected):
            say(warning)
        confirm([_row(status) for status in to_undo], options.plan, "undo")
    actor = {"user": getpass.getuser(), "command": "airflow studio undo"}
    summary = undo_plan(
        client,
        storage,
        options.plan,
        only=only,
        where=options.where,
        limits=hook.limits,
        signer=settings.signer(),
        actor=actor,
    )
    for token, count in summary.subscribers_to_add.items():
        say(f"Add {count} e-mail subscribers again to the schedule {token}: the API cannot add them.")
    for warning in summary.warnings:
        say(warning)
    for failure in summary.failures:
        say(f"Not undone: {failure}")
    statuses = audit.action_statuses(options.plan)
    rows = [_row(status) for status in statuses if status.action.action_id in selected]
    return Table.of(rows, failed=bool(summary.failures))


def _row(status: ActionStatus) -> dict[str, Any]:
    return {
        "action": status.action.action_id,
        "report": status.action.report,
        "name": status.action.report_name,
        "schedule": status.action.schedule or "",
        "state": status.state.value,
    }
