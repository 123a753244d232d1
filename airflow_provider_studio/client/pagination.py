# SPDX-License-Identifier: Apache-2.0
"""How a listing is walked and how its end is known.

Studio serves fixed pages, ignores `per_page`, sometimes tells no counters, emits `next_page` past the end, and answers
some listings in one piece whatever `page` says. A walk ends at an empty page, at the last page of a pagination block,
or where a page repeats the one before it; and it never ends silently anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow_provider_studio.client.errors import StudioResponseError

MOST_PAGES = 20_000
"""600,000 rows: far beyond any workspace, so reaching it means a server that never ends."""


def walk(fetch: Callable[[int], Mapping[str, Any]], key: str, *, what: str) -> Iterator[dict[str, Any]]:
    """Yield each row of a listing once, in the order in which the pages came.

    :param fetch: returns the decoded page of a number, from 1.
    :param key: where the rows are under `_embedded`.
    :param what: the listing in words, for errors.
    :raises StudioResponseError: a page without its rows, a row without its token, or no end.
    """
    seen: set[str] = set()
    before: list[str] = []
    for number in range(1, MOST_PAGES + 1):
        page = fetch(number)
        rows = rows_of(page, key, what=f"{what}, page {number}")
        tokens = [row["token"] for row in rows]
        if not rows or tokens == before:
            return
        for row in rows:
            if row["token"] not in seen:  # rows shift between pages while others create and archive
                seen.add(row["token"])
                yield row
        if number >= _total_pages(page):
            return
        before = tokens
    raise StudioResponseError(f"{what} did not end within {MOST_PAGES:,} pages.")


def rows_of(page: Mapping[str, Any], key: str, *, what: str) -> list[dict[str, Any]]:
    """Return the rows of one page.

    :raises StudioResponseError: a page without its rows, or a row without its token.
    """
    embedded = page.get("_embedded")
    rows = embedded.get(key) if isinstance(embedded, Mapping) else None
    if not isinstance(rows, list):
        raise StudioResponseError(f"{what}: the answer has no list _embedded.{key}.")
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("token"), str):
            raise StudioResponseError(f"{what}: a row has no token.")
    return rows


def _total_pages(page: Mapping[str, Any]) -> float:
    """Return the number of pages that a pagination block tells; endless where there is none."""
    block = page.get("pagination")
    total = block.get("total_pages") if isinstance(block, Mapping) else None
    return total if isinstance(total, int) and total > 0 else float("inf")
