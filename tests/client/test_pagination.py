# SPDX-License-Identifier: Apache-2.0
"""The end of an iteration, for every way in which Studio is known to page."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_studio.client import pagination
from airflow_provider_studio.client.errors import StudioResponseError

PAGE = 3


def page(tokens: list[str], total_pages: int | None = None, total_count: Any = None) -> dict[str, Any]:
    body: dict[str, Any] = {"_embedded": {"rows": [{"token": token} for token in tokens]}}
    if total_pages is not None:
        body["pagination"] = {"page": 1, "total_pages": total_pages, "total_count": total_count}
    return body


def iterated(fetch: Callable[[int], dict[str, Any]]) -> tuple[list[str], list[int]]:
    asked: list[int] = []

    def counted(number: int) -> dict[str, Any]:
        asked.append(number)
        return fetch(number)

    return [row["token"] for row in pagination.iterate_rows(counted, "rows", what="rows")], asked


@given(st.integers(0, 20), st.sampled_from(["bare", "counted", "whole", "repeats the last page"]))
def test_every_row_comes_once_however_the_server_pages(count: int, server: str) -> None:
    tokens = [f"t{number}" for number in range(count)]
    slices = [tokens[start : start + PAGE] for start in range(0, count, PAGE)] or [[]]

    def fetch(number: int) -> dict[str, Any]:
        if server == "whole":
            return page(tokens)
        if server == "repeats the last page":
            return page(slices[min(number, len(slices)) - 1])
        shown = slices[number - 1] if number <= len(slices) else []
        return page(shown, len(slices) if server == "counted" else None, count)

    found, asked = iterated(fetch)
    assert found == tokens
    if server == "counted":
        assert asked == list(range(1, len(slices) + 1))
    # A full page that comes again may come from a cache, so such a listing is read three times.
    assert len(asked) <= (3 * (len(slices) + 2) if server == "repeats the last page" else len(slices) + 1)


def test_rows_that_shift_between_pages_come_once() -> None:
    pages = [page(["a", "b", "c"]), page(["c", "d", "e"]), page([])]
    assert iterated(lambda number: pages[number - 1])[0] == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("seed", range(100))
def test_rows_in_another_order_at_each_request_all_come(seed: int) -> None:
    tokens, random = [f"t{number}" for number in range(67)], Random(seed)

    def fetch(number: int) -> dict[str, Any]:
        return page(random.sample(tokens, len(tokens))[(number - 1) * 30 : number * 30])

    assert sorted(iterated(fetch)[0]) == sorted(tokens)


def test_pages_that_always_come_from_a_cache_are_read_three_times() -> None:
    full = page([f"t{number}" for number in range(30)])
    pages = [full, full, page(["last"]), page([])]
    asked = iterated(lambda number: pages[number - 1])[1]
    assert asked == [1, 2, 3, 4] * 3


def test_counters_of_zero_pages_are_not_believed() -> None:
    pages = [page(["a"], 0), page([], 0)]
    assert iterated(lambda number: pages[number - 1])[0] == ["a"]


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ({}, "no list _embedded.rows"),
        ({"_embedded": []}, "no list _embedded.rows"),
        ({"_embedded": {"rows": None}}, "no list _embedded.rows"),
        ({"_embedded": {"rows": [{"name": "x"}]}}, "a row has no token"),
        ({"_embedded": {"rows": ["x"]}}, "a row has no token"),
    ],
)
def test_a_page_of_the_wrong_shape_is_no_end(body: dict[str, Any], match: str) -> None:
    with pytest.raises(StudioResponseError, match=f"rows, page 1: .*{match}"):
        iterated(lambda _number: body)


def test_a_server_that_never_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagination, "MAX_PAGES", 50)
    with pytest.raises(StudioResponseError, match="did not end within 50 pages"):
        iterated(lambda number: page([f"t{number}"]))


def test_rows_that_share_the_link_of_their_listing_are_all_listed() -> None:
    links = {"self": {"href": "/api/acme/reports/x/runs/y/options"}}
    rows = [{"name": name, "_links": links} for name in ("region", "day", "region")]
    doubts: list[str] = []
    listed = pagination.iterate_rows(
        lambda page: {"_embedded": {"form_fields": rows if page == 1 else []}},
        "form_fields",
        what="GET /options",
        tokens=False,
        report_doubt=doubts.append,
    )
    assert [row["name"] for row in listed] == ["region", "day", "region"]
    assert doubts == []
