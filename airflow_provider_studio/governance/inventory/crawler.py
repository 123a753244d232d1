# SPDX-License-Identifier: Apache-2.0
"""Crawl a workspace over the REST API into a checkpoint: Collections, their Reports and datasets, their schedules.

A few threads read Collections at the same time, so that slow responses leave no budget unused; the limiter keeps the
budget. What the checkpoint has is not requested again. A Collection is read completely or not at all: with a part of
it, the other Reports would seem to be gone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from airflow_provider_studio.client.client import CollectionFilter, ListingKind, StudioClient
from airflow_provider_studio.client.completeness import ListingCaution, ListingProgress, PageSizes
from airflow_provider_studio.client.errors import (
    StudioAPIError,
    StudioForbiddenError,
    StudioNotFoundError,
    StudioResponseError,
)
from airflow_provider_studio.client.models import Report
from airflow_provider_studio.client.pagination import Page
from airflow_provider_studio.governance.doctor.profile import Caution, WorkspaceProfile
from airflow_provider_studio.governance.errors import InventoryError, is_refusal
from airflow_provider_studio.governance.file_names import PageName
from airflow_provider_studio.governance.inventory.carry_over import PreviousSnapshot
from airflow_provider_studio.governance.inventory.checkpoint import Checkpoint
from airflow_provider_studio.governance.inventory.crawl_threads import CrawlThreads
from airflow_provider_studio.governance.inventory.progress_log import ProgressLog
from airflow_provider_studio.governance.snapshots.schema import (
    DATASET,
    CollectionRow,
    ReportRow,
    ScheduleRow,
    invalid_row,
    report_row,
    schedule_row,
)

log = logging.getLogger(__name__)

KINDS: tuple[ListingKind, ...] = ("reports", "datasets")
Listing = tuple[str, ListingKind]
"""A Collection's token, and which of its listings."""
_ALWAYS_TOLERATED = 20
_MOST_UNREADABLE_SHARE = 0.05
"""If the schedules of a larger share of Reports have a wrong body, the service is broken, not the Reports."""
_PERSONAL = "private"
"""The `space_type` of a member's personal Collection."""
_CHECKPOINT_BATCH = 8
"""The schedules of this many Reports are saved in one file; a kill loses fewer."""


