# SPDX-License-Identifier: Apache-2.0
"""The quirks of listings: which rows they have, in which order, and how they are divided into pages."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from airflow_provider_studio.emulator.quirk_settings import Setting, quirk

EVERY = "*"
"""Stands for every token in a quirk of single Collections or Reports."""
_LISTINGS = ("spaces", "reports", "datasets", "schedules", "runs")


def _some_sizes(random: Random) -> dict[str, int]:
    return {listing: random.choice([1, 2, 7, 20, 30, 50]) for listing in _LISTINGS if random.random() < 0.5}


@dataclass
class ListingQuirks:
    """Which rows a listing has, and in which order."""

    unfiltered_collections: Literal["but_others", "own"] = quirk(
        "what a listing of Collections without a filter contains",
        Setting("but_others", "all except other people's personal ones", "D"),
        Setting("own", "those that the caller belongs to: none for a Workspace token", "C"),
    )
    memberships: Literal["listed", "not_found"] = quirk(
        "the response of `/memberships` to a Workspace token; to a Member token it is 404",
        Setting("listed", "the members", "D"),
        Setting("not_found", "404", "C"),
    )
    dataset_reports: Literal["projected", "whole"] = quirk(
        "how a dataset lists the Reports that use it",
        Setting("projected", "token, name, creator and links: not whether they are archived", "C"),
        Setting("whole", "as their Collections list them", "D"),
    )
    query_parents: Literal["ignored", "checked"] = quirk(
        "under which Report of a path a query and its charts are found",
        Setting("ignored", "any", "C"),
        Setting("checked", "only their own", "G"),
    )
    collection_filter: Literal["applied", "ignored"] = quirk(
        "what `filter` does in the listing of Collections",
        Setting("applied", "it selects them", "C"),
        Setting("ignored", "nothing, as an unknown filter: personal ones are listed too", "G"),
    )
    listing_filters: Literal["ignored", "documented"] = quirk(
        "what `filter`, `order` and `order_by` do in listings of Reports",
        Setting("ignored", "nothing", "C"),
        Setting("documented", "they filter and sort", "D"),
    )
    listing_order: Literal["oldest_first", "newest_first", "unstable"] = quirk(
        "the order of listed Reports",
        Setting("oldest_first", "by creation", "G"),
        Setting("newest_first", "reversed: a new Report shifts the pages of a crawl", "G"),
        Setting("unstable", "another one for each request", "G"),
    )
    empty_collections: list[str] = quirk(
        "which Collections, by their tokens, list nothing though they have Reports",
        Setting([], "none", "F"),
        Setting([EVERY], "all", "G", is_usable=False),
    )
    members_lite: Literal["whole", "first_page"] = quirk(
        "what `/memberships/lite` lists",
        Setting("whole", "all members", "C"),
        Setting("first_page", "half of them, and it calls itself page 1 of 2", "G"),
    )


@dataclass
class PagingQuirks:
    """How listings are divided into pages."""

    page_sizes: dict[str, int] = quirk(
        "rows per page, by the token of a Collection or Report or by the last part of a listing's path",
        Setting({}, "30, and 20 of runs", "C"),
        Setting({"reports": 7, "datasets": 1, "spaces": 2, "schedules": 1}, "fewer", "G"),
        Setting({"reports": 50, "spaces": 100}, "more", "G"),
        draw=_some_sizes,
    )
    short_page: int = quirk(
        "the number of a page that has a row less than the others, though rows follow",
        Setting(0, "none", "C"),
        Setting(1, "the first page", "G"),
        Setting(2, "the second page", "G"),
    )
    page_cache: Literal["none", "once", "always"] = quirk(
        "whether the second page is the first again, as from a cache that ignores `page`",
        Setting("none", "no", "C"),
        Setting("once", "when it is requested first", "G"),
        Setting("always", "yes", "G", is_usable=False),
    )
    past_the_end: Literal["empty", "last_page", "first_pages"] = quirk(
        "what follows the last page",
        Setting("empty", "an empty page", "F"),
        Setting("last_page", "the last page again", "G"),
        Setting("first_pages", "the first pages again", "G"),
    )
    pagination_block: Literal["seen", "absent", "everywhere", "one_page", "true"] = quirk(
        "the counters of a listing's pages",
        Setting("seen", "where client authors saw them", "C"),
        Setting("absent", "nowhere", "F"),
        Setting("everywhere", "on every listing", "D"),
        Setting("one_page", "`total_pages` is always 1", "G"),
        Setting("true", "`total_pages` is `true`", "G"),
    )
