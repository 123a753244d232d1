# SPDX-License-Identifier: Apache-2.0
"""Take an inventory: every Report of a workspace becomes a row of a snapshot, or is named as unknown.

What could not be read is named, never guessed: an absent key is NULL; the Reports of a Collection that is forbidden or
vanished stay as unknown; and a night that found no Collection, or far fewer Reports than the night before, is no
snapshot. A try that was killed goes on where it ended, and the finished snapshot appears at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Protocol

from upath import UPath

from airflow_provider_studio.client.client import CollectionFilter, StudioClient
from airflow_provider_studio.governance.errors import InventoryError
from airflow_provider_studio.governance.inventory.carry_over import PreviousSnapshot, reports_acted_on
from airflow_provider_studio.governance.inventory.checkpoint import Progress
from airflow_provider_studio.governance.inventory.crawler import RestCrawler, rows_once
from airflow_provider_studio.governance.inventory.loss_limit import ALWAYS_ALLOWED, worst_loss
from airflow_provider_studio.governance.inventory.progress_log import Estimate
from airflow_provider_studio.governance.inventory.summary import InventorySummary
from airflow_provider_studio.governance.layout import checkpoint_folder
from airflow_provider_studio.governance.snapshots import rolling_history
from airflow_provider_studio.governance.snapshots.schema import (
    DATASET,
    CollectionRow,
    ReportRow,
    ScheduleRow,
    unknown_row,
    with_schedules,
)
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore, SnapshotWriter
from airflow_provider_studio.governance.storage import utcnow
from airflow_provider_studio.governance.text import counted

log = logging.getLogger(__name__)

VERIFY_WITHIN = timedelta(days=28)
MAX_SHRINK = 0.2
_MAX_UNKNOWN = 0.5


class Source(Protocol):
    """Where the Reports come from, other than the walk over the REST API."""

    name: str

    def list_collections(self) -> list[CollectionRow]:
        """Return the Collections that it knows, each with `token` and `name`."""

    def read(self, progress: Progress, begun_at: datetime) -> None:
        """Read its Reports into pages of the progress."""

    def rows(self, progress: Progress) -> Iterator[ReportRow]:
        """Return what it read, each Report once."""


def take_inventory(client: StudioClient, storage: UPath, **options: Any) -> InventorySummary:
    """Walk the workspace and write a snapshot; the options are those of `Inventory`.

    :raises StorageError: the storage cannot be written; found out before the first request.
    :raises InventoryError: too little was read to be a snapshot.
    """
    inventory = Inventory(client, storage, **options)
    inventory.begin()
    inventory.read()
    return inventory.finish()


class Inventory:
    """An inventory in steps, which several tasks may share: one begins, any number read a part each, one finishes.

    :param collection_filter: `custom` leaves other members' personal Collections out.
    :param source: where the Reports come from, if not from the REST API. Schedules always come from there.
    :param walk: names this inventory; what was begun under the same name and not finished is gone on with.
    :param verify_within: how old a fact may be that is carried over instead of read again.
    :param max_shrink: which share of the Reports may be gone since the snapshot before, and within a day.
    :param threads: how many requests may be on their way at once.
    :param with_schedules: whether to read schedules; without them nobody can be told by whom a Report was run.
    :param progress: is told in a sentence how far the walk is, and how long it will take.
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
        self._tell = progress
        self._spent_before = client.spending.requests
        self._folder = checkpoint_folder(storage, client.workspace, walk)
        self._progress = Progress(self._folder, spent=lambda: client.spending.requests)

    def begin(self) -> int:
        """Begin, or go on with what was begun. Returns how many Collections there are."""
        self._store.check_writable()
        source = self._source.name if self._source else "rest"
        began_at = self._progress.begin({"collection_filter": self._filter, "source": source}, self._now())
        self._set_up(began_at)
        if self._source is None:
            return len(self._walk.list_collections(self._filter))
        if self._progress.collections() is None:
            self._progress.keep_collections(self._source.list_collections())
        return len(self._progress.collections() or [])

    def read(self, part: int = 0, parts: int = 1) -> None:
        """Read every `parts`-th Collection, from the one numbered `part`, and its Reports' schedules."""
        if not 0 <= part < parts:
            raise InventoryError(f"part is {part} of {parts}; parts are numbered from 0.")
        collections = self._collections()[part::parts]
        if self._source is None:
            self._walk.read_reports(collections)
        else:
            self._source.read(self._progress, self._began_at)
        rows = (row for row, _ in self._rows(collections))
        self._walk.read_schedules([row for row in rows if self._must_read(row)])

    def finish(self) -> InventorySummary:
        """Write the snapshot of what was read.

        :raises InventoryError: too little was read to be one; the next try reads everything anew.
        """
        self._progress.refresh()
        collections = self._collections()
        self._check_complete(collections)
        snapshot = Snapshot(self._store.folder_of(self._began_at), self._began_at)
        summary = InventorySummary(
            self._client.workspace,
            self._store.relative(snapshot),
            str(snapshot.folder),
            self._began_at,
            source=self._source.name if self._source else "rest",
            collection_filter=self._filter,
            unreadable_collections=list(self._progress.unreadable()),
            unreadable_datasets=list(self._progress.unreadable("datasets")),
        )
        summary.collections = len(collections) - len(summary.unreadable_collections)
        with self._store.writer(self._began_at) as writer:
            present = self._write_rows(writer, summary, collections)
            self._check_not_shrunk(summary, present)
            summary.requests_spent = self._progress.requests_spent()
            summary.seconds = (self._now() - self._began_at).total_seconds()
            writer.finish(summary.to_dict())
        rolling_history.write_history(self._store, snapshot)
        self._progress.discard()
        self._tell(f"Snapshot {summary.snapshot}: {summary.reports:,} Reports, {summary.requests_spent:,} requests")
        return summary

    # What each step needs

    def _set_up(self, began_at: datetime) -> None:
        nights = [one for one in self._store.all() if one.taken_at < began_at]
        self._earlier = nights
        self._began_at = began_at
        self._before = PreviousSnapshot(
            nights[-1] if nights else None,
            began_at,
            verify_within=self._verify_within,
            acted_on=reports_acted_on(self._store.storage, self._client.workspace),
        )
        estimate = Estimate(self._tell, lambda: self._client.spending.requests, reread_share=0.2 if nights else 1.0)
        self._walk = RestCrawler(
            self._client, self._progress, self._before, began_at, estimate=estimate, threads=self._threads
        )

    def _collections(self) -> list[CollectionRow]:
        """The Collections, where an inventory was begun, be it by another task."""
        began_at, rows = self._progress.begun_at, self._progress.collections()
        if began_at is None or rows is None:
            raise InventoryError(f"No inventory was begun in {self._folder}. Run the task that begins it first.")
        if not hasattr(self, "_walk"):
            self._set_up(began_at)
        return rows

    def _rows(self, collections: list[CollectionRow]) -> Iterator[tuple[ReportRow, CollectionRow | None]]:
        """Every Report that was read once, with its Collection."""
        if self._source is None:
            yield from rows_once(self._progress, collections)
            return
        places = {one["token"]: one for one in collections}
        for row in self._source.rows(self._progress):
            yield self._before.completed(row), places.get(row["collection"] or "")

    def _must_read(self, row: ReportRow) -> bool:
        return self._with_schedules and row["schedules_count"] != 0 and self._before.schedules_of(row) is None

    # Finishing

    def _check_complete(self, collections: list[CollectionRow]) -> None:
        if self._source is not None:
            return
        kept, unreadable = self._progress.kept(), self._progress.unreadable()
        without = self._progress.unreadable("datasets")
        for one in collections:
            kinds = [] if one["token"] in unreadable else ["reports"]
            kinds += [] if one["token"] in without or one["token"] in unreadable else ["datasets"]
            for kind in kinds:
                pages = kept.get((one["token"], kind), [])
                if not pages or not pages[-1].is_last:
                    raise InventoryError(
                        f"The {kind} of Collection {one['token']} were not read to their end. "
                        "Run the tasks that read the parts of this inventory again."
                    )

    def _write_rows(
        self, writer: SnapshotWriter, summary: InventorySummary, collections: list[CollectionRow]
    ) -> set[str]:
        """Write all rows, and return the tokens of the Reports that are there, or where nobody could look."""
        met: set[str] = set()
        schedules = self._progress.schedules()
        summary.schedules_read = len(schedules)
        for row, collection in self._rows(collections):
            met.add(row["token"])
            self._write(writer, summary, row, collection, schedules)
        missing = [token for token in self._before.reports if token not in met]
        places = {one["token"]: one for one in collections}
        hidden = self._hidden(missing, places)
        asked_for = self._walk.ask_for_missing([one for one in missing if one not in hidden], places)
        self._walk.read_schedules([row for row in asked_for if self._must_read(row)])
        schedules = self._progress.schedules() if asked_for else {}
        for row in asked_for:
            self._write(writer, summary, row, places.get(row["collection"] or ""), schedules)
        unknown = self._before.rows_of(sorted(hidden))
        for row in unknown:
            writer.add("reports", unknown_row(row))
        summary.unknown = len(unknown)
        summary.disappeared = len(missing) - len(asked_for) - len(unknown)
        vanished = {token for row in unknown if (token := row["collection"]) is not None} - places.keys()
        summary.unreadable_collections = sorted({*summary.unreadable_collections, *vanished})
        return met | hidden | {row["token"] for row in asked_for}

    def _write(
        self,
        writer: SnapshotWriter,
        summary: InventorySummary,
        row: ReportRow,
        collection: CollectionRow | None,
        read: dict[str, list[ScheduleRow] | None],
    ) -> None:
        token = row["token"]
        schedules: list[ScheduleRow] | None = []
        if token in read:
            schedules = read[token]
            if schedules is None:
                return  # it vanished during the walk
        elif row["schedules_count"] != 0:
            schedules = self._before.schedules_of(row)
        by_schedule = self._before.ran_by_schedule(row, schedules)
        writer.add("reports", with_schedules(row, collection, schedules, by_schedule=by_schedule))
        for schedule in schedules or ():
            writer.add("schedules", schedule)
        is_dataset = row["type"] == DATASET
        summary.reports += not is_dataset
        summary.datasets += is_dataset
        summary.archived += row["archived"] is True and not is_dataset
        summary.scheduled_reports += bool(schedules) and not is_dataset
        summary.schedules += len(schedules or ())

    def _hidden(self, missing: list[str], places: dict[str, CollectionRow]) -> set[str]:
        """Return which of the missing Reports are where nobody could look, rather than gone."""
        unreadable = {"Report": set(self._progress.unreadable())}
        unreadable[DATASET] = unreadable["Report"] | set(self._progress.unreadable("datasets"))
        same_scope = self._before.collection_filter in (None, self._filter)
        found = set()
        for token in missing:
            collection, kind, _ = self._before.reports[token]
            is_dataset = kind == DATASET
            if (
                collection in unreadable[DATASET if is_dataset else "Report"]
                or (collection is not None and collection not in places and same_scope and bool(places))
                or (is_dataset and self._source is not None)  # Discovery does not tell of datasets
            ):
                found.add(token)
        return found

    def _check_not_shrunk(self, summary: InventorySummary, present: set[str]) -> None:
        loss = worst_loss(self._earlier, present, self._began_at, self._max_shrink)
        summary.gone, summary.gone_of = loss.gone, loss.of
        read, unknown = summary.reports + summary.datasets, summary.unknown
        if loss.is_more_than(self._max_shrink):
            self._progress.discard()
            raise InventoryError(
                f"{loss.gone:,} of the {loss.of:,} Reports of the snapshot of {loss.since:%Y-%m-%d %H:%M UTC} are "
                f"gone, more than {self._max_shrink:.0%}; {read:,} were read. This is no snapshot: the token may see "
                "less than it did. If they were really deleted, run once with a larger max_shrink."
            )
        if unknown > max(ALWAYS_ALLOWED, _MAX_UNKNOWN * (read + unknown)):
            self._progress.discard()
            raise InventoryError(
                f"{unknown:,} of {read + unknown:,} Reports could not be read, because of "
                f"{counted(len(summary.unreadable_collections), 'Collection')} forbidden or vanished "
                f"({', '.join(summary.unreadable_collections[:5])}, …). This is no snapshot; use a Workspace token."
            )
