# SPDX-License-Identifier: Apache-2.0
"""Plans for Reports that a person names: the same file, journal, backup and undo as other plans, but no policy.

A retry of a task finds the plan of the earlier try and continues it; once all its actions are settled, a new plan is
created.
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
from airflow_provider_studio.governance.plans.collection_names import CollectionNames
from airflow_provider_studio.governance.plans.deployment_limits import DeploymentLimits
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
from airflow_provider_studio.governance.plans.protections import ReportTexts
from airflow_provider_studio.governance.signing import UNSIGNED, Signer
from airflow_provider_studio.governance.storage import explained, utcnow, write_once
from airflow_provider_studio.governance.workspace_host import check_host

_MOST_REFUSED_AT_FIRST = 20
"""If none of this many Reports can be read, the token has no permission to read Reports."""


def plan_named(
    client: StudioClient,
    storage: UPath,
    reports: Sequence[str],
    *,
    kind: ActionKind,
    schedules: Sequence[str] | None = None,
    actor: Mapping[str, str],
    limits: DeploymentLimits | None = None,
    signer: Signer = UNSIGNED,
    now: Callable[[], datetime] = utcnow,
) -> Plan:
    """Create and write a plan with one kind of action for Reports that a person names.

    Archiving a Report deletes its schedules first: it is unknown whether archiving stops them.

    :param reports: tokens of Reports, or URLs of their pages.
    :param schedules: the tokens of the schedules to delete; all schedules of the Reports by default.
    :param actor: who acts; a retry of the same task in the same run continues its plan.
    :param signer: signs the plan.
    :param limits: the deployment's limits; a Report that they protect is spared.
    :raises PlanError: no Report is named, or a named schedule belongs to none of the Reports.
    :raises StudioError: the service failed, the token is not valid, or it can read none of the first Reports.
    """
    tokens = [report_token(report, client.workspace) for report in reports]
    if not tokens:
        raise PlanError("reports is empty; name the Reports by their tokens or URLs.")
    check_host(client, storage)
    task = {name: actor.get(name) for name in ("dag", "run", "task", "map_index")}
    request = json.dumps([task, kind.value, tokens, None if schedules is None else list(schedules)])
    folder = one_off_plans_folder(storage, client.workspace, request)
    unfinished = _unfinished(storage, client.workspace, folder)
    if unfinished is not None:
        return unfinished
    builder = _OneOffPlanBuilder(client, kind, schedules, limits=limits or DeploymentLimits(), name=_name_of(actor))
    plan = builder.plan(tokens, now())
    plan.write(storage, signer=signer)
    write_once(
        folder / one_off_plan_file(plan.plan_id), json.dumps({"plan_id": plan.plan_id, "actor": dict(actor)}).encode()
    )
    return plan


def _unfinished(storage: UPath, workspace: str, folder: UPath) -> Plan | None:
    """Return the plan of an earlier try that has unsettled actions."""
    with explained("list", folder):
        names = [path.name for path in folder.iterdir()] if folder.exists() else []
    for plan_id in map(id_of_one_off_plan_file, sorted(names)):
        if plan_id is None or not is_plan_id(plan_id):
            continue
        plan = Plan.read(plan_path(storage, workspace, plan_id), workspace=workspace)
        journal = Journal(storage, workspace, plan_id, actor={}, sha256=plan.sha256)
        if not all(journal.has(action.action_id, Event.DONE, Event.SKIPPED) for action in plan.actions):
            return plan
    return None


def _name_of(actor: Mapping[str, str]) -> str:
    """Return the name of the plans of one task."""
    return ".".join(filter(None, (actor.get("dag"), actor.get("task")))) or "named"


class _OneOffPlanBuilder:
    """Builds one plan."""

    def __init__(
        self,
        client: StudioClient,
        kind: ActionKind,
        schedules: Sequence[str] | None,
        *,
        limits: DeploymentLimits,
        name: str,
    ) -> None:
        self._client = client
        self._limits = limits
        self._collections = CollectionNames(client, limits)
        self._name = name
        self._kind = kind
        self._only_schedules = None if schedules is None else set(schedules)
        self._has_read = False
        self._actions: list[Action] = []
        self._spared: list[Spared] = []

    def plan(self, tokens: Sequence[str], at: datetime) -> Plan:
        for token in dict.fromkeys(tokens):
            self._report(token, at)
        found = {action.schedule for action in self._actions}
        unknown = sorted((self._only_schedules or set()) - found)
        if unknown:
            refused = [f"{item.report}: {item.detail}" for item in self._spared if item.reason is SpareReason.REFUSED]
            unread = f" These Reports could not be read: {'; '.join(refused)}" if refused else ""
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
            live = self._read(token)
            if live is None:
                self._spare(token, None, SpareReason.GONE, "there is no such Report, or the token cannot see it")
                return
            schedules = list(self._client.list_schedules(token))
        except StudioAPIError as error:
            if not is_refusal(error) or (not self._has_read and len(self._spared) >= _MOST_REFUSED_AT_FIRST - 1):
                raise
            self._spare(token, None, SpareReason.REFUSED, str(error))
            return
        self._has_read = True
        protection = self._limits.protection(ReportTexts.of(live, self._collections.of(live.space_token)))
        if protection is not None:
            detail = f"protected by this deployment: {protection.field} has {protection.value!r}"
            self._spare(token, live.name, protection.reason, detail)
            return
        if self._kind is ActionKind.ARCHIVE_REPORT and live.archived:
            self._spare(token, live.name, SpareReason.ALREADY_ARCHIVED, "it is archived already")
            return
        if self._kind is ActionKind.UNARCHIVE_REPORT and live.archived is False:
            self._spare(token, live.name, SpareReason.NOT_ARCHIVED, "it is not archived")
            return
        about = _about(live, schedules, at)
        if self._kind is not ActionKind.UNARCHIVE_REPORT:
            names = self._only_schedules
            selected = [schedule for schedule in schedules if names is None or schedule.token in names]
            self._actions += [
                Action(kind=ActionKind.DELETE_SCHEDULE, schedule=schedule.token, schedule_name=schedule.name, **about)
                for schedule in selected
            ]
        if self._kind is not ActionKind.DELETE_SCHEDULE:
            self._actions.append(Action(kind=self._kind, **about))

    def _read(self, token: str) -> Report | None:
        """Return a Report; None if it does not exist, or if the token may not see it."""
        try:
            return self._client.get_report(token)
        except StudioNotFoundError:
            return None

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
            schedules=tuple(schedule.token for schedule in schedules),
        ),
    }
