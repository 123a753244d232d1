# SPDX-License-Identifier: Apache-2.0
"""Hold the newest snapshot and the nights before it against a policy, and make a plan. Nothing is changed by it.

Views are totals, so "not viewed for 90 days" is the same count in every snapshot from at least 90 days ago until now.
What cannot be proven is spared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from upath import UPath

from airflow_provider_studio.governance import history
from airflow_provider_studio.governance.errors import PlanError
from airflow_provider_studio.governance.plan import (
    Action,
    ActionKind,
    Baseline,
    Evidence,
    Plan,
    PlanHeader,
    Spared,
    SpareReason,
)
from airflow_provider_studio.governance.policy import StalenessPolicy
from airflow_provider_studio.governance.snapshots import Snapshot, SnapshotStore
from airflow_provider_studio.governance.storage import utcnow


@dataclass(frozen=True)
class _Verdict:
    """Either evidence that a Report is stale, or a reason to leave it alone."""

    evidence: tuple[Evidence, ...] = ()
    reason: SpareReason | None = None
    detail: str = ""


def make_plan(
    storage: UPath,
    workspace: str,
    policy: StalenessPolicy,
    *,
    snapshot: str | None = None,
    now: Callable[[], datetime] = utcnow,
) -> Plan:
    """Make a plan; `Plan.write` keeps it.

    :param snapshot: the snapshot's folder relative to the storage root, as the inventory's summary names it; the newest
        by default.
    :raises PlanError: there is no such snapshot.
    """
    store = SnapshotStore(storage, workspace)
    nights = _nights(store, snapshot)
    newest = nights[-1]
    judge = _Judge(policy, newest)
    actions: list[Action] = []
    spared: list[Spared] = []
    reports, schedules = _facts(nights, policy)
    for report in reports:
        if report["archived"]:
            continue
        verdict = judge.verdict(report)
        if verdict.reason is not None:
            spared.append(
                Spared(report=report["token"], report_name=report["name"], reason=verdict.reason, detail=verdict.detail)
            )
            continue
        actions += _actions(report, schedules.get(report["token"], []), verdict.evidence)
    header = PlanHeader(
        workspace=workspace,
        snapshot=store.relative(newest),
        taken_at=newest.taken_at,
        created_at=now(),
        policy=policy.model_dump(mode="json"),
        policy_in_words=policy.describe(),
        reports_in_snapshot=len(reports),
    )
    return Plan(header, actions, spared)


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
) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """Return the newest night's Reports with what history adds to each, and its schedules by Report."""
    since = nights[-1].taken_at - timedelta(days=policy.unviewed_days)
    with history.facts(nights) as connection:
        reports = _rows(connection.execute("SELECT * FROM facts ORDER BY token"))
        rows = _rows(connection.execute("SELECT * FROM schedules ORDER BY report, token"))
    for report in reports:
        unchanged_since = report["views_unchanged_since"]
        report["views_unchanged"] = unchanged_since is not None and unchanged_since <= since
        report["anchored_at"] = unchanged_since if report["views_unchanged"] else _anchor(report, nights, since)
    schedules: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        schedules.setdefault(row["report"], []).append(row)
    return reports, schedules


def _anchor(report: dict[str, Any], nights: list[Snapshot], since: datetime) -> datetime | None:
    """Return the last night at least as old as the window, if the Report was there already."""
    old = [night.taken_at for night in nights if report["first_seen_at"] <= night.taken_at <= since]
    return old[-1] if old else None


def _rows(result: Any) -> list[dict[str, Any]]:
    names = [column[0] for column in result.description]
    return [{name: _aware(value) for name, value in zip(names, row, strict=True)} for row in result.fetchall()]


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


