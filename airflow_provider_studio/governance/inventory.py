# SPDX-License-Identifier: Apache-2.0
"""Walk a workspace into a snapshot: every Collection that may be read, its Reports, their schedules.

What could not be read is named, never guessed: a forbidden or vanished Collection is listed and leaves no row, an
absent key is NULL, and a walk that found no Collection at all is no inventory.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from upath import UPath

from airflow_provider_studio.client.api import CollectionFilter, StudioClient
from airflow_provider_studio.client.errors import (
    StudioForbiddenError,
    StudioNotFoundError,
    StudioResponseError,
)
from airflow_provider_studio.client.models import Collection, Report, Resource, Schedule
from airflow_provider_studio.governance.errors import InventoryError
from airflow_provider_studio.governance.snapshots import SnapshotStore, SnapshotWriter
from airflow_provider_studio.governance.storage import utcnow

log = logging.getLogger(__name__)

SAME_RUN = timedelta(minutes=2)
"""A schedule's and its Report's `last_run_at` that are no further apart speak of the same run."""
RUNNING_STILL = timedelta(minutes=10)
"""A run that began no longer ago and has not succeeded is not called failed yet."""


@dataclass
class InventorySummary:
    """An inventory in numbers.

    :param snapshot: the snapshot's folder, relative to the storage root.
    :param path: the same in full.
    :param taken_at: when the walk began.
    :param unreadable_collections: tokens of Collections that were forbidden or vanished during the walk.
    :param seconds: how long it took.
    """

    workspace: str
    snapshot: str
    path: str
    taken_at: datetime
    collections: int = 0
    reports: int = 0
    archived: int = 0
    scheduled_reports: int = 0
    schedules: int = 0
    unreadable_collections: list[str] = field(default_factory=list)
    requests_spent: int = 0
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain JSON."""
        return {**asdict(self), "taken_at": self.taken_at.isoformat(), "seconds": round(self.seconds, 1)}


def take_inventory(
    client: StudioClient,
    storage: UPath,
    *,
    collection_filter: CollectionFilter = "custom",
    now: Callable[[], datetime] = utcnow,
    progress: Callable[[str], None] = log.info,
) -> InventorySummary:
    """Walk the workspace and write a snapshot.

    :param collection_filter: `custom` leaves other members' personal Collections out.
    :param progress: is told in a sentence how far the walk is.
    :raises StorageError: the storage cannot be written; found out before the first request.
    :raises InventoryError: the token sees no Collection.
    """
    store = SnapshotStore(storage, client.workspace)
    store.check_writable()
    taken_at, spent_before = now(), client.spending.requests
    with store.writer(taken_at) as writer:
        snapshot = f"snapshots/{store.root.name}/{writer.folder.name}"
        summary = InventorySummary(client.workspace, snapshot, str(writer.folder), taken_at)
        _Walk(client, writer, summary, progress).run(collection_filter)
        summary.requests_spent = client.spending.requests - spent_before
        summary.seconds = (now() - taken_at).total_seconds()
        writer.finish(summary.to_dict())
    progress(f"Snapshot {snapshot}: {summary.reports:,} Reports, {summary.requests_spent:,} requests")
    return summary


class _Walk:
    """One walk on its way."""

    def __init__(
        self, client: StudioClient, writer: SnapshotWriter, summary: InventorySummary, progress: Callable[[str], None]
    ) -> None:
        self._client = client
        self._writer = writer
        self._summary = summary
        self._progress = progress
        self._seen: set[str] = set()
        self._spent_before = client.spending.requests

    def run(self, collection_filter: CollectionFilter) -> None:
        collections = list(self._client.list_collections(collection_filter))
        if not collections:
            raise InventoryError(
                f"The token sees no Collection of workspace {self._client.workspace!r}, so there is nothing to "
                "inventory. Use a Workspace token, or have the member added to the Collections that matter."
            )
        for number, collection in enumerate(collections, start=1):
            self._collection(collection)
            self._progress(
                f"Collections {number}/{len(collections)}, {self._summary.reports:,} Reports, "
                f"{self._client.spending.requests - self._spent_before:,} requests"
            )

    def _collection(self, collection: Collection) -> None:
        try:
            # Whole or not at all: half a Collection would look like Reports that are gone.
            reports = list(self._client.list_collection_reports(collection.token))
        except (StudioForbiddenError, StudioNotFoundError) as error:
            log.warning("Collection %s cannot be read and is left out: %s", collection.token, error)
            self._summary.unreadable_collections.append(collection.token)
            return
        self._summary.collections += 1
        for report in reports:
            if report.token not in self._seen:  # moved to another Collection during the walk
                self._seen.add(report.token)
                self._report(report, collection)

    def _report(self, report: Report, collection: Collection) -> None:
        try:
            schedules = self._schedules(report)
        except StudioNotFoundError:
            log.warning("Report %s vanished during the walk and is left out", report.token)
            return
        self._summary.reports += 1
        self._summary.archived += report.archived is True
        self._summary.scheduled_reports += bool(schedules)
        self._summary.schedules += len(schedules)
        self._writer.add("reports", report_row(report, collection, schedules, self._summary.taken_at))
        for schedule in schedules:
            self._writer.add("schedules", schedule_row(schedule, report, self._summary.taken_at))

    def _schedules(self, report: Report) -> list[Schedule]:
        """The Report's schedules: not asked for where it says it has none, and no page further than it says."""
        if report.schedules_count == 0:
            return []
        return list(islice(self._client.list_schedules(report.token), report.schedules_count))


