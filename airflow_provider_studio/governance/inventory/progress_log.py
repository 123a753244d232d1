# SPDX-License-Identifier: Apache-2.0
"""Progress messages of a crawl: how far it is, and an estimate of the remaining requests and time.

The estimate uses the pages per listing, the scheduled Reports per page and the rate of requests so far.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from airflow_provider_studio.governance.text import duration

EVERY_SECONDS = 10.0


class ProgressLog:
    """Counts what is read and reports the progress.

    :param report: receives a sentence after the first Collection, then every ten seconds.
    :param requests_sent: returns how many requests this process has sent so far.
    :param reread_share: the expected share of the schedules to read, before it is known.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        report: Callable[[str], None],
        requests_sent: Callable[[], int],
        *,
        reread_share: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report, self._requests_sent, self._clock = report, requests_sent, clock
        self._reread_share = reread_share
        self._began, self._sent_before = clock(), requests_sent()
        self._reported_at: float | None = None
        self._lock = threading.Lock()
        self._listings: Counter[str] = Counter()
        self._listings_done: Counter[str] = Counter()
        self._pages: Counter[str] = Counter()
        self._rows = self._scheduled = 0
        self._schedules: int | None = None
        self._schedules_done = 0

    def expect_listings(self, kind: str, count: int) -> None:
        """Set how many Collections' Reports (or datasets) are to be listed."""
        self._listings[kind] = count

    def expect_schedules(self, count: int) -> None:
        """Set how many Reports' schedules are to be read; it is known after all Reports are read."""
        self._schedules = count

    def page_read(self, kind: str, rows: int, scheduled: int) -> None:
        """Count a page of a listing."""
        with self._lock:
            self._pages[kind] += 1
            self._rows += rows
            self._scheduled += scheduled
            if self._listings_done:
                self._report_progress()

    def listing_done(self, kind: str) -> None:
        """Count a Collection whose Reports (or datasets) are listed."""
        with self._lock:
            self._listings_done[kind] += 1
            self._report_progress()

    def schedules_read(self) -> None:
        """Count a Report whose schedules are read."""
        with self._lock:
            self._schedules_done += 1
            self._report_progress()

    def requests_left(self) -> float:
        """Return an estimate of the remaining requests."""
        pages = sum(self._pages_left(kind) for kind in self._listings)
        if self._schedules is not None:
            return pages + self._schedules - self._schedules_done
        read = sum(self._pages.values())
        scheduled = self._scheduled * (1 + pages / max(1, read))
        return pages + scheduled * self._reread_share

    def _pages_left(self, kind: str) -> float:
        """Return an estimate of the remaining pages: the average of finished listings, one each before the first."""
        done = self._listings_done[kind]
        return (self._listings[kind] - done) * (self._pages[kind] / done if done else 1)

    def _report_progress(self) -> None:
        now = self._clock()
        if self._reported_at is not None and now - self._reported_at < EVERY_SECONDS:
            return
        self._reported_at = now
        sent, seconds = self._requests_sent() - self._sent_before, now - self._began
        done, listings = self._listings_done["reports"], self._listings["reports"]
        text = f"Collections {done:,}/{listings:,}, {self._rows:,} Reports, "
        if self._schedules is not None:
            text += f"schedules of {self._schedules_done:,}/{self._schedules:,}, "
        text += f"{sent:,} requests; about {self.requests_left():,.0f} more"
        if seconds > EVERY_SECONDS and sent:
            text += f", {duration(self.requests_left() * seconds / sent)} at this pace"
        self._report(text)
