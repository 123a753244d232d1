# SPDX-License-Identifier: Apache-2.0
"""No text that a person chose is a formula in any CSV, markup in Markdown, or an order to a terminal."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio.__main__ import main
from airflow_provider_studio.governance.snapshots.csv_export import write_csv
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from airflow_provider_studio.governance.text import (
    counted,
    csv_cell,
    csv_pieces,
    duration,
    markdown,
    shorten,
    table_lines,
    without_formulas,
)
from airflow_provider_studio.plugin.materialize import prepare_snapshot
from airflow_provider_studio.plugin.queries import EXPORTED, ReportQuery, SnapshotTables
from tests.governance.nights import write_night

STARTS = ("=", "+", "-", "@", "|", "%", "＝", "＋", "－", "＠", "｜", "％", "﹦", "﹢", "﹣", "﹫", "﹪", "\u2212")
BEFORE = (
    "",
    " ",
    "\u00a0",
    "\u3000",
    "\ufeff",
    "\u200b",
    "\u2060",
    "\u00ad",
    "\u202e",
    "\x00",
    "\x1b",
    " \u200b ",
    '"',
)
SEPARATORS = ("", ";", "a;", "a,", "a\t", "a\n", "a\r", "a\r\n", "a\u2028", 'a;"', 'a";', "a; ", "a;;", "a;\ufeff")
CORPUS = sorted(
    {f"{separator}{before}{start}1+1" for separator in SEPARATORS for before in BEFORE for start in STARTS}
    | {"\tx", "\rx", "\nx", " \tx", '"\n=1', "=1;=1", "=", "-", "a;-"}
)
HARMLESS = [
    "Sales",
    "Q1-Q2",
    "a=b",
    "50 %",
    "mail@example.com",
    "'quoted'",
    'a "b" c',
    "売上;レポート",
    "a, b; c",
    "",
    "x - y",
]
INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet could compute a cell, by an independent implementation."""
    if cell[:1] in {"\t", "\r", "\n"}:
        return True
    for char in cell:
        if unicodedata.category(char) not in INVISIBLE and char != '"':
            return char in STARTS
    return False


def computed(text: str) -> list[str]:
    """Return the cells of texts (all others aside) that a spreadsheet would compute, wherever it splits."""
    found = []
    for separator in (",", ";", "\t"):
        for row in csv.reader(io.StringIO(text.replace("\x00", " "), newline=""), delimiter=separator):
            found += [cell for cell in row if is_formula(cell)]
    return found


@pytest.fixture
def reports(storage: UPath, monkeypatch: pytest.MonkeyPatch) -> UPath:
    """A night of Reports with these names; the emptiest has nothing that is not known."""
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", f"file://{storage}")
    names = {f"{number:012x}": name for number, name in enumerate([*CORPUS, *HARMLESS])}
    write_night(storage, 0, {token: {"name": name, "creator": name, "view_count": 5} for token, name in names.items()})
    return storage


def snapshot_csv(storage: UPath, _tmp_path: Path, _shown: Callable[[], str]) -> str:
    write_csv(SnapshotStore(storage, "acme").all(), storage / "reports.csv")
    return str((storage / "reports.csv").read_bytes().decode())


def printed_csv(_storage: UPath, _tmp_path: Path, shown: Callable[[], str]) -> str:
    assert main(["inventory", "--output", "csv", "--columns", "token,name,creator,view_count,last_run_at"]) == 0
    return shown()


def exported_csv(storage: UPath, tmp_path: Path, _shown: Callable[[], str]) -> str:
    tables = SnapshotTables(prepare_snapshot(storage, "acme", tmp_path / "cache"))
    return "".join(csv_pieces(EXPORTED, tables.export(ReportQuery())))