def ran_by_schedule(report: Report, schedules: Sequence[Schedule]) -> bool | None:
    """Return whether a Report's last run is one of its schedules'; None where it never ran."""
    if report.last_run_at is None:
        return None
    return any(
        schedule.last_run_at is not None and abs(schedule.last_run_at - report.last_run_at) <= SAME_RUN
        for schedule in schedules
    )


def last_run_failed(
    told: Resource, last_run_at: datetime | None, succeeded_at: datetime | None, seen_at: datetime
) -> bool | None:
    """Return whether the last run of a Report or schedule failed.

    None where it never ran, where an answer lacks its last success, and while it may still be on its way.
    """
    success = "last_successfully_run_at" if isinstance(told, Report) else "last_succeeded_at"
    if last_run_at is None or success not in told.model_fields_set:
        return None
    if succeeded_at is not None and succeeded_at >= last_run_at:
        return False
    return True if last_run_at <= seen_at - RUNNING_STILL else None


def report_row(
    report: Report, collection: Collection, schedules: Sequence[Schedule], seen_at: datetime
) -> dict[str, Any]:
    """Return a Report as a row of a snapshot."""
    return {
        "token": report.token,
        "name": report.name,
        "type": report.type,
        "collection": collection.token,
        "collection_name": collection.name,
        "creator": report.creator,
        "archived": report.archived,
        "created_at": report.created_at,
        "edited_at": report.edited_at,
        "last_run_at": report.last_run_at,
        "last_successfully_run_at": report.last_successfully_run_at,
        "last_run_by_schedule": ran_by_schedule(report, schedules),
        "view_count": report.view_count,
        "runs_count": report.runs_count,
        "schedules_count": report.schedules_count,
        "expected_runtime_seconds": report.expected_runtime,
        "query_count": report.query_count,
        "web_url": report.web_url,
        "description": report.description,
        "source": "rest",
        "unknown": False,
        "seen_at": seen_at,
        "verified_at": seen_at,
        "last_run_failed": last_run_failed(report, report.last_run_at, report.last_successfully_run_at, seen_at),
    }


def schedule_row(schedule: Schedule, report: Report, seen_at: datetime) -> dict[str, Any]:
    """Return a schedule as a row of a snapshot."""
    return {
        "token": schedule.token,
        "report": report.token,
        "name": schedule.name,
        "frequency": schedule.frequency,
        "time_zone": schedule.time_zone,
        "next_scheduled_run": schedule.next_scheduled_run,
        "last_run_at": schedule.last_run_at,
        "last_succeeded_at": schedule.last_succeeded_at,
        "subscriber_count": schedule.subscriber_count,
        "verified_at": seen_at,
        **_cron_values(schedule),
        "retry_state": schedule.retry_state,
        "creator": schedule.creator,
        "last_run_failed": last_run_failed(schedule, schedule.last_run_at, schedule.last_succeeded_at, seen_at),
    }


def _cron_values(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule's cron in the machine's values; nothing where the answer has none."""
    try:
        cron = schedule.machine_values().cron
    except StudioResponseError:
        return {}
    return {
        "freq": cron.freq.value,
        "hour": cron.hour,
        "minute": cron.minute,
        "day_of_week": None if cron.day_of_week is None else str(cron.day_of_week),
        "day_of_month": cron.day_of_month,
    }
