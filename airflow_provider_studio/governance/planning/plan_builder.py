# SPDX-License-Identifier: Apache-2.0
"""Collects the actions and the spared items of a plan: what follows from the evaluation of each Report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_studio.governance.planning.earlier_failures import EarlierFailure
from airflow_provider_studio.governance.planning.grace import Flag, Wait
from airflow_provider_studio.governance.planning.staleness import Facts, StalenessEvaluator
from airflow_provider_studio.governance.planning.workspace_lookups import Members, ScheduleLookup
from airflow_provider_studio.governance.plans.models import (
    Action,
    ActionKind,
    Baseline,
    Evidence,
    Rule,
    Saving,
    Spared,
    SpareReason,
)
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.plans.protections import REASONS
from airflow_provider_studio.governance.plans.subscriber_count import total
from airflow_provider_studio.governance.snapshots.frequency import runs_a_week

_CRON = ("freq", "hour", "minute", "day_of_week", "day_of_month")
_NO_SCHEDULE = "it is stale, but only schedules are deleted, and none of it is known"


class PlanBuilder:
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
        if self._policy.judges:
            verdict = self._evaluator.report(report)
            if verdict.reason is not None:
                self._spare(report, verdict.reason, verdict.detail)
                if verdict.reason in REASONS.values():
                    self.protected.add(report["token"])
            else:
                self._stale(report, schedules, verdict.evidence)
                return
        self._schedules(Rule.FAILING_SCHEDULE, report, schedules)

    def _stale(self, report: Facts, schedules: list[dict[str, Any]], evidence: tuple[Evidence, ...]) -> None:
        """Add the actions on a stale Report, or spare it until it is due."""
        archives = self._policy.actions == "all"
        if not archives and not schedules and report["schedules_count"] == 0:
            self._spare(report, SpareReason.NO_SCHEDULE, _NO_SCHEDULE)
            return
        wait = self._wait(report, None)
        if self._in_grace(report, None, wait, evidence) or self._was_refused(report, None, wait):
            return
        if not schedules and (found := self._find_schedules(report["token"])):
            # The snapshot's count missed them: what the policy says of the Report may depend on them.
            counts = [schedule["subscriber_count"] for schedule in found]
            self.add({**report, "schedules_count": len(found), "subscribers": total(counts)}, found)
            return
        if not archives and not schedules:
            self._spare(report, SpareReason.NO_SCHEDULE, _NO_SCHEDULE)
            return
        # Schedules first: it is unknown whether archiving a Report stops them.
        subscribers = self._evaluator.subscribers(report) if schedules else None
        about = self._about(report, schedules, evidence, wait, subscribers)
        self.actions += [_deletion(Rule.STALE, report, schedule, about) for schedule in schedules]
        if archives:
            self.actions.append(Action(kind=ActionKind.ARCHIVE_REPORT, **about))

    def _schedules(self, rule: Rule, report: Facts, schedules: list[dict[str, Any]]) -> None:
        """Evaluate the schedules of a Report that is not archived by this plan."""
        evidence_for = self._evaluator.failing if rule is Rule.FAILING_SCHEDULE else self._evaluator.of_archived
        is_enabled = self._policy.schedules_of_archived if rule is Rule.SCHEDULE_OF_ARCHIVED else True
        if not is_enabled or report["unknown"]:
            return
        due = [(schedule, evidence) for schedule in schedules if (evidence := evidence_for(report, schedule))]
        by_uses = rule is not Rule.FAILING_SCHEDULE
        if due and self._evaluator.protection(report, by_uses=by_uses) is not None:
            self.protected.add(report["token"])
            return
        for schedule, evidence in due:
            token = schedule["token"]
            wait = self._wait(report, token)
            if not self._in_grace(report, token, wait, evidence) and not self._was_refused(report, token, wait):
                about = self._about(report, schedules, evidence, wait, schedule["subscriber_count"])
                self.actions.append(_deletion(rule, report, schedule, about))

    def _wait(self, report: Facts, schedule: str | None) -> Wait:
        """Return the grace period of an item that the policy flags now."""
        days, before = self._policy.grace_days, self._waits.get((report["token"], schedule))
        return Wait.started(self._today, days) if before is None else before.continued(days)

    def _in_grace(self, report: Facts, schedule: str | None, wait: Wait, evidence: tuple[Evidence, ...]) -> bool:
        """Whether an item is not due yet; then it is spared."""
        if wait.due_on <= self._today:
            return False
        detail = f"flagged since {wait.flagged_on}; due on {wait.due_on}"
        self._spare(
            report,
            SpareReason.GRACE,
            detail,
            schedule=schedule,
            owner_email=self._email(report),
            collection_name=report["collection_name"],
            report_url=report["web_url"],
            why="; ".join(fact.meaning for fact in evidence),
            **vars(wait),
        )
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
        self,
        report: Facts,
        schedules: list[dict[str, Any]],
        evidence: tuple[Evidence, ...],
        wait: Wait,
        subscribers: int | None,
    ) -> dict[str, Any]:
        failure = self._failures.get(report["token"])
        evidence = evidence if failure is None else (*evidence, failure.evidence())
        return {
            "report": report["token"],
            "report_name": report["name"],
            "owner": self._evaluator.owner(report),
            "owner_email": self._email(report),
            "collection_name": report["collection_name"],
            "report_url": report["web_url"],
            "subscribers": subscribers,
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
        schedule_time_zone=schedule["time_zone"],
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
