# SPDX-License-Identifier: Apache-2.0
"""Evaluate a policy for one Report at the time of one snapshot: stale with evidence, or spared with a reason.

Studio returns view totals. "Not viewed for 90 days" therefore means that the total is equal in all snapshots since one
that is at least 90 days old, or that a dated view is older. A Report is spared unless its staleness is proven.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_studio.governance.plans.models import Evidence, SpareReason
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.plans.protections import ReportTexts
from airflow_provider_studio.governance.plans.uses import (
    ReportUses,
    lost_subscribers_in_words,
    schedule_subscribers_in_words,
)
from airflow_provider_studio.governance.snapshots.schema import DATASET

Facts = Mapping[str, Any]
"""A row of `facts` or `schedules`; its times carry their zone."""


@dataclass(frozen=True)
class Verdict:
    """Either evidence for an action, or the reason why there is none."""

    evidence: tuple[Evidence, ...] = ()
    reason: SpareReason | None = None
    detail: str = ""


@dataclass(frozen=True)
class PolicyContext:
    """Data beyond the snapshot that a policy may need.

    :param members: user names of the workspace's members; None if unknown.
    :param matching: tokens that meet the policy's SQL condition; None if it has no condition.
    :param find_fed_report: returns a live Report that a dataset feeds, or None.
    :param find_owner: returns the user name of a Report's owner, or None if it is unknown.
    :param count_subscribers: returns how many people and Slack channels get a Report's results, or None if unknown.
    """

    members: Collection[str] | None = None
    matching: Collection[str] | None = None
    find_fed_report: Callable[[str], str | None] = lambda _dataset: None
    find_owner: Callable[[Facts], str | None] = lambda report: report["creator"]
    count_subscribers: Callable[[Facts], int | None] = lambda report: report["subscribers"]


def texts_of(report: Facts) -> ReportTexts:
    """Return what the policy's protections are compared with."""
    return ReportTexts(
        report=report["token"],
        collection=report["collection"],
        collection_name=report["collection_name"],
        owner=report["creator"],
        name=report["name"],
        description=report["description"],
        uses=ReportUses.of_facts(report),
    )


