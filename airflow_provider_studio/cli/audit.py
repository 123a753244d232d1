# SPDX-License-Identifier: Apache-2.0
"""`audit`: what governance did to a workspace, by plan, by Report, by time; for people and as JSON lines."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.cli import airflow_process
from airflow_provider_studio.cli.arguments import storage_address

if TYPE_CHECKING:
    from airflow_provider_studio.governance.plans.audit import ActionFate, Audit, JournalEvent, PlanFate
    from airflow_provider_studio.governance.plans.models import Spared


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to a program's."""
    parser = subparsers.add_parser(
        "audit",
        help="what governance did: plans, each action's fate, every event",
        description="Without --plan or --events: the plans of the workspace. With --plan: each action's fate.",
    )
    parser.add_argument("--workspace", help="the workspace; may be left out where the storage knows one alone")
    parser.add_argument("--storage", type=storage_address, help="the storage root; [studio] storage_path by default")
    parser.add_argument("--plan", help="a plan's id: each of its actions and what became of it")
    parser.add_argument("--report", help="only of the Report with this token")
    parser.add_argument("--state", help="only actions in this state, such as done, failed, skipped")
    parser.add_argument("--events", action="store_true", help="every journaled event: who, when, what, HTTP status")
    parser.add_argument("--since", type=_time, help="only events since then, such as 2026-06-01")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what was asked for; return the exit status."""
    with airflow_process.airflow_command():
        from airflow_provider_studio import settings
        from airflow_provider_studio.governance.errors import PlanError
        from airflow_provider_studio.governance.plans.audit import Audit, workspace_of, workspaces

        storage = settings.storage(arguments.storage)
        workspace = workspace_of(storage, arguments.workspace)
        rows = list(_rows(Audit(storage, workspace), arguments))
        if not rows and workspace not in (known := workspaces(storage)):
            found = f"it has some of {', '.join(known)}" if known else "nor of any other"
            raise PlanError(f"{storage} has no plan of the workspace {workspace!r}, {found}. Name another.")
    _print(rows, as_json=arguments.json)
    return 0


def _rows(audit: Audit, arguments: argparse.Namespace) -> Iterable[dict[str, Any]]:
    if arguments.events or arguments.since:
        events = audit.events(plan_id=arguments.plan, report=arguments.report, since=arguments.since)
        return [_event(one, whole=arguments.json) for one in events]
    if arguments.plan or arguments.report or arguments.state:
        plans = [arguments.plan] if arguments.plan else [one.plan_id for one in audit.headers()]
        rows = [_fate(plan, one) for plan in plans for one in audit.fates(plan)]
        if arguments.plan:
            rows += [_waiting(arguments.plan, one) for one in audit.plan(arguments.plan).spared if one.due_on]
        return [
            row for row in rows if arguments.report in {None, row["report"]} and arguments.state in {None, row["state"]}
        ]
    return [_plan(one) for one in audit.plan_fates()]


def _plan(one: PlanFate) -> dict[str, Any]:
    approval = one.approval
    return {
        "plan": one.header.plan_id,
        "name": one.header.name or "",
        "made": _minute(one.header.created_at),
        "from": one.header.snapshot or "named by a person",
        **{state.value: count for state, count in sorted(one.states.items())},
        "approval": "" if approval is None else f"{approval.event.value} by {approval.actor.get('approver', '?')}",
        "due_later": sum(one.due_dates.values()),
        "next_due_on": min(one.due_dates, default=""),
    }


def _fate(plan: str, one: ActionFate) -> dict[str, Any]:
    last = one.last
    return {
        "plan": plan,
        "what": one.action.kind.value,
        "report": one.action.report,
        "name": one.action.report_name or "",
        "schedule": one.action.schedule or "",
        "state": one.state.value,
        "when": "" if last is None else _minute(last.at),
        "who": "" if last is None else _who(last.actor),
        "status": "" if last is None or last.http_status is None else last.http_status,
        "why": "" if last is None else last.reason or last.error or "",
        "due_on": "" if one.action.due_on is None else one.action.due_on.isoformat(),
    }


def _waiting(plan: str, one: Spared) -> dict[str, Any]:
    """Something that the plan flagged and does not act on: it is in its grace, or Studio refused it before."""
    return {
        "plan": plan,
        "what": "archive_report" if one.schedule is None else "delete_schedule",
        "report": one.report,
        "name": one.report_name or "",
        "schedule": one.schedule or "",
        "state": "in_grace" if one.reason == "grace" else one.reason.value,
        "when": "",
        "who": "",
        "status": "",
        "why": one.detail,
        "due_on": "" if one.due_on is None else one.due_on.isoformat(),
    }


def _event(one: JournalEvent, *, whole: bool) -> dict[str, Any]:
    if whole:
        return one.model_dump(mode="json", exclude={"backup"})
    return {
        "when": one.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "event": one.event.value,
        "what": one.action_id,
        "who": _who(one.actor),
        "status": "" if one.http_status is None else one.http_status,
        "before": "" if one.before is None else json.dumps(one.before),
        "after": "" if one.after is None else json.dumps(one.after),
        "why": one.reason or one.error or "",
    }


def _who(actor: dict[str, str]) -> str:
    """The one who approved, and the task that did it."""
    task = "/".join(actor[name] for name in ("dag", "run", "task", "try") if actor.get(name))
    approver = actor.get("approver")
    return f"{task}, approved by {approver}" if approver else task


def _print(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
        return
    if not rows:
        print("Nothing was found.")
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    from airflow_provider_studio.governance.text import table_lines

    print("\n".join(table_lines([names, *[[row.get(name, 0) for name in names] for row in rows]])))


def _minute(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