@pytest.mark.parametrize("write", [snapshot_csv, printed_csv, exported_csv])
def test_no_csv_of_ours_has_a_formula(
    reports: UPath, tmp_path: Path, capsys: pytest.CaptureFixture[str], write: Callable[..., str]
) -> None:
    text = write(reports, tmp_path, lambda: capsys.readouterr().out)
    assert text.startswith("\ufeff"), "or Excel takes it for another encoding"
    assert computed(text.removeprefix("\ufeff")) == []
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert len(rows) == len(CORPUS) + len(HARMLESS)
    names = {row["name"] for row in rows}
    assert set(HARMLESS) <= names, "what no spreadsheet computes stays as it is"
    assert {row["view_count"] for row in rows} == {"5"}


def test_what_could_be_a_formula_only_gains_quotes() -> None:
    wrong = [text for text in CORPUS if without_formulas(text) in {text, ""}]
    wrong += [text for text in CORPUS if without_formulas(text).replace("'", "") != text]
    wrong += [text for text in CORPUS if computed(f"{csv_cell('x')},{csv_cell(text)}\r\n")]
    assert wrong == []


@pytest.mark.parametrize("text", ["=1", "a;=1", "a\n=1", "a\t＝1", "a;\ufeff@x", " \u200b-1"])
def test_the_corpus_would_be_found(text: str) -> None:
    assert computed(f'"x","{text}"\r\n')


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        ("", '""'),
        (-5, "-5"),
        (-0.5, "-0.5"),
        (Decimal("-1.50"), "-1.50"),
        (True, "True"),
        (date(2026, 6, 1), "2026-06-01"),
        (datetime(2026, 6, 1, 3, 0, 0, 123, tzinfo=UTC).replace(tzinfo=None), "2026-06-01 03:00:00"),
        (datetime(2026, 6, 1, 5, tzinfo=timezone(timedelta(hours=2))), "2026-06-01 03:00:00"),
        (datetime(2026, 6, 1, 3, tzinfo=UTC), "2026-06-01 03:00:00"),
        ("-5", '"\'-5"'),
        ('a "b"', '"a ""b"""'),
        (["=1"], "\"['=1']\""),
    ],
)
def test_what_is_no_text_stays_what_it_is(value: Any, cell: str) -> None:
    assert csv_cell(value) == cell


def test_a_large_table_comes_in_pieces() -> None:
    pieces = list(csv_pieces(["a"], ([number] for number in range(5000))))
    assert len(pieces) == 3
    assert "".join(pieces).split("\r\n")[:3] == ['\ufeff"a"', "0", "1"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (0.4, "0.4 seconds"),
        (1, "1 second"),
        (9.96, "10 seconds"),
        (14.2, "14 seconds"),
        (119.4, "119 seconds"),
        (119.6, "2.0 minutes"),
        (150, "2.5 minutes"),
        (3599, "1.0 hours"),
        (11520, "3.2 hours"),
        (4_000_000, "1,111.1 hours"),
    ],
)
def test_a_duration_reads_well(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_one_is_one() -> None:
    assert [counted(number, "Report") for number in (0, 1, 2, 1000)] == [
        "0 Reports",
        "1 Report",
        "2 Reports",
        "1,000 Reports",
    ]


def test_a_long_text_is_cut_at_a_character() -> None:
    assert shorten("a" * 80, 80) == "a" * 80
    assert shorten("a" * 81, 80) == "a" * 79 + "…"
    assert shorten("one\n two\t\x1b[31mred \u202eback", 80) == "one two [31mred back"
    assert shorten("\U0001f469\u200d\U0001f4bb", 80) == "\U0001f469\u200d\U0001f4bb"


def test_markdown_has_no_markup_of_a_name() -> None:
    assert markdown("**a** | [b](c) <b>\n# d") == "\\*\\*a\\*\\* \\| \\[b\\](c) &lt;b&gt; \\# d"


def test_a_table_lines_up() -> None:
    assert table_lines([["name", "n"], ["売上", 1], [None, datetime(2026, 6, 1, 3, 0, tzinfo=UTC)]]) == [
        "name  n",
        "売上  1",
        "?     2026-06-01 03:00",
    ]
    assert table_lines([["a\n\x1b[2J" + "b" * 60, 1]])[0].count("…") == 1
