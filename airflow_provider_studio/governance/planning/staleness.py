# SPDX-License-Identifier: Apache-2.0
"""Judge one Report by a policy at the time of one snapshot: stale with evidence, or left alone with a reason.

Views are totals, so "not viewed for 90 days" is the same count in every night from one at least 90 days ago until now,
or a dated view that is older. What cannot be proven is spared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_studio.governance.plans.models import Evidence, SpareReason
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.plans.protections import ReportTexts
from airflow_provider_studio.governance.snapshots.schema import DATASET

Facts = Mapping[str, Any]
"""A row of `facts` or `schedules`; its times carry their zone."""


@dataclass(frozen=True)
class Verdict:
    """Either evidence that something is to go, or a reason to leave it alone."""

    evidence: tuple[Evidence, ...] = ()
    reason: SpareReason | None = None
    detail: str = ""


@dataclass(frozen=True)
class PolicyContext:
    """What the snapshot does not tell and a policy may ask.

    :param members: user names of the workspace's members; None where nobody could tell.
    :param matching: tokens for which the policy's own condition is true; None where it has none.
    :param fed_by: names the live Report that a dataset feeds, if there is one.
    """

    members: Collection[str] | None = None
    matching: Collection[str] | None = None
    fed_by: Callable[[str], str | None] = lambda _dataset: None


def texts_of(report: Facts) -> ReportTexts:
    """Return what the policy's protections are compared with."""
    return ReportTexts(
        report=report["token"],
        collection=report["collection"],
        collection_name=report["collection_name"],
        owner=report["creator"],
        name=report["name"],
        description=report["description"],
    )


