# SPDX-License-Identifier: Apache-2.0
"""A pattern knows `*` and `?`; all else that a person types stands for itself, however a name is spelled."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_studio.governance.plans.models import SpareReason
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.plans.protections import ReportTexts
from airflow_provider_studio.governance.plans.uses import NO_USES

NOTHING = ReportTexts("0", None, None, None, None, None, NO_USES)
"""A Report of whose texts none is known."""


def protects(pattern: str, name: str | None) -> bool:
    report = replace(NOTHING, name=name)
    return [found.value for found in StalenessPolicy(protected_names=[pattern]).protections.of(report)] == [pattern]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("[KEEP]*", "[KEEP] Board pack"),
        ("*[KEEP]*", "Board pack [keep] 2026"),
        ("[!draft]", "[!DRAFT]"),
        ("[a-z]*", "[A-Z] list"),
        ("]*[", "] and ["),
        ("[[]", "[[]"),
        (r"a\*", r"a\b"),
        (r"C:\reports\*", r"c:\reports\board"),
        ("(.+)$", "(.+)$"),
        ("*{x}*", "a {x} b"),
        ("what?", "what?"),
        ("*keep*", "first line\nkeep\r\nlast line"),
        ("keep?this", "keep\nthis"),
        ("*", "\n"),
        ("café*", unicodedata.normalize("NFD", "CAFÉ numbers")),
        (unicodedata.normalize("NFD", "café*"), "Café numbers"),
        ("caf?", unicodedata.normalize("NFD", "café")),
        ("stra?e", "Straße"),
        ("STRASSE", "straße"),
        ("board *", "  Board pack"),
        ("board *", "board "),
        ("board pack", "Board \u00a0 pack\t"),
        (" board* ", "Board pack"),
    ],
)
def test_what_a_person_means_is_protected(pattern: str, name: str) -> None:
    assert protects(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*[KEEP]*", "Weekly pipeline"),
        ("[KEEP]*", "KEEP"),
        ("[!a]", "b"),
        ("[a-z]*", "monthly"),
        ("[[]", "["),
        ("a.c", "abc"),
        ("keep", "keep it"),
        ("?", ""),
        ("?*", None),
        ("a*", None),
    ],
)
def test_what_a_person_does_not_mean_is_not_protected(pattern: str, name: str | None) -> None:
    assert not protects(pattern, name)


@given(st.text(max_size=30).filter(str.strip))
def test_any_name_is_a_pattern_for_itself(name: str) -> None:
    assert protects(name, name)


@given(st.text(alphabet="[]!-^abAB", min_size=1, max_size=6), st.text(alphabet="[]!-^abAB", max_size=6))
def test_without_a_star_or_a_question_mark_a_pattern_is_one_name(pattern: str, name: str) -> None:
    assert protects(pattern, name) == (pattern.lower() == name.lower())


@pytest.mark.parametrize(
    ("policy", "about", "reason"),
    [
        ({"protected_collections": ["finance  EMEA"]}, {"collection_name": "Finance EMEA"}, "protected_collection"),
        (
            {"protected_collections": ["Caf\u00e9"]},
            {"collection_name": "Cafe\u0301"},
            "protected_collection",
        ),
        ({"protected_collections": ["0A1B2C3D4E5F"]}, {"collection": "0a1b2c3d4e5f"}, "protected_collection"),
        ({"protected_owners": ["Ada"]}, {"owner": "ada"}, "protected_owner"),
        ({"protected_reports": [" f5e4d3c2b1a0 "]}, {"report": "f5e4d3c2b1a0"}, "protected_report"),
        ({"keep_mark": "#beh\u00e4lt"}, {"description": "x #BEHA\u0308LT y"}, "keep_mark"),
    ],
)
def test_every_protection_reads_a_text_as_people_do(
    policy: dict[str, object], about: dict[str, str], reason: str
) -> None:
    found = StalenessPolicy.of(policy).protection(replace(NOTHING, **about))  # type: ignore[arg-type]
    assert found is not None
    assert found[0] is SpareReason(reason)


def test_a_collection_a_report_and_an_owner_are_no_patterns() -> None:
    policy = StalenessPolicy(protected_collections=["Fin*"], protected_owners=["a?a"], protected_reports=["*"])
    assert policy.protection(ReportTexts("0", "0", "Finance", "ada", None, None, NO_USES)) is None
