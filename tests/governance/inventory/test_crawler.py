# SPDX-License-Identifier: Apache-2.0
"""The crawl with servers of any page size, hostile workspaces, kills, and several tasks at the same time."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_studio.client.completeness import ListingProgress, PageSizes
from airflow_provider_studio.client.pagination import Page, pages
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.errors import InventoryError
from airflow_provider_studio.governance.inventory.inventory import Inventory
from airflow_provider_studio.governance.inventory.progress_log import ProgressLog
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from tests.conftest import Killed, client_of
from tests.governance.conftest import NOW, Governed, ago
from tests.governance.inventory.test_inventory import table


def fetch_of(rows: list[str], page_size: int) -> Callable[[int], dict[str, Any]]:
    """A server of one listing."""

    def fetch(number: int) -> dict[str, Any]:
        page = rows[(number - 1) * page_size : number * page_size]
        return {"_embedded": {"reports": [{"token": row} for row in page]}}

    return fetch


def crawled(rows: list[str], page_size: int, progress: ListingProgress) -> list[Page]:
    return list(pages(fetch_of(rows, page_size), "reports", what="reports", progress=progress))


@given(st.integers(1, 100), st.lists(st.integers(0, 130), min_size=1, max_size=12))
def test_no_page_size_of_the_server_truncates_a_crawl(page_size: int, counts: list[int]) -> None:
    listings = [[f"r{number}" for number in range(count)] for count in counts]
    first = PageSizes()
    for rows in listings:
        found = crawled(rows, page_size, ListingProgress(first, "reports"))
        assert [row["token"] for page in found for row in page.rows] == rows
        assert [page.end for page in found] == ["more"] * (len(found) - 1) + ["last"]
        assert len(found) == -(-len(rows) // page_size) + 1
    known = {kind: longest for kind, longest in first.longest().items() if longest}
    later = PageSizes(known)
    for rows in listings:
        grown = [*rows, "new"]
        progress = ListingProgress(later, "reports", expected=len(rows))
        found = crawled(grown, page_size, progress)
        if len(rows) % page_size or not rows:  # else a new row begins a page, which only another request can show
            assert [row["token"] for page in found for row in page.rows] == grown
        assert len(found) <= -(-len(grown) // page_size) + 1


def test_an_end_is_proven_once_and_later_trusted() -> None:
    rows = [f"r{number}" for number in range(50)]
    first = PageSizes()
    assert [len(page.rows) for page in crawled(rows, 30, ListingProgress(first, "reports"))] == [30, 20, 0]
    later = PageSizes({"reports": 30})
    for expected, asked in ((50, 2), (49, 2), (51, 3), (None, 3)):
        assert len(crawled(rows, 30, ListingProgress(later, "reports", expected=expected))) == asked


def test_no_short_page_is_trusted_where_one_had_rows_after_it() -> None:
    rows, sizes = [f"r{number}" for number in range(70)], PageSizes()

    def fetch(number: int) -> dict[str, Any]:  # hides two rows: pages of 29, 29 and 10
        page = fetch_of(rows, 30)(number)["_embedded"]["reports"]
        return {"_embedded": {"reports": [row for row in page if row["token"] not in {"r2", "r35"}]}}

    crawled(rows[:30], 30, ListingProgress(sizes, "reports"))
    found = list(pages(fetch, "reports", what="holes", progress=ListingProgress(sizes, "reports", expected=20)))
    assert sum(len(page.rows) for page in found) == 68
    assert (sizes.is_irregular("reports"), sizes.longest()) == (True, {"reports": None})


@given(st.integers(2, 40), st.integers(0, 120), st.lists(st.sampled_from(["create", "archive"]), max_size=30))
def test_pages_that_shift_while_reports_are_made_and_archived_neither_lose_nor_double(
    page_size: int, count: int, changes: list[str]
) -> None:
    reports = [f"old{number}" for number in range(count)]
    coming = iter(changes)

    def fetch(number: int) -> dict[str, Any]:
        if next(coming, None) == "create":  # the newest first; an archived Report stays in its place
            reports.insert(0, f"new{len(reports)}")
        rows = reports[(number - 1) * page_size : number * page_size]
        return {"_embedded": {"reports": [{"token": token} for token in rows]}}

    tokens = [row["token"] for page in pages(fetch, "reports", what="reports") for row in page.rows]
    assert {f"old{number}" for number in range(count)} <= set(tokens)


def test_a_report_that_slipped_between_pages_is_asked_for_by_itself(governed: Governed) -> None:
    tokens = [governed.report(f"Old {number}") for number in range(65)]
    governed.night(1)
    listed, is_removed = governed.client.collection_pages, []

    def delete_one_that_was_read(collection: str, kind: str, **options: Any) -> Iterator[Any]:
        for page in listed(collection, kind, **options):
            yield page
            if collection == governed.collection and kind == "reports" and not is_removed:
                is_removed.append(page.rows[0]["token"])
                governed.control.remove_report(is_removed[0])

    governed.client.collection_pages = delete_one_that_was_read  # type: ignore[method-assign]
    summary = governed.night()
    found = [row["token"] for row in table(summary.path, "reports")]
    assert sorted(found) == sorted(tokens)
    assert len(set(found)) == 65


def inventory(governed: Governed, **options: Any) -> Inventory:
    return Inventory(governed.client, governed.storage, walk="a", now=lambda: NOW, threads=1, **options)


def test_a_crawl_that_is_killed_anywhere_resumes_with_the_same_result(
    governed: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(65):
        governed.report(f"Old {number}", schedules=number % 2)
    whole = inventory(governed)
    whole.begin()
    whole.read()
    undisturbed = whole.finish()
    rows = table(undisturbed.path, "reports"), table(undisturbed.path, "schedules")
    (SnapshotStore(governed.storage, "acme").all()[0].folder / "summary.json").unlink()
    governed.control.clear_requests()
    send = governed.client._transport.request
    left = itertools.count()

    def killed_after_a_while(*args: Any, **options: Any) -> Any:
        if next(left) % 9 == 8:
            raise Killed
        return send(*args, **options)

    monkeypatch.setattr(governed.client._transport, "request", killed_after_a_while)
    kills = 0
    while True:
        again = inventory(governed)
        try:
            again.begin()
            again.read()
            summary = again.finish()
            break
        except Killed:
            kills += 1
            assert SnapshotStore(governed.storage, "acme").all() == []
    assert kills > 3
    assert (table(summary.path, "reports"), table(summary.path, "schedules")) == rows
    assert governed.control.requests_sent() == undisturbed.requests_spent
    assert list((governed.storage / "checkpoints").rglob("*.json")) == []


def test_an_old_checkpoint_is_discarded(governed: Governed) -> None:
    governed.report()
    old = Inventory(governed.client, governed.storage, walk="a", now=lambda: ago(2))
    old.begin()
    old.read()
    governed.control.change_report(governed.report("Young"), name="Younger")
    summary = inventory(governed)
    summary.begin()
    summary.read()
    assert {row["name"] for row in table(summary.finish().path, "reports")} == {"Old", "Younger"}


@pytest.mark.parametrize("parts", [2, 7])
def test_an_inventory_in_parts_equals_that_of_a_single_task(storage: Any, parts: int) -> None:
    with StudioEmulator("acme", reports=300, seed=3, now=NOW) as emulator:
        emulator.control.set_speed(0)
        client = client_of(emulator)

        def fresh(walk: str) -> Inventory:
            return Inventory(client, storage / walk.partition("/")[0], walk=walk, now=lambda: NOW)

        single = fresh("single")
        single.begin()
        single.read()
        fresh("mapped").begin()
        order = list(range(parts))
        random.Random(parts).shuffle(order)
        whole, mapped = single.finish(), fresh("mapped")
        with pytest.raises(InventoryError, match="were not read to their end"):
            mapped.finish()
        for part in order:
            fresh("mapped").read(part, parts)
        other = mapped.finish()
    for name in ("reports", "schedules"):
        assert table(whole.path, name) == table(other.path, name)
    assert other.reports == whole.reports > 200


def test_a_part_of_nothing_says_what_to_do(governed: Governed) -> None:
    with pytest.raises(InventoryError, match=r"No inventory was begun in .*Run the task that begins it first"):
        inventory(governed).read(0, 2)


# Hostile workspaces


def test_a_workspace_without_reports(governed: Governed) -> None:
    summary = governed.night()
    assert (summary.reports, summary.datasets, summary.unknown) == (0, 0, 0)
    assert governed.plan().actions == ()


def test_many_empty_collections_cost_two_requests_each(governed: Governed) -> None:
    for number in range(200):
        governed.control.add_collection(f"Empty {number}")
    governed.control.clear_requests()
    summary = governed.night()
    assert summary.requests_spent == governed.control.requests_sent() <= 2 * summary.collections + 8


@pytest.mark.parametrize("name", ["x" * 10_000, "売上 🚀 \u202e\x00 'q' \"d\"\n", None, "=1+1"])
def test_names_of_any_kind(governed: Governed, name: str | None) -> None:
    token = governed.report(name)  # type: ignore[arg-type]
    assert [(row["token"], row["name"]) for row in table(governed.night().path, "reports")] == [(token, name)]


TROUBLE = [
    {"kind": "status", "status": 500, "rate": 0.01, "times": None},
    {"kind": "reset", "rate": 0.05, "times": None},
    {"kind": "garbage", "path": "reports", "times": 2},
    {"kind": "html", "path": "reports", "times": 2},
    {"kind": "truncate", "path": "datasets", "times": 2},
]


@pytest.mark.parametrize("trouble", TROUBLE, ids=lambda trouble: trouble["kind"])
def test_trouble_on_the_way_costs_retries_and_no_report(storage: Any, trouble: dict[str, Any]) -> None:
    with StudioEmulator("acme", reports=300, seed=3, now=NOW) as emulator:
        before = Inventory(client_of(emulator), storage, walk="a", now=lambda: ago(1))
        before.begin()
        before.read()
        undisturbed = before.finish()
        emulator.control.add_fault(**trouble)
        after = Inventory(client_of(emulator), storage, walk="a", now=lambda: NOW)
        after.begin()
        after.read()
        disturbed = after.finish()
    tokens = [[row["token"] for row in table(summary.path, "reports")] for summary in (undisturbed, disturbed)]
    assert tokens[0] == tokens[1]


def gone(control: Any, collection: str) -> None:
    control.remove_collection(collection)


def forbidden(control: Any, collection: str) -> None:
    control.forbid_collection(collection)


@pytest.mark.parametrize("become", [gone, forbidden])
def test_reports_of_a_collection_that_vanished_or_is_forbidden_are_unknown(
    governed: Governed, become: Callable[[Any, str], None]
) -> None:
    token = governed.report("Hidden", schedules=1)
    governed.nights(100, 1)
    become(governed.control, governed.collection)
    summary = governed.night()
    assert (summary.reports, summary.unknown, summary.unreadable_collections) == (0, 1, [governed.collection])
    (row,) = table(summary.path, "reports")
    assert (row["token"], row["name"], row["unknown"], row["view_count"]) == (token, "Hidden", True, None)
    assert row["seen_at"] == ago(1).replace(tzinfo=None)
    assert [spared.report for spared in governed.plan().spared] == [token]


def test_a_report_that_stays_unknown_has_disappeared_at_last(governed: Governed) -> None:
    governed.report()
    governed.night(40)
    governed.control.remove_collection(governed.collection)
    assert [governed.night(days).unknown for days in (39, 20, 11, 9, 0)] == [1, 1, 1, 0, 0]


def test_an_inventory_that_shrank_is_no_snapshot_unless_max_shrink_allows_it(governed: Governed) -> None:
    tokens = [governed.report(f"Old {number}") for number in range(60)]
    governed.night(1)
    for token in tokens[:40]:
        governed.control.remove_report(token)
    with pytest.raises(InventoryError, match=r"40 of the 60 Reports .* are gone, more than 20%.*max_shrink"):
        governed.night()
    assert len(SnapshotStore(governed.storage, "acme").all()) == 1
    summary = governed.night(max_shrink=0.7)
    assert (summary.reports, summary.disappeared) == (20, 40)


def test_an_inventory_that_could_read_little_is_no_snapshot(governed: Governed) -> None:
    for number in range(30):
        governed.report(f"Old {number}")
    governed.night(1)
    governed.control.forbid_collection(governed.collection)
    with pytest.raises(InventoryError, match=r"30 of 30 Reports could not be read, because of 1 Collection forbidden"):
        governed.night()


def test_datasets_that_alone_cannot_be_read_are_named_and_unknown(governed: Governed) -> None:
    governed.report("Set", type="DatasetReport")
    present = governed.report("Report")
    governed.night(1)
    governed.control.add_fault("status", path="datasets", status=403, times=None)
    summary = governed.night()
    assert governed.collection in summary.unreadable_datasets
    assert summary.unreadable_collections == []
    assert {row["name"]: row["unknown"] for row in table(summary.path, "reports")} == {"Set": True, "Report": False}
    assert present in {row["token"] for row in table(summary.path, "reports")}


@pytest.mark.parametrize("status", [400, 403, 409, 422])
def test_schedules_that_may_not_be_read_are_unknown_and_their_report_is_there(governed: Governed, status: int) -> None:
    token = governed.report(schedules=1)
    governed.control.add_fault("status", path="schedules", status=status, times=None)
    summary = governed.night()
    (row,) = table(summary.path, "reports")
    assert (row["token"], row["schedules_count"], row["verified_at"], summary.schedules) == (token, 1, None, 0)


def test_the_schedules_of_datasets_are_read(governed: Governed) -> None:
    token = governed.report("Set", type="DatasetReport", schedules=1)
    summary = governed.night()
    assert [row["report"] for row in table(summary.path, "schedules")] == [token]
    assert (summary.datasets, summary.reports, summary.schedules) == (1, 0, 1)


@pytest.mark.parametrize(("option", "value"), [("max_shrink", 1.5), ("verify_within", timedelta(hours=1))])
def test_options_that_make_no_sense_are_named(governed: Governed, option: str, value: Any) -> None:
    with pytest.raises(InventoryError, match=f"{option} is"):
        governed.night(**{option: value})


def test_the_estimate_says_what_is_left_and_for_how_long() -> None:
    messages: list[str] = []
    seconds, sent = iter([0.0, 1.0, 5.0, 100.0]), iter([0, 0, 10, 20, 30])
    log = ProgressLog(messages.append, lambda: next(sent), clock=lambda: next(seconds))
    log.expect_listings("reports", 4)
    log.expect_listings("datasets", 4)
    log.page_read("reports", 30, 3)
    log.page_read("reports", 10, 1)
    log.listing_done("reports")
    pages_left = 3 * 2 + 4
    assert log.requests_left() == pages_left + 4 * (1 + pages_left / 2)
    log.listing_done("reports")
    log.listing_done("reports")
    assert len(messages) == 2
    assert messages[1].startswith("Collections 3/4, 40 Reports, ")
    assert "about 18 more" in messages[1]
