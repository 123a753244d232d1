# SPDX-License-Identifier: Apache-2.0
"""Failures of earlier plans by Report: such a Report must neither block other Reports nor be forgotten."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from airflow_provider_studio.governance.errors import ABOUT_ONE_REPORT, JournalError
from airflow_provider_studio.governance.file_names import report_of
from airflow_provider_studio.governance.planning.staleness import Facts
from airflow_provider_studio.governance.plans.audit import SETTLED, ActionState, Audit, JournalEvent
from airflow_provider_studio.governance.plans.journal import PLAN, Event
from airflow_provider_studio.governance.plans.models import REFUSED, ActionKind, Baseline, Evidence, PlanHeader

log = logging.getLogger(__name__)

_APPLIED_WITHIN = timedelta(days=31)
"""Older plans are not applied any more, so they have no recent failures."""


@dataclass(frozen=True)
class EarlierFailure:
    """The newest failure of an action on a Report.

    :param status: the HTTP status, if there was a response.
    :param refused: whether Studio refused this Report; otherwise the service failed, or refused all requests.
    :param baseline: the state of the Report when the plan was created.
    """

    at: datetime
    status: int | None
    error: str
    refused: bool
    baseline: Baseline
    owner: str | None

    def in_words(self) -> str:
        """Return when and why it failed."""
        status = "" if self.status is None else f" with {self.status}"
        return f"{'refused' if self.refused else 'failed'} on {self.at:%Y-%m-%d}{status}: {self.error}"

    def evidence(self) -> Evidence:
        """Return the failure as evidence for a plan that retries the action."""
        return Evidence(
            field=REFUSED if self.refused else "failed",
            value=self.status,
            observed_at=self.at,
            source="journal",
            meaning=self.in_words(),
        )

    def retried_from(self, days: int) -> date:
        """Return the first day on which a refused Report is planned again.

        Days are counted, because a plan is applied some hours after it is created.
        """
        return self.at.astimezone(UTC).date() + timedelta(days=days)

    def still_holds(self, report: Facts, now: datetime, days: int) -> bool:
        """Whether the Report is unchanged and the waiting period is not over, so that Studio would refuse it again."""
        before = (self.baseline.collection, self.baseline.edited_at)
        changed = before != (report["collection"], report["edited_at"])
        changed |= report["creator"] not in (None, self.owner)  # an unknown owner is not another one
        return self.refused and not changed and now.astimezone(UTC).date() < self.retried_from(days)


def earlier_failures(
    audit: Audit, headers: Iterable[PlanHeader], now: datetime, days: int
) -> dict[str, EarlierFailure]:
    """Return the newest failure of each Report whose newest action failed.

    :param headers: the headers of all plans, the newest first.
    :param days: the number of days for which a refusal keeps a Report out of plans.
    """
    found: dict[str, EarlierFailure | None] = {}
    since = now - timedelta(days=days) - _APPLIED_WITHIN
    for header in headers:
        if header.created_at >= since:
            found = _of_plan(audit, header.plan_id) | found
    return {report: failure for report, failure in found.items() if failure is not None}


def _of_plan(audit: Audit, plan_id: str) -> dict[str, EarlierFailure | None]:
    """Return the Reports that a plan acted on, each with its failure or None; none if the journal is damaged."""
    try:
        return _journaled(audit, plan_id)
    except JournalError as error:
        log.warning("The failures of plan %s are unknown: %s", plan_id, error)
        return {}


def _journaled(audit: Audit, plan_id: str) -> dict[str, EarlierFailure | None]:
    states = audit.states(plan_id)
    found: dict[str, EarlierFailure | None] = {}
    if ActionState.FAILED in states.values():
        all_refused = any(
            event.event is Event.STOPPED and (event.model_extra or {}).get("refused")
            for event in audit.events(plan_id=plan_id, report=PLAN)
        )
        events = [event for event in audit.failed(plan_id) if _is_relevant(event)]
        found |= {str(event.report): _failure(event, all_refused=all_refused) for event in events}
    settled = (report_of(action_id) for action_id, state in states.items() if state in SETTLED)
    for report in settled:
        if report is not None:
            found.setdefault(report, None)
    return found


def _is_relevant(event: JournalEvent) -> bool:
    return event.action is not None and event.action["kind"] != ActionKind.UNARCHIVE_REPORT


def _failure(event: JournalEvent, *, all_refused: bool) -> EarlierFailure:
    action = event.action or {}
    refused = (event.model_extra or {}).get("refused", event.http_status in ABOUT_ONE_REPORT)
    return EarlierFailure(
        at=event.at,
        status=event.http_status,
        error=event.error or "no reason given",
        refused=bool(refused) and not all_refused,
        baseline=Baseline.model_validate(action["baseline"]),
        owner=action.get("owner"),
    )
