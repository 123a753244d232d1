# SPDX-License-Identifier: Apache-2.0
"""No way of paging makes an inventory miss Reports silently: they are all read, or their listing is named."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.governance.inventory.summary import InventorySummary
from tests.conftest import slow
from tests.governance.conftest import Governed, ago
from tests.governance.inventory.test_inventory import table

SIZES = (66, 60, 12, 18)
"""Reports by Collection."""


@pytest.fixture
def listed(governed: Governed) -> dict[str, list[str]]:
    """Collections with several pages and with one, and a small listing of datasets."""
    workspace = governed.emulator._state.workspace
    tokens: dict[str, list[str]] = {}
    for size in SIZES:
        collection = governed.control.add_collection(f"With {size}")
        reports = [workspace.new_report(f"Report {n}", collection, "member1", ago(400)) for n in range(size)]
        workspace.new_report("Set", collection, "member1", ago(400), type="DatasetReport")
        tokens[collection] = [report.token for report in reports]
    return tokens


def missed(governed: Governed, summary: InventorySummary) -> set[str]:
    """The Reports and datasets of the workspace that the snapshot lacks."""
    return set(governed.control.state()["reports"]) - {row["token"] for row in table(summary.path, "reports")}


SERVERS: dict[str, dict[str, Any]] = {
    "usual": {},
    "a short page first": {"short_page": 1},
    "a short page in the middle": {"short_page": 2},
    "small pages": {"page_sizes": {"reports": 7, "datasets": 1}},
    "an unstable order": {"listing_order": "unstable"},
    "a page from a cache": {"page_cache": "once"},
    "the last page again and again": {"past_the_end": "last_page"},
    "the first pages again and again": {"past_the_end": "first_pages"},
    "counters that say one page": {"pagination_block": "one_page"},
    "counters that say true": {"pagination_block": "true"},
    "counters everywhere": {"pagination_block": "everywhere"},
    "no counters": {"pagination_block": "absent"},
}
FEW = ("a short page in the middle", "an unstable order", "a page from a cache", "counters that say one page")


@pytest.mark.parametrize("server", [*FEW, *slow(*(name for name in SERVERS if name not in FEW))])
def test_every_report_is_read_on_a_first_night_and_on_later_ones(
    governed: Governed, listed: dict[str, list[str]], server: str
) -> None:
    governed.control.set_quirks(**SERVERS[server])
    for days in (2, 1, 0):
        summary = governed.night(days)
        assert missed(governed, summary) == set()
        if "again and again" not in server:  # a listing of a full last page, which comes again, may be longer
            assert summary.incomplete_listings == []
        for collection in listed:
            governed.emulator._state.workspace.new_report("New", collection, "member1", ago(400))
        governed.emulator._state.served_pages.clear()


def test_page_sizes_that_differ_by_collection_miss_nothing(governed: Governed, listed: dict[str, list[str]]) -> None:
    sizes = dict(zip(listed, (7, 30, 12, 5), strict=True))
    governed.control.set_quirks(page_sizes=sizes)
    for days in (2, 1, 0):
        summary = governed.night(days)
        assert missed(governed, summary) == set()
        assert summary.page_sizes["reports"] is None
        for collection in listed:
            governed.emulator._state.workspace.new_report("New", collection, "member1", ago(400))


def test_pages_that_have_become_shorter_overnight_end_no_listing(
    governed: Governed, listed: dict[str, list[str]]
) -> None:
    one_page = list(listed)[3]
    governed.night(1)
    governed.control.set_quirks(page_sizes={"reports": 18})
    governed.emulator._state.workspace.new_report("New", one_page, "member1", ago(400))
    summary = governed.night()
    assert missed(governed, summary) == set()
    assert summary.page_sizes["reports"] == 18


def test_a_page_that_always_comes_from_a_cache_names_its_listings(
    governed: Governed, listed: dict[str, list[str]]
) -> None:
    governed.control.set_quirks(page_cache="always")
    summary = governed.night()
    assert missed(governed, summary)
    assert all(any(token in text for text in summary.incomplete_listings) for token in list(listed)[:2])
    assert any("66 rows came, only 36 of them different" in text for text in summary.incomplete_listings)


def test_a_listing_that_never_ends_costs_two_more_pages(governed: Governed, listed: dict[str, list[str]]) -> None:
    usual = governed.night(2).requests_spent
    governed.control.set_quirks(past_the_end="first_pages")
    governed.storage = governed.storage.parent / "fresh"
    assert governed.night(1).requests_spent <= usual + 2 * 4 * len(listed) + 8


def test_later_nights_trust_a_short_page_of_a_collection_that_did_not_shrink(
    governed: Governed, listed: dict[str, list[str]]
) -> None:
    first, later = governed.night(1).requests_spent, governed.night().requests_spent
    assert later == first - 3, "not of the Collection whose last page is full, nor of the datasets, whose pages may be"
    shrunk, others = next(iter(listed)), governed.night(-1).requests_spent
    governed.control.remove_report(listed[shrunk][0])
    assert governed.night(-2).requests_spent >= others + 1, "it is read to its end, and the missing Report requested"
    assert missed(governed, governed.night(-3)) == set()
