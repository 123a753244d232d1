# SPDX-License-Identifier: Apache-2.0
"""At least 95 % of the corpus is resolved correctly, the rest is named as unresolved, and nothing is wrong."""

from __future__ import annotations

import random
import re

import pytest

from tests.governance.lineage.corpus import SOURCES, Result, queries, read_query, results


@pytest.fixture(scope="module")
def read() -> list[Result]:
    return [result for source in SOURCES for result in results(source)]


def test_no_query_has_wrong_tables(read: list[Result]) -> None:
    wrong = [result for result in read if result.found is not None and result.found != result.expected]
    assert not wrong


def test_at_least_95_of_100_queries_are_resolved_and_the_rest_is_unresolved(read: list[Result]) -> None:
    resolved = [result for result in read if result.found is not None and result.found == result.expected]
    assert len(read) == 200
    assert len(resolved) >= 190


def test_only_queries_without_their_tables_are_unresolved(read: list[Result]) -> None:
    assert not [result.title for result in read if result.found is None and result.expected is not None]


def test_a_damaged_query_has_tables_or_a_reason_of_its_own() -> None:
    rng = random.Random(20)
    corpus = [(source, sql) for source in SOURCES for _, _, sql in queries(source)]
    for _ in range(150):
        source, sql = rng.choice(corpus)
        words = re.findall(r"\w+|\s+|.", sql, re.DOTALL)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(words))
            words[place : place + rng.randint(0, 2)] = rng.choices(words, k=rng.randint(0, 2))
        damaged = "".join(words)
        assert "cannot be read" not in (read_query(source, damaged).reason or ""), damaged