class StalenessEvaluator:
    """Evaluates a policy at the time of one snapshot."""

    def __init__(self, policy: StalenessPolicy, taken_at: datetime, context: PolicyContext) -> None:
        self._policy = policy
        self._taken_at = taken_at
        self._context = context

    def report(self, report: Facts) -> Verdict:
        """Evaluate one Report that is not archived, or not known to be."""
        window = self._window(report)
        return (
            self._unknown(report, window)
            or self._alive(report, window)
            or self._unmatched(report, window)
            or self.protection(report)  # last, so that it counts only Reports that would be stale otherwise
            or Verdict(evidence=self._evidence(report, window))
        )

    def failing(self, report: Facts, schedule: Facts) -> tuple[Evidence, ...]:
        """Return the evidence that a schedule only fails; none if it does not, or if that is unknown."""
        limit, failures = self._policy.failing_schedule_runs, schedule["failures_in_a_row"]
        if limit is None or failures is None or failures < limit:
            return ()
        succeeded = schedule["last_succeeded_at"]
        since = "and never succeeded" if succeeded is None else f"since {_day(succeeded)}"
        meaning = f"failed {failures} times in a row {since}"
        fact = self._fact(report, "failures_in_a_row", failures, meaning, schedule=schedule)
        return (fact, *self._subscribed(report, schedule))

    def of_archived(self, report: Facts, schedule: Facts) -> tuple[Evidence, ...]:
        """Return the evidence that a schedule belongs to an archived Report."""
        next_run = schedule["next_scheduled_run"]
        when = f"; it would run next {_day(next_run)}" if next_run is not None else ""
        fact = self._fact(report, "archived", True, f"its Report is archived{when}", schedule=schedule)
        return (fact, *self._subscribed(report, schedule))

    def _subscribed(self, report: Facts, schedule: Facts) -> list[Evidence]:
        """Return the evidence that somebody subscribes to a schedule, or that this is unknown."""
        count = schedule["subscriber_count"]
        meaning = schedule_subscribers_in_words(count)
        return [] if count == 0 else [self._fact(report, "subscriber_count", count, meaning, schedule=schedule)]

    def owner(self, report: Facts) -> str | None:
        """Return the user name of a Report's owner, or None if it is unknown."""
        return self._context.find_owner(report)

    def subscribers(self, report: Facts) -> int | None:
        """Return how many people and Slack channels get a Report's results, or None if that is unknown."""
        return self._context.count_subscribers(report)

    def protection(self, report: Facts, *, by_uses: bool = True) -> Verdict | None:
        """Return why a Report is protected regardless of its views, or None.

        :param by_uses: whether a use protects it. Nobody gets the results of a schedule that only fails.
        """
        if report["type"] == DATASET:
            fed = self._context.find_fed_report(report["token"])
            if fed is not None:
                return Verdict(reason=SpareReason.FEEDS, detail=f"feeds the live Report {fed}")
            return Verdict(reason=SpareReason.DATASET, detail="Studio has no archive for datasets")
        owner = self.owner(report)
        texts = replace(texts_of(report), owner=owner)
        if by_uses:
            uses = replace(texts.uses, subscribers=self.subscribers(report))
            protection = self._policy.protection(replace(texts, uses=uses))
        else:
            protection = self._policy.protection(texts.without_uses())
        if protection is None and owner is None and self._policy.protected_owners:
            return Verdict(
                reason=SpareReason.PROTECTED_OWNER, detail="its owner is unknown, and may be a protected one"
            )
        return None if protection is None else Verdict(reason=protection[0], detail=protection[1])

    def _window(self, report: Facts) -> int | None:
        return self._policy.window(
            owner_left=self._owner_left(report),
            empty=report["query_count"] == 0,
            never_run=report["runs_count"] == 0 and report["last_run_at"] is None,
        )

    def _owner_left(self, report: Facts) -> bool:
        members, owner = self._context.members, report["creator"]
        return members is not None and owner is not None and owner not in members

    def _unknown(self, report: Facts, window: int | None) -> Verdict | None:
        if report["unknown"]:
            seen = f" since {_day(report['seen_at'])}" if report["seen_at"] is not None else ""
            what, why = ("it", f": {reason}") if (reason := report["unknown_reason"]) else ("its Collection", "")
            return Verdict(reason=SpareReason.UNPROVEN, detail=f"{what} could not be read{seen}{why}")
        if report["collection"] is None:
            return Verdict(reason=SpareReason.UNPROVEN, detail="it is in no Collection, so it is unknown who uses it")
        needed = ["archived", "created_at", "edited_at", *(["view_count"] if window is not None else [])]
        if report["type"] == DATASET:
            needed.remove("archived")  # Studio does not return it for datasets
        unknown = [name for name in needed if report[name] is None]
        if unknown:
            return Verdict(reason=SpareReason.UNPROVEN, detail=f"Studio did not return {', '.join(unknown)}")
        return None

    def _alive(self, report: Facts, window: int | None) -> Verdict | None:
        if report["created_at"] > self._ago(self._policy.minimum_age_days):
            return Verdict(reason=SpareReason.YOUNG, detail=f"created {_day(report['created_at'])}")
        if window is not None:
            if report["edited_at"] > self._ago(window):
                return Verdict(reason=SpareReason.EDITED, detail=f"edited {_day(report['edited_at'])}")
            viewed = self._viewed(report, window)
            if viewed is not None:
                return viewed
        return self._run(report)

    def _viewed(self, report: Facts, window: int) -> Verdict | None:
        """Spare a Report that any source shows as viewed within the window, or that is not proven to be unviewed."""
        since, first, changed = self._ago(window), report["first_seen_at"], report["views_unchanged_since"]
        dated = report["last_viewed_at"]
        if dated is not None and dated > since:
            return Verdict(reason=SpareReason.VIEWED, detail=f"viewed {_day(dated)}")
        if changed is not None and changed > since and changed > first:
            return Verdict(reason=SpareReason.VIEWED, detail=f"view count changed by {_day(changed)}")
        if self._unviewed_since(report, window) is not None:
            return None
        detail = f"snapshots go back to {_day(first)}, not {window} days"
        return Verdict(reason=SpareReason.UNPROVEN, detail=detail)

    def _unviewed_since(self, report: Facts, window: int) -> datetime | None:
        """Return since when the Report is proven to be unviewed, if that covers the window."""
        since, changed, dated = self._ago(window), report["views_unchanged_since"], report["last_viewed_at"]
        if report["view_count"] == 0 and report["created_at"] <= since:
            return report["created_at"]  # type: ignore[no-any-return]
        proofs: list[datetime] = [time for time in (changed, dated) if time is not None and time <= since]
        return min(proofs, default=None)

    def _run(self, report: Facts) -> Verdict | None:
        if self._policy.unrun_days is None:
            return None
        since, by_person = self._ago(self._policy.unrun_days), report["last_run_by_person_at"]
        if by_person is not None and by_person > since:
            return Verdict(reason=SpareReason.RUN, detail=f"run by a person {_day(by_person)}")
        ran = report["last_run_at"]
        if ran is not None and ran > since and report["last_run_by_schedule"] is None:
            return Verdict(reason=SpareReason.UNPROVEN, detail=f"run {_day(ran)}, unknown by whom")
        # An earlier run by a person may precede a schedule's last run; only older snapshots can rule that out.
        if report["last_run_by_schedule"] and report["first_seen_at"] > since:
            detail = f"snapshots do not go back {self._policy.unrun_days} days, and a schedule's runs hide earlier runs"
            return Verdict(reason=SpareReason.UNPROVEN, detail=detail)
        return None

    def _unmatched(self, report: Facts, window: int | None) -> Verdict | None:
        matching = self._context.matching
        if matching is not None and report["token"] not in matching:
            return Verdict(reason=SpareReason.UNMATCHED, detail="it does not meet the policy's condition")
        if window is None and self._policy.unrun_days is None and matching is None:
            return Verdict(reason=SpareReason.UNMATCHED, detail="no window of the policy applies to it")
        return None

    def _evidence(self, report: Facts, window: int | None) -> tuple[Evidence, ...]:
        facts = []
        if window is not None:
            since, count = self._unviewed_since(report, window), report["view_count"]
            day = _day(since or self._ago(window))
            views = f"not viewed since {day} ({count} views then and now)" if count else "never viewed"
            facts.append(self._fact(report, "view_count", count, views))
        edited = report["edited_at"]
        facts.append(self._fact(report, "edited_at", edited.isoformat(), f"last edited {_day(edited)}"))
        if self._policy.unrun_days is not None:
            by_person = report["last_run_by_person_at"]
            when = "never" if by_person is None else f"last {_day(by_person)}"
            value = by_person and by_person.isoformat()
            facts.append(self._fact(report, "last_run_by_person_at", value, f"run by a person: {when}"))
        return (*facts, *self._why_shorter(report), *self._why_matching(report), *self._subscribers(report))

    def _subscribers(self, report: Facts) -> list[Evidence]:
        """Return how many people get the Report by e-mail, unless it has no schedule that could send it."""
        if report["schedules_count"] == 0:
            return []
        count = self.subscribers(report)
        return [self._fact(report, "subscribers", count, lost_subscribers_in_words(count), source="subscriptions")]

    def _why_shorter(self, report: Facts) -> list[Evidence]:
        """Return the evidence for a shorter window."""
        policy, facts = self._policy, []
        if policy.owner_left_days is not None and self._owner_left(report):
            meaning = f"its owner {report['creator']} is no longer a member"
            facts.append(self._fact(report, "creator", report["creator"], meaning, source="memberships"))
        if policy.empty_days is not None and report["query_count"] == 0:
            facts.append(self._fact(report, "query_count", 0, "it has no query"))
        if policy.never_run_days is not None and report["runs_count"] == 0 and report["last_run_at"] is None:
            facts.append(self._fact(report, "runs_count", 0, "it never ran"))
        return facts

    def _why_matching(self, report: Facts) -> list[Evidence]:
        where = self._policy.where
        return [] if where is None else [self._fact(report, "where", True, f"matches {' '.join(where.split())}")]

    def _fact(
        self,
        report: Facts,
        name: str,
        value: Any,
        meaning: str,
        *,
        schedule: Facts | None = None,
        source: str | None = None,
    ) -> Evidence:
        at = (report["seen_at"] if schedule is None else schedule["verified_at"]) or self._taken_at
        at = self._taken_at if source is not None else at
        age = max(0.0, (self._taken_at - at).total_seconds() / 86400)
        return Evidence(
            field=name,
            value=value,
            observed_at=at,
            source=source or report["source"] or "rest",
            age_days=round(age, 2),
            meaning=meaning,
        )

    def _ago(self, days: int) -> datetime:
        return self._taken_at - timedelta(days=days)


def _day(time: datetime) -> str:
    return time.strftime("%Y-%m-%d")
