# SPDX-License-Identifier: Apache-2.0
"""How far a walk is and how long it will take, in a sentence now and then.

The estimate is made of what was seen: pages a listing, schedules a Report, and the pace of the requests so far.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

EVERY_SECONDS = 10.0


class Estimate:
    """Counts, and tells.

    :param tell: is told a sentence at the first Collection, then every ten seconds.
    :param spent: tells how many requests this process has spent so far.
    :param reread_share: the share of the schedules that will have to be read, before that is known.
    :param clock: seconds that only go forward.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        spent: Callable[[], int],
        *,
        reread_share: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell, self._spent, self._clock = tell, spent, clock
        self._reread_share = reread_share
        self._began, self._spent_before = clock(), spent()
        self._told_at: float | None = None
        self._lock = threading.Lock()
        self._listings: Counter[str] = Counter()
        self._listings_done: Counter[str] = Counter()
        self._pages: Counter[str] = Counter()
        self._rows = self._scheduled = 0
        self._schedules: int | None = None
        self._schedules_done = 0

    def expect_listings(self, kind: str, count: int) -> None:
        """So many Collections' Reports (or datasets) are to be listed."""
        self._listings[kind] = count

    def expect_schedules(self, count: int) -> None:
        """So many Reports' schedules are to be read: known once every Report is."""
        self._schedules = count

    def page_read(self, kind: str, rows: int, scheduled: int) -> None:
        """A page of a listing was read."""
        with self._lock:
            self._pages[kind] += 1
            self._rows += rows
            self._scheduled += scheduled
            if self._listings_done:
                self._say()

    def listing_done(self, kind: str) -> None:
        """A Collection's Reports (or datasets) were listed."""
        with self._lock:
            self._listings_done[kind] += 1
            self._say()

    def schedules_read(self) -> None:
        """A Report's schedules were read."""
        with self._lock:
            self._schedules_done += 1
            self._say()

    def requests_left(self) -> float:
        """How many requests are still to come, as far as can be told."""
        pages = sum(self._pages_left(kind) for kind in self._listings)
        if self._schedules is not None:
            return pages + self._schedules - self._schedules_done
        read = sum(self._pages.values())
        scheduled = self._scheduled * (1 + pages / max(1, read))
        return pages + scheduled * self._reread_share

    def _pages_left(self, kind: str) -> float:
        """As many a listing as those had that were read; one, as long as none was."""
        done = self._listings_done[kind]
        return (self._listings[kind] - done) * (self._pages[kind] / done if done else 1)

    def _say(self) -> None:
        now = self._clock()
        if self._told_at is not None and now - self._told_at < EVERY_SECONDS:
            return
        self._told_at = now
        spent, seconds = self._spent() - self._spent_before, now - self._began
        done, listings = self._listings_done["reports"], self._listings["reports"]
        text = f"Collections {done:,}/{listings:,}, {self._rows:,} Reports, "
        if self._schedules is not None:
            text += f"schedules of {self._schedules_done:,}/{self._schedules:,}, "
        text += f"{spent:,} requests; about {self.requests_left():,.0f} more"
        if seconds > EVERY_SECONDS and spent:
            text += f", {self.requests_left() * seconds / spent / 60:,.0f} minutes at this pace"
        self._tell(text)
