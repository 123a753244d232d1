# SPDX-License-Identifier: Apache-2.0
"""The commands `archive` and `unarchive`, and `undo --where`: they print what they will do, and ask."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from airflow_provider_studio.__main__ import main
from airflow_provider_studio.governance.plans.audit import workspaces
from airflow_provider_studio.governance.storage import utcnow
from tests.connections import connection_of
from tests.governance.conftest import Governed, governed
from tests.governance.nights import NOW

__all__ = ["governed"]


@pytest.fixture
def reports(governed: Governed, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two Reports of a person who left, in a snapshot of now."""
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO_DEFAULT", connection_of(governed.emulator))
    monkeypatch.setenv("AIRFLOW__STUDIO__RATE_LIMIT_URL", "memory://")
    monkeypatch.setenv("AIRFLOW_VAR_STUDIO_STOP", "off")  # otherwise Airflow's database is read, which is not there
    found = [governed.report(name, creator="member2") for name in ("First", "Second")]
    governed.night(-((utcnow() - NOW) / timedelta(days=1)))
    governed.control.clear_requests()
    return found


def run(governed: Governed, command: str, *arguments: str) -> int:
    return main([command, "--storage", f"file://{governed.storage}", "--output", "json", *arguments])


def archived(governed: Governed, reports: list[str]) -> list[bool]:
    state = governed.control.state()["reports"]
    return [state[token]["archived"] for token in reports]


def test_what_a_condition_selects_is_archived_and_a_part_of_it_undone(
    governed: Governed, reports: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    condition = ("--where", "creator = 'member2'", "--max-share", "1")
    assert run(governed, "archive", *condition) == 1
    printed = capsys.readouterr()
    assert "First" in printed.err
    assert "Nobody can be asked here. Add --yes to archive these actions." in printed.err
    assert (archived(governed, reports), workspaces(governed.storage)) == ([False, False], [])
    assert run(governed, "archive", *condition, "--yes") == 0
    printed = capsys.readouterr()
    assert {row["state"] for row in json.loads(printed.out)} == {"done"}
    plan_id = printed.err.rpartition("airflow studio undo ")[2].split()[0]
    assert run(governed, "undo", plan_id, "--where", "name = 'First'", "--yes") == 0
    assert [(row["name"], row["state"]) for row in json.loads(capsys.readouterr().out)] == [("First", "undone")]
    assert archived(governed, reports) == [False, True]
    assert run(governed, "unarchive", "--reports", "second", "--yes") == 0
    assert archived(governed, reports) == [False, False]


def test_what_is_not_allowed_is_not_done(
    governed: Governed, reports: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(governed, "archive", "--where", "creator = 'member2'", "--yes") == 1
    assert "touches 100.0% of the workspace's Reports; max_share allows 5.0%" in capsys.readouterr().err
    assert run(governed, "archive", "--yes") == 1
    assert "Give the Reports with --reports, or a condition with --where" in capsys.readouterr().err
    monkeypatch.setenv("AIRFLOW_VAR_STUDIO_STOP", "audit")
    assert run(governed, "archive", "--reports", "First, Second", "--yes") == 1
    assert "Not done: the Airflow Variable studio_stop is set" in capsys.readouterr().err
    monkeypatch.setenv("AIRFLOW__STUDIO__APPROVAL_REQUIRED", "True")
    assert run(governed, "archive", "--reports", "First", "--yes") == 1
    assert "`airflow studio archive` acts without an approval, but this deployment requires" in capsys.readouterr().err
    assert archived(governed, reports) == [False, False]