class Judge:
    """The policy at the time of one snapshot."""

    def __init__(self, policy: StalenessPolicy, taken_at: datetime, around: PolicyContext) -> None:
        self._policy = policy
        self._taken_at = taken_at
        self._around = around

    def report(self, report: Facts) -> Verdict:
        """Decide on one Report that is not known to be archived."""
        window = self._window(report)
        return (
            self._unknown(report, window)
            or self._alive(report, window)
            or self._unmatched(report, window)
            or self.protection(report)  # last: what it spares would be stale otherwise
            or Verdict(evidence=self._evidence(report, window))
        )

    def failing(self, report: Facts, schedule: Facts) -> tuple[Evidence, ...]:
        """Return the evidence that a schedule only fails; none where it does not, or nobody can tell."""
        limit, failures = self._policy.failing_schedule_runs, schedule["failures_in_a_row"]
        if limit is None or failures is None or failures < limit:
            return ()
        good = schedule["last_succeeded_at"]
        since = "and never succeeded" if good is None else f"since {_day(good)}"
        meaning = f"failed {failures} times in a row {since}"
        return (self._fact(report, "failures_in_a_row", failures, meaning, schedule=schedule),)

    def of_archived(self, report: Facts, schedule: Facts) -> tuple[Evidence, ...]:
        """Return the evidence that a schedule belongs to an archived Report."""
        coming = schedule["next_scheduled_run"]
        when = f"; it would run next {_day(coming)}" if coming is not None else ""
        return (self._fact(report, "archived", True, f"its Report is archived{when}", schedule=schedule),)

    def protection(self, report: Facts) -> Verdict | None:
        """Why a Report is left alone whatever its use."""
        if report["type"] == DATASET:
            fed = self._around.fed_by(report["token"])
            if fed is not None:
                return Verdict(reason=SpareReason.FEEDS, detail=f"feeds the live Report {fed}")
            return Verdict(reason=SpareReason.DATASET, detail="Studio has no archive for datasets")
        found = self._policy.protection(**vars(texts_of(report)))
        return None if found is None else Verdict(reason=found[0], detail=found[1])

    def _window(self, report: Facts) -> int | None:
        return self._policy.window(
            owner_left=self._owner_left(report),
            empty=report["query_count"] == 0,
            never_run=report["runs_count"] == 0 and report["last_run_at"] is None,
        )

    def _owner_left(self, report: Facts) -> bool:
        members, owner = self._around.members, report["creator"]
        return members is not None and owner is not None and owner not in members

    def _unknown(self, report: Facts, window: int | None) -> Verdict | None:
        if report["unknown"]:
            seen = f" since {_day(report['seen_at'])}" if report["seen_at"] is not None else ""
            return Verdict(reason=SpareReason.UNPROVEN, detail=f"its Collection could not be read{seen}")
        if report["collection"] is None:
            return Verdict(reason=SpareReason.UNPROVEN, detail="it is in no Collection, so nobody can say whose it is")
        needed = ["archived", "created_at", "edited_at", *(["view_count"] if window is not None else [])]
        if report["type"] == DATASET:
            needed.remove("archived")  # which Studio tells of no dataset
        unknown = [name for name in needed if report[name] is None]
        if unknown:
            return Verdict(reason=SpareReason.UNPROVEN, detail=f"Studio did not tell {', '.join(unknown)}")
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
        """Any sign of a view within the window counts, whichever source tells it; then a proof of none is needed."""
        since, first, moved = self._ago(window), report["first_seen_at"], report["views_unchanged_since"]
        dated = report["last_viewed_at"]
        if dated is not None and dated > since:
            return Verdict(reason=SpareReason.VIEWED, detail=f"viewed {_day(dated)}")
        if moved is not None and moved > since and moved > first:
            return Verdict(reason=SpareReason.VIEWED, detail=f"view count moved by {_day(moved)}")
        if self._unviewed_since(report, window) is not None:
            return None
        detail = f"snapshots go back to {_day(first)}, not {window} days"
        return Verdict(reason=SpareReason.UNPROVEN, detail=detail)

    def _unviewed_since(self, report: Facts, window: int) -> datetime | None:
        """Since when nobody viewed the Report for sure, if that is long enough."""
        since, moved, dated = self._ago(window), report["views_unchanged_since"], report["last_viewed_at"]
        if report["view_count"] == 0 and report["created_at"] <= since:
            return report["created_at"]  # type: ignore[no-any-return]
        proofs: list[datetime] = [one for one in (moved, dated) if one is not None and one <= since]
        return min(proofs, default=None)

    def _run(self, report: Facts) -> Verdict | None:
        if self._policy.unrun_days is None:
            return None
        since, by_person = self._ago(self._policy.unrun_days), report["last_run_by_person_at"]
        if by_person is not None and by_person > since:
            return Verdict(reason=SpareReason.RUN, detail=f"run by a person {_day(by_person)}")
        ran = report["last_run_at"]
        if ran is not None and ran > since and report["last_run_by_schedule"] is None:
            return Verdict(reason=SpareReason.UNPROVEN, detail=f"run {_day(ran)}, by whom is unknown")
        # Behind a schedule's last run an earlier one by a person may hide; only history can rule that out.
        if report["last_run_by_schedule"] and report["first_seen_at"] > since:
            detail = f"snapshots do not go back {self._policy.unrun_days} days, and a schedule's runs hide others"
            return Verdict(reason=SpareReason.UNPROVEN, detail=detail)
        return None

    def _unmatched(self, report: Facts, window: int | None) -> Verdict | None:
        matching = self._around.matching
        if matching is not None and report["token"] not in matching:
            return Verdict(reason=SpareReason.UNMATCHED, detail="the policy's condition is not true of it")
        if window is None and self._policy.unrun_days is None and matching is None:
            return Verdict(reason=SpareReason.UNMATCHED, detail="no window of the policy speaks of it")
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
        return (*facts, *self._why_shorter(report), *self._why_matching(report))

    def _why_shorter(self, report: Facts) -> list[Evidence]:
        """What gave the Report a shorter window."""
        policy, facts = self._policy, []
        if policy.owner_left_days is not None and self._owner_left(report):
            meaning = f"its owner {report['creator']} is no member any more"
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
