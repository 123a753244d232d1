# SPDX-License-Identifier: Apache-2.0
"""Reports of the previous snapshot that no listing had: requested one by one, because a listing may be wrong.

Rows shift between pages while people move and delete Reports, a Report without a Collection is in no listing, and a
listing may lack rows for a night.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioForbiddenError, StudioNotFoundError, StudioResponseError
from airflow_provider_studio.governance.file_names import PageName
from airflow_provider_studio.governance.inventory.carry_over import PreviousSnapshot
from airflow_provider_studio.governance.inventory.checkpoint import Checkpoint
from airflow_provider_studio.governance.inventory.crawl_threads import CrawlThreads
from airflow_provider_studio.governance.snapshots.schema import DATASET, ReportRow, report_row

MOST_MISSING_SHARE = 0.02
"""If a larger share of the previous snapshot's Reports is missing, only some of each listing are requested."""
_ALWAYS_REQUESTED = 50
_SAMPLE = 5
"""This number of missing Reports of a listing shows whether the others still exist."""


@dataclass(frozen=True)
class Missing:
    """What became known of the missing Reports; the others are gone.

    :param found: the rows of those that exist.
    :param unknown: tokens of those that may exist.
    :param not_listed: how many Reports a listing lacks although they are in its Collection, by Collection and type.
    """

    found: Sequence[ReportRow]
    unknown: frozenset[str]
    not_listed: Counter[tuple[str, str]]


class MissingReports:
    """Reads missing Reports."""

    def __init__(
        self,
        client: StudioClient,
        checkpoint: Checkpoint,
        previous: PreviousSnapshot,
        begun_at: datetime,
        threads: CrawlThreads,
    ) -> None:
        self._client = client
        self._checkpoint = checkpoint
        self._previous = previous
        self._begun_at = begun_at
        self._threads = threads

    def read(self, tokens: Sequence[str], collections: Collection[str]) -> Missing:
        """Request these Reports, or a sample of each listing if they are many.

        :param tokens: the missing Reports.
        :param collections: the Collections that were read; empty where the source does not report them.
        """
        saved = [page for (_, kind), pages in self._checkpoint.pages().items() if kind == "missing" for page in pages]
        if saved:
            rows = [row for page in saved for row in self._checkpoint.rows(page)]
        else:
            rows = self._requested(self._sample(tokens)) if tokens else []
        found = [row for row in rows if not row["unknown"] and (not collections or self._is_in(row, collections))]
        listings = [self._listing_of(row["token"]) for row in found if self._is_where_it_was(row)]
        not_listed = Counter((collection, kind) for collection, kind in listings if collection is not None)
        requested = {row["token"] for row in rows}
        unknown = {row["token"] for row in rows if row["unknown"]}
        unknown |= {token for token in tokens if token not in requested and self._listing_of(token) in not_listed}
        return Missing(found, frozenset(unknown), not_listed)

    def _sample(self, tokens: Sequence[str]) -> list[str]:
        most = max(_ALWAYS_REQUESTED, int(len(self._previous.reports) * MOST_MISSING_SHARE))
        if len(tokens) <= most:
            return list(tokens)
        by_listing: dict[tuple[str | None, str], list[str]] = {}
        for token in tokens:
            by_listing.setdefault(self._listing_of(token), []).append(token)
        each = min(_SAMPLE, max(1, most // len(by_listing)))
        return [token for listed in by_listing.values() for token in listed[:each]]

    def _requested(self, tokens: Sequence[str]) -> list[ReportRow]:
        """Return rows of the Reports that exist, and unknown ones of those that may not be read."""
        rows = [row for row in self._threads.each(self._report, tokens) if row is not None]
        self._checkpoint.save_page(PageName("all", "missing", 1, len(rows), len(rows), "last"), rows)
        return rows

    def _report(self, token: str) -> ReportRow | None:
        kind = self._previous.reports[token][1]
        try:
            report = self._client.get_dataset(token) if kind == DATASET else self._client.get_report(token)
        except StudioNotFoundError:
            return None
        except (StudioForbiddenError, StudioResponseError):
            return cast("ReportRow", {"token": token, "unknown": True})
        return {**report_row(report, self._begun_at), "type": report.type or kind}

    def _listing_of(self, token: str) -> tuple[str | None, str]:
        collection, kind, _ = self._previous.reports[token]
        return collection, DATASET if kind == DATASET else "Report"

    def _is_where_it_was(self, row: ReportRow) -> bool:
        return row["collection"] is not None and row["collection"] == self._previous.reports[row["token"]][0]

    @staticmethod
    def _is_in(row: ReportRow, collections: Collection[str]) -> bool:
        return row["collection"] is None or row["collection"] in collections
