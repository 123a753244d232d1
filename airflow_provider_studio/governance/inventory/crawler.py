# SPDX-License-Identifier: Apache-2.0
"""Walk a workspace over the REST API into progress files: Collections, their Reports and datasets, their schedules.

Collections are read at the same time by a few threads, so that slow answers leave no budget unused; the limiter sees to
the rest. What is in storage already is not asked for again. A Collection is read whole or not at all: half a
Collection would look like Reports that are gone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from datetime import datetime
from itertools import islice
from typing import TypeVar

from airflow_provider_studio.client.client import CollectionFilter, ListingKind, StudioClient
from airflow_provider_studio.client.errors import StudioAPIError, StudioForbiddenError, StudioNotFoundError
from airflow_provider_studio.client.models import Report
from airflow_provider_studio.client.pagination import Page, PageSizes
from airflow_provider_studio.governance.errors import InventoryError, is_refusal
from airflow_provider_studio.governance.file_names import PageName
from airflow_provider_studio.governance.inventory.carry_over import PreviousSnapshot
from airflow_provider_studio.governance.inventory.checkpoint import Progress
from airflow_provider_studio.governance.inventory.progress_log import Estimate
from airflow_provider_studio.governance.snapshots.schema import (
    DATASET,
    CollectionRow,
    ReportRow,
    ScheduleRow,
    report_row,
    schedule_row,
)

log = logging.getLogger(__name__)

KINDS: tuple[ListingKind, ...] = ("reports", "datasets")
Listing = tuple[str, ListingKind]
"""A Collection's token, and which of its listings."""
_LEARNED_FROM = 16
"""So many pages at most are read one after the other, for their size."""
MOST_MISSING_SHARE = 0.02
"""Of the night before's Reports; if more are missing, they are not asked for one by one."""
_MISSING_ALWAYS = 50
_KEPT_TOGETHER = 8
"""A file for so many Reports' schedules: a kill loses fewer."""

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class RestCrawler:
    """One walk, or a part of one.

    :param progress: where it goes on and what it has so far.
    :param before: the night before.
    :param begun_at: when the walk began.
    :param threads: how many requests may be on their way at once.
    """

    def __init__(
        self,
        client: StudioClient,
        progress: Progress,
        before: PreviousSnapshot,
        begun_at: datetime,
        *,
        estimate: Estimate,
        threads: int = 8,
    ) -> None:
        self._client = client
        self._progress = progress
        self._before = before
        self._begun_at = begun_at
        self._estimate = estimate
        self._threads = threads
        self._sizes = PageSizes()
        self._stop = threading.Event()

    def list_collections(self, collection_filter: CollectionFilter) -> list[CollectionRow]:
        """List the Collections, unless they are kept already; the largest first, as the night before knew them.

        :raises InventoryError: the token sees none.
        """
        kept = self._progress.collections()
        if kept is not None:
            return kept
        found = {one.token: one for one in self._client.list_collections(collection_filter)}
        if not found:
            raise InventoryError(
                f"The token sees no Collection of workspace {self._client.workspace!r}, so there is nothing to "
                "inventory. Use a Workspace token, or have the member added to the Collections that matter."
            )
        listed = sorted(found.values(), key=lambda one: -sum(self._before.rows_in(one.token, kind) for kind in KINDS))
        rows: list[CollectionRow] = [{"token": one.token, "name": one.name} for one in listed]
        self._progress.keep_collections(rows)
        return rows

    def read_reports(self, collections: Sequence[CollectionRow]) -> None:
        """Read the Reports and datasets of these Collections, the longest listings first."""
        self._progress.teach(self._sizes)
        given_up = {(token, kind) for kind in KINDS for token in self._progress.unreadable(kind)}
        listings: list[Listing] = []
        for kind in KINDS:
            tokens = sorted((one["token"] for one in collections), key=lambda one: -self._before.rows_in(one, kind))
            self._estimate.expect_listings(kind, len(tokens))
            self._learn_page_size([(token, kind) for token in tokens], given_up)
            listings += [(token, kind) for token in tokens]
        kept = self._progress.kept()

        def read(listing: Listing) -> None:
            self._read_listing(listing, kept.get(listing, []), given_up)
            self._estimate.listing_done(listing[1])

        self._at_once(read, listings)

    def _learn_page_size(self, listings: Sequence[Listing], given_up: set[Listing]) -> None:
        """Read a few pages one after the other, until an end can be told from a page: several would each ask on.

        What is left of a listing is read with the others.
        """
        kept, read = self._progress.kept(), 0

        def learned() -> bool:
            return read >= _LEARNED_FROM or self._sizes.are_known(listings[0][1])

        def learned_with_this_page() -> bool:
            nonlocal read
            read += 1
            return learned()

        for listing in listings:
            if learned():
                return
            self._read_listing(listing, kept.get(listing, []), given_up, learned_with_this_page)

    def _read_listing(
        self, listing: Listing, kept: list[PageName], given_up: set[Listing], enough: Callable[[], bool] | None = None
    ) -> None:
        """Read what is not kept of a Collection's listing, to its end or until it is enough.

        :param given_up: the listings that cannot be read, to which it adds. Without its Reports a Collection's datasets
            are not asked for either.
        """
        token, kind = listing
        if given_up & {(token, "reports"), listing} or (kept and kept[-1].is_last):
            return
        enough = enough or self._stop.is_set
        after = None
        if kept:
            # A page without rows was the last one, so this one has some.
            rows = [{"token": row["token"]} for row in self._progress.rows(kept[-1])]
            after = Page(kept[-1].number, rows, is_last=False)
        try:
            for page in self._client.collection_pages(token, kind, sizes=self._sizes, after=after):
                self._keep(token, kind, page)
                if enough():
                    return
        except (StudioForbiddenError, StudioNotFoundError) as error:
            log.warning("Collection %s: its %s cannot be read and are unknown: %s", token, kind, error)
            self._progress.keep_unreadable(token, kind, str(error))
            given_up.add(listing)

    def _keep(self, collection: str, kind: ListingKind, page: Page) -> None:
        what = f"Collection {collection}, page {page.number}"
        reports = [Report.parse(row, what=f"{what}, {row['token']}") for row in page.rows]
        rows = [report_row(one, self._begun_at) for one in reports]
        if kind == "datasets":
            for row in rows:
                row["type"] = row["type"] or DATASET
        self._progress.keep_page(collection, kind, page.number, rows, is_last=page.is_last)
        self._estimate.page_read(kind, len(rows), sum(row["schedules_count"] != 0 for row in rows))

    # Schedules

    def read_schedules(self, reports: Sequence[ReportRow]) -> None:
        """Read the schedules of these Reports: those that the night before does not foretell."""
        kept = self._progress.schedules()
        wanted = [one for one in reports if one["token"] not in kept]
        self._estimate.expect_schedules(len(wanted))

        found: dict[str, list[ScheduleRow] | None] = {}
        lock = threading.Lock()

        def read(report: ReportRow) -> None:
            if self._stop.is_set():
                return
            try:
                schedules = self._schedules(report)
            except StudioAPIError as error:
                if not is_refusal(error):
                    raise
                log.warning("The schedules of Report %s are unknown: %s", report["token"], error)
                return
            self._estimate.schedules_read()
            with lock:
                found[report["token"]] = schedules
                if len(found) >= _KEPT_TOGETHER:
                    self._progress.keep_schedules(found)
                    found.clear()

        try:
            self._at_once(read, wanted)
        finally:
            if found:
                self._progress.keep_schedules(found)

    def _schedules(self, report: ReportRow) -> list[ScheduleRow] | None:
        """Read a Report's schedules; no page further than it says. None if the Report is gone."""
        token = report["token"]
        listed = (
            self._client.list_dataset_schedules(token)
            if report["type"] == DATASET
            else self._client.list_schedules(token)
        )
        try:
            return [schedule_row(one, token, self._begun_at) for one in islice(listed, report["schedules_count"])]
        except StudioNotFoundError:
            log.warning("Report %s vanished during the walk and is left out", token)
            return None

    # What the night before had and this one did not meet

    def ask_for_missing(self, tokens: Sequence[str], collections: dict[str, CollectionRow]) -> list[ReportRow]:
        """Ask for Reports by themselves that should have been in Collections which were read, and were not.

        :param collections: the Collections by token; none where the source does not tell.

        Rows shift between pages while others move and delete Reports, and one may slip from a page not read yet into
        one that was; and a Report that was taken out of its Collection is in no listing at all. Returns the rows of
        those that are there.
        """
        kept = {key: pages for key, pages in self._progress.kept().items() if key[1] == "missing"}
        if kept:
            return [row for pages in kept.values() for page in pages for row in self._progress.rows(page)]
        most = max(_MISSING_ALWAYS, int(len(self._before.reports) * MOST_MISSING_SHARE))
        if not tokens or len(tokens) > most:
            return []
        asked_for = [row for row in self._at_once(self._ask, tokens) if row is not None]
        places = {None, *collections}
        found = [row for row in asked_for if not collections or row["collection"] in places]
        self._progress.keep_page("all", "missing", 1, found, is_last=True)
        return found

    def _ask(self, token: str) -> ReportRow | None:
        _, kind, _ = self._before.reports[token]
        try:
            report = self._client.get_dataset(token) if kind == DATASET else self._client.get_report(token)
        except (StudioForbiddenError, StudioNotFoundError):
            return None
        return {**report_row(report, self._begun_at), "type": report.type or kind}

    # Threads

    def _at_once(self, work: Callable[[ItemT], ResultT], items: Sequence[ItemT]) -> list[ResultT]:
        """Do the work for each item, several at once; the first error ends all, and what was begun is kept."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="studio-walk") as pool:
            running: list[Future[ResultT]] = [pool.submit(work, item) for item in items]
            try:
                wait(running, return_when=FIRST_EXCEPTION)
            finally:
                if any(one.done() and one.exception() for one in running) or not all(one.done() for one in running):
                    self._stop.set()
                    pool.shutdown(cancel_futures=True)
        for one in running:
            if not one.cancelled() and one.exception() is not None:
                raise one.exception()  # type: ignore[misc]
        return [one.result() for one in running]


def rows_once(progress: Progress, collections: Sequence[CollectionRow]) -> Iterator[tuple[ReportRow, CollectionRow]]:
    """Yield each Report that was read once, with its Collection, Collection by Collection."""
    kept, unreadable = progress.kept(), progress.unreadable()
    seen: set[str] = set()
    for collection in collections:
        for kind in KINDS if collection["token"] not in unreadable else ():
            for page in kept.get((collection["token"], kind), []):
                for row in progress.rows(page):
                    if row["token"] not in seen:  # rows shift between pages, and Reports move between Collections
                        seen.add(row["token"])
                        yield row, collection
