# SPDX-License-Identifier: Apache-2.0
"""`archive` and `unarchive`: change Reports that are named or selected by a condition, after a question."""

from __future__ import annotations

import argparse
import getpass
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.cli import airflow_process
from airflow_provider_studio.cli.arguments import DEFAULT_CONN_ID, storage_root
from airflow_provider_studio.cli.command import command, confirm, say
from airflow_provider_studio.cli.output import Table
from airflow_provider_studio.client.errors import StudioConfigurationError

if TYPE_CHECKING:
    from upath import UPath

    from airflow_provider_studio.client.client import StudioClient
    from airflow_provider_studio.governance.execution.guard_rails import GuardRails
    from airflow_provider_studio.governance.plans.deployment_limits import DeploymentLimits
    from airflow_provider_studio.governance.plans.models import ActionKind
    from airflow_provider_studio.governance.plans.plan import Plan


@command
def archive(options: argparse.Namespace) -> Table:
    """Archive Reports and return each action with its state."""
    from airflow_provider_studio.governance.plans.models import ActionKind

    return _run(options, ActionKind.ARCHIVE_REPORT)


@command
def unarchive(options: argparse.Namespace) -> Table:
    """Unarchive Reports and return each action with its state."""
    from airflow_provider_studio.governance.plans.models import ActionKind

    return _run(options, ActionKind.UNARCHIVE_REPORT)


def _run(options: argparse.Namespace, kind: ActionKind) -> Table:
    from airflow_provider_studio import settings
    from airflow_provider_studio.governance.execution.guard_rails import GuardRails
    from airflow_provider_studio.governance.planning.one_off import one_off_plan
    from airflow_provider_studio.governance.plans.models import ActionKind
    from airflow_provider_studio.governance.plans.snapshot_query import select_reports
    from airflow_provider_studio.governance.storage import utcnow
    from airflow_provider_studio.governance.workspace_host import check_host
    from airflow_provider_studio.operators.selection import named

    if (options.reports is None) == (options.where is None):
        raise StudioConfigurationError("Give the Reports with --reports, or a condition with --where, and not both.")
    storage = settings.storage(storage_root(options.storage))
    hook = airflow_process.studio_hook(options.conn or DEFAULT_CONN_ID)
    client, limits = hook.client, hook.limits
    verb = "archive" if kind is ActionKind.ARCHIVE_REPORT else "unarchive"
    own_name = f"airflow studio {verb}"
    if kind is ActionKind.ARCHIVE_REPORT:
        limits.check_waiver(f"`{own_name}` acts without an approval")
    reports = [] if options.reports is None else named("--reports", options.reports)
    rails = GuardRails.of(max_actions=options.max_actions, max_share=options.max_share)
    selected = select_reports(storage, client.workspace, reports, options.where)
    check_host(client, storage)
    plan = one_off_plan(client, selected, kind=kind, limits=limits, name=own_name, at=utcnow())
    for spared in plan.spared:
        say(f"Left alone: Report {spared.report}: {spared.detail}")
    if not plan.actions:
        say("Nothing to do." if plan.spared else f"No Report of the newest snapshot matches {options.where}.")
        return Table.of([])
    rails.within(limits).check(plan, utcnow())
    if not options.yes:
        confirm(_rows(plan), plan.plan_id, verb)
    return _carry_out(client, plan, storage, rails, limits, command_name=own_name)


def _carry_out(
    client: StudioClient, plan: Plan, storage: UPath, rails: GuardRails, limits: DeploymentLimits, *, command_name: str
) -> Table:
    """Carry out a plan and return each action with its state."""
    from airflow_provider_studio import settings
    from airflow_provider_studio.governance.execution.apply import apply_plan
    from airflow_provider_studio.governance.plans.audit import Audit
    from airflow_provider_studio.operators.stop_switch import STOP_VARIABLE, stop_reason

    summary = apply_plan(
        client,
        plan,
        storage,
        guard_rails=rails,
        limits=limits,
        signer=settings.signer(),
        actor={"user": getpass.getuser(), "command": command_name},
        stop=lambda: stop_reason(STOP_VARIABLE),
    )
    for problem in [*summary.failures, *([summary.stopped] if summary.stopped else [])]:
        say(f"Not done: {problem}")
    say(f"To undo it: airflow studio undo {plan.plan_id}")
    states = {
        status.action.action_id: status.state.value
        for status in Audit(storage, client.workspace).action_statuses(plan.plan_id)
    }
    rows = [{**row, "state": states[row["action"]]} for row in _rows(plan)]
    return Table.of(rows, failed=bool(summary.failures or summary.stopped))


def _rows(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "action": action.action_id,
            "report": action.report,
            "name": action.report_name,
            "owner": action.owner,
            "schedule": action.schedule or "",
        }
        for action in plan.actions
    ]
