# SPDX-License-Identifier: Apache-2.0
"""The command `audit`, as a table and as JSON."""

from __future__ import annotations

import json
import re

import pytest

from airflow_provider_studio.__main__ import main
from airflow_provider_studio.governance.plans.journal import PLAN, Event, Journal
from airflow_provider_studio.governance.plans.plan import Plan
from tests.governance.conftest import Governed, governed

__all__ = ["governed"]


@pytest.fixture
def plan(governed: Governed) -> Plan:
    """A plan that ada approved and that was applied except for one action."""
    governed.report("Dead \x1b[31m1", schedules=1)
    governed.report("Dead 2")
    governed.nights(100, 0)
    plan = governed.plan()
    plan.write(governed.storage)
    actor = {"dag": "night", "run": "r1", "task": "apply", "try": "1", "approver": "ada"}
    Journal(governed.storage, "acme", plan.plan_id, actor=actor).write(PLAN, Event.APPROVED, decision="all")
    plain = next(action.report for action in plan.actions if not action.baseline.schedules)
    governed.control.add_fault("status", path=f"{plain}/archive", status=403, times=1)
    governed.apply(plan, actor=actor)
    return plan


def audit(governed: Governed, *arguments: str) -> int:
    return main(["audit", "--storage", f"file://{governed.storage}", *arguments])


def test_the_plans_with_the_states_of_their_actions(
    governed: Governed, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(governed) == 0
    names, row = capsys.readouterr().out.splitlines()
    assert names.split() == [
        *("plan", "name", "made", "from", "done", "failed", "approval", "due_later", "next_due_on")
    ]
    assert row.split()[0] == plan.plan_id
    assert "  2     1       approved by ada" in row


def test_the_state_of_each_action(governed: Governed, plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(governed, "--plan", plan.plan_id, "--state", "failed") == 0
    out = capsys.readouterr().out
    assert "archive_report" in out
    assert out.splitlines()[0].split()[:3] == ["plan", "action", "what"]
    assert re.search(r"night/r1/apply/1 +ada ", out)
    assert "403" in out
    assert audit(governed, "--report", plan.reports[0]) == 0
    assert "\x1b" not in capsys.readouterr().out, "a name gives no order to a terminal"


def test_events_as_json_lines(governed: Governed, plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(governed, "--events", "--output", "json") == 0
    events = json.loads(capsys.readouterr().out)
    assert {event["event"] for event in events} == {"approved", "intent", "done", "failed"}
    assert all("backup" not in event and event["actor"]["approver"] == "ada" for event in events)
    assert audit(governed, "--events", "--since", "2100-01-01") == 0
    assert capsys.readouterr().out == "No rows.\n"


def test_a_workspace_without_plans_is_not_one_where_nothing_happened(
    governed: Governed, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(governed, "--workspace", "acne") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "no plan of the workspace 'acne', only plans of acme" in printed.err


def test_what_is_not_there_is_said(governed: Governed, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(governed) == 1
    assert "No workspace is named, and the storage has none under" in capsys.readouterr().err
    assert audit(governed, "--workspace", "acme", "--plan", "0123456789ab") == 1
    assert "Cannot read the plan" in capsys.readouterr().err


def test_what_waits_for_its_day_is_listed_with_the_day(governed: Governed, capsys: pytest.CaptureFixture[str]) -> None:
    report = governed.report("Waiting")
    governed.nights(100, 0)
    plan = governed.plan(grace_days=3)
    plan.write(governed.storage)
    assert audit(governed, "--output", "json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["due_later"], row["next_due_on"]) == ("manual", 1, "2026-06-04")
    assert audit(governed, "--plan", plan.plan_id, "--output", "json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["report"], row["what"], row["state"], row["due_on"]) == (
        report,
        "archive_report",
        "in_grace",
        "2026-06-04",
    )


def test_a_plan_is_found_in_whichever_workspace_it_is(
    governed: Governed, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    other = governed.storage / "plans" / "workspace=other"
    other.mkdir(parents=True)
    (other / "README").touch()
    assert audit(governed, "--plan", plan.plan_id) == 0
    assert plan.plan_id in capsys.readouterr().out


def test_a_time_that_is_none_is_named(governed: Governed, plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(governed, "--since", "yesterday") == 1
    assert "--since is 'yesterday'; write a day or a time, such as 2026-06-01." in capsys.readouterr().err
