# SPDX-License-Identifier: Apache-2.0
"""Crawl a workspace over the REST API into a checkpoint: Collections, their Reports and datasets, their schedules.

A few threads read Collections at the same time, so that slow responses leave no budget unused; the limiter keeps the
budget. What the checkpoint has is not requested again. A Collection is read completely or not at all: with a part of
it, the other Reports would seem to be gone.
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
from airflow_provider_studio.governance.inventory.checkpoint import Checkpoint
from airflow_provider_studio.governance.inventory.progress_log import ProgressLog
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
_MOST_SEQUENTIAL = 16
"""Pages read sequentially, at most, to learn the page size."""
MOST_MISSING_SHARE = 0.02
"""If a larger share of the previous snapshot's Reports is missing, they are not requested one by one."""
_ALWAYS_REQUESTED = 50
_CHECKPOINT_BATCH = 8
"""The schedules of this many Reports are saved in one file; a kill loses fewer."""

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class RestCrawler:
    """A crawl, or a part of it.

    :param checkpoint: what the crawl has read so far.
    :param previous: the previous snapshot.
    :param begun_at: when the crawl began.
    :param threads: how many requests may run at once.
    """

    def __init__(
        self,
        client: StudioClient,
        checkpoint: Checkpoint,
        previous: PreviousSnapshot,
        begun_at: datetime,
        *,
        progress_log: ProgressLog,
        threads: int = 8,
    ) -> None:
        self._client = client
        self._checkpoint = checkpoint
        self._previous = previous
        self._begun_at = begun_at
        self._progress_log = progress_log
        self._threads = threads
        self._sizes = PageSizes()
        self._stop = threading.Event()

    def list_collections(self, collection_filter: CollectionFilter) -> list[CollectionRow]:
        """List the Collections, unless the checkpoint has them; the largest of the previous snapshot first.

        :raises InventoryError: the token sees none.
        """
        saved = self._checkpoint.collections()
        if saved is not None:
            return saved
        found = {collection.token: collection for collection in self._client.list_collections(collection_filter)}
        if not found:
            raise InventoryError(
                f"The token sees no Collection of workspace {self._client.workspace!r}, so there is nothing to "
                "inventory. Use a Workspace token, or have the member added to the Collections that matter."
            )
        tokens = sorted(found, key=lambda token: -sum(self._previous.rows_in(token, kind) for kind in KINDS))
        rows: list[CollectionRow] = [{"token": token, "name": found[token].name} for token in tokens]
        self._checkpoint.save_collections(rows)
        return rows

    def read_reports(self, collections: Sequence[CollectionRow]) -> None:
        """Read the Reports and datasets of these Collections, the longest listings first."""
        self._checkpoint.seed(self._sizes)
        unreadable = {(token, kind) for kind in KINDS for token in self._checkpoint.unreadable(kind)}
        listings: list[Listing] = []
        for kind in KINDS:
            tokens = [collection["token"] for collection in collections]
            tokens.sort(key=lambda token: -self._previous.rows_in(token, kind))
            self._progress_log.expect_listings(kind, len(tokens))
            self._learn_page_size([(token, kind) for token in tokens], unreadable)
            listings += [(token, kind) for token in tokens]
        saved = self._checkpoint.pages()

        def read(listing: Listing) -> None:
            self._read_listing(listing, saved.get(listing, []), unreadable)
            self._progress_log.listing_done(listing[1])

        self._in_threads(read, listings)

    def _learn_page_size(self, listings: Sequence[Listing], unreadable: set[Listing]) -> None:
        """Read a few pages sequentially until the page size is known: without it, each listing needs one more request.

        The rest of a listing is read with the others.
        """
        saved, read = self._checkpoint.pages(), 0

        def is_known() -> bool:
            return read >= _MOST_SEQUENTIAL or self._sizes.are_known(listings[0][1])

        def is_known_after_a_page() -> bool:
            nonlocal read
            read += 1
            return is_known()

        for listing in listings:
            if is_known():
                return
            self._read_listing(listing, saved.get(listing, []), unreadable, is_known_after_a_page)

    def _read_listing(
        self,
        listing: Listing,
        saved: list[PageName],
        unreadable: set[Listing],
        is_enough: Callable[[], bool] | None = None,
    ) -> None:
        """Read the rest of a Collection's listing, to its end or until `is_enough`.

        :param unreadable: the listings that cannot be read; this one is added if it cannot. If a Collection's Reports
            cannot be read, its datasets are not requested.
        """
        token, kind = listing
        if unreadable & {(token, "reports"), listing} or (saved and saved[-1].is_last):
            return
        is_enough = is_enough or self._stop.is_set
        after = None
        if saved:
            # The page is not the last one, so it has rows.
            rows = [{"token": row["token"]} for row in self._checkpoint.rows(saved[-1])]
            after = Page(saved[-1].number, rows, is_last=False)
        try:
            for page in self._client.collection_pages(token, kind, sizes=self._sizes, after=after):
                self._save(token, kind, page)
                if is_enough():
                    return
        except (StudioForbiddenError, StudioNotFoundError) as error:
            log.warning("Collection %s: its %s cannot be read and are unknown: %s", token, kind, error)
            self._checkpoint.save_unreadable(token, kind, str(error))
            unreadable.add(listing)

    def _save(self, collection: str, kind: ListingKind, page: Page) -> None:
        what = f"Collection {collection}, page {page.number}"
        reports = [Report.parse(row, what=f"{what}, {row['token']}") for row in page.rows]
        rows = [report_row(report, self._begun_at) for report in reports]
        if kind == "datasets":
            for row in rows:
                row["type"] = row["type"] or DATASET
        self._checkpoint.save_page(collection, kind, page.number, rows, is_last=page.is_last)
        self._progress_log.page_read(kind, len(rows), sum(row["schedules_count"] != 0 for row in rows))

    # Schedules

    def read_schedules(self, reports: Sequence[ReportRow]) -> None:
        """Read the schedules of these Reports, unless the checkpoint has them."""
        saved = self._checkpoint.schedules()
        missing = [report for report in reports if report["token"] not in saved]
        self._progress_log.expect_schedules(len(missing))

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
            self._progress_log.schedules_read()
            with lock:
                found[report["token"]] = schedules
                if len(found) >= _CHECKPOINT_BATCH:
                    self._checkpoint.save_schedules(found)
                    found.clear()

        try:
            self._in_threads(read, missing)
        finally:
            if found:
                self._checkpoint.save_schedules(found)

    def _schedules(self, report: ReportRow) -> list[ScheduleRow]:
        """Read as many schedules of a Report as its row says."""
        token = report["token"]
        listed = (
            self._client.list_dataset_schedules(token)
            if report["type"] == DATASET
            else self._client.list_schedules(token)
        )
        found = islice(listed, report["schedules_count"])
        return [schedule_row(schedule, token, self._begun_at) for schedule in found]

    # Reports of the previous snapshot that no listing had

    def read_missing(self, tokens: Sequence[str], collections: dict[str, CollectionRow]) -> list[ReportRow]:
        """Read Reports one by one that were not in the listings of Collections that were read; return those that exist.

        Rows shift between pages while people move and delete Reports, so a Report can move to a page that was read
        before. A Report without a Collection is in no listing.

        :param collections: the Collections by token; empty where the source does not report them.
        """
        saved = {key: pages for key, pages in self._checkpoint.pages().items() if key[1] == "missing"}
        if saved:
            return [row for pages in saved.values() for page in pages for row in self._checkpoint.rows(page)]
        most = max(_ALWAYS_REQUESTED, int(len(self._previous.reports) * MOST_MISSING_SHARE))
        if not tokens or len(tokens) > most:
            return []
        rows = [row for row in self._in_threads(self._read_report, tokens) if row is not None]
        places = {None, *collections}
        found = [row for row in rows if not collections or row["collection"] in places]
        self._checkpoint.save_page("all", "missing", 1, found, is_last=True)
        return found

    def _read_report(self, token: str) -> ReportRow | None:
        _, kind, _ = self._previous.reports[token]
        try:
            report = self._client.get_dataset(token) if kind == DATASET else self._client.get_report(token)
        except (StudioForbiddenError, StudioNotFoundError):
            return None
        return {**report_row(report, self._begun_at), "type": report.type or kind}

    # Threads

    def _in_threads(self, work: Callable[[ItemT], ResultT], items: Sequence[ItemT]) -> list[ResultT]:
        """Do the work for each item in threads. The first error stops the rest; running items are finished."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="studio-crawl") as pool:
            running: list[Future[ResultT]] = [pool.submit(work, item) for item in items]
            try:
                wait(running, return_when=FIRST_EXCEPTION)
            finally:
                if not all(future.done() and future.exception() is None for future in running):
                    self._stop.set()
                    pool.shutdown(cancel_futures=True)
        for future in running:
            if not future.cancelled() and future.exception() is not None:
                raise future.exception()  # type: ignore[misc]
        return [future.result() for future in running]


def rows_once(
    checkpoint: Checkpoint, collections: Sequence[CollectionRow]
) -> Iterator[tuple[ReportRow, CollectionRow]]:
    """Yield each Report that was read once, with its Collection, Collection by Collection."""
    saved, unreadable = checkpoint.pages(), checkpoint.unreadable()
    seen: set[str] = set()
    for collection in collections:
        for kind in KINDS if collection["token"] not in unreadable else ():
            for page in saved.get((collection["token"], kind), []):
                for row in checkpoint.rows(page):
                    if row["token"] not in seen:  # rows shift between pages, and Reports move between Collections
                        seen.add(row["token"])
                        yield row, collection
