# SPDX-License-Identifier: Apache-2.0
"""Evaluate a policy against the newest snapshot and its history, and create a plan. Changes no workspace."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from upath import UPath

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.governance.errors import PlanError
from airflow_provider_studio.governance.planning.earlier_failures import EarlierFailure
from airflow_provider_studio.governance.planning.grace import Flag, Wait
from airflow_provider_studio.governance.planning.previous_plans import PreviousPlans
from airflow_provider_studio.governance.planning.sql_condition import matching
from airflow_provider_studio.governance.planning.staleness import Facts, PolicyContext, StalenessEvaluator, texts_of
from airflow_provider_studio.governance.planning.workspace_lookups import (
    FedReportLookup,
    Members,
    OwnerLookup,
    ScheduleLookup,
)
from airflow_provider_studio.governance.plans.models import (
    Action,
    ActionKind,
    Baseline,
    Evidence,
    PlanHeader,
    ProtectionCount,
    Rule,
    Saving,
    Spared,
    SpareReason,
)
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.plans.protections import REASONS
from airflow_provider_studio.governance.signing import UNSIGNED, Signer
from airflow_provider_studio.governance.snapshots.facts import facts
from airflow_provider_studio.governance.snapshots.frequency import runs_a_week
from airflow_provider_studio.governance.snapshots.schema import DATASET, fetched
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore
from airflow_provider_studio.governance.storage import CLOCKS_DIFFER_BY, utcnow
from airflow_provider_studio.governance.workspace_host import check_host

log = logging.getLogger(__name__)

DEFAULT_NAME = "manual"
"""The name of a plan if the caller passes none."""
_LONGEST_NAME = 600
_CRON = ("freq", "hour", "minute", "day_of_week", "day_of_month")


def make_plan(
    storage: UPath,
    workspace: str,
    policy: StalenessPolicy,
    *,
    name: str = DEFAULT_NAME,
    snapshot: str | None = None,
    client: StudioClient | None = None,
    signer: Signer = UNSIGNED,
    now: Callable[[], datetime] = utcnow,
) -> Plan:
    """Create a plan; `Plan.write` stores it.

    :param name: distinguishes plans with different policies: grace periods and the comparison with the previous plan
        continue from plans of the same name.
    :param snapshot: the snapshot's folder relative to the storage root, as in the inventory's summary; the newest by
        default.
    :param client: reads what is not in a snapshot: the members of the workspace, the Reports that a dataset feeds, and
        the schedules of Reports that are to be archived and count none.
        Without it no owner counts as having left.
    :param signer: verifies the previous plan, whose grace periods this plan continues.
    :raises PlanError: there is no such snapshot, the name is invalid, or the snapshot or the previous plan is from the
        future.
    :raises PolicyError: the policy's SQL condition is invalid.
    """
    _check_name(name)
    if client is not None:
        check_host(client, storage)
    store = SnapshotStore(storage, workspace)
    snapshots = _snapshots(store, snapshot)
    newest = snapshots[-1]
    created_at = now()
    if newest.taken_at > created_at + CLOCKS_DIFFER_BY:
        raise PlanError(
            f"The snapshot {store.relative(newest)} was taken at {newest.taken_at:%Y-%m-%d %H:%M UTC}, but it is "
            f"{created_at:%Y-%m-%d %H:%M UTC} now: a clock was wrong, then or now. Fix the clock, or remove the folder."
        )
    previous = PreviousPlans(
        storage,
        workspace,
        name=name,
        taken_at=newest.taken_at,
        created_at=created_at,
        archives=policy.archives,
        signer=signer,
    )
    reports, schedules, tokens = _facts(snapshots, policy)
    members = Members(client)
    usernames = members.usernames if policy.owner_left_days is not None else None
    fed = FedReportLookup(client, {report["token"]: report["archived"] for report in reports})
    owners = OwnerLookup(client, members)
    evaluator = StalenessEvaluator(policy, newest.taken_at, PolicyContext(usernames, tokens, fed, owners))
    failures = previous.failures(policy.retry_refused_days)
    find_schedules = ScheduleLookup(client, created_at)
    builder = _PlanBuilder(
        policy, evaluator, members, find_schedules, waits=previous.waits(), failures=failures, now=created_at
    )
    for report in reports:
        builder.add(report, schedules.get(report["token"], []))
    # Reports that failed before come last, so that they do not block others.
    builder.actions.sort(key=lambda action: action.report in failures)
    touched = {action.baseline.collection or "" for action in builder.actions}
    collections = (report["collection"] or "" for report in reports if not report["archived"])
    live = Counter(collection for collection in collections if collection in touched)
    header = PlanHeader(
        workspace=workspace,
        snapshot=store.relative(newest),
        taken_at=newest.taken_at,
        created_at=created_at,
        policy=policy.model_dump(mode="json"),
        policy_in_words=policy.describe(),
        previous_plan=previous.plan_id,
        reports_in_snapshot=sum(report["type"] != DATASET for report in reports),
        reports_by_collection=dict(sorted(live.items())),
        protections=_protections(policy, reports, builder.protected),
        name=name,
    )
    return Plan(header, builder.actions, builder.spared)


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise PlanError(
            f"plan_name is {name!r}; it must be a text in one line of at most {_LONGEST_NAME} characters, such as "
            "my_dag.plan."
        )


def _protections(
    policy: StalenessPolicy, reports: list[dict[str, Any]], protected: Collection[str]
) -> tuple[ProtectionCount, ...]:
    """Count the matches of each protection of the policy.

    :param protected: tokens of the Reports that are spared only by a protection.
    """
    counts = policy.protections.count((texts_of(report), report["token"] in protected) for report in reports)
    for count in counts:
        if count.may_be_a_typo:
            log.warning(
                "policy: %s has %r, which matches no Report of the snapshot. It may be misspelt.",
                count.field,
                count.value,
            )
    return counts


def _snapshots(store: SnapshotStore, name: str | None) -> list[Snapshot]:
    """Return the snapshots up to and including the named one; all if no name is passed."""
    snapshots = store.all()
    if not snapshots:
        raise PlanError(f"There is no snapshot under {store.root}. Run the inventory first.")
    if name is None:
        return snapshots
    for position, snapshot in enumerate(snapshots, start=1):
        if store.relative(snapshot) == name:
            return snapshots[:position]
    raise PlanError(f"There is no finished snapshot {name!r} under {store.storage}. Run the inventory again.")


def _facts(
    snapshots: list[Snapshot], policy: StalenessPolicy
) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]], set[str] | None]:
    """Return the Reports, their schedules by Report, and the tokens of Reports that meet the policy's condition."""
    with facts(snapshots) as connection:
        reports = fetched(connection.execute("SELECT * FROM facts ORDER BY token"))
        rows = fetched(connection.execute("SELECT * FROM schedules ORDER BY report, token"))
        tokens = None if policy.where is None else matching(connection, policy.where)
    schedules: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        schedules.setdefault(row["report"], []).append(row)
    return reports, schedules, tokens


