# SPDX-License-Identifier: Apache-2.0
"""`plan`: print what a staleness policy would do tonight. Writes no plan and changes nothing."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.cli import airflow_process
from airflow_provider_studio.cli.arguments import other_workspace, storage_root, workspace_with_snapshots
from airflow_provider_studio.cli.command import command, say
from airflow_provider_studio.cli.output import Table
from airflow_provider_studio.client.errors import StudioConfigurationError

if TYPE_CHECKING:
    from upath import UPath

    from airflow_provider_studio.governance.plans.models import Action, PlanHeader
    from airflow_provider_studio.governance.plans.plan import Plan
    from airflow_provider_studio.governance.plans.policy import StalenessPolicy

_FORMS = "Name a JSON file with the policy's fields, or a policy in Python as package.module:NAME"


@command
def run(options: argparse.Namespace) -> Table:
    """Return the actions of the plan, or with `--compare` the totals of several plans."""
    from airflow_provider_studio import settings
    from airflow_provider_studio.governance.planning.planner import DEFAULT_NAME, make_plan

    storage = settings.storage(storage_root(options.storage))
    hook = None if options.conn is None else airflow_process.studio_hook(options.conn)
    client = None if hook is None else hook.client
    limits = settings.limits({}) if hook is None else hook.limits
    workspace = workspace_with_snapshots(storage, options.workspace) if client is None else client.workspace
    if options.workspace not in {None, workspace}:
        raise StudioConfigurationError(other_workspace(options.workspace, options.conn, workspace))
    newest = _newest_plan(storage, workspace)
    policy = _policy(options.policy, newest)
    name = DEFAULT_NAME if newest is None or newest.name is None else newest.name

    def planned(policy: StalenessPolicy) -> Plan:
        return make_plan(storage, workspace, limits.policy_of(policy), name=name, client=client)

    if options.compare is not None:
        policies = _compared(options.compare, policy)
        return Table.of({"policy": label, **_totals(planned(compared))} for label, compared in policies)
    plan = planned(policy)
    _describe(plan)
    return Table.of(_row(action) for action in plan.actions)


def _newest_plan(storage: UPath, workspace: str) -> PlanHeader | None:
    from airflow_provider_studio.governance.plans.audit import Audit

    return next((header for header in Audit(storage, workspace).headers() if not header.is_one_off), None)


def _policy(text: str | None, newest: PlanHeader | None) -> StalenessPolicy:
    from airflow_provider_studio.governance.plans.policy import StalenessPolicy

    if text is not None:
        return _read_policy("--policy", text)
    if newest is None:
        say("No plan exists yet, so this is the default policy.")
        return StalenessPolicy()
    say(f"The policy of plan {newest.plan_id} ({newest.created_at:%Y-%m-%d %H:%M} UTC):")
    return StalenessPolicy.of_plan(newest.policy)


def _read_policy(argument: str, text: str) -> StalenessPolicy:
    """Return the policy that an argument names.

    :raises StudioConfigurationError: there is no such file or object.
    """
    from airflow_provider_studio.governance.plans.policy import StalenessPolicy

    module, colon, name = text.partition(":")
    try:
        if colon and not Path(text).exists():
            import importlib

            return StalenessPolicy.of(getattr(importlib.import_module(module), name))
        return StalenessPolicy.of(json.loads(Path(text).expanduser().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, ImportError, AttributeError) as error:
        raise StudioConfigurationError(f"{argument} is {text!r}, which holds no policy: {error}. {_FORMS}.") from None


def _compared(text: str, policy: StalenessPolicy) -> Iterator[tuple[str, StalenessPolicy]]:
    """Yield each policy of `--compare` with its label; a number replaces `unviewed_days` of the policy."""
    for part in (part.strip() for part in text.split(",")):
        if part.isdecimal():
            yield f"{part} days", policy.of(policy.model_dump() | {"unviewed_days": int(part)})
        else:
            yield part, _read_policy("--compare", part)


def _totals(plan: Plan) -> dict[str, Any]:
    summary = plan.summary()
    names = ("reports_to_archive", "schedules_to_delete", "due_later", "runs_saved_a_week", "hours_saved_a_week")
    return {name: summary[name] for name in names} | {"spared": sum(summary["spared"].values())}


def _describe(plan: Plan) -> None:
    """Print the policy, the totals, and what each protection matches."""
    totals = _totals(plan)
    say(plan.header.policy_in_words)
    say(
        f"Archives {totals['reports_to_archive']:,} of {plan.header.reports_in_snapshot:,} Reports, deletes "
        f"{totals['schedules_to_delete']:,} schedules, saves {totals['runs_saved_a_week']:,} runs and "
        f"{totals['hours_saved_a_week']:,} query hours a week; {totals['due_later']:,} more are due later."
    )
    for count in plan.header.protections or ():
        say(f"{count.field} {count.value!r} matches {count.matched:,} Reports; {count.spared:,} of them are stale.")


def _row(action: Action) -> dict[str, Any]:
    return {
        "what": action.kind.value,
        "report": action.report,
        "name": action.report_name,
        "owner": action.owner,
        "schedule": action.schedule or "",
        "by_email": action.subscribers if action.schedule else "",
        "runs_a_week": action.saving.runs_a_week if action.saving is not None else "",
        "due_on": action.due_on,
        "why": "; ".join(evidence.meaning for evidence in action.evidence),
    }
