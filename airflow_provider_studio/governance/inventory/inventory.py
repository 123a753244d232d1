# SPDX-License-Identifier: Apache-2.0
"""Take an inventory: every Report of a workspace becomes a row of a snapshot, or is named as unknown.

What cannot be read is never guessed: a missing key is NULL; the Reports of a Collection that is forbidden or vanished
stay as unknown; and an inventory that finds no Collection, or far fewer Reports than the previous snapshot, fails. A
killed try resumes from its checkpoint, and the snapshot is complete when it appears.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Protocol

from upath import UPath

from airflow_provider_studio.client.client import CollectionFilter, StudioClient
from airflow_provider_studio.governance.doctor.profile import Caution, checked_profile, read_profile
from airflow_provider_studio.governance.errors import InventoryError
from airflow_provider_studio.governance.inventory.acceptance import check
from airflow_provider_studio.governance.inventory.carry_over import PreviousSnapshot, reports_acted_on
from airflow_provider_studio.governance.inventory.checkpoint import Checkpoint
from airflow_provider_studio.governance.inventory.crawl_threads import CrawlThreads
from airflow_provider_studio.governance.inventory.crawler import RestCrawler, rows_once, without_personal
from airflow_provider_studio.governance.inventory.loss_limit import worst_loss
from airflow_provider_studio.governance.inventory.missing import MissingReports
from airflow_provider_studio.governance.inventory.progress_log import ProgressLog
from airflow_provider_studio.governance.inventory.row_writer import RowWriter
from airflow_provider_studio.governance.inventory.summary import MAX_NAMED, InventorySummary
from airflow_provider_studio.governance.layout import checkpoint_folder
from airflow_provider_studio.governance.snapshots import rolling_history
from airflow_provider_studio.governance.snapshots.schema import (
    DATASET,
    CollectionRow,
    ReportRow,
)
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore, SnapshotWriter
from airflow_provider_studio.governance.storage import utcnow
from airflow_provider_studio.governance.text import counted, shorten
from airflow_provider_studio.governance.workspace_host import check_host

log = logging.getLogger(__name__)

VERIFY_WITHIN = timedelta(days=28)
MAX_SHRINK = 0.2
_FORMAT = 2
"""The format of checkpoints; one of another version of the provider is discarded."""
_NAME = 60
_MANY = 10
"""If more Reports than this have disappeared, the log names them."""
_REREAD_SHARE = 0.2
"""The share of the schedules that an inventory after the first is expected to read."""


class Source(Protocol):
    """A source of Reports other than the crawl over the REST API."""

    name: str

    def list_collections(self) -> list[CollectionRow]:
        """Return the Collections that the source reports."""

    def read(self, checkpoint: Checkpoint, begun_at: datetime) -> None:
        """Read the Reports into pages of the checkpoint."""

    def rows(self, checkpoint: Checkpoint) -> Iterator[ReportRow]:
        """Yield what was read, each Report once."""


def take_inventory(client: StudioClient, storage: UPath, **options: Any) -> InventorySummary:
    """Crawl the workspace and write a snapshot; the options are those of `Inventory`.

    :raises StorageError: the storage cannot be written; this is checked before the first request.
    :raises InventoryError: too little was read to be a snapshot.
    """
    inventory = Inventory(client, storage, **options)
    inventory.begin()
    inventory.read()
    return inventory.finish()


class Inventory:
    """An inventory in steps for several tasks: one begins, any number of them read a part each, one finishes.

    :param collection_filter: `custom` excludes other members' personal Collections.
    :param source: where the Reports come from, if not from the REST API. Schedules always come from there.
    :param walk: the name of this inventory; an unfinished one of the same name is resumed.
    :param verify_within: the maximum age of a fact that is carried over instead of read again.
    :param max_shrink: which share of the Reports may be gone since the previous snapshot, and within a day.
    :param threads: how many requests may run at once.
    :param with_schedules: whether to read schedules; without them it is unknown who ran a Report.
    :param progress: receives a sentence about the progress of the crawl and the time that it still needs.
    """

    def __init__(
        self,
        client: StudioClient,
        storage: UPath,
        *,
        collection_filter: CollectionFilter = "custom",
        source: Source | None = None,
        walk: str = "manual",
        verify_within: timedelta = VERIFY_WITHIN,
        max_shrink: float = MAX_SHRINK,
        threads: int = 8,
        with_schedules: bool = True,
        now: Callable[[], datetime] = utcnow,
        progress: Callable[[str], None] = log.info,
    ) -> None:
        if not 0 <= max_shrink <= 1:
            raise InventoryError(f"max_shrink is {max_shrink!r}; it must be a share from 0 to 1, such as {MAX_SHRINK}.")
        if verify_within < timedelta(days=1):
            raise InventoryError(f"verify_within is {verify_within}; it must be at least a day.")
        self._client = client
        self._store = SnapshotStore(storage, client.workspace)
        self._filter = collection_filter
        self._source = source
        self._verify_within = verify_within
        self._max_shrink = max_shrink
        self._threads = threads
        self._with_schedules = with_schedules
        self._now = now
        self._report = progress
        self._folder = checkpoint_folder(storage, client.workspace, walk)
        self._checkpoint = Checkpoint(self._folder, requests_sent=lambda: client.spending.requests)

    def begin(self) -> int:
        """Begin or resume the inventory, and return the number of Collections."""
        self._store.check_writable()
        check_host(self._client, self._store.storage)
        source = self._source.name if self._source else "rest"
        began_at = self._checkpoint.begin(
            {"collection_filter": self._filter, "source": source, "format": _FORMAT}, self._now()
        )
        checked_profile(self._client, self._store.storage, self._now())
        self._set_up(began_at)
        if self._source is None:
            return len(self._crawler.list_collections(self._filter))
        if self._checkpoint.collections() is None:
            rows, personal = without_personal(self._source.list_collections(), self._filter)
            self._checkpoint.save_collections(rows, personal=personal)
        return len(self._checkpoint.collections() or [])

    def read(self, part: int = 0, parts: int = 1) -> None:
        """Read every `parts`-th Collection, from the one numbered `part`, and its Reports' schedules."""
        if not 0 <= part < parts:
            raise InventoryError(f"part is {part} of {parts}; parts are numbered from 0.")
        collections = self._collections()[part::parts]
        if self._source is None:
            self._crawler.read_reports(collections)
        else:
            self._source.read(self._checkpoint, self._began_at)
        rows = (row for row, _ in self._rows(collections))
        self._crawler.read_schedules([row for row in rows if self._must_read(row)])

    def finish(self) -> InventorySummary:
        """Write the snapshot of what was read.

        :raises InventoryError: too little was read to be a snapshot; the next try reads everything again.
        """
        self._checkpoint.refresh()
        collections = self._collections()
        self._check_complete(collections)
        if self._source is None:
            self._crawler.continue_short_listings(collections)
        snapshot = Snapshot(self._store.folder_of(self._began_at), self._began_at)
        summary = InventorySummary(
            self._client.workspace,
            self._store.relative(snapshot),
            str(snapshot.folder),
            self._began_at,
            source=self._source.name if self._source else "rest",
            collection_filter=self._filter,
            unreadable_collections=list(self._checkpoint.unreadable()),
            unreadable_datasets=list(self._checkpoint.unreadable("datasets")),
        )
        summary.incomplete_listings = self._incomplete_listings()
        if self._profile is not None:
            summary.cautions = [caution.value for caution in sorted(self._profile.cautions)]
            is_checked = self._profile.checked_at >= self._began_at
            summary.profile_changes = list(self._profile.changes) if is_checked else []
        summary.page_sizes = self._crawler.page_sizes() if self._source is None else {}
        summary.personal_collections_dropped = len(self._checkpoint.personal_collections())
        summary.collections = len(collections) - len(summary.unreadable_collections)
        with self._store.writer(self._began_at) as writer:
            present = self._write_rows(writer, summary, collections)
            self._check(summary, present)
            summary.requests_spent = self._checkpoint.requests_used()
            summary.seconds = (self._now() - self._began_at).total_seconds()
            writer.finish(summary.to_dict())
        for listing in summary.incomplete_listings:
            log.warning("This listing may lack rows: %s", listing)
        rolling_history.write_history(self._store, snapshot)
        self._checkpoint.discard()
        read, requests = counted(summary.reports, "Report"), counted(summary.requests_spent, "request")
        self._report(f"Snapshot {summary.snapshot}: {read}, {requests}, {summary.seconds:,.0f} s; {summary.path}")
        return summary

    # What each step needs

    def _set_up(self, began_at: datetime) -> None:
        earlier = [snapshot for snapshot in self._store.all() if snapshot.taken_at < began_at]
        self._earlier = earlier
        self._profile = read_profile(self._store.storage, self._client.workspace)
        self._began_at = began_at
        self._previous = PreviousSnapshot(
            earlier[-1] if earlier else None,
            began_at,
            verify_within=self._verify_within,
            acted_on=reports_acted_on(self._store.storage, self._client.workspace),
        )
        threads = CrawlThreads(self._threads)
        reread_share = _REREAD_SHARE if earlier else 1.0
        progress_log = ProgressLog(self._report, lambda: self._client.spending.requests, reread_share=reread_share)
        self._crawler = RestCrawler(
            self._client,
            self._checkpoint,
            self._previous,
            began_at,
            progress_log=progress_log,
            threads=threads,
            profile=self._profile,
        )
        self._missing_reports = MissingReports(self._client, self._checkpoint, self._previous, began_at, threads)

    def _collections(self) -> list[CollectionRow]:
        """Return the Collections of the inventory that this or another task began."""
        began_at, rows = self._checkpoint.begun_at, self._checkpoint.collections()
        if began_at is None or rows is None:
            raise InventoryError(f"No inventory was begun in {self._folder}. Run the task that begins it first.")
        if not hasattr(self, "_crawler"):
            self._set_up(began_at)
        return rows

    def _rows(self, collections: list[CollectionRow]) -> Iterator[tuple[ReportRow, CollectionRow | None]]:
        """Yield every Report that was read once, with its Collection."""
        if self._source is None:
            yield from rows_once(self._checkpoint, collections)
            return
        by_token = {collection["token"]: collection for collection in collections}
        personal = self._checkpoint.personal_collections()
        for row in self._source.rows(self._checkpoint):
            if row["collection"] in personal:
                continue
            yield self._previous.completed(row), by_token.get(row["collection"] or "")

    def _must_read(self, row: ReportRow) -> bool:
        if not self._with_schedules or row["unknown"]:
            return False
        if row["schedules_count"] == 0:
            if self._profile is not None and Caution.SCHEDULES_COUNT in self._profile.cautions:
                return not self._previous.is_without_schedules(row)
            return self._previous.has_schedules(row["token"])  # a counter alone does not prove that they are gone
        return self._previous.schedules_of(row) is None

    # Finishing

    def _check_complete(self, collections: list[CollectionRow]) -> None:
        if self._source is not None:
            return
        saved, unreadable = self._checkpoint.pages(), self._checkpoint.unreadable()
        without_datasets = self._checkpoint.unreadable("datasets")
        for collection in collections:
            token = collection["token"]
            kinds = [] if token in unreadable else ["reports"]
            kinds += [] if token in without_datasets or token in unreadable else ["datasets"]
            for kind in kinds:
                pages = saved.get((token, kind), [])
                if not pages or not pages[-1].is_last:
                    raise InventoryError(
                        f"The {kind} of Collection {token} were not read to their end. "
                        "Run the tasks that read the parts of this inventory again."
                    )

    def _incomplete_listings(self) -> list[str]:
        of_collections = self._checkpoint.doubt_of_collections()
        doubts = [] if of_collections is None else [of_collections]
        for (token, kind), doubt in self._checkpoint.doubts().items():
            doubts.append(f"{kind} of Collection {token}: {doubt}")
        return doubts

    def _write_rows(
        self, writer: SnapshotWriter, summary: InventorySummary, collections: list[CollectionRow]
    ) -> set[str]:
        """Write all rows, and return the tokens of the Reports that exist or cannot be read."""
        listed: set[str] = set()
        rows = RowWriter(writer, summary, self._previous)
        schedules = self._checkpoint.schedules()
        summary.schedules_read = len(schedules)
        for row, place in self._rows(collections):
            listed.add(row["token"])
            rows.write(row, place, schedules)
        rows.write_invalid()
        not_listed = [token for token in self._previous.reports if token not in listed]
        by_token = {collection["token"]: collection for collection in collections}
        hidden = self._hidden(not_listed, by_token)
        missing = self._missing_reports.read([token for token in not_listed if token not in hidden], by_token.keys())
        self._crawler.read_schedules([row for row in missing.found if self._must_read(row)])
        schedules = self._checkpoint.schedules() if missing.found else {}
        for row in missing.found:
            rows.write(row, by_token.get(row["collection"] or ""), schedules)
        found = {row["token"] for row in missing.found}
        unknown = self._previous.recently_seen(sorted(hidden | missing.unknown))
        rows.write_unknown(unknown, dict.fromkeys(missing.unknown, "no listing had it"))
        kept = found | {row["token"] for row in unknown}
        self._name_disappeared(summary, [token for token in not_listed if token not in kept])
        for (collection, kind), count in missing.not_listed.items():
            listing = f"{'datasets' if kind == DATASET else 'reports'} of Collection {collection}"
            summary.incomplete_listings.append(f"{listing}: it lacks {count:,} or more that exist")
        vanished = {token for row in unknown if (token := row["collection"]) is not None} - by_token.keys()
        summary.unreadable_collections = sorted({*summary.unreadable_collections, *vanished})
        return listed | hidden | missing.unknown | found

    def _name_disappeared(self, summary: InventorySummary, tokens: list[str]) -> None:
        summary.disappeared = len(tokens)
        rows = self._previous.rows(tokens[:MAX_NAMED])
        summary.disappeared_reports = [f"{shorten(row['name'] or '', _NAME)} ({row['token']})".strip() for row in rows]
        if len(tokens) > _MANY:
            names = ", ".join(summary.disappeared_reports)
            log.warning("%d Reports have disappeared since the previous snapshot, such as %s", len(tokens), names)

    def _hidden(self, missing: list[str], collections: dict[str, CollectionRow]) -> set[str]:
        """Return the missing Reports that cannot be read and so may still exist."""
        unreadable = {"Report": set(self._checkpoint.unreadable())}
        unreadable[DATASET] = unreadable["Report"] | set(self._checkpoint.unreadable("datasets"))
        same_scope = self._previous.collection_filter in (None, self._filter)
        found = set()
        for token in missing:
            collection, kind, _ = self._previous.reports[token]
            is_dataset = kind == DATASET
            if (
                collection in unreadable[DATASET if is_dataset else "Report"]
                or (collection is not None and collection not in collections and same_scope and bool(collections))
                or (is_dataset and self._source is not None)  # Discovery does not report datasets
            ):
                found.add(token)
        return found

    def _check(self, summary: InventorySummary, present: set[str]) -> None:
        loss = worst_loss(self._earlier, present, self._began_at, self._max_shrink)
        summary.gone, summary.gone_of = loss.gone, loss.of
        try:
            check(summary, loss, self._max_shrink)
        except InventoryError:
            self._checkpoint.discard()
            raise
