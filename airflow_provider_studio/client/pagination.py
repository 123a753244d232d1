# SPDX-License-Identifier: Apache-2.0
"""How a listing is walked and how its end is known.

Studio serves fixed pages, ignores `per_page`, sometimes tells no counters, emits `next_page` past the end, and answers
some listings in one piece whatever `page` says. A walk ends at an empty page, at the last page of a pagination block,
where a page repeats the one before it, or at a page that is shorter than the server's pages are known to be; and it
never ends silently anywhere else.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_studio.client.errors import StudioResponseError

MOST_PAGES = 20_000
"""600,000 rows: far beyond any workspace, so reaching it means a server that never ends."""


class PageSizes:
    """What has been seen of the server's page sizes, so that nothing is asked for after a page known to be the last.

    Of each kind of listing apart: its longest page so far. The server's pages are at least so long, so a shorter one is
    short for want of rows. The first such page is proven by asking on; a kind of listing whose short page was once
    followed by rows is never believed again. Forget it after the walk: the next release may page differently.
    """

    def __init__(self) -> None:
        self._longest: dict[str, int] = {}
        self._proven: set[str] = set()
        self._irregular: set[str] = set()
        self._lock = threading.Lock()

    def saw(self, kind: str, rows: int, *, ended: bool | None = None) -> None:
        """Take notice of a page.

        :param ended: whether the listing was found to end after it; None where nobody asked on.
        """
        with self._lock:
            short = rows < self._longest.get(kind, 0)
            self._longest[kind] = max(rows, self._longest.get(kind, 0))
            if short and ended is True:
                self._proven.add(kind)
            if short and ended is False:
                self._irregular.add(kind)

    def is_last(self, kind: str, rows: int) -> bool:
        """Whether a page of so many rows is known to be the last of its listing."""
        with self._lock:
            return self._are_known(kind) and rows < self._longest.get(kind, 0)

    def are_known(self, kind: str) -> bool:
        """Whether the end of a listing can be told from the length of a page."""
        with self._lock:
            return self._are_known(kind)

    def _are_known(self, kind: str) -> bool:
        return kind in self._proven and kind not in self._irregular


@dataclass(frozen=True)
class Page:
    """One page of a listing.

    :param rows: none where it only showed that the page before was the last.
    """

    number: int
    rows: Sequence[dict[str, Any]]
    is_last: bool


def pages(
    fetch: Callable[[int], Mapping[str, Any]],
    key: str,
    *,
    what: str,
    sizes: PageSizes | None = None,
    kind: str = "",
    after: Page | None = None,
    tokens: bool = True,
) -> Iterator[Page]:
    """Yield the pages of a listing; rows may come twice where they shift between pages.

    :param fetch: returns the decoded page of a number, from 1.
    :param key: where the rows are under `_embedded`.
    :param what: the listing in words, for errors.
    :param sizes: what is known of the server's page sizes, and learns from this listing.
    :param kind: which kind of listing this is, for `sizes`.
    :param after: go on after this page.
    :param tokens: whether each row must have a token; not every kind of resource has one.
    :raises StudioResponseError: a page without its rows, a row without the token that it must have, or no end.
    """
    sizes = PageSizes() if sizes is None else sizes
    before = [_fingerprint(row) for row in after.rows] if after else []
    for number in range(after.number + 1 if after else 1, MOST_PAGES + 1):
        page = fetch(number)
        rows = embedded(page, key, what=f"{what}, page {number}")
        if tokens:
            _check_tokens(rows, what=f"{what}, page {number}")
        fingerprints = [_fingerprint(row) for row in rows]
        ended = not rows or fingerprints == before
        if before:
            sizes.saw(kind, len(before), ended=ended)
        if ended:
            yield Page(number, [], is_last=True)
            return
        sizes.saw(kind, len(rows))
        is_last = number >= _total_pages(page) or sizes.is_last(kind, len(rows))
        yield Page(number, rows, is_last)
        if is_last:
            return
        before = fingerprints
    raise StudioResponseError(f"{what} did not end within {MOST_PAGES:,} pages.")


def walk(
    fetch: Callable[[int], Mapping[str, Any]],
    key: str,
    *,
    what: str,
    tokens: bool = True,
) -> Iterator[dict[str, Any]]:
    """Yield each row of a listing once, in the order in which the pages came; parameters and errors as of `pages`.

    A row that nothing names is yielded whenever it comes: two that are alike may be two.
    """
    seen: set[str] = set()
    for page in pages(fetch, key, what=what, tokens=tokens):
        for row in page.rows:
            name = name_of(row)
            if name is None:
                yield row
            elif name not in seen:  # rows shift between pages while others create and archive
                seen.add(name)
                yield row


def name_of(row: Mapping[str, Any]) -> str | None:
    """Return what names a row: its token or its link to itself; None where it has neither."""
    links = row.get("_links")
    own = links.get("self") if isinstance(links, Mapping) else None
    candidates = (row.get("token"), own.get("href") if isinstance(own, Mapping) else None)
    return next((name for name in candidates if isinstance(name, str) and name), None)


def _fingerprint(row: Mapping[str, Any]) -> str:
    """Return what tells a row from others: its name, or all that is in it."""
    return name_of(row) or json.dumps(row, sort_keys=True, default=str)


def rows_of(page: Mapping[str, Any], key: str, *, what: str) -> list[dict[str, Any]]:
    """Return the rows of one page of a resource that has tokens.

    :raises StudioResponseError: a page without its rows, or a row without its token.
    """
    rows = embedded(page, key, what=what)
    _check_tokens(rows, what=what)
    return rows


def _check_tokens(rows: Sequence[Mapping[str, Any]], *, what: str) -> None:
    if not all(isinstance(row.get("token"), str) for row in rows):
        raise StudioResponseError(f"{what}: a row has no token.")


def embedded(page: Mapping[str, Any], key: str, *, what: str) -> list[dict[str, Any]]:
    """Return the objects of one page, whatever is in them.

    :raises StudioResponseError: a page without them, or one that is no object.
    """
    block = page.get("_embedded")
    rows = block.get(key) if isinstance(block, Mapping) else None
    if not isinstance(rows, list):
        raise StudioResponseError(f"{what}: the answer has no list _embedded.{key}.")
    if not all(isinstance(row, dict) for row in rows):
        raise StudioResponseError(f"{what}: a row has no token: it is no JSON object.")
    return rows


def _total_pages(page: Mapping[str, Any]) -> float:
    """Return the number of pages that a pagination block tells; endless where there is none."""
    block = page.get("pagination")
    total = block.get("total_pages") if isinstance(block, Mapping) else None
    return total if isinstance(total, int) and total > 0 else float("inf")
