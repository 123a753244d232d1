# SPDX-License-Identifier: Apache-2.0
"""Quirks of listings: page sizes, caches, order, counters, and rows that are not as described."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.emulator import StudioEmulator
from tests.conftest import client_of
from tests.emulator.conftest import NOW, Caller

REPORTS = 66


@pytest.fixture
def collection(emulator: StudioEmulator) -> str:
    """A Collection with more than two pages of Reports."""
    collection = emulator.control.add_collection("Listed")
    workspace = emulator._state.workspace
    for number in range(REPORTS):
        workspace.new_report(f"Report {number}", collection, "member1", NOW)
    return collection


def page(ask: Caller, collection: str, number: int) -> list[str]:
    return [row["token"] for row in ask.rows(f"/spaces/{collection}/reports?page={number}", "reports")]


def lengths(ask: Caller, collection: str, pages: int) -> list[int]:
    return [len(page(ask, collection, number)) for number in range(1, pages + 1)]


def test_page_sizes_differ_by_listing(emulator: StudioEmulator, ask: Caller, collection: str, busy: str) -> None:
    assert lengths(ask, collection, 4) == [30, 30, 6, 0]
    emulator.control.set_quirks(page_sizes={collection: 40, "spaces": 2})
    assert lengths(ask, collection, 3) == [40, 26, 0]
    assert lengths(ask, busy, 1) == [30]
    assert len(ask.rows("/spaces?filter=all", "spaces")) == 2
    emulator.control.set_quirks(page_sizes={"reports": 7})
    assert (lengths(ask, collection, 1), lengths(ask, busy, 1)) == ([7], [7])


def test_a_short_page_may_precede_others(emulator: StudioEmulator, ask: Caller, collection: str) -> None:
    everything = [token for number in (1, 2, 3) for token in page(ask, collection, number)]
    emulator.control.set_quirks(short_page=2)
    assert lengths(ask, collection, 4) == [30, 29, 7, 0]
    assert [token for number in (1, 2, 3) for token in page(ask, collection, number)] == everything


@pytest.mark.parametrize(("cache", "repeats"), [("none", []), ("once", [True, False]), ("always", [True, True])])
def test_the_second_page_may_be_the_first_from_a_cache(
    emulator: StudioEmulator, ask: Caller, collection: str, cache: str, repeats: list[bool]
) -> None:
    emulator.control.set_quirks(page_cache=cache)
    first = page(ask, collection, 1)
    assert [page(ask, collection, 2) == first for _ in repeats or [1]] == (repeats or [False])
    assert page(ask, collection, 1) == first
    assert len(page(ask, collection, 3)) == 6


@pytest.mark.parametrize(
    ("end", "fourth", "fifth"), [("empty", None, None), ("last_page", 3, 3), ("first_pages", 1, 2)]
)
def test_what_follows_the_last_page(
    emulator: StudioEmulator, ask: Caller, collection: str, end: str, fourth: int | None, fifth: int | None
) -> None:
    emulator.control.set_quirks(past_the_end=end)
    for number, same in ((4, fourth), (5, fifth)):
        assert page(ask, collection, number) == ([] if same is None else page(ask, collection, same))


def test_the_order_may_change_with_each_request(emulator: StudioEmulator, ask: Caller, collection: str) -> None:
    assert page(ask, collection, 1) == page(ask, collection, 1)
    emulator.control.set_quirks(listing_order="unstable")
    assert page(ask, collection, 1) != page(ask, collection, 1)
    assert lengths(ask, collection, 4) == [30, 30, 6, 0]


@pytest.mark.parametrize(
    ("blocks", "reports", "spaces"),
    [
        ("seen", None, 1),
        ("absent", None, None),
        ("everywhere", 3, 1),
        ("one_page", 1, 1),
        ("true", True, True),
    ],
)
def test_counters_of_listings(
    emulator: StudioEmulator, ask: Caller, collection: str, blocks: str, reports: Any, spaces: Any
) -> None:
    emulator.control.set_quirks(pagination_block=blocks)
    counted = ask("GET", f"/spaces/{collection}/reports").json().get("pagination")
    assert (counted and counted["total_pages"]) == reports
    assert counted is None or counted["total_count"] == REPORTS
    listed = ask("GET", "/spaces?filter=custom").json().get("pagination")
    assert (listed and listed["total_pages"]) == spaces


def test_a_collection_may_list_nothing(emulator: StudioEmulator, ask: Caller, collection: str) -> None:
    emulator.control.set_quirks(empty_collections=[collection])
    assert page(ask, collection, 1) == []
    emulator.control.set_quirks(empty_collections=[])
    assert len(page(ask, collection, 1)) == 30


@pytest.mark.parametrize(("rule", "personal"), [("applied", False), ("ignored", True)])
def test_the_filter_of_collections_may_be_ignored(
    emulator: StudioEmulator, ask: Caller, rule: str, personal: bool
) -> None:
    emulator.control.set_quirks(collection_filter=rule)
    kinds = {row["space_type"] for row in ask.rows("/spaces?filter=custom", "spaces")}
    assert ("private" in kinds) is personal


def test_the_short_list_of_members_may_be_a_part(emulator: StudioEmulator, ask: Caller) -> None:
    everyone = ask("GET", "/memberships/lite").json()
    emulator.control.set_quirks(members_lite="first_page")
    part = ask("GET", "/memberships/lite?page=2").json()
    assert "pagination" not in everyone
    assert part["pagination"]["total_pages"] == 2
    assert 0 < len(part["_embedded"]["memberships"]) < len(everyone["_embedded"]["memberships"])


@pytest.mark.parametrize(("counter", "expected"), [("right", 2), ("at_most_one", 1), ("zero", 0)])
def test_schedules_may_be_counted_wrongly(
    emulator: StudioEmulator, ask: Caller, report: str, counter: str, expected: int
) -> None:
    for _ in range(2):
        emulator.control.add_schedule(report)
    emulator.control.set_quirks(schedules_count=counter)
    assert ask("GET", f"/reports/{report}").json()["schedules_count"] == expected
    assert len(ask.rows(f"/reports/{report}/schedules", "report_schedules")) == 2


@pytest.mark.parametrize("text", ['""', "null", "1e400", '"\\ud800"', str(2**70), '{"a": []}'])
def test_a_row_may_have_odd_fields(emulator: StudioEmulator, ask: Caller, report: str, text: str) -> None:
    emulator.control.set_quirks(odd_fields={report: {"edited_at": text, "_links": "null"}})
    body = ask("GET", f"/reports/{report}")
    assert f'"edited_at":{text}' in body.text
    assert body.json()["_links"] is None
    with client_of(emulator) as client:
        other = emulator.control.add_report()
        assert client.get_report(other).edited_at is not None
