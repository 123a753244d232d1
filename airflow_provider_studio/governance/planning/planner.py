# SPDX-License-Identifier: Apache-2.0
"""Evaluate a policy against the newest snapshot and its history, and make a plan. Nothing is changed by it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from upath import UPath

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.governance.errors import PlanError
from airflow_provider_studio.governance.planning.earlier_failures import Setback
from airflow_provider_studio.governance.planning.grace import Flag, Wait
from airflow_provider_studio.governance.planning.previous_plans import EarlierPlans
from airflow_provider_studio.governance.planning.sql_condition import matching
from airflow_provider_studio.governance.planning.staleness import Facts, Judge, PolicyContext, texts_of
from airflow_provider_studio.governance.planning.workspace_lookups import FedBy, Members
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
from airflow_provider_studio.governance.snapshots.facts import facts
from airflow_provider_studio.governance.snapshots.frequency import runs_a_week
from airflow_provider_studio.governance.snapshots.schema import DATASET, fetched
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore
from airflow_provider_studio.governance.storage import CLOCKS_DIFFER_BY, utcnow

log = logging.getLogger(__name__)

DEFAULT_NAME = "manual"
"""The name of plans of callers that give none."""
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
    now: Callable[[], datetime] = utcnow,
) -> Plan:
    """Make a plan; `Plan.write` keeps it.

    :param name: tells these plans from those with other policies: the waits of flagged items and the comparison with
        the previous plan continue those of the same name.
    :param snapshot: the snapshot's folder relative to the storage root, as the inventory's summary names it; the newest
        by default.
    :param client: asks what no snapshot tells: the members of the workspace, and which live Reports a dataset feeds.
        Without it nobody counts as having left.
    :raises PlanError: there is no such snapshot, the name is none, or the snapshot or the plan before is from the
        future.
    :raises PolicyError: the policy's own condition is none.
    """
    _check_name(name)
    store = SnapshotStore(storage, workspace)
    nights = _nights(store, snapshot)
    newest = nights[-1]
    made_at = now()
    if newest.taken_at > made_at + CLOCKS_DIFFER_BY:
        raise PlanError(
            f"The snapshot {store.relative(newest)} was taken at {newest.taken_at:%Y-%m-%d %H:%M UTC}, but it is "
            f"{made_at:%Y-%m-%d %H:%M UTC} now: a clock was wrong, then or now. Fix the clock, or remove that folder."
        )
    earlier = EarlierPlans(
        storage, workspace, name=name, taken_at=newest.taken_at, made_at=made_at, archives=policy.archives
    )
    reports, schedules, tokens = _facts(nights, policy)
    members = Members(client)
    around = PolicyContext(members.usernames if policy.owner_left_days is not None else None, tokens, FedBy(client))
    judge = Judge(policy, newest.taken_at, around)
    failed = earlier.setbacks(policy.retry_refused_days)
    work = _Planning(policy, judge, members, waits=earlier.waits(), setbacks=failed, now=made_at)
    for report in reports:
        work.add(report, schedules.get(report["token"], []))
    work.actions.sort(key=lambda one: one.report in failed)  # what failed before comes last, and keeps nothing else
    touched = {one.baseline.collection or "" for one in work.actions}
    places = (one["collection"] or "" for one in reports if not one["archived"])
    live = Counter(place for place in places if place in touched)
    header = PlanHeader(
        workspace=workspace,
        snapshot=store.relative(newest),
        taken_at=newest.taken_at,
        created_at=made_at,
        policy=policy.model_dump(mode="json"),
        policy_in_words=policy.describe(),
        previous_plan=earlier.previous,
        reports_in_snapshot=sum(one["type"] != DATASET for one in reports),
        reports_by_collection=dict(sorted(live.items())),
        protections=_protections(policy, reports, work.kept),
        name=name,
    )
    return Plan(header, work.actions, work.spared)


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise PlanError(
            f"plan_name is {name!r}; it must be a text in one line of at most {_LONGEST_NAME} characters, such as "
            "my_dag.plan."
        )


def _protections(
    policy: StalenessPolicy, reports: list[dict[str, Any]], kept: Collection[str]
) -> tuple[ProtectionCount, ...]:
    """Count what each protection of the policy matches.

    :param kept: tokens of the Reports that nothing but a protection spares.
    """
    counts = policy.protections.count((texts_of(one), one["token"] in kept) for one in reports)
    for one in counts:
        if one.may_be_a_typo:
            log.warning(
                "policy: %s has %r, which matches no Report of the snapshot. It may be misspelt.", one.field, one.value
            )
    return counts


def _nights(store: SnapshotStore, snapshot: str | None) -> list[Snapshot]:
    """Return the nights up to and with the one to plan from."""
    nights = store.all()
    if not nights:
        raise PlanError(f"There is no snapshot under {store.root}. Run the inventory first.")
    if snapshot is None:
        return nights
    for position, night in enumerate(nights, start=1):
        if store.relative(night) == snapshot:
            return nights[:position]
    raise PlanError(f"There is no finished snapshot {snapshot!r} under {store.storage}. Run the inventory again.")


def _facts(
    nights: list[Snapshot], policy: StalenessPolicy
) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]], set[str] | None]:
    """Return the night's Reports, their schedules by Report, and the tokens that the policy's condition is true of."""
    with facts(nights) as connection:
        reports = fetched(connection.execute("SELECT * FROM facts ORDER BY token"))
        rows = fetched(connection.execute("SELECT * FROM schedules ORDER BY report, token"))
        tokens = None if policy.where is None else matching(connection, policy.where)
    schedules: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        schedules.setdefault(row["report"], []).append(row)
    return reports, schedules, tokens


class _Planning:
    """One plan on its way."""

    def __init__(
        self,
        policy: StalenessPolicy,
        judge: Judge,
        members: Members,
        *,
        waits: Mapping[Flag, Wait],
        setbacks: Mapping[str, Setback],
        now: datetime,
    ) -> None:
        self._policy = policy
        self._judge = judge
        self._members = members
        self._waits = waits
        self._setbacks = setbacks
        self._now = now
        self._today = now.astimezone(UTC).date()
        self.actions: list[Action] = []
        self.spared: list[Spared] = []
        self.kept: set[str] = set()
        """Reports that the plan would act on if the policy did not protect them."""

    def add(self, report: Facts, schedules: list[dict[str, Any]]) -> None:
        """Decide on a Report and its schedules."""
        if report["archived"]:
            self._schedules(Rule.SCHEDULE_OF_ARCHIVED, report, schedules)
            return
        if self._policy.archives:
            verdict = self._judge.report(report)
            if verdict.reason is not None:
                self._spare(report, verdict.reason, verdict.detail)
                if verdict.reason in REASONS.values():
                    self.kept.add(report["token"])
            else:
                wait = self._wait(report, None)
                if self._in_grace(report, None, wait) or self._was_refused(report, None, wait):
                    return
                # Schedules first: whether archiving stops them nobody knows.
                about = self._about(report, schedules, verdict.evidence, wait)
                self.actions += [_deletion(Rule.STALE, report, one, about) for one in schedules]
                self.actions.append(Action(kind=ActionKind.ARCHIVE_REPORT, **about))
                return
        self._schedules(Rule.FAILING_SCHEDULE, report, schedules)

    def _schedules(self, rule: Rule, report: Facts, schedules: list[dict[str, Any]]) -> None:
        """Decide on the schedules of a Report that stays as it is."""
        proof = self._judge.failing if rule is Rule.FAILING_SCHEDULE else self._judge.of_archived
        wanted = self._policy.schedules_of_archived if rule is Rule.SCHEDULE_OF_ARCHIVED else True
        if not wanted or report["unknown"]:
            return
        due = [(one, evidence) for one in schedules if (evidence := proof(report, one))]
        if due and self._judge.protection(report) is not None:
            self.kept.add(report["token"])
            return
        for schedule, evidence in due:
            token = schedule["token"]
            wait = self._wait(report, token)
            if not self._in_grace(report, token, wait) and not self._was_refused(report, token, wait):
                about = self._about(report, schedules, evidence, wait)
                self.actions.append(_deletion(rule, report, schedule, about))

    def _wait(self, report: Facts, schedule: str | None) -> Wait:
        """Return the wait of something that the policy flags now."""
        days, before = self._policy.grace_days, self._waits.get((report["token"], schedule))
        return Wait.started(self._today, days) if before is None else before.continued(days)

    def _in_grace(self, report: Facts, schedule: str | None, wait: Wait) -> bool:
        """Leave alone what is not due yet."""
        if wait.due_on <= self._today:
            return False
        detail = f"flagged since {wait.flagged_on}; due on {wait.due_on}"
        email = self._email(report)
        self._spare(report, SpareReason.GRACE, detail, schedule=schedule, owner_email=email, **vars(wait))
        return True

    def _was_refused(self, report: Facts, schedule: str | None, wait: Wait) -> bool:
        """Leave a Report alone that Studio refused lately, and say so."""
        setback, days = self._setbacks.get(report["token"]), self._policy.retry_refused_days
        if setback is None or not setback.still_holds(report, self._now, days):
            return False
        again = f"planned again from {setback.retried_from(days):%Y-%m-%d} on, or once it is changed"
        self._spare(report, SpareReason.REFUSED, f"{setback.in_words()} ({again})", schedule=schedule, **vars(wait))
        return True

    def _email(self, report: Facts) -> str | None:
        return report["creator_email"] or self._members.email(report["creator"])

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
        setback = self._setbacks.get(report["token"])
        evidence = evidence if setback is None else (*evidence, setback.evidence())
        return {
            "report": report["token"],
            "report_name": report["name"],
            "owner": report["creator"],
            "owner_email": self._email(report),
            "evidence": evidence,
            "baseline": Baseline(
                archived=bool(report["archived"]),
                view_count=report["view_count"],
                edited_at=report["edited_at"],
                last_run_at=report["last_run_at"],
                collection=report["collection"],
                schedules=tuple(one["token"] for one in schedules),
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
    """Return what deleting a schedule saves a week, or None where nobody knows how often it runs."""
    runs = runs_a_week(schedule)
    if runs is None:
        return None
    seconds = None if mean_runtime_seconds is None else round(runs * mean_runtime_seconds, 3)
    return Saving(runs_a_week=runs, seconds_a_week=seconds)
