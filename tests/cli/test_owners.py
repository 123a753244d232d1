# SPDX-License-Identifier: Apache-2.0
"""The command `owners`: what each person owns, who has left, and the text that asks others to take over."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_studio.__main__ import main
from tests.connections import connection_of
from tests.governance.conftest import Governed, built_once, governed

__all__ = ["governed"]


@built_once
def inventoried(governed: Governed) -> list[str]:
    """Two snapshots of two people's Reports; one person is a member, the other has left."""
    reports = [
        governed.report("Revenue", creator="member2", schedules=1),
        governed.report("Old | draft", creator="gone.person"),
        governed.report("Daily mail", creator="gone.person", schedules=2),
    ]
    governed.report("Archived", creator="gone.person", archived_at="2026-01-01T00:00:00+00:00")
    governed.nights(100, 0)
    return reports


def printed(governed: Governed, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    status = main(["owners", "--storage", f"file://{governed.storage}", "--output", "json", *arguments])
    text = capsys.readouterr()
    return json.loads(text.out) if status == 0 else text.err


def test_each_owner_has_a_row_and_those_who_left_are_marked(
    governed: Governed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inventoried(governed)
    monkeypatch.setenv("AIRFLOW_CONN_ACME", connection_of(governed.emulator))
    rows = {row["owner"]: row for row in printed(governed, capsys, "--conn", "acme")}
    assert rows.keys() == {"member2", "gone.person"}
    assert (rows["member2"]["left"], rows["gone.person"]["left"]) == (False, True)
    numbers = ("reports", "archived", "datasets", "scheduled", "schedules", "runs_a_week", "views_90d")
    assert [rows["gone.person"][name] for name in numbers] == [2, 1, 0, 1, 2, 14, 0]
    assert rows["gone.person"]["not_viewed_since"].startswith("2026-02-21T")
    assert {row["left"] for row in printed(governed, capsys)} == {None}, "unknown without a connection"


def test_of_a_person_the_reports_are_listed_and_a_text_asks_for_new_owners(
    governed: Governed, capsys: pytest.CaptureFixture[str]
) -> None:
    _, draft, daily = inventoried(governed)
    rows = printed(governed, capsys, "--person", "Gone.Person")
    assert {row["token"]: row["archived"] for row in rows if not row["archived"]} == {draft: False, daily: False}
    (message,) = printed(governed, capsys, "--person", "gone.person", "--message")
    assert message["subject"].startswith("2 Reports of gone")
    assert f"/acme/reports/{draft}\n" in message["text"]
    assert "schedule: daily 06:00 UTC; daily 07:00 UTC; recipients by e-mail: " in message["text"]
    assert "; views in 90 days: 0; last run: " in message["text"]
    assert "Archived" not in message["text"]
    assert "'gone.persn' owns nothing in the snapshot" in printed(governed, capsys, "--person", "gone.persn")
    assert "name the person with --person" in printed(governed, capsys, "--message")
