# SPDX-License-Identifier: Apache-2.0
"""What earlier plans could not do to a Report, and why: such a Report must neither block others nor be forgotten."""

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
"""An older plan is taken to be over: no apply of it failed lately."""


@dataclass(frozen=True)
class Setback:
    """The newest failure of an action on a Report.

    :param status: the HTTP status, where there was a response.
    :param refused: whether Studio refused this Report; otherwise the service failed, or refused everything.
    :param baseline: the Report as the plan saw it.
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
        """Return it as a fact for a plan that tries again."""
        return Evidence(
            field=REFUSED if self.refused else "failed",
            value=self.status,
            observed_at=self.at,
            source="journal",
            meaning=self.in_words(),
        )

    def retried_from(self, days: int) -> date:
        """Return from which day on a refused Report is planned again: a plan is applied some hours after it is made."""
        return self.at.astimezone(UTC).date() + timedelta(days=days)

    def still_holds(self, report: Facts, now: datetime, days: int) -> bool:
        """Whether nothing suggests that Studio would decide otherwise now."""
        seen = (self.baseline.collection, self.baseline.edited_at, self.owner)
        changed = seen != (report["collection"], report["edited_at"], report["creator"])
        return self.refused and not changed and now.astimezone(UTC).date() < self.retried_from(days)


def setbacks(audit: Audit, headers: Iterable[PlanHeader], now: datetime, days: int) -> dict[str, Setback]:
    """Return the newest setback of each Report whose newest action did not work.

    :param headers: of all plans, the newest first.
    :param days: for how many days a refusal keeps a Report out of plans.
    """
    found: dict[str, Setback | None] = {}
    since = now - timedelta(days=days) - _APPLIED_WITHIN
    for header in headers:
        if header.created_at >= since:
            found = _of_plan(audit, header.plan_id) | found
    return {report: setback for report, setback in found.items() if setback is not None}


def _of_plan(audit: Audit, plan_id: str) -> dict[str, Setback | None]:
    """Return the Reports that a plan acted on, with the setback of each that it had; none if its journal is damaged."""
    try:
        return _journaled(audit, plan_id)
    except JournalError as error:
        log.warning("What plan %s failed to do is unknown: %s", plan_id, error)
        return {}


def _journaled(audit: Audit, plan_id: str) -> dict[str, Setback | None]:
    states = audit.states(plan_id)
    found: dict[str, Setback | None] = {}
    if ActionState.FAILED in states.values():
        everything = any(
            one.event is Event.STOPPED and (one.model_extra or {}).get("refused")
            for one in audit.events(plan_id=plan_id, report=PLAN)
        )
        failed = [one for one in audit.failed(plan_id) if _is_of_interest(one)]
        found |= {str(one.report): _setback(one, everything=everything) for one in failed}
    worked = (report_of(action_id) for action_id, state in states.items() if state in SETTLED)
    for report in worked:
        if report is not None:
            found.setdefault(report, None)
    return found


def _is_of_interest(event: JournalEvent) -> bool:
    return event.action is not None and event.action["kind"] != ActionKind.UNARCHIVE_REPORT


def _setback(event: JournalEvent, *, everything: bool) -> Setback:
    action = event.action or {}
    refused = (event.model_extra or {}).get("refused", event.http_status in ABOUT_ONE_REPORT)
    return Setback(
        at=event.at,
        status=event.http_status,
        error=event.error or "no reason given",
        refused=bool(refused) and not everything,
        baseline=Baseline.model_validate(action["baseline"]),
        owner=action.get("owner"),
    )
