# SPDX-License-Identifier: Apache-2.0
"""The command `reports`: which Reports read a table, and which queries are unresolved."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_studio.__main__ import main
from tests.governance.conftest import Governed, governed
from tests.governance.lineage.test_report_tables import read_once

__all__ = ["governed"]


def printed(governed: Governed, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    status = main(["reports", "--storage", f"file://{governed.storage}", "--output", "json", *arguments])
    text = capsys.readouterr()
    return json.loads(text.out) if status == 0 else text.err


def test_the_readers_of_a_table_are_printed_with_their_queries(
    governed: Governed, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = read_once(governed)
    rows = {row["report"]: row for row in printed(governed, capsys, "--reading", "analytics.orders")}
    assert rows.keys() == {reports["orders"], reports["unqualified"]}
    row = rows[reports["orders"]]
    assert (row["name"], row["table"], row["confidence"]) == ("Orders", "analytics.analytics.orders", "certain")
    (row,) = printed(governed, capsys, "--unresolved")
    assert (row["report"], row["reason"]) == (
        reports["parameter"],
        "the name of a table is a parameter without known values",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Give a table with --reading, or --unresolved"),
        (("--reading", "a..b"), "--reading: 'a..b' is not the name of a table"),
    ],
)
def test_what_is_wrong_is_said(
    governed: Governed, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    read_once(governed)
    assert message in printed(governed, capsys, *arguments)