class _Judge:
    """The policy at the time of one snapshot."""

    def __init__(self, policy: StalenessPolicy, newest: Snapshot) -> None:
        self._policy = policy
        self._taken_at = newest.taken_at
        self._viewed_since = newest.taken_at - timedelta(days=policy.unviewed_days)

    def verdict(self, report: dict[str, Any]) -> _Verdict:
        """Decide on one Report that is not known to be archived."""
        unknown = [name for name in ("archived", "created_at", "edited_at", "view_count") if report[name] is None]
        if unknown:
            return _Verdict(reason=SpareReason.UNPROVEN, detail=f"Studio did not tell {', '.join(unknown)}")
        return self._alive(report) or self._protected(report) or _Verdict(evidence=self._evidence(report))

    def _alive(self, report: dict[str, Any]) -> _Verdict | None:
        if report["created_at"] > self._taken_at - timedelta(days=self._policy.minimum_age_days):
            return _Verdict(reason=SpareReason.YOUNG, detail=f"created {_day(report['created_at'])}")
        if report["edited_at"] > self._viewed_since:
            return _Verdict(reason=SpareReason.EDITED, detail=f"edited {_day(report['edited_at'])}")
        return self._viewed(report) or self._run(report)

    def _viewed(self, report: dict[str, Any]) -> _Verdict | None:
        if self._never_viewed(report):
            return None
        if report["anchored_at"] is None:
            first = _day(report["first_seen_at"])
            detail = f"snapshots go back to {first}, not {self._policy.unviewed_days} days"
            return _Verdict(reason=SpareReason.UNPROVEN, detail=detail)
        if not report["views_unchanged"]:
            return _Verdict(reason=SpareReason.VIEWED, detail=f"view count moved since {_day(report['anchored_at'])}")
        return None

    def _never_viewed(self, report: dict[str, Any]) -> bool:
        return bool(report["view_count"] == 0 and report["created_at"] <= self._viewed_since)

    def _run(self, report: dict[str, Any]) -> _Verdict | None:
        if self._policy.unrun_days is None:
            return None
        since = self._taken_at - timedelta(days=self._policy.unrun_days)
        by_person = report["last_run_by_person_at"]
        if by_person is not None and by_person > since:
            return _Verdict(reason=SpareReason.RUN, detail=f"run by a person {_day(by_person)}")
        # Behind a schedule's last run an earlier one by a person may hide; only history can rule that out.
        if report["last_run_by_schedule"] and report["first_seen_at"] > since:
            detail = f"snapshots do not go back {self._policy.unrun_days} days, and a schedule's runs hide others"
            return _Verdict(reason=SpareReason.UNPROVEN, detail=detail)
        return None

    def _protected(self, report: dict[str, Any]) -> _Verdict | None:
        policy = self._policy
        if report["token"] in policy.protected_reports:
            return _Verdict(reason=SpareReason.PROTECTED_REPORT, detail="named by the policy")
        if policy.protects_collection(report["collection"], report["collection_name"]):
            detail = f"Collection {report['collection_name'] or report['collection']}"
            return _Verdict(reason=SpareReason.PROTECTED_COLLECTION, detail=detail)
        pattern = policy.protecting_pattern(report["name"])
        if pattern is not None:
            return _Verdict(reason=SpareReason.PROTECTED_NAME, detail=f"matches {pattern}")
        return None

    def _evidence(self, report: dict[str, Any]) -> tuple[Evidence, ...]:
        since = report["created_at"] if self._never_viewed(report) else report["anchored_at"]
        count = report["view_count"]
        facts = [
            ("view_count", count, f"not viewed since {_day(since)} ({count} views then and now)"),
            ("edited_at", report["edited_at"].isoformat(), f"last edited {_day(report['edited_at'])}"),
        ]
        if self._policy.unrun_days is not None:
            by_person = report["last_run_by_person_at"]
            when = "never" if by_person is None else f"last {_day(by_person)}"
            facts.append(("last_run_at", by_person and by_person.isoformat(), f"run by a person: {when}"))
        return tuple(
            Evidence(field=name, value=value, observed_at=self._taken_at, meaning=meaning)
            for name, value, meaning in facts
        )


def _actions(report: dict[str, Any], schedules: list[dict[str, Any]], evidence: tuple[Evidence, ...]) -> list[Action]:
    """Return a stale Report's actions: its schedules first, which would otherwise go on firing."""
    about = {
        "report": report["token"],
        "report_name": report["name"],
        "evidence": evidence,
        "baseline": Baseline(
            archived=False,
            view_count=report["view_count"],
            edited_at=report["edited_at"],
            last_run_at=report["last_run_at"],
            collection=report["collection"],
            schedules=tuple(one["token"] for one in schedules),
        ),
    }
    deletions = [
        Action(kind=ActionKind.DELETE_SCHEDULE, schedule=one["token"], schedule_name=one["name"], **about)
        for one in schedules
    ]
    return [*deletions, Action(kind=ActionKind.ARCHIVE_REPORT, **about)]


def _day(time: datetime) -> str:
    return time.strftime("%Y-%m-%d")
