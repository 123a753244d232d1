# SPDX-License-Identifier: Apache-2.0
"""Iterate the pages of a listing; `completeness` decides where it ends and whether it must be read again.

Studio serves fixed pages, ignores `per_page`, sometimes returns no counters, emits `next_page` past the end, and
returns some listings in one piece whatever `page` is.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_studio.client.auth import is_identifier
from airflow_provider_studio.client.completeness import MAX_ROUNDS, End, ListingCaution, ListingProgress
from airflow_provider_studio.client.errors import StudioResponseError

log = logging.getLogger(__name__)

MAX_PAGES = 20_000
"""600,000 rows: far beyond any workspace, so reaching it means a server that never ends."""


@dataclass(frozen=True)
class Page:
    """One page of a listing.

    :param rows: empty if the page only showed that the previous page was the last.
    :param end: what follows the page.
    :param new_rows: how many of the rows did not come before since the listing's first page.
    :param total_count: the number of rows that its counters announce.
    :param doubt: why rows of the listing may be missing, if it ends here.
    """

    rows: Sequence[dict[str, Any]]
    end: End
    new_rows: int = 0
    total_count: int | None = None
    doubt: str | None = None


def pages(
    fetch: Callable[[int], Mapping[str, Any]],
    key: str,
    *,
    what: str,
    progress: ListingProgress | None = None,
    tokens: bool = True,
) -> Iterator[Page]:
    """Yield the pages of a listing until it ends; a row may occur again, because rows shift between pages.

    Where rows came twice or a counter disagrees, the listing is read again from its first page.

    :param fetch: returns the decoded page of a number, from 1.
    :param key: the key of the rows under `_embedded`.
    :param what: the listing in words, for errors.
    :param progress: what its pages have shown so far; it continues there.
    :param tokens: whether each row must have a token; not every kind of resource has one.
    :raises StudioResponseError: a page without its rows, a row without the token that it must have, or no end.
    """
    progress = progress or ListingProgress()
    for _ in range(MAX_PAGES):
        number = progress.next_page
        response = fetch(number)
        rows = embedded(response, key, what=f"{what}, page {number}")
        if tokens:
            _check_tokens(rows, what=f"{what}, page {number}")
        end = progress.add(names_of(rows), response.get("pagination"))
        doubt = progress.doubt if end == "doubtful" else None
        yield Page(rows, end, progress.new_rows, progress.total_count, doubt)
        if end not in {"more", "again"}:
            return
    raise StudioResponseError(f"{what} did not end within {MAX_PAGES:,} pages.")


def iterate_rows(
    fetch: Callable[[int], Mapping[str, Any]],
    key: str,
    *,
    what: str,
    tokens: bool = True,
    may_ignore_page: bool = True,
    counted: int | None = None,
    caution: ListingCaution | None = None,
    report_doubt: Callable[[str], None] = log.warning,
) -> Iterator[dict[str, Any]]:
    """Yield each row of a listing once, in the order of the pages; parameters and errors as in `pages`.

    A row without a name is always yielded, because two equal rows may be two resources; a listing with such rows is
    read only once.

    :param may_ignore_page: whether the service may return the whole listing on each page.
    :param counted: how many rows another resource counts.
    :param caution: what is not believed of this service's listings.
    :param report_doubt: receives a sentence if rows may be missing.
    """
    seen: set[str] = set()
    rounds = MAX_ROUNDS if tokens else 1
    progress = ListingProgress(may_ignore_page=may_ignore_page, max_rounds=rounds, counted=counted, caution=caution)
    for page in pages(fetch, key, what=what, tokens=tokens, progress=progress):
        for row, name in zip(page.rows, _page_names(page.rows), strict=True):
            if name is None:
                if page.new_rows:  # else the page is a repetition
                    yield row
            elif name not in seen:  # rows shift between pages while others create and archive
                seen.add(name)
                yield row
        if page.doubt is not None:
            report_doubt(f"{what}: rows may be missing: {page.doubt}.")


def name_of(row: Mapping[str, Any]) -> str | None:
    """Return the name of a row: its token or its link to itself; None if it has neither."""
    links = row.get("_links")
    own = links.get("self") if isinstance(links, Mapping) else None
    candidates = (row.get("token"), own.get("href") if isinstance(own, Mapping) else None)
    return next((name for name in candidates if isinstance(name, str) and name), None)


def _page_names(rows: Sequence[Mapping[str, Any]]) -> list[str | None]:
    """Return the name of each row of a page; None if it has none, or if a row with other content has the same link.

    The fields of a form, for example, may all link to the form.
    """
    linked: dict[str, Mapping[str, Any]] = {}
    shared: set[str] = set()
    names = [name_of(row) for row in rows]
    for row, name in zip(rows, names, strict=True):
        if name is not None and name != row.get("token") and linked.setdefault(name, row) != row:
            shared.add(name)
    return [None if name in shared else name for name in names]


def names_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what distinguishes the rows of a page: their names, or their contents, equal ones numbered."""
    equal: Counter[str] = Counter()
    names = []
    for row, name in zip(rows, _page_names(rows), strict=True):
        if name is not None:
            names.append(name)
            continue
        content = json.dumps(row, sort_keys=True, default=str)
        equal[content] += 1
        names.append(f"{content}#{equal[content]}")
    return names


def rows_of(page: Mapping[str, Any], key: str, *, what: str) -> list[dict[str, Any]]:
    """Return the rows of one page of a resource that has tokens.

    :raises StudioResponseError: a page without its rows, or a row without its token.
    """
    rows = embedded(page, key, what=what)
    _check_tokens(rows, what=what)
    return rows


def _check_tokens(rows: Sequence[Mapping[str, Any]], *, what: str) -> None:
    for row in rows:
        token = row.get("token")
        if not isinstance(token, str):
            raise StudioResponseError(f"{what}: a row has no token.")
        if not is_identifier(token):
            raise StudioResponseError(f"{what}: the token {token[:40]!r} of a row cannot be that of a resource.")


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