class _PlanBuilder:
    """Collects the actions and the spared items of one plan."""

    def __init__(
        self,
        policy: StalenessPolicy,
        evaluator: StalenessEvaluator,
        members: Members,
        find_schedules: ScheduleLookup,
        *,
        waits: Mapping[Flag, Wait],
        failures: Mapping[str, EarlierFailure],
        now: datetime,
    ) -> None:
        self._policy = policy
        self._evaluator = evaluator
        self._members = members
        self._find_schedules = find_schedules
        self._waits = waits
        self._failures = failures
        self._now = now
        self._today = now.astimezone(UTC).date()
        self.actions: list[Action] = []
        self.spared: list[Spared] = []
        self.protected: set[str] = set()
        """Tokens of the Reports that the plan would act on if the policy did not protect them."""

    def add(self, report: Facts, schedules: list[dict[str, Any]]) -> None:
        """Evaluate a Report and its schedules."""
        if report["archived"]:
            self._schedules(Rule.SCHEDULE_OF_ARCHIVED, report, schedules)
            return
        if self._policy.archives:
            verdict = self._evaluator.report(report)
            if verdict.reason is not None:
                self._spare(report, verdict.reason, verdict.detail)
                if verdict.reason in REASONS.values():
                    self.protected.add(report["token"])
            else:
                wait = self._wait(report, None)
                if self._in_grace(report, None, wait) or self._was_refused(report, None, wait):
                    return
                schedules = schedules or self._find_schedules(report["token"])
                # Schedules first: it is unknown whether archiving a Report stops them.
                about = self._about(report, schedules, verdict.evidence, wait)
                self.actions += [_deletion(Rule.STALE, report, schedule, about) for schedule in schedules]
                self.actions.append(Action(kind=ActionKind.ARCHIVE_REPORT, **about))
                return
        self._schedules(Rule.FAILING_SCHEDULE, report, schedules)

    def _schedules(self, rule: Rule, report: Facts, schedules: list[dict[str, Any]]) -> None:
        """Evaluate the schedules of a Report that is not archived by this plan."""
        evidence_for = self._evaluator.failing if rule is Rule.FAILING_SCHEDULE else self._evaluator.of_archived
        is_enabled = self._policy.schedules_of_archived if rule is Rule.SCHEDULE_OF_ARCHIVED else True
        if not is_enabled or report["unknown"]:
            return
        due = [(schedule, evidence) for schedule in schedules if (evidence := evidence_for(report, schedule))]
        if due and self._evaluator.protection(report) is not None:
            self.protected.add(report["token"])
            return
        for schedule, evidence in due:
            token = schedule["token"]
            wait = self._wait(report, token)
            if not self._in_grace(report, token, wait) and not self._was_refused(report, token, wait):
                about = self._about(report, schedules, evidence, wait)
                self.actions.append(_deletion(rule, report, schedule, about))

    def _wait(self, report: Facts, schedule: str | None) -> Wait:
        """Return the grace period of an item that the policy flags now."""
        days, before = self._policy.grace_days, self._waits.get((report["token"], schedule))
        return Wait.started(self._today, days) if before is None else before.continued(days)

    def _in_grace(self, report: Facts, schedule: str | None, wait: Wait) -> bool:
        """Whether an item is not due yet; then it is spared."""
        if wait.due_on <= self._today:
            return False
        detail = f"flagged since {wait.flagged_on}; due on {wait.due_on}"
        email = self._email(report)
        self._spare(report, SpareReason.GRACE, detail, schedule=schedule, owner_email=email, **vars(wait))
        return True

    def _was_refused(self, report: Facts, schedule: str | None, wait: Wait) -> bool:
        """Whether Studio refused the Report recently; then it is spared."""
        failure, days = self._failures.get(report["token"]), self._policy.retry_refused_days
        if failure is None or not failure.still_holds(report, self._now, days):
            return False
        again = f"planned again from {failure.retried_from(days):%Y-%m-%d}, or once it is changed"
        self._spare(report, SpareReason.REFUSED, f"{failure.in_words()} ({again})", schedule=schedule, **vars(wait))
        return True

    def _email(self, report: Facts) -> str | None:
        return report["creator_email"] or self._members.email(self._evaluator.owner(report))

    def _spare(self, report: Facts, reason: SpareReason, detail: str, **more: Any) -> None:
        self.spared.append(
            Spared(
                report=report["token"],
                report_name=report["name"],
                reason=reason,
                detail=detail,
                owner=report["creator"],
                **more,
            )
        )

    def _about(
        self, report: Facts, schedules: list[dict[str, Any]], evidence: tuple[Evidence, ...], wait: Wait
    ) -> dict[str, Any]:
        failure = self._failures.get(report["token"])
        evidence = evidence if failure is None else (*evidence, failure.evidence())
        return {
            "report": report["token"],
            "report_name": report["name"],
            "owner": self._evaluator.owner(report),
            "owner_email": self._email(report),
            "evidence": evidence,
            "baseline": Baseline(
                archived=bool(report["archived"]),
                view_count=report["view_count"],
                edited_at=report["edited_at"],
                last_run_at=report["last_run_at"],
                collection=report["collection"],
                schedules=tuple(schedule["token"] for schedule in schedules),
            ),
            **vars(wait),
        }


def _deletion(rule: Rule, report: Facts, schedule: Facts, about: dict[str, Any]) -> Action:
    cron = {name: schedule[name] for name in _CRON} if schedule["freq"] is not None else None
    return Action(
        kind=ActionKind.DELETE_SCHEDULE,
        rule=rule,
        schedule=schedule["token"],
        schedule_name=schedule["name"],
        schedule_cron=cron,
        schedule_last_succeeded_at=schedule["last_succeeded_at"],
        saving=_saving(schedule, report["expected_runtime_seconds"]),
        **about,
    )


def _saving(schedule: Facts, mean_runtime_seconds: float | None) -> Saving | None:
    """Return the weekly saving of deleting a schedule, or None if its frequency is unknown."""
    runs = runs_a_week(schedule)
    if runs is None:
        return None
    seconds = None if mean_runtime_seconds is None else round(runs * mean_runtime_seconds, 3)
    return Saving(runs_a_week=runs, seconds_a_week=seconds)
