# SPDX-License-Identifier: Apache-2.0
"""How far an inventory is, kept in storage: one immutable file a page, so that a kill costs no more than a page.

The files' names tell what is done, and how long the pages were; nothing needs to be read to go on. Several tasks may
work on one inventory at a time, each on Collections of its own.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from upath import UPath

from airflow_provider_studio.client.pagination import PageSizes
from airflow_provider_studio.governance import file_names
from airflow_provider_studio.governance.file_names import CHECKPOINT, COLLECTIONS, PageName
from airflow_provider_studio.governance.snapshots.schema import TIMES, CollectionRow, ReportRow, Row, ScheduleRow
from airflow_provider_studio.governance.storage import explained, write_whole

RESUMED_WITHIN = timedelta(hours=24)
"""What was begun longer ago is begun anew."""


class Progress:
    """One inventory on its way.

    :param folder: where it is kept.
    :param spent: tells how many requests this process has spent so far.
    """

    def __init__(self, folder: UPath, *, spent: Callable[[], int] = lambda: 0) -> None:
        self.folder = folder
        self._spent = spent
        self._counted = spent()
        self._lock = threading.Lock()
        self._names = self._listed()

    def begin(self, options: Mapping[str, Any], now: datetime) -> datetime:
        """Go on with what was begun with the same options, or begin anew. Returns when it was begun."""
        begun = self._read(CHECKPOINT) if CHECKPOINT in self._names else None
        if begun is not None and begun["options"] == dict(options):
            began_at = datetime.fromisoformat(begun["begun_at"])
            if timedelta(0) <= now - began_at <= RESUMED_WITHIN:
                return began_at
        self.discard()
        self._write(CHECKPOINT, {"options": dict(options), "begun_at": now.isoformat()})
        return now

    @property
    def begun_at(self) -> datetime | None:
        """When it was begun, if it was."""
        return datetime.fromisoformat(self._read(CHECKPOINT)["begun_at"]) if CHECKPOINT in self._names else None

    def discard(self) -> None:
        """Forget everything."""
        with explained("empty", self.folder):
            for name in sorted(self._names, key=lambda name: name != CHECKPOINT):
                (self.folder / name).unlink(missing_ok=True)
            if self.folder.exists() and not any(self.folder.iterdir()):
                self.folder.rmdir()
        self._names = set()

    # Collections

    def collections(self) -> list[CollectionRow] | None:
        """Return the Collections to read, or None before they were listed."""
        return list(self._read(COLLECTIONS)["rows"]) if COLLECTIONS in self._names else None

    def keep_collections(self, rows: Sequence[CollectionRow]) -> None:
        """Keep the Collections to read."""
        self._write(COLLECTIONS, {"rows": rows})

    def unreadable(self, kind: str = "reports") -> dict[str, str]:
        """Return the Collections whose Reports (or datasets) could not be read, and why."""
        found = {name: file_names.unreadable_collection(name, kind) for name in self._sorted()}
        return {collection: self._read(name)["why"] for name, collection in found.items() if collection is not None}

    def keep_unreadable(self, collection: str, kind: str, why: str) -> None:
        """Keep that a Collection's Reports (or datasets) could not be read."""
        self._write(file_names.unreadable_file(kind, collection), {"why": why})

    # Pages

    def kept(self) -> dict[tuple[str, str], list[PageName]]:
        """Return the pages in storage, in order, by Collection and kind."""
        found: dict[tuple[str, str], list[PageName]] = {}
        for kept in filter(None, map(file_names.parsed_page_file, self._sorted())):
            found.setdefault((kept.collection, kept.kind), []).append(kept)
        return found

    def keep_page(
        self, collection: str, kind: str, number: int, rows: Sequence[ReportRow], *, is_last: bool
    ) -> PageName:
        """Keep a page of rows."""
        kept = PageName(collection, kind, number, len(rows), is_last)
        self._write(file_names.page_file(kept), {"rows": rows})
        return kept

    def rows(self, kept: PageName) -> list[ReportRow]:
        """Return a page's rows."""
        return [cast("ReportRow", _with_times(row)) for row in self._read(file_names.page_file(kept))["rows"]]

    def teach(self, sizes: PageSizes) -> None:
        """Tell what the pages in storage show of the server's page sizes."""
        for (_, kind), pages in self.kept().items():
            for page, after in zip(pages, [*pages[1:], None], strict=True):
                if page.rows:
                    sizes.saw(kind, page.rows, ended=None if after is None else not after.rows)

    # Schedules

    def keep_schedules(self, batch: Mapping[str, Sequence[ScheduleRow] | None]) -> None:
        """Keep what Reports' schedules are; None for a Report that is gone."""
        self._write(file_names.schedules_file(next(iter(batch))), {"rows": batch})

    def schedules(self) -> dict[str, list[ScheduleRow] | None]:
        """Return the schedules kept so far, by Report."""
        found: dict[str, list[ScheduleRow] | None] = {}
        for name in filter(file_names.is_schedules_file, self._sorted()):
            for report, rows in self._read(name)["rows"].items():
                found[report] = None if rows is None else [cast("ScheduleRow", _with_times(row)) for row in rows]
        return found

    def requests_spent(self) -> int:
        """Return how many requests all tries together spent, as far as it was kept."""
        counted = sum(int(self._read(name).get("spent", 0)) for name in self._sorted())
        with self._lock:
            return counted + self._spent() - self._counted

    # Files

    def refresh(self) -> None:
        """See what other tasks have kept."""
        self._names = self._listed()

    def _sorted(self) -> list[str]:
        return sorted(list(self._names))  # noqa: C414  a copy: other threads go on adding

    def _listed(self) -> set[str]:
        with explained("list", self.folder):
            if not self.folder.exists():
                return set()
            return {one.name for one in self.folder.iterdir() if file_names.is_record(one.name)}

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        with self._lock:
            spent = self._spent()
            new, self._counted = spent - self._counted, spent
        text = json.dumps({**content, "spent": new}, default=_plain, ensure_ascii=False)
        write_whole(self.folder / name, text.encode())
        with self._lock:
            self._names.add(name)

    def _read(self, name: str) -> dict[str, Any]:
        with explained("read", self.folder / name):
            return dict(json.loads((self.folder / name).read_text(encoding="utf-8")))


def _with_times(row: Mapping[str, Any]) -> Row:
    """Return a row as it was before JSON."""
    return {
        name: datetime.fromisoformat(value) if name in TIMES and isinstance(value, str) else value
        for name, value in row.items()
    }


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not kept in progress files")
