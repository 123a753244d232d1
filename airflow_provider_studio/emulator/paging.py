# SPDX-License-Identifier: Apache-2.0
"""Which rows and counters a page of a listing has, as the quirks require."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from airflow_provider_studio.emulator.quirks import Quirks
from airflow_provider_studio.emulator.serializers.hal import Body

RowT = TypeVar("RowT")


def page_size(quirks: Quirks, path: str, usual: int) -> int:
    """Return the rows per page of the listing at a path: `/api/<workspace>/<kind>[/<token>/…]/<listing>`."""
    _, _, _, *parts = path.rstrip("/").split("/")
    token = parts[1] if len(parts) > 2 else ""
    return max(1, quirks.page_sizes.get(token, quirks.page_sizes.get(parts[-1], usual)))


def served_page(quirks: Quirks, number: int, rows: int, size: int) -> int:
    """Return the number of the page that is the response to a request for a page."""
    if quirks.past_the_end == "empty" or rows_of_page(quirks, range(rows), number, size):
        return number
    pages = 1
    while rows_of_page(quirks, range(rows), pages + 1, size):
        pages += 1
    return pages if quirks.past_the_end == "last_page" else (number - 1) % pages + 1


def rows_of_page(quirks: Quirks, rows: Sequence[RowT], number: int, size: int) -> Sequence[RowT]:
    """Return the rows of a page; the rows that a short page lacks begin the next one."""
    short = quirks.short_page if size > 1 else 0
    start = (number - 1) * size - (0 < short < number)
    return rows[start : number * size - (0 < short <= number)]


def counters_of(quirks: Quirks, seen: Body, *, usual: bool) -> Body | None:
    """Return the pagination block of a page, or None.

    :param seen: the block as it was seen.
    :param usual: whether this listing was seen with a block.
    """
    if quirks.pagination_block == "absent" or (quirks.pagination_block == "seen" and not usual):
        return None
    wrong = {"one_page": 1, "true": True}
    return seen | ({"total_pages": wrong[quirks.pagination_block]} if quirks.pagination_block in wrong else {})
