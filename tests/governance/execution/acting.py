# SPDX-License-Identifier: Apache-2.0
"""A small plan, its actions and their events, for tests of single actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_studio.governance.plans import journal as journal_module
from airflow_provider_studio.governance.plans.audit import Audit, JournalEvent
from airflow_provider_studio.governance.plans.journal import Event, Journal
from airflow_provider_studio.governance.plans.models import Action
from airflow_provider_studio.governance.plans.plan import Plan
from tests.governance.conftest import Governed, built_once


@pytest.fixture
@built_once
def plan(governed: Governed) -> Plan:
    """Two dead Reports, one of them with two schedules."""
    governed.report("Dead 1", schedules=2)
    governed.report("Dead 2")
    governed.nights(100, 0)
    return governed.plan()


def deletion(plan: Plan) -> Action:
    return next(action for action in plan.actions if action.schedule)


def archival(plan: Plan, *, scheduled: bool = False) -> Action:
    scheduled_report = deletion(plan).report
    return next(
        action for action in plan.actions if not action.schedule and (action.report == scheduled_report) is scheduled
    )


def journal(governed: Governed, plan: Plan) -> Journal:
    """Open the journal as another apply of the plan does."""
    return Journal(governed.storage, "acme", plan.plan_id, actor={"run": "another"}, sha256=plan.sha256)


def events_of(governed: Governed, action: Action, event: Event) -> list[JournalEvent]:
    events = Audit(governed.storage, "acme").events()
    return [found for found in events if found.action_id == action.action_id and found.event is event]


def after_writing(monkeypatch: pytest.MonkeyPatch, action: Action, event: Event, others: Callable[[], Any]) -> None:
    """Let others act once, right after an event of an action was written."""
    original, pending = journal_module.write_once, [others]

    def write(path: Any, content: bytes) -> bool:
        written = original(path, content)
        if path.name.startswith(f"{action.action_id}.{event.value}") and pending:
            pending.pop()()
        return written

    monkeypatch.setattr(journal_module, "write_once", write)


def applied_while(governed: Governed, plan: Plan, others: Callable[[], Any]) -> Any:
    """Apply a plan; let others act once, after this apply has read the journal and before it reads a Report."""
    pending = [others]
    return governed.apply(plan, stop=lambda: pending.pop()() and None if pending else None)
