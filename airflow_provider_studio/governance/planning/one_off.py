# SPDX-License-Identifier: Apache-2.0
"""Plans for Reports that a person names or selects: the same file, journal, backup and undo, but no policy.

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
from airflow_provider_studio.governance.plans.snapshot_query import (
    MAX_SNAPSHOT_AGE_DAYS,
    SelectedReports,
    select_reports,
)
from airflow_provider_studio.governance.signing import UNSIGNED, Signer
from airflow_provider_studio.governance.storage import explained, utcnow, write_once
from airflow_provider_studio.governance.workspace_host import check_host

_MOST_REFUSED_AT_FIRST = 20
"""If none of this many Reports can be read, the token has no permission to read Reports."""


def plan_named(
    client: StudioClient,
    storage: UPath,
    reports: Sequence[str] = (),
    *,
    kind: ActionKind,
    where: str | None = None,
    max_snapshot_age_days: float | str = MAX_SNAPSHOT_AGE_DAYS,
    schedules: Sequence[str] | None = None,
    actor: Mapping[str, str],
    limits: DeploymentLimits | None = None,
    signer: Signer = UNSIGNED,
    now: Callable[[], datetime] = utcnow,
) -> Plan:
    """Create and write a plan with one kind of action for Reports that a person names, or selects with a condition.

    Archiving a Report deletes its schedules first: it is unknown whether archiving stops them. A Report that is not as
    in the snapshot in which it was found is spared. A condition that matches no Report gives a plan without actions.

    :param reports: tokens of Reports, URLs of their pages, or names in the newest snapshot.
    :param where: instead of `reports`, a SQL condition over the newest snapshot.
    :param max_snapshot_age_days: an older snapshot is refused.
    :param schedules: the tokens of the schedules to delete; all schedules of the Reports by default.
    :param actor: who acts; a retry of the same task in the same run continues its plan.
    :param signer: signs the plan.
    :param limits: the deployment's limits; a Report that they protect is spared.
    :raises PlanError: no Report is named, a named schedule belongs to none of the Reports, or there is no snapshot.
    :raises GuardRailError: the newest snapshot is too old.
    :raises GovernanceError: the condition is not valid, fails, or exceeds a limit.
    :raises StudioConfigurationError: a name is not that of one Report. Lists the candidates.
    :raises StudioError: the service failed, the token is not valid, or it can read none of the first Reports.
    """

    def selected_now() -> SelectedReports:
        return select_reports(
            storage, client.workspace, reports, where, max_snapshot_age_days=max_snapshot_age_days, now=now
        )

    selected = selected_now() if where is None else None
    check_host(client, storage)
    task = {name: actor.get(name) for name in ("dag", "run", "task", "map_index")}
    # A retry continues its plan, even if a newer snapshot would select other Reports.
    wanted = {"where": where} if selected is None else list(selected.tokens)
    request = json.dumps([task, kind.value, wanted, None if schedules is None else list(schedules)])
    folder = one_off_plans_folder(storage, client.workspace, request)
    unfinished = _unfinished(storage, client.workspace, folder)
    if unfinished is not None:
        return unfinished
    plan = one_off_plan(
        client,
        selected or selected_now(),
        kind=kind,
        schedules=schedules,
        limits=limits,
        name=_name_of(actor),
        at=now(),
    )
    plan.write(storage, signer=signer)
    write_once(
        folder / one_off_plan_file(plan.plan_id), json.dumps({"plan_id": plan.plan_id, "actor": dict(actor)}).encode()
    )
    return plan


def one_off_plan(
    client: StudioClient,
    selected: SelectedReports,
    *,
    kind: ActionKind,
    schedules: Sequence[str] | None = None,
    limits: DeploymentLimits | None = None,
    name: str,
    at: datetime,
) -> Plan:
    """Return a plan with one kind of action for these Reports. It is not written.

    :param at: when it is created.
    :raises PlanError: a schedule belongs to none of the Reports.
    :raises StudioError: the service failed, the token is not valid, or it can read none of the first Reports.
    """
    builder = _OneOffPlanBuilder(client, kind, schedules, limits=limits or DeploymentLimits(), name=name)
    return builder.plan(selected, at)


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

    def plan(self, selected: SelectedReports, at: datetime) -> Plan:
        for token in dict.fromkeys(selected.tokens):
            self._report(token, selected, at)
        found = {action.schedule for action in self._actions}
        unknown = sorted((self._only_schedules or set()) - found)
        if unknown:
            refused = [f"{item.report}: {item.detail}" for item in self._spared if item.reason is SpareReason.REFUSED]
            unread = f" These Reports could not be read: {'; '.join(refused)}" if refused else ""
            raise PlanError(
                f"None of the named Reports has the schedule {', '.join(unknown)}; nothing was touched.{unread}"
            )
        return Plan(self._header(selected, at), self._actions, self._spared)

    def _header(self, selected: SelectedReports, at: datetime) -> PlanHeader:
        touched = {action.baseline.collection or "" for action in self._actions}
        how = "named the Reports" if selected.where is None else f"selected the Reports for which: {selected.where}"
        return PlanHeader(
            name=self._name,
            workspace=self._client.workspace,
            snapshot=selected.snapshot,
            taken_at=selected.taken_at or at,
            created_at=at,
            policy={},
            policy_in_words=f"no policy: a person {how}",
            reports_in_snapshot=selected.reports_in_snapshot or len(selected.tokens),
            reports_by_collection={
                collection: count
                for collection, count in sorted(selected.reports_by_collection.items())
                if collection in touched
            },
        )

    def _report(self, token: str, selected: SelectedReports, at: datetime) -> None:
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
        change = selected.change(live, schedules, is_restored=self._kind is ActionKind.UNARCHIVE_REPORT)
        if change is not None:
            self._spare(token, live.name, SpareReason.CHANGED, f"{change}; take an inventory, and try again")
            return
        about = _about(live, schedules, _evidence(token, selected, at))
        if self._kind is not ActionKind.UNARCHIVE_REPORT:
            names = self._only_schedules
            self._actions += [
                Action(
                    kind=ActionKind.DELETE_SCHEDULE,
                    schedule=schedule.token,
                    schedule_name=schedule.name,
                    subscribers=schedule.subscriber_count,
                    **about,
                )
                for schedule in schedules
                if names is None or schedule.token in names
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


def _evidence(token: str, selected: SelectedReports, at: datetime) -> Evidence:
    if selected.where is None or selected.taken_at is None:
        return Evidence(field="token", value=token, observed_at=at, source="person", meaning="named by a person")
    return Evidence(
        field="where",
        value=selected.where,
        observed_at=selected.taken_at,
        source="person",
        meaning=f"selected by a person: {selected.where}",
    )


def _about(live: Report, schedules: Sequence[Schedule], evidence: Evidence) -> dict[str, Any]:
    return {
        "rule": Rule.NAMED,
        "report": live.token,
        "report_name": live.name,
        "owner": live.creator,
        "report_url": live.web_url,
        "evidence": (evidence,),
        "baseline": Baseline(
            archived=bool(live.archived),
            view_count=live.view_count,
            edited_at=live.edited_at,
            last_run_at=live.last_run_at,
            collection=live.space_token,
            schedules=tuple(schedule.token for schedule in schedules),
        ),
    }
