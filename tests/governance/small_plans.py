# SPDX-License-Identifier: Apache-2.0
"""Plans made by hand, for tests that need no workspace: an action a line, with what a test cares about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow_provider_studio.governance.plans.models import Action, ActionKind, Baseline, PlanHeader, Rule, Spared
from airflow_provider_studio.governance.plans.plan import Plan
from tests.governance.nights import NOW

COLLECTION = "c0113c710000"


def baseline(**fields: Any) -> Baseline:
    """Return a Report as the plan saw it: dead, without schedules."""
    values = {
        "archived": False,
        "view_count": 5,
        "edited_at": NOW - timedelta(days=365),
        "last_run_at": None,
        "collection": COLLECTION,
        "schedules": (),
    }
    return Baseline(**{**values, **fields})


def action(report: str = "0123456789ab", schedule: str | None = None, **fields: Any) -> Action:
    """Return an action on a stale Report: its archival, or the deletion of the schedule that is named."""
    values: dict[str, Any] = {
        "kind": ActionKind.DELETE_SCHEDULE if schedule else ActionKind.ARCHIVE_REPORT,
        "rule": Rule.STALE,
        "report": report,
        "report_name": f"Report {report}",
        "schedule": schedule,
        "baseline": baseline(schedules=(schedule,) if schedule else ()),
        "evidence": (),
    }
    return Action(**{**values, **fields})


def plan_of(*actions: Action, spared: Sequence[Spared] = (), **header: Any) -> Plan:
    """Return a plan with these actions, made now of a snapshot of a hundred Reports."""
    values: dict[str, Any] = {
        "workspace": "acme",
        "snapshot": "snapshots/workspace=acme/taken_at=now",
        "taken_at": NOW,
        "created_at": NOW,
        "policy": {"unviewed_days": 90},
        "policy_in_words": "A Report is stale when it was not viewed for 90 days.",
        "reports_in_snapshot": 100,
    }
    return Plan(PlanHeader(**{**values, **header}), actions, tuple(spared))
