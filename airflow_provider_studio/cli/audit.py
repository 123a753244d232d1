# SPDX-License-Identifier: Apache-2.0
"""`audit`: print what governance did to a workspace, by plan, Report or time, from its plans and journals."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.cli.arguments import storage_root
from airflow_provider_studio.cli.command import command
from airflow_provider_studio.cli.output import Table
from airflow_provider_studio.client.errors import StudioConfigurationError

if TYPE_CHECKING:
    from airflow_provider_studio.governance.plans.audit import ActionStatus, Audit, JournalEvent, PlanStatus
    from airflow_provider_studio.governance.plans.models import Spared


@command
def run(options: argparse.Namespace) -> Table:
    """Return plans, actions or events."""
    from airflow_provider_studio import settings
    from airflow_provider_studio.governance.errors import PlanError
    from airflow_provider_studio.governance.plans.audit import Audit, workspace_of, workspaces

    storage = settings.storage(storage_root(options.storage))
    workspace = workspace_of(storage, options.workspace, plan_id=options.plan)
    table = Table.of(_rows(Audit(storage, workspace), options))
    if not table.rows and workspace not in (known := workspaces(storage)):
        found = f"only plans of {', '.join(known)}" if known else "and no other plan"
        raise PlanError(f"{storage} has no plan of the workspace {workspace!r}, {found}. Name another workspace.")
    return table


def _rows(audit: Audit, options: argparse.Namespace) -> Iterable[dict[str, Any]]:
    if options.events or options.since:
        events = audit.events(plan_id=options.plan, report=options.report, since=_time(options.since))
        return [_event_row(event, whole=options.output in {"json", "yaml"}) for event in events]
    if options.plan or options.report or options.state:
        plans = [options.plan] if options.plan else [header.plan_id for header in audit.headers()]
        rows = [_action_row(plan, action) for plan in plans for action in audit.action_statuses(plan)]
        if options.plan:
            spared_items = audit.plan(options.plan).spared
            rows += [_spared_row(options.plan, spared) for spared in spared_items if spared.due_on]
        return [
            row for row in rows if options.report in {None, row["report"]} and options.state in {None, row["state"]}
        ]
    return [_plan_row(plan) for plan in audit.plan_statuses()]


def _plan_row(plan: PlanStatus) -> dict[str, Any]:
    approval = plan.approval
    return {
        "plan": plan.header.plan_id,
        "name": plan.header.name or "",
        "made": _minute(plan.header.created_at),
        "from": plan.header.snapshot or "named by a person",
        **{state.value: count for state, count in sorted(plan.states.items())},
        "approval": "" if approval is None else f"{approval.event.value} by {approval.actor.get('approver', '?')}",
        "due_later": sum(plan.due_dates.values()),
        "next_due_on": min(plan.due_dates, default=""),
    }


def _approver(event: JournalEvent) -> str:
    from airflow_provider_studio.governance.plans.approval import approver_in_words

    return approver_in_words(event.actor)


def _action_row(plan: str, action: ActionStatus) -> dict[str, Any]:
    last = action.last
    return {
        "plan": plan,
        "action": action.action.action_id,
        "what": action.action.kind.value,
        "report": action.action.report,
        "name": action.action.report_name or "",
        "schedule": action.action.schedule or "",
        "state": action.state.value,
        "when": "" if last is None else _minute(last.at),
        "who": "" if last is None else _who(last.actor),
        "approver": "" if last is None else _approver(last),
        "status": "" if last is None or last.http_status is None else last.http_status,
        "why": "" if last is None else last.reason or last.error or "",
        "due_on": "" if action.action.due_on is None else action.action.due_on.isoformat(),
    }


def _spared_row(plan: str, spared: Spared) -> dict[str, Any]:
    """Return the row of an item that the plan flagged but does not act on: grace, or an earlier refusal by Studio."""
    return {
        "plan": plan,
        "action": "",
        "what": "archive_report" if spared.schedule is None else "delete_schedule",
        "report": spared.report,
        "name": spared.report_name or "",
        "schedule": spared.schedule or "",
        "state": "in_grace" if spared.reason == "grace" else spared.reason.value,
        "when": "",
        "who": "",
        "approver": "",
        "status": "",
        "why": spared.detail,
        "due_on": "" if spared.due_on is None else spared.due_on.isoformat(),
    }


def _event_row(event: JournalEvent, *, whole: bool) -> dict[str, Any]:
    if whole:
        return event.model_dump(mode="json", exclude={"backup"})
    return {
        "when": event.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "event": event.event.value,
        "what": event.action_id,
        "who": _who(event.actor),
        "approver": _approver(event),
        "status": "" if event.http_status is None else event.http_status,
        "before": "" if event.before is None else json.dumps(event.before),
        "after": "" if event.after is None else json.dumps(event.after),
        "why": event.reason or event.error or "",
    }


def _who(actor: dict[str, str]) -> str:
    """Return the task that acted, or the person with the command."""
    task = "/".join(actor[name] for name in ("dag", "run", "task", "try") if actor.get(name))
    return task or " ".join(actor[name] for name in ("user", "command") if actor.get(name))


def _minute(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise StudioConfigurationError(f"--since is {text!r}; write a day or a time, such as 2026-06-01.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
