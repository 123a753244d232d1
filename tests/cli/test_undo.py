# SPDX-License-Identifier: Apache-2.0
"""The command `undo`: it asks, undoes, and prints the state of each action."""

from __future__ import annotations

import json

import pytest

from airflow_provider_studio.__main__ import main
from airflow_provider_studio.governance.plans.plan import Plan
from tests.connections import connection_of
from tests.governance.conftest import Governed, governed

__all__ = ["governed"]


@pytest.fixture
def applied(governed: Governed, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A plan whose two archives were carried out."""
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO_DEFAULT", connection_of(governed.emulator))
    monkeypatch.setenv("AIRFLOW__STUDIO__RATE_LIMIT_URL", "memory://")
    monkeypatch.setenv("AIRFLOW__STUDIO__SIGNING_KEY", "off")  # this plan was made without a key
    governed.report("Dead 1")
    governed.report("Dead 2")
    governed.nights(100, 0)
    plan = governed.plan()
    plan.write(governed.storage)
    governed.apply(plan)
    return plan


def undo(governed: Governed, plan: Plan, *arguments: str) -> int:
    return main(["undo", plan.plan_id, "--storage", f"file://{governed.storage}", "--output", "json", *arguments])


def archived(governed: Governed, plan: Plan) -> list[bool]:
    reports = governed.control.state()["reports"]
    return [reports[token]["archived"] for token in plan.reports]


def test_one_report_is_undone_and_a_second_time_changes_nothing(
    governed: Governed, applied: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    first, _ = applied.reports
    for _ in range(2):
        assert undo(governed, applied, "--only", first, "--yes") == 0
        assert [(row["report"], row["state"]) for row in json.loads(capsys.readouterr().out)] == [(first, "undone")]
    assert archived(governed, applied) == [False, True]
    assert main(["audit", "--storage", f"file://{governed.storage}", "--events", "--report", first]) == 0
    assert "airflow studio undo" in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "status", "after"), [("yes", 1, [True, True]), ("{plan_id}", 0, [False, False])])
def test_a_person_types_the_plan_s_id(
    governed: Governed,
    applied: Plan,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    status: int,
    after: list[bool],
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _question: answer.format(plan_id=applied.plan_id))
    assert undo(governed, applied) == status
    assert archived(governed, applied) == after
    assert "Dead 1" in capsys.readouterr().err, "the actions are printed before the question"


def test_where_nobody_can_be_asked_nothing_is_changed(
    governed: Governed, applied: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    assert undo(governed, applied) == 1
    assert "Nobody can be asked here. Add --yes" in capsys.readouterr().err
    assert archived(governed, applied) == [True, True]


def test_what_could_not_be_undone_is_printed_and_is_the_exit_status(
    governed: Governed, applied: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = applied.reports
    governed.control.add_fault("status", status=403, method="PATCH", path=first, times=None)
    assert undo(governed, applied, "--yes") == 1
    printed = capsys.readouterr()
    assert "Not undone: " in printed.err
    assert {row["report"]: row["state"] for row in json.loads(printed.out)}[second] == "undone"
    assert archived(governed, applied) == [True, False]


def test_an_only_that_names_nothing_changes_nothing(
    governed: Governed, applied: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    assert undo(governed, applied, "--only", ",", "--yes") == 1
    assert "--only is ','; it must name something" in capsys.readouterr().err
    assert archived(governed, applied) == [True, True]
