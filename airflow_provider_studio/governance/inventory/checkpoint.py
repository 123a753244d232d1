# SPDX-License-Identifier: Apache-2.0
"""The checkpoint of an inventory in storage: one immutable file per page, so that a kill costs at most a page.

The names of the files say what is done and how long the pages were, so an inventory resumes without reading them.
Several tasks may work on one inventory at the same time, each on its own Collections.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from upath import UPath

from airflow_provider_studio.client.completeness import ListingProgress, PageSizes
from airflow_provider_studio.governance import file_names
from airflow_provider_studio.governance.file_names import CHECKPOINT, COLLECTIONS, PageName
from airflow_provider_studio.governance.snapshots.schema import TIMES, CollectionRow, ReportRow, Row, ScheduleRow
from airflow_provider_studio.governance.storage import explained, write_atomically

RESUMED_WITHIN = timedelta(hours=24)
"""Older checkpoints are discarded."""


class Checkpoint:
    """What an inventory has read so far.

    :param folder: where the files are.
    :param requests_sent: returns how many requests this process has sent so far.
    """

    def __init__(self, folder: UPath, *, requests_sent: Callable[[], int] = lambda: 0) -> None:
        self.folder = folder
        self._requests_sent = requests_sent
        self._recorded = requests_sent()
        self._lock = threading.Lock()
        self._names = self._listed()

    def begin(self, options: Mapping[str, Any], now: datetime) -> datetime:
        """Resume an inventory with the same options, or start a new one. Returns when it started."""
        record = self._read(CHECKPOINT) if CHECKPOINT in self._names else None
        if record is not None and record["options"] == dict(options):
            began_at = datetime.fromisoformat(record["begun_at"])
            if timedelta(0) <= now - began_at <= RESUMED_WITHIN:
                return began_at
        self.discard()
        self._write(CHECKPOINT, {"options": dict(options), "begun_at": now.isoformat()})
        return now

    @property
    def begun_at(self) -> datetime | None:
        """When the inventory started; None before."""
        return datetime.fromisoformat(self._read(CHECKPOINT)["begun_at"]) if CHECKPOINT in self._names else None

    def discard(self) -> None:
        """Remove the checkpoint."""
        with explained("empty", self.folder):
            for name in sorted(self._names, key=lambda name: name != CHECKPOINT):
                (self.folder / name).unlink(missing_ok=True)
            if self.folder.exists() and not any(self.folder.iterdir()):
                self.folder.rmdir()
        self._names = set()

    # Collections

    def collections(self) -> list[CollectionRow] | None:
        """Return the Collections to read, or None before they are listed."""
        return list(self._read(COLLECTIONS)["rows"]) if COLLECTIONS in self._names else None

    def save_collections(
        self, rows: Sequence[CollectionRow], *, personal: Sequence[str] = (), doubt: str | None = None
    ) -> None:
        """Save the Collections to read.

        :param personal: tokens of listed Collections that are members' personal ones, and not to be read.
        :param doubt: why Collections may be missing.
        """
        self._write(COLLECTIONS, {"rows": rows, "personal": list(personal), "doubt": doubt})

    def personal_collections(self) -> frozenset[str]:
        """Return the listed Collections that are not to be read."""
        return frozenset(self._read(COLLECTIONS)["personal"])

    def doubt_of_collections(self) -> str | None:
        """Return why Collections may be missing."""
        doubt: str | None = self._read(COLLECTIONS)["doubt"]
        return doubt

    def unreadable(self, kind: str = "reports") -> dict[str, str]:
        """Return the Collections whose Reports (or datasets) could not be read, each with the reason."""
        found = {name: file_names.unreadable_collection(name, kind) for name in self._sorted()}
        return {collection: self._read(name)["why"] for name, collection in found.items() if collection is not None}

    def save_unreadable(self, collection: str, kind: str, why: str) -> None:
        """Save that a Collection's Reports (or datasets) could not be read."""
        self._write(file_names.unreadable_file(kind, collection), {"why": why})

    # Pages

    def pages(self) -> dict[tuple[str, str], list[PageName]]:
        """Return the saved pages in their order, by Collection and kind."""
        found: dict[tuple[str, str], list[PageName]] = {}
        for page in filter(None, map(file_names.parsed_page_file, self._sorted())):
            found.setdefault((page.collection, page.kind), []).append(page)
        return found

    def save_page(
        self,
        page: PageName,
        rows: Sequence[ReportRow],
        *,
        total_count: int | None = None,
        doubt: str | None = None,
    ) -> None:
        """Save a page of rows.

        :param total_count: the number of rows that its counters announce.
        :param doubt: why rows of its listing may be missing.
        """
        self._write(file_names.page_file(page), {"rows": rows, "total_count": total_count, "doubt": doubt})

    def rows(self, page: PageName) -> list[ReportRow]:
        """Return a page's rows."""
        return [cast("ReportRow", _with_times(row)) for row in self._read(file_names.page_file(page))["rows"]]

    def replay(self, pages: Sequence[PageName], progress: ListingProgress) -> None:
        """Pass the saved pages of one listing to its progress."""
        for page in pages:
            content = self._read(file_names.page_file(page))
            names = [row["token"] for row in content["rows"]]
            progress.replay(names, page.end, content["total_count"])

    def doubts(self) -> dict[tuple[str, str], str]:
        """Return the listings that may lack rows, each with the reason, by Collection and kind."""
        last = {listing: pages[-1] for listing, pages in self.pages().items() if pages[-1].end == "doubtful"}
        return {listing: self._read(file_names.page_file(page))["doubt"] for listing, page in last.items()}

    def seed(self, sizes: PageSizes) -> None:
        """Pass the lengths of the saved pages to the server's page sizes."""
        for (_, kind), pages in self.pages().items():
            for page, after in zip(pages, [*pages[1:], None], strict=True):
                if page.rows:
                    is_followed = page.end in {"more", "short"} and after is not None and after.new_rows > 0
                    sizes.observe_page(kind, page.rows, is_followed=is_followed)

    # Schedules

    def save_schedules(self, batch: Mapping[str, Sequence[ScheduleRow] | None]) -> None:
        """Save the schedules of Reports; None for a Report that is gone."""
        self._write(file_names.schedules_file(next(iter(batch))), {"rows": batch})

    def schedules(self) -> dict[str, list[ScheduleRow] | None]:
        """Return the schedules saved so far, by Report."""
        found: dict[str, list[ScheduleRow] | None] = {}
        for name in filter(file_names.is_schedules_file, self._sorted()):
            for report, rows in self._read(name)["rows"].items():
                found[report] = None if rows is None else [cast("ScheduleRow", _with_times(row)) for row in rows]
        return found

    def requests_used(self) -> int:
        """Return how many requests all tries sent together; those of a killed try since its last file are unknown."""
        recorded = sum(int(self._read(name).get("requests", 0)) for name in self._sorted())
        with self._lock:
            return recorded + self._requests_sent() - self._recorded

    # Files

    def refresh(self) -> None:
        """List the files again, to see those of other tasks."""
        self._names = self._listed()

    def _sorted(self) -> list[str]:
        return sorted(list(self._names))  # noqa: C414  a copy: other threads add names meanwhile

    def _listed(self) -> set[str]:
        with explained("list", self.folder):
            if not self.folder.exists():
                return set()
            return {path.name for path in self.folder.iterdir() if file_names.is_record(path.name)}

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        with self._lock:
            sent = self._requests_sent()
            new, self._recorded = sent - self._recorded, sent
        text = json.dumps({**content, "requests": new}, default=_iso_time, ensure_ascii=False)
        write_atomically(self.folder / name, text.encode())
        with self._lock:
            self._names.add(name)

    def _read(self, name: str) -> dict[str, Any]:
        with explained("read", self.folder / name):
            return dict(json.loads((self.folder / name).read_text(encoding="utf-8")))


def _with_times(row: Mapping[str, Any]) -> Row:
    """Return a row from JSON with its times as `datetime`."""
    return {
        name: datetime.fromisoformat(value) if name in TIMES and isinstance(value, str) else value
        for name, value in row.items()
    }


def _iso_time(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be saved in a checkpoint")
