# SPDX-License-Identifier: Apache-2.0
"""Phrases that plain technical English replaces do not come back; codespell checks single words (`.ci/words.txt`)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT

PHRASES = {
    r"held against|holds? (it|them|each|all|every \w+) against": "compared with, checked against",
    r"go(es|ne|ing)? on(?! (the|a|an|to)\b)": "continues, resumes",
    r"so (many|few|long|old)": "N, how long (name the unit)",
    r"one after the other": "in sequence",
    r"what (became|becomes) of": "the result, the status",
    r"nobody (knows|can know)": "unknown",
    r"be it\b": "whether",
    r"tak(e|es|en|ing) (it |them |all |everything )?back": "undo, restore",
    r"leave to \w+": "permission to",
    r"(a|first|last|next|each|every|five|failed) looks?": "a poll, a check, a request",
    r"for ever": "forever",
}
"""Phrases, as regular expressions, with what to write instead."""

CODE = {
    path
    for folder in ("airflow_provider_studio", "dags", "tests", ".ci")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".html", ".js", ".css", ".md"} and path != Path(__file__) and "vendor" not in path.parts
}
SOURCES = sorted({*PAGES, *CODE, ROOT / "CHANGELOG.md", ROOT / "Makefile", *(ROOT / ".github").rglob("*.md")})


def found(text: str) -> list[str]:
    """Return each replaced phrase of a text with its line and what to write instead."""
    hits = []
    for phrase, better in PHRASES.items():
        pattern = re.compile(rf"\b(?:{phrase})\b".replace(" ", r"\s+"), re.IGNORECASE)
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            hits.append(f"line {line}: {' '.join(match[0].split())!r}; write: {better}")
    return hits


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_replaced_phrase_comes_back(source: Path) -> None:
    assert found(source.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The answer is held\nagainst a table.", ["line 1: 'held against'; write: compared with, checked against"]),
        ("After so many days.", ["line 1: 'so many'; write: N, how long (name the unit)"]),
        ("It runs one after\nthe other.", ["line 1: 'one after the other'; write: in sequence"]),
        ("It continues on the next page.", []),
        ("A schedule goes on the list.", []),
    ],
)
def test_a_phrase_is_found_across_lines_and_only_where_it_is_one(text: str, expected: list[str]) -> None:
    assert found(text) == expected
