# SPDX-License-Identifier: Apache-2.0
"""Reads the SQL of Reports' queries: over REST with a request for each Report, or from the Discovery API by 1,000."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.discovery import MAX_PAGE_SIZE, DiscoveryClient
from airflow_provider_studio.client.errors import StudioForbiddenError, StudioNotFoundError
from airflow_provider_studio.client.models import DataSource
from airflow_provider_studio.client.ratelimit import Priority
from airflow_provider_studio.governance.inventory.crawl_threads import CrawlThreads

_THREADS = 4
_BATCH = 200


@dataclass(frozen=True)
class QueryText:
    """A query with its SQL. `data_source` is the token or the id of its data source, whichever the response has."""

    token: str
    name: str | None
    sql: str
    data_source: str | None


@dataclass(frozen=True)
class ReportQueries:
    """The queries of a Report; or why they cannot be read."""

    report: str
    queries: tuple[QueryText, ...] = ()
    problem: str | None = None


def data_sources(client: StudioClient) -> dict[str, DataSource]:
    """Return the workspace's data sources, by token and by id; usually one request."""
    sources: dict[str, DataSource] = {}
    for source in client.list_data_sources():
        sources[source.token] = source
        if source.id is not None:
            sources[str(source.id)] = source
    return sources


def definitions(client: StudioClient) -> dict[str, str]:
    """Return the SQL of the workspace's definitions by their names; usually one request."""
    return {item.name: item.source for item in client.list_definitions() if item.name and item.source}


def from_rest(client: StudioClient, reports: Mapping[str, int | None]) -> Iterator[list[ReportQueries]]:
    """Yield the queries of these Reports, some Reports at a time; a request for each.

    :param reports: how many queries each Report counts; two requests are needed where that is unknown or wrong.
    """
    crawler, counted = client.with_priority(Priority.CRAWL), list(reports.items())
    for start in range(0, len(counted), _BATCH):
        yield CrawlThreads(_THREADS).each(partial(_of_report, crawler), counted[start : start + _BATCH])


def from_discovery(client: DiscoveryClient, reports: Iterable[str]) -> Iterator[list[ReportQueries]]:
    """Yield the queries of these Reports; a request for 1,000 queries of the workspace, whichever Reports have them."""
    found: dict[str, list[QueryText]] = {report: [] for report in reports}
    for batch in client.batches("queries", include_personal=True):
        for row in batch:
            if row.get("report_token") in found:
                found[row["report_token"]].append(_of_row(row))
    yield [ReportQueries(report, tuple(queries)) for report, queries in found.items()]


def requests_of_discovery(queries: int) -> int:
    """Return how many requests the Discovery API needs for this number of queries."""
    return max(1, -(-queries // MAX_PAGE_SIZE))


def _of_report(client: StudioClient, counted: tuple[str, int | None]) -> ReportQueries:
    report, count = counted
    try:
        queries = list(client.list_queries(report, counted=count))
    except (StudioForbiddenError, StudioNotFoundError) as error:
        return ReportQueries(report, problem=f"its queries cannot be read: HTTP {error.status}")
    return ReportQueries(
        report,
        tuple(
            QueryText(query.token, query.name, query.raw_query or "", _text(query.data_source_id)) for query in queries
        ),
    )


def _of_row(row: Mapping[str, Any]) -> QueryText:
    return QueryText(
        row["token"], _text(row.get("name")), _text(row.get("raw_query")) or "", _text(row.get("data_source_token"))
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
