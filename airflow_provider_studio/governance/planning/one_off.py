# SPDX-License-Identifier: Apache-2.0
"""Plans of what a person names: the same file, journal, backup and undo as any other, without a policy.

A task that is tried again finds the plan of its earlier try and goes on with it; once all of that plan is settled, a
new one is made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from upath import UPath

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioAPIError, StudioNotFoundError
from airflow_provider_studio.client.identifiers import report_token
from airflow_provider_studio.client.models import Report, Schedule
from airflow_provider_studio.governance.errors import PlanError, is_refusal
from airflow_provider_studio.governance.file_names import id_of_one_off_plan_file, one_off_plan_file
from airflow_provider_studio.governance.layout import is_plan_id, one_off_plans_folder, plan_path
from airflow_provider_studio.governance.plans.journal import Event, Journal
from airflow_provider_studio.governance.plans.models import (
    Action,
    ActionKind,
    Baseline,
    Evidence,
    PlanHeader,
    Rule,
    Spared,
    SpareReason,
)
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.storage import explained, utcnow, write_once

_MOST_REFUSED_AT_FIRST = 20
"""After this many Reports of which none can be read, it is the token that may not read them."""


def plan_named(
    client: StudioClient,
    storage: UPath,
    reports: Sequence[str],
    *,
    kind: ActionKind,
    schedules: Sequence[str] | None = None,
    actor: Mapping[str, str],
    now: Callable[[], datetime] = utcnow,
) -> Plan:
    """Return the plan to do one kind of thing to Reports that a person names, and keep it.

    Archiving a Report deletes its schedules first, which would otherwise go on firing for all that is known.

    :param reports: tokens, or addresses of their pages.
    :param schedules: for deleting schedules, the tokens of those to delete; all of the Reports' by default.
    :param actor: who acts; a retry of the same task in the same run goes on with its plan.
    :raises PlanError: nothing is named, or a schedule that none of the Reports has.
    :raises StudioError: the service failed, the token is not valid, or it may not read any of many Reports.
    """
    tokens = [report_token(one, client.workspace) for one in reports]
    if not tokens:
        raise PlanError("reports is empty; name the Reports by their tokens or addresses.")
    task = {name: actor.get(name) for name in ("dag", "run", "task", "map_index")}
    asked = json.dumps([task, kind.value, tokens, None if schedules is None else list(schedules)])
    begun = one_off_plans_folder(storage, client.workspace, asked)
    unfinished = _unfinished(storage, client.workspace, begun)
    if unfinished is not None:
        return unfinished
    plan = _OneOffPlanBuilder(client, kind, schedules, name=_name_of(actor)).plan(tokens, now())
    plan.write(storage)
    write_once(
        begun / one_off_plan_file(plan.plan_id), json.dumps({"plan_id": plan.plan_id, "actor": dict(actor)}).encode()
    )
    return plan


def _unfinished(storage: UPath, workspace: str, begun: UPath) -> Plan | None:
    """Return the plan of an earlier try that is not settled."""
    with explained("list", begun):
        names = [one.name for one in begun.iterdir()] if begun.exists() else []
    for plan_id in map(id_of_one_off_plan_file, sorted(names)):
        if plan_id is None or not is_plan_id(plan_id):
            continue
        plan = Plan.read(plan_path(storage, workspace, plan_id), workspace=workspace)
        journal = Journal(storage, workspace, plan_id, actor={}, sha256=plan.sha256)
        if not all(journal.has(one.action_id, Event.DONE, Event.SKIPPED) for one in plan.actions):
            return plan
    return None


def _name_of(actor: Mapping[str, str]) -> str:
    """Return what the plans of one task are called."""
    return ".".join(filter(None, (actor.get("dag"), actor.get("task")))) or "named"


class _OneOffPlanBuilder:
    """One plan on its way."""

    def __init__(self, client: StudioClient, kind: ActionKind, schedules: Sequence[str] | None, *, name: str) -> None:
        self._client = client
        self._name = name
        self._kind = kind
        self._wanted = None if schedules is None else set(schedules)
        self._has_read = False
        self._actions: list[Action] = []
        self._spared: list[Spared] = []

    def plan(self, tokens: Sequence[str], at: datetime) -> Plan:
        for token in dict.fromkeys(tokens):
            self._report(token, at)
        found = {one.schedule for one in self._actions}
        unknown = sorted((self._wanted or set()) - found)
        if unknown:
            refused = [f"{one.report}: {one.detail}" for one in self._spared if one.reason is SpareReason.REFUSED]
            unread = f" Of these Reports nothing is known: {'; '.join(refused)}" if refused else ""
            raise PlanError(
                f"None of the named Reports has the schedule {', '.join(unknown)}; nothing was touched.{unread}"
            )
        header = PlanHeader(
            name=self._name,
            workspace=self._client.workspace,
            snapshot=None,
            taken_at=at,
            created_at=at,
            policy={},
            policy_in_words="no policy: a person named the Reports",
            reports_in_snapshot=len(tokens),
        )
        return Plan(header, self._actions, self._spared)

    def _report(self, token: str, at: datetime) -> None:
        try:
            live = self._client.get_report(token)
            schedules = [] if live.schedules_count == 0 else list(self._client.list_schedules(token))
        except StudioNotFoundError:
            self._spare(token, None, SpareReason.GONE, "there is no such Report, or the token may not see it")
            return
        except StudioAPIError as error:
            if not is_refusal(error) or (not self._has_read and len(self._spared) >= _MOST_REFUSED_AT_FIRST - 1):
                raise
            self._spare(token, None, SpareReason.REFUSED, str(error))
            return
        self._has_read = True
        if self._kind is ActionKind.ARCHIVE_REPORT and live.archived:
            self._spare(token, live.name, SpareReason.ALREADY_ARCHIVED, "it is archived already")
            return
        if self._kind is ActionKind.UNARCHIVE_REPORT and live.archived is False:
            self._spare(token, live.name, SpareReason.NOT_ARCHIVED, "it is not archived")
            return
        about = _about(live, schedules, at)
        if self._kind is not ActionKind.UNARCHIVE_REPORT:
            chosen = [one for one in schedules if self._wanted is None or one.token in self._wanted]
            self._actions += [
                Action(kind=ActionKind.DELETE_SCHEDULE, schedule=one.token, schedule_name=one.name, **about)
                for one in chosen
            ]
        if self._kind is not ActionKind.DELETE_SCHEDULE:
            self._actions.append(Action(kind=self._kind, **about))

    def _spare(self, token: str, name: str | None, reason: SpareReason, detail: str) -> None:
        self._spared.append(Spared(report=token, report_name=name, reason=reason, detail=detail))


def _about(live: Report, schedules: Sequence[Schedule], at: datetime) -> dict[str, Any]:
    return {
        "rule": Rule.NAMED,
        "report": live.token,
        "report_name": live.name,
        "owner": live.creator,
        "evidence": (
            Evidence(field="token", value=live.token, observed_at=at, source="person", meaning="named by a person"),
        ),
        "baseline": Baseline(
            archived=bool(live.archived),
            view_count=live.view_count,
            edited_at=live.edited_at,
            last_run_at=live.last_run_at,
            collection=live.space_token,
            schedules=tuple(one.token for one in schedules),
        ),
    }
