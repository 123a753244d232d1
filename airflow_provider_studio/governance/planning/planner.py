# SPDX-License-Identifier: Apache-2.0
"""Hold the newest snapshot and the nights before it against a policy, and make a plan. Nothing is changed by it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from upath import UPath

from airflow_provider_studio.client.api import StudioClient
from airflow_provider_studio.governance.errors import PlanError
from airflow_provider_studio.governance.history.facts import facts
from airflow_provider_studio.governance.history.rows import fetched
from airflow_provider_studio.governance.history.snapshots import Snapshot, SnapshotStore
from airflow_provider_studio.governance.planning.asking import FedBy, Members
from airflow_provider_studio.governance.planning.earlier import EarlierPlans, Flag
from airflow_provider_studio.governance.planning.judging import Around, Facts, Judge, texts_of
from airflow_provider_studio.governance.planning.savings import saving_of
from airflow_provider_studio.governance.planning.setbacks import Setback
from airflow_provider_studio.governance.planning.where import matching
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.plans.protections import REASONS
from airflow_provider_studio.governance.plans.records import (
    Action,
    ActionKind,
    Baseline,
    Evidence,
    PlanHeader,
    ProtectionCount,
    Rule,
    Spared,
    SpareReason,
)
from airflow_provider_studio.governance.storage import utcnow
from airflow_provider_studio.governance.words import counted

log = logging.getLogger(__name__)

_CLOCKS_DIFFER_BY = timedelta(hours=1)
_CRON = ("freq", "hour", "minute", "day_of_week", "day_of_month")


def make_plan(
    storage: UPath,
    workspace: str,
    policy: StalenessPolicy,
    *,
    snapshot: str | None = None,
    client: StudioClient | None = None,
    now: Callable[[], datetime] = utcnow,
) -> Plan:
    """Make a plan; `Plan.write` keeps it.

    :param snapshot: the snapshot's folder relative to the storage root, as the inventory's summary names it; the newest
        by default.
    :param client: asks what no snapshot tells: the members of the workspace, and which live Reports a dataset feeds.
        Without it nobody counts as having left.
    :raises PlanError: there is no such snapshot, or it is from the future.
    :raises PolicyError: the policy's own condition is none.
    """
    store = SnapshotStore(storage, workspace)
    nights = _nights(store, snapshot)
    newest = nights[-1]
    made_at = now()
    if newest.taken_at > made_at + _CLOCKS_DIFFER_BY:
        raise PlanError(
            f"The snapshot {store.relative(newest)} was taken at {newest.taken_at:%Y-%m-%d %H:%M UTC}, but it is "
            f"{made_at:%Y-%m-%d %H:%M UTC} now: a clock was wrong, then or now. Mend the clock, or remove that folder."
        )
    earlier = EarlierPlans(storage, workspace, newest.taken_at, archives=policy.archives)
    reports, schedules, tokens = _facts(nights, policy)
    members = Members(client)
    around = Around(members.usernames if policy.owner_left_days is not None else None, tokens, FedBy(client))
    judge = Judge(policy, newest.taken_at, around)
    failed = earlier.setbacks(made_at, policy.retry_refused_days)
    work = _Planning(policy, judge, members, flagged=earlier.flagged(policy.grace_nights), setbacks=failed, now=made_at)
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
        previous_plan=earlier.newest,
        reports_in_snapshot=len(reports),
        reports_by_collection=dict(sorted(live.items())),
        protections=_protections(policy, reports, work.kept),
    )
    return Plan(header, work.actions, work.spared)


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
        flagged: Mapping[Flag, int],
        setbacks: Mapping[str, Setback],
        now: datetime,
    ) -> None:
        self._policy = policy
        self._judge = judge
        self._members = members
        self._flagged = flagged
        self._setbacks = setbacks
        self._now = now
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
            elif self._in_grace(report, None) or self._was_refused(report, None):
                return
            else:
                # Schedules first: whether archiving stops them nobody knows.
                about = self._about(report, schedules, verdict.evidence)
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
            if not self._in_grace(report, schedule) and not self._was_refused(report, schedule):
                self.actions.append(_deletion(rule, report, schedule, self._about(report, schedules, evidence)))

    def _in_grace(self, report: Facts, schedule: Facts | None) -> bool:
        """Flag what was not flagged often enough yet."""
        token = None if schedule is None else schedule["token"]
        left = self._policy.grace_nights - self._flagged.get((report["token"], token), 0)
        if left <= 0:
            return False
        detail = f"flagged; due in {counted(left, 'night')}"
        email = self._email(report)
        self._spare(report, SpareReason.GRACE, detail, schedule=token, nights_left=left, owner_email=email)
        return True

    def _was_refused(self, report: Facts, schedule: Facts | None) -> bool:
        """Leave a Report alone that Studio refused lately, and say so."""
        setback, days = self._setbacks.get(report["token"]), self._policy.retry_refused_days
        if setback is None or not setback.still_holds(report, self._now, days):
            return False
        again = f"planned again from {setback.retried_from(days):%Y-%m-%d} on, or once it is changed"
        token = None if schedule is None else schedule["token"]
        self._spare(report, SpareReason.REFUSED, f"{setback.in_words()} ({again})", schedule=token)
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

    def _about(self, report: Facts, schedules: list[dict[str, Any]], evidence: tuple[Evidence, ...]) -> dict[str, Any]:
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
        saving=saving_of(schedule, report["expected_runtime_seconds"]),
        **about,
    )