class RestCrawler:
    """A crawl, or a part of it.

    :param checkpoint: what the crawl has read so far.
    :param previous: the previous snapshot.
    :param begun_at: when the crawl began.
    :param profile: what is not believed of this workspace's service.
    """

    def __init__(
        self,
        client: StudioClient,
        checkpoint: Checkpoint,
        previous: PreviousSnapshot,
        begun_at: datetime,
        *,
        progress_log: ProgressLog,
        threads: CrawlThreads,
        profile: WorkspaceProfile | None = None,
    ) -> None:
        self._caution = ListingCaution() if profile is None else profile.listing_caution
        self._cautions = frozenset() if profile is None else profile.cautions
        self._client = client.with_caution(self._caution)
        self._checkpoint = checkpoint
        self._previous = previous
        self._begun_at = begun_at
        self._progress_log = progress_log
        self._threads = threads
        self._sizes = PageSizes(previous.page_sizes)

    def list_collections(self, collection_filter: CollectionFilter) -> list[CollectionRow]:
        """List the Collections, unless the checkpoint has them; the largest of the previous snapshot first.

        :raises InventoryError: the token sees none.
        """
        saved = self._checkpoint.collections()
        if saved is not None:
            return saved
        doubts: list[str] = []
        listed = self._client.list_collections(collection_filter, report_doubt=doubts.append)
        found = {collection.token: collection for collection in listed}
        rows: list[CollectionRow] = [
            {"token": token, "name": found[token].name, "space_type": found[token].space_type}
            for token in self._largest_first(found)
        ]
        rows, personal = without_personal(rows, collection_filter)
        if not rows:
            raise InventoryError(
                f"The token sees no Collection of workspace {self._client.workspace!r}, so there is nothing to "
                "inventory. Use a Workspace token, or have the member added to the Collections that matter."
            )
        self._checkpoint.save_collections(rows, personal=personal, doubt=next(iter(doubts), None))
        return rows

    def read_reports(self, collections: Sequence[CollectionRow]) -> None:
        """Read the Reports and datasets of these Collections, the longest listings first."""
        self._checkpoint.seed(self._sizes)
        for kind in KINDS:
            self._progress_log.expect_listings(kind, len(collections))
        saved, unreadable = self._checkpoint.pages(), self._unreadable()

        def read(token: str) -> None:
            for kind in KINDS:
                self._read_listing((token, kind), saved.get((token, kind), []), unreadable)
                self._progress_log.listing_done(kind)

        self._threads.each(read, self._largest_first(collection["token"] for collection in collections))
        self.continue_short_listings(collections)

    def _largest_first(self, collections: Iterable[str]) -> list[str]:
        return sorted(collections, key=lambda token: -sum(self._previous.rows_in(token, kind) for kind in KINDS))

    def continue_short_listings(self, collections: Sequence[CollectionRow]) -> None:
        """Read the listings that ended with a short page further, if it turned out that short pages prove nothing."""
        self._checkpoint.seed(self._sizes)
        saved, unreadable = self._checkpoint.pages(), self._unreadable()
        listings = [(collection["token"], kind) for collection in collections for kind in KINDS]
        short = [listing for listing in listings if self._must_continue(saved.get(listing, []))]
        self._threads.each(lambda listing: self._read_listing(listing, saved[listing], unreadable), short)

    def page_sizes(self) -> dict[str, int | None]:
        """Return the longest page of each kind of listing; None where short pages prove nothing."""
        self._checkpoint.seed(self._sizes)
        return self._sizes.longest()

    def _unreadable(self) -> set[Listing]:
        return {(token, kind) for kind in KINDS for token in self._checkpoint.unreadable(kind)}

    def _must_continue(self, saved: Sequence[PageName]) -> bool:
        return bool(saved) and saved[-1].end == "short" and self._sizes.is_irregular(saved[-1].kind)

    def _read_listing(self, listing: Listing, saved: Sequence[PageName], unreadable: set[Listing]) -> None:
        """Read the rest of a Collection's listing.

        :param unreadable: the listings that cannot be read; this one is added if it cannot. If a Collection's Reports
            cannot be read, its datasets are not requested.
        """
        token, kind = listing
        if unreadable & {(token, "reports"), listing}:
            return
        if saved and saved[-1].is_last and not self._must_continue(saved):
            return
        is_proven = Caution.SHORT_PAGES not in self._cautions
        expected = self._previous.proven_rows_in(token, kind) if is_proven else None
        progress = ListingProgress(self._sizes, kind, expected=expected, caution=self._caution)
        self._checkpoint.replay(saved, progress)
        pages = self._client.collection_pages(token, kind, progress=progress)
        try:
            for number, page in enumerate(pages, start=len(saved) + 1):
                self._save(PageName(token, kind, number, len(page.rows), page.new_rows, page.end), page)
                if self._threads.stop.is_set():
                    return
        except (StudioForbiddenError, StudioNotFoundError) as error:
            log.warning("Collection %s: its %s cannot be read and are unknown: %s", token, kind, error)
            self._checkpoint.save_unreadable(token, kind, str(error))
            unreadable.add(listing)

    def _save(self, name: PageName, page: Page) -> None:
        rows = [self._row(row, name.kind) for row in page.rows]
        self._checkpoint.save_page(name, rows, total_count=page.total_count, doubt=page.doubt)
        self._progress_log.page_read(name.kind, len(rows), sum(_may_have_schedules(row) for row in rows))

    def _row(self, listed: Mapping[str, Any], kind: str) -> ReportRow:
        """Return the row of a listed Report; an unknown one if a value is not as the API promises."""
        usual = DATASET if kind == "datasets" else "Report"
        try:
            row = report_row(Report.parse(listed, what=f"{usual} {listed['token']}"), self._begun_at)
        except StudioResponseError as error:
            log.warning("A listed row is unknown: %s", error)
            return invalid_row(listed, usual, str(error))
        if kind == "datasets":
            row["type"] = row["type"] or DATASET
        return row

    # Schedules

    def read_schedules(self, reports: Sequence[ReportRow]) -> None:
        """Read the schedules of these Reports, unless the checkpoint has them."""
        saved = self._checkpoint.schedules()
        missing = [report for report in reports if report["token"] not in saved]
        self._progress_log.expect_schedules(len(missing))

        found: dict[str, list[ScheduleRow] | None] = {}
        unreadable: list[str] = []
        lock = threading.Lock()

        def read(report: ReportRow) -> None:
            if self._threads.stop.is_set():
                return
            try:
                schedules = self._schedules(report)
            except StudioResponseError as error:
                unreadable.append(report["token"])
                if len(unreadable) > max(_ALWAYS_TOLERATED, _MOST_UNREADABLE_SHARE * len(missing)):
                    raise
                log.warning("The schedules of Report %s are unknown: %s", report["token"], error)
                return
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
            self._threads.each(read, missing)
        finally:
            if found:
                self._checkpoint.save_schedules(found)

    def _schedules(self, report: ReportRow) -> list[ScheduleRow]:
        """Read the list of a Report's schedules.

        The Report's counter only saves the request that would prove the end of a list that agrees with it.
        """
        token, counted = report["token"], report["schedules_count"]
        list_schedules = (
            self._client.list_dataset_schedules if report["type"] == DATASET else self._client.list_schedules
        )
        believed = None if Caution.SCHEDULES_COUNT in self._cautions else counted
        found = [schedule_row(item, token, self._begun_at) for item in list_schedules(token, counted=believed)]
        if counted is not None and counted != len(found):
            log.warning("Report %s counts %d schedules, and lists %d", token, counted, len(found))
        return found


def _may_have_schedules(row: ReportRow) -> bool:
    return not row["unknown"] and row["schedules_count"] != 0


def without_personal(
    rows: Sequence[CollectionRow], collection_filter: CollectionFilter
) -> tuple[list[CollectionRow], list[str]]:
    """Return the Collections that the filter permits, and the tokens of members' personal ones that it does not.

    A service ignores a filter that it does not know, and then lists all.
    """
    if collection_filter != "custom":
        return list(rows), []
    shared: list[CollectionRow] = []
    personal: list[str] = []
    for row in rows:
        if (row["space_type"] or "").lower() == _PERSONAL:
            personal.append(row["token"])
        else:
            shared.append(row)
    return shared, personal


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
