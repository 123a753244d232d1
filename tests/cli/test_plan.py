# SPDX-License-Identifier: Apache-2.0
"""The command `plan`: what a policy would do, without a plan that is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_studio.__main__ import main
from airflow_provider_studio.governance.plans.audit import workspaces
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from tests.governance.conftest import Governed, governed

__all__ = ["governed"]

LENIENT = StalenessPolicy(unviewed_days=180)
"""Named by a test as a policy in Python."""


@pytest.fixture
def dead(governed: Governed) -> str:
    """A Report that nobody has viewed for 100 days, in storage with two snapshots and no plan."""
    report = governed.report("Dead", schedules=1)
    governed.nights(100, 0)
    return report


def planned(governed: Governed, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[list[Any], str]:
    status = main(["plan", "--storage", f"file://{governed.storage}", "--output", "json", *arguments])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    return json.loads(printed.out), printed.err


def test_the_actions_of_the_default_policy_and_nothing_is_written(
    governed: Governed, dead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, said = planned(governed, capsys)
    assert [(row["what"], row["report"]) for row in rows] == [("delete_schedule", dead), ("archive_report", dead)]
    assert "No plan exists yet, so this is the default policy." in said
    assert "Archives 1 of" in said
    assert "deletes 1 schedule" in said
    assert workspaces(governed.storage) == []
    assert not governed.control.state()["reports"][dead]["archived"]


def test_the_policy_of_the_newest_plan_is_the_default(
    governed: Governed, dead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    governed.plan(protected_names=["Dea*"]).write(governed.storage)
    rows, said = planned(governed, capsys)
    assert rows == []
    assert "protected_names 'Dea*' matches 1 Reports; 1 of them are stale." in said


def test_policies_are_compared(
    governed: Governed, dead: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "short.json").write_text('{"unviewed_days": 30}')
    rows, _ = planned(governed, capsys, "--compare", f"60, 120,{tmp_path}/short.json,{__name__}:LENIENT")
    assert [(row["policy"], row["reports_to_archive"]) for row in rows] == [
        ("60 days", 1),
        ("120 days", 0),
        (f"{tmp_path}/short.json", 1),
        (f"{__name__}:LENIENT", 0),
    ]


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ("missing.json", "No such file"),
        ("no_such_module:POLICY", "No module named"),
        ("tests.cli.test_plan:NONE", "has no attribute 'NONE'"),
        ("tests.cli.test_plan:json", "holds no policy"),
    ],
)
def test_a_policy_that_is_none_is_named(
    governed: Governed, dead: str, capsys: pytest.CaptureFixture[str], policy: str, problem: str
) -> None:
    assert main(["plan", "--storage", f"file://{governed.storage}", "--policy", policy]) == 1
    said = capsys.readouterr().err
    assert f"--policy is '{policy}', which holds no policy" in said
    assert problem in said


def test_without_a_snapshot_the_command_that_takes_one_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--storage", f"file://{tmp_path}"]) == 1
    assert "has no snapshot; it has snapshots of none. Take one with `airflow studio inventory --take`" in (
        capsys.readouterr().err
    )
