# SPDX-License-Identifier: Apache-2.0
"""Decide where a listing ends, and whether its pages prove that no row was missed.

Nothing that one response says about the end is believed alone: a counter must agree with the rows that came, a short
page must agree with an earlier crawl, and rows that come twice show that others may not have come at all.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

USUAL_PAGE_SIZE = 30
"""What real responses showed; a page of this length that comes again may hide other rows."""
MAX_ROUNDS = 12
"""A listing in which rows come twice is read this often at most."""
_MAX_FRUITLESS_ROUNDS = 2
"""After this many rounds without a new row, more are of no use, unless rows come in another order each time."""
_MAX_STALE_PAGES = 2
"""Pages without a new row that end a listing: one may come from a cache."""

End = Literal["more", "again", "last", "short", "doubtful"]
"""What follows a page: `more` pages; the first page `again`, because rows may be missing; nothing, which an empty page,
counters (`last`) or an earlier crawl (`short`) prove; nothing, though rows may be missing (`doubtful`)."""


class PageSizes:
    """The page sizes of the server by kind of listing, and whether a short page ends a listing.

    A short page is believed only if an earlier crawl read every listing of the kind to its end and found that only last
    pages are short. A page that is shorter than another and has rows after it disproves that.

    :param known: the longest page of each kind, from an earlier crawl that found no such page.
    """

    def __init__(self, known: Mapping[str, int] | None = None) -> None:
        self._known = dict(known or {})
        self._longest: dict[str, int] = {}
        self._shortest_followed: dict[str, int] = {}
        self._lock = threading.Lock()

    def observe_page(self, kind: str, rows: int, *, is_followed: bool = False) -> None:
        """Record the length of a page.

        :param is_followed: whether other rows follow it.
        """
        with self._lock:
            self._longest[kind] = max(rows, self._longest.get(kind, 0))
            if is_followed:
                self._shortest_followed[kind] = min(rows, self._shortest_followed.get(kind, rows))

    def is_short(self, kind: str, rows: int) -> bool:
        """Whether a page of this length ends a listing of the kind."""
        with self._lock:
            return rows < self._known.get(kind, 0) and not self._is_irregular(kind)

    def is_irregular(self, kind: str) -> bool:
        """Whether a short page had rows after it."""
        with self._lock:
            return self._is_irregular(kind)

    def _is_irregular(self, kind: str) -> bool:
        longest = max(self._longest.get(kind, 0), self._known.get(kind, 0))
        return self._shortest_followed.get(kind, longest) < longest

    def is_full(self, kind: str, rows: int) -> bool:
        """Whether a page of this length may have rows after it, as far as is known without an earlier crawl."""
        with self._lock:
            return rows in {USUAL_PAGE_SIZE, self._shortest_followed.get(kind)}

    def longest(self) -> dict[str, int | None]:
        """Return the longest page of each kind, for the next crawl; None where short pages prove nothing."""
        with self._lock:
            followed = self._shortest_followed
            return {kind: rows if followed.get(kind, rows) >= rows else None for kind, rows in self._longest.items()}


@dataclass(frozen=True)
class ListingCaution:
    """What is not believed of a service's listings, in addition to what is never believed.

    A caution only costs requests: with it, no listing ends with fewer rows or less doubt than without.

    :param ignores_counters: whether no counter ends a listing.
    :param full_pages: lengths of pages that may have rows after them, besides the usual ones.
    """

    ignores_counters: bool = False
    full_pages: frozenset[int] = frozenset()


@dataclass
class _Round:
    """One reading of a listing from its first page."""

    names: set[str]
    rows: int = 0
    stale_pages: int = 0
    stale_rows: int = 0
    last_new_page: int = 0
    """The length of the last page with a new row."""
    previous: Sequence[str] = ()
    order: list[str] = field(default_factory=list)
    """All rows as they came."""


class ListingProgress:
    """What the pages of one listing have shown so far.

    :param kind: the kind of listing, for `sizes`.
    :param expected: how many rows an earlier crawl proved it to have; None where that is unknown, or is to be proven
        again.
    :param counted: how many rows another resource counts; if the pages have as many, no other is requested.
    :param max_rounds: how often it may be read from its first page.
    :param may_ignore_page: whether the service may return the whole listing on each page; then a second page that
        equals the first ends it.
    :param caution: what is not believed of this service's listings.
    """

    def __init__(
        self,
        sizes: PageSizes | None = None,
        kind: str = "",
        *,
        expected: int | None = None,
        counted: int | None = None,
        max_rounds: int = MAX_ROUNDS,
        may_ignore_page: bool = False,
        caution: ListingCaution | None = None,
    ) -> None:
        self._caution = caution or ListingCaution()
        self._sizes, self._kind, self._expected = sizes or PageSizes(), kind, expected
        self._counted = counted
        self._may_ignore_page = may_ignore_page
        self._rounds_left = max_rounds
        self._names: set[str] = set()
        self._most_rows = 0
        self._total_count = 0
        self._fruitless_rounds = 0
        self._order_before: list[str] = []
        self._known_before = 0
        self._is_repeated = False
        self._round = _Round(set())
        self.next_page = 1
        """The number of the page to request."""
        self.total_count: int | None = None
        """The number of rows that the last page announced."""
        self.new_rows = 0
        """How many rows of the last page did not come before in this round."""

    @property
    def doubt(self) -> str | None:
        """Why rows may be missing; None if the pages prove that none is."""
        known = len(self._names)
        if known < self._total_count:
            return f"its counter says {self._total_count:,} rows, and {known:,} came"
        if known < self._most_rows:
            return f"{self._most_rows:,} rows came, only {known:,} of them different"
        return "a full page came again instead of others" if self._is_repeated else None

    def add(self, names: Sequence[str], pagination: Any = None) -> End:
        """Add the page that was requested, and return what follows it.

        :param names: what distinguishes its rows.
        :param pagination: the response's block of counters, if it has one.
        """
        block = pagination if isinstance(pagination, Mapping) else {}
        self.total_count = _count(block.get("total_count"))
        if self._observe(names, self.total_count) or self._is_last_by_counters(_count(block.get("total_pages"))):
            return self._end_of_round()
        if self._is_last_by_length(len(names)):
            return "short"
        self.next_page += 1
        return "more"

    def replay(self, names: Sequence[str], end: End, total_count: int | None) -> None:
        """Add a page that an earlier try read, and what followed it.

        :param total_count: the number of rows that it announced.
        """
        self._observe(names, total_count)
        if end == "again":
            self._end_of_round()
            self._begin_round()
        else:  # it continues after a short page, too, once short pages prove nothing
            self.next_page += 1

    def _observe(self, names: Sequence[str], total_count: int | None) -> bool:
        """Record a page; return whether it shows that the one before was the last."""
        this = self._round
        this.order += names
        self.new_rows = len(set(names) - this.names)
        self._total_count = max(self._total_count, total_count or 0)
        if not names:
            this.rows += this.stale_rows  # the server knows its end, so the pages before were no repetitions of it
            return True
        is_same = list(names) == list(this.previous)
        if is_same and self._may_ignore_page and not self._is_full(len(names)):
            return True
        if this.previous and self.new_rows:
            self._sizes.observe_page(self._kind, len(this.previous), is_followed=True)
        this.previous = names
        self._sizes.observe_page(self._kind, len(names))
        if not self.new_rows:
            this.stale_pages += 1
            this.stale_rows += len(names)
            if this.stale_pages < _MAX_STALE_PAGES:
                return False
            self._is_repeated = self._is_full(this.last_new_page)
            return True
        this.rows += len(names) + this.stale_rows
        this.stale_pages, this.stale_rows, this.last_new_page = 0, 0, len(names)
        this.names.update(names)
        self._names.update(names)
        return False

    def _is_last_by_counters(self, total_pages: int | None) -> bool:
        """Whether all counters of a page agree that it is the last, with the rows that came too."""
        if self._caution.ignores_counters:
            return False
        if self._counted is not None and len(self._round.names) == self._round.rows == self._counted:
            return True
        if self.total_count is None or total_pages is None:
            return False
        return self.next_page >= total_pages and len(self._round.names) >= self.total_count

    def _is_full(self, rows: int) -> bool:
        return rows in self._caution.full_pages or self._sizes.is_full(self._kind, rows)

    def _is_last_by_length(self, rows: int) -> bool:
        return (
            self._expected is not None
            and len(self._round.names) >= self._expected
            and self._sizes.is_short(self._kind, rows)
            and self._round.rows == len(self._round.names) >= self._total_count
        )

    def _end_of_round(self) -> End:
        self._rounds_left -= 1
        rows = self._round.rows
        is_clean = rows == len(self._round.names) == len(self._names) and not self._round.stale_pages
        self._most_rows = rows if is_clean else max(self._most_rows, rows)
        has_new = len(self._names) > self._known_before
        is_reordered = not is_clean and self._round.order != self._order_before
        self._known_before, self._order_before = len(self._names), self._round.order
        self._fruitless_rounds = 0 if has_new or is_reordered else self._fruitless_rounds + 1
        if self.doubt is None:
            return "last"
        if self._rounds_left <= 0 or self._fruitless_rounds >= _MAX_FRUITLESS_ROUNDS:
            return "doubtful"
        self._begin_round()
        return "again"

    def _begin_round(self) -> None:
        self._round, self._is_repeated, self.next_page = _Round(set()), False, 1


def is_a_part(pagination: Any, rows: int) -> bool:
    """Whether the counters of a listing that is not paged say that it has more rows than these."""
    block = pagination if isinstance(pagination, Mapping) else {}
    return (_count(block.get("total_pages")) or 0) > 1 or (_count(block.get("total_count")) or 0) > rows


def _count(value: Any) -> int | None:
    """Return a counter; None for anything that is not one, such as `true`."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
