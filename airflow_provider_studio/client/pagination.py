# SPDX-License-Identifier: Apache-2.0
"""Iterate the pages of a listing and detect its end.

Studio serves fixed pages, ignores `per_page`, sometimes returns no counters, emits `next_page` past the end, and
returns some listings in one piece whatever `page` is. The iteration ends at an empty page, at the last page of a
pagination block, at a page that repeats the previous one, or at a page that is shorter than the server's known page
size. It never ends silently anywhere else.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_studio.client.errors import StudioResponseError

MAX_PAGES = 20_000
"""600,000 rows: far beyond any workspace, so reaching it means a server that never ends."""


class PageSizes:
    """The observed page sizes of the server, so that no page is requested after one that is known to be the last.

    For each kind of listing it holds the longest page so far. The server's page size is at least that, so a shorter
    page has no rows after it. The first short page is verified with a request for the next page; if a short page of a
    kind was ever followed by rows, the sizes of that kind are not used. Discard the object after a crawl, because the
    next release of Studio may page differently.
    """

    def __init__(self) -> None:
        self._longest: dict[str, int] = {}
        self._proven: set[str] = set()
        self._irregular: set[str] = set()
        self._lock = threading.Lock()

    def observe_page(self, kind: str, rows: int, *, ended: bool | None = None) -> None:
        """Record the size of a page.

        :param ended: whether the listing ended after it; None if the next page was not requested.
        """
        with self._lock:
            short = rows < self._longest.get(kind, 0)
            self._longest[kind] = max(rows, self._longest.get(kind, 0))
            if short and ended is True:
                self._proven.add(kind)
            if short and ended is False:
                self._irregular.add(kind)

    def is_last(self, kind: str, rows: int) -> bool:
        """Whether a page of this size is known to be the last of its listing."""
        with self._lock:
            return self._are_known(kind) and rows < self._longest.get(kind, 0)

    def are_known(self, kind: str) -> bool:
        """Whether the size of a page shows the end of a listing of this kind."""
        with self._lock:
            return self._are_known(kind)

    def _are_known(self, kind: str) -> bool:
        return kind in self._proven and kind not in self._irregular


@dataclass(frozen=True)
class Page:
    """One page of a listing.

    :param rows: empty if the page only showed that the previous page was the last.
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
    """Yield the pages of a listing; a row may occur twice, because rows shift between pages.

    :param fetch: returns the decoded page of a number, from 1.
    :param key: the key of the rows under `_embedded`.
    :param what: the listing in words, for errors.
    :param sizes: the observed page sizes of the server; this listing adds to them.
    :param kind: the kind of listing, for `sizes`.
    :param after: continue after this page.
    :param tokens: whether each row must have a token; not every kind of resource has one.
    :raises StudioResponseError: a page without its rows, a row without the token that it must have, or no end.
    """
    sizes = PageSizes() if sizes is None else sizes
    before = [_fingerprint(row) for row in after.rows] if after else []
    for number in range(after.number + 1 if after else 1, MAX_PAGES + 1):
        page = fetch(number)
        rows = embedded(page, key, what=f"{what}, page {number}")
        if tokens:
            _check_tokens(rows, what=f"{what}, page {number}")
        fingerprints = [_fingerprint(row) for row in rows]
        ended = not rows or fingerprints == before
        if before:
            sizes.observe_page(kind, len(before), ended=ended)
        if ended:
            yield Page(number, [], is_last=True)
            return
        sizes.observe_page(kind, len(rows))
        is_last = number >= _total_pages(page) or sizes.is_last(kind, len(rows))
        yield Page(number, rows, is_last)
        if is_last:
            return
        before = fingerprints
    raise StudioResponseError(f"{what} did not end within {MAX_PAGES:,} pages.")


def iterate_rows(
    fetch: Callable[[int], Mapping[str, Any]],
    key: str,
    *,
    what: str,
    tokens: bool = True,
) -> Iterator[dict[str, Any]]:
    """Yield each row of a listing once, in the order of the pages; parameters and errors as in `pages`.

    A row without a name is always yielded, because two equal rows may be two resources.
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
    """Return the name of a row: its token or its link to itself; None if it has neither."""
    links = row.get("_links")
    own = links.get("self") if isinstance(links, Mapping) else None
    candidates = (row.get("token"), own.get("href") if isinstance(own, Mapping) else None)
    return next((name for name in candidates if isinstance(name, str) and name), None)


def _fingerprint(row: Mapping[str, Any]) -> str:
    """Return what distinguishes a row from others: its name, or its whole content."""
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
    """Return the objects of one page without a check of their content.

    :raises StudioResponseError: a page without them, or a row that is no object.
    """
    block = page.get("_embedded")
    rows = block.get(key) if isinstance(block, Mapping) else None
    if not isinstance(rows, list):
        raise StudioResponseError(f"{what}: the response has no list _embedded.{key}.")
    if not all(isinstance(row, dict) for row in rows):
        raise StudioResponseError(f"{what}: a row has no token: it is no JSON object.")
    return rows


def _total_pages(page: Mapping[str, Any]) -> float:
    """Return the number of pages in a pagination block; infinite if there is none."""
    block = page.get("pagination")
    total = block.get("total_pages") if isinstance(block, Mapping) else None
    return total if isinstance(total, int) and total > 0 else float("inf")
