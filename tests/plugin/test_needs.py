# SPDX-License-Identifier: Apache-2.0
"""What needs a person: the most urgent first, and nothing that does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from airflow_provider_studio.governance.plans.audit import ActionState
from airflow_provider_studio.plugin.airflow_db import ScheduledDag
from airflow_provider_studio.plugin.needs import Need, needs_of
from airflow_provider_studio.plugin.open_approvals import OpenApproval
from airflow_provider_studio.plugin.plan_index import PlanLine, PlanNumbers

NOW = datetime.now(UTC)


def line(plan_id: str, *, problem: str | None = None, **states: int) -> PlanLine:
    header = type("Header", (), {"plan_id": plan_id})()
    counts = {ActionState(name): count for name, count in states.items()}
    return PlanLine(PlanNumbers(cast("Any", header), ()), counts, {}, None, frozenset(), 0.0, problem)


def dag(due: timedelta, *, paused: bool = False) -> ScheduledDag:
    return ScheduledDag("nightly", paused, None, NOW + due)


def asks(plan_id: str) -> OpenApproval:
    return OpenApproval(plan_id, "nightly", "run", "approve", -1, NOW, None)


def test_nothing_needs_a_person_after_a_good_night() -> None:
    plans = [line("new", done=3, skipped=1), line("old", failed=2, undone=1)]
    dags = [dag(timedelta(hours=3)), dag(timedelta(hours=-3), paused=True), dag(timedelta(minutes=-5))]
    assert needs_of(plans, [asks("of another workspace")], dags) == []


def test_each_need_is_found_the_most_urgent_first() -> None:
    asked_about, broken = line("new", failed=2), line("broken", problem="damaged")
    interrupted, late = line("old", interrupted=1, failed=4), dag(timedelta(hours=-2))
    assert needs_of([asked_about, interrupted, broken], [asks("new")], [late]) == [
        Need(asked_about, approval=asks("new")),
        Need(interrupted, status=ActionState.INTERRUPTED, count=1),
        Need(asked_about, status=ActionState.FAILED, count=2),
        Need(broken),
        Need(overdue=late),
    ]
