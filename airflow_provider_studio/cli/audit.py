# SPDX-License-Identifier: Apache-2.0
"""`audit`: print what governance did to a workspace, by plan, Report or time, as a table or JSON lines."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.cli import airflow_process
from airflow_provider_studio.cli.arguments import storage_root

if TYPE_CHECKING:
    from airflow_provider_studio.governance.plans.audit import ActionStatus, Audit, JournalEvent, PlanStatus
    from airflow_provider_studio.governance.plans.models import Spared


def add_parser(subparsers: Any) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "audit",
        help="print what governance did: plans, the state of each action, events",
        description="Without --plan or --events: the plans of the workspace. With --plan: the state of each action.",
    )
    parser.add_argument("--workspace", help="the workspace; optional if the storage has only one")
    parser.add_argument("--storage", type=storage_root, help="the storage root; [studio] storage_path by default")
    parser.add_argument("--plan", help="a plan's id: print each of its actions with its state")
    parser.add_argument("--report", help="only for the Report with this token")
    parser.add_argument("--state", help="only actions in this state, such as done, failed, skipped")
    parser.add_argument("--events", action="store_true", help="every journaled event: who, when, what, HTTP status")
    parser.add_argument("--since", type=_time, help="only events since then, such as 2026-06-01")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line instead of a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the rows; return the exit status."""
    with airflow_process.airflow_command():
        from airflow_provider_studio import settings
        from airflow_provider_studio.governance.errors import PlanError
        from airflow_provider_studio.governance.plans.audit import Audit, workspace_of, workspaces

        storage = settings.storage(arguments.storage)
        workspace = workspace_of(storage, arguments.workspace)
        rows = list(_rows(Audit(storage, workspace), arguments))
        if not rows and workspace not in (known := workspaces(storage)):
            found = f"only plans of {', '.join(known)}" if known else "and no other plan"
            raise PlanError(f"{storage} has no plan of the workspace {workspace!r}, {found}. Name another workspace.")
    _print(rows, as_json=arguments.json)
    return 0


def _rows(audit: Audit, arguments: argparse.Namespace) -> Iterable[dict[str, Any]]:
    if arguments.events or arguments.since:
        events = audit.events(plan_id=arguments.plan, report=arguments.report, since=arguments.since)
        return [_event_row(event, whole=arguments.json) for event in events]
    if arguments.plan or arguments.report or arguments.state:
        plans = [arguments.plan] if arguments.plan else [header.plan_id for header in audit.headers()]
        rows = [_action_row(plan, action) for plan in plans for action in audit.action_statuses(plan)]
        if arguments.plan:
            spared_items = audit.plan(arguments.plan).spared
            rows += [_spared_row(arguments.plan, spared) for spared in spared_items if spared.due_on]
        return [
            row for row in rows if arguments.report in {None, row["report"]} and arguments.state in {None, row["state"]}
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


def _action_row(plan: str, action: ActionStatus) -> dict[str, Any]:
    last = action.last
    return {
        "plan": plan,
        "what": action.action.kind.value,
        "report": action.action.report,
        "name": action.action.report_name or "",
        "schedule": action.action.schedule or "",
        "state": action.state.value,
        "when": "" if last is None else _minute(last.at),
        "who": "" if last is None else _who(last.actor),
        "status": "" if last is None or last.http_status is None else last.http_status,
        "why": "" if last is None else last.reason or last.error or "",
        "due_on": "" if action.action.due_on is None else action.action.due_on.isoformat(),
    }


def _spared_row(plan: str, spared: Spared) -> dict[str, Any]:
    """Return the row of an item that the plan flagged but does not act on: grace, or an earlier refusal by Studio."""
    return {
        "plan": plan,
        "what": "archive_report" if spared.schedule is None else "delete_schedule",
        "report": spared.report,
        "name": spared.report_name or "",
        "schedule": spared.schedule or "",
        "state": "in_grace" if spared.reason == "grace" else spared.reason.value,
        "when": "",
        "who": "",
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
        "status": "" if event.http_status is None else event.http_status,
        "before": "" if event.before is None else json.dumps(event.before),
        "after": "" if event.after is None else json.dumps(event.after),
        "why": event.reason or event.error or "",
    }


def _who(actor: dict[str, str]) -> str:
    """Return the task that acted, and who approved."""
    task = "/".join(actor[name] for name in ("dag", "run", "task", "try") if actor.get(name))
    approver = actor.get("approver")
    return f"{task}, approved by {approver}" if approver else task


def _print(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
        return
    if not rows:
        print("No rows.")
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    from airflow_provider_studio.governance.text import table_lines

    print("\n".join(table_lines([names, *[[row.get(name, 0) for name in names] for row in rows]])))


def _minute(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
