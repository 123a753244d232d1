# SPDX-License-Identifier: Apache-2.0
"""The requests of the doctor, all of them GET, and their responses by name.

What is requested depends only on the order and the numbers in earlier responses, never on names, so that a replay of
redacted responses is asked the same questions. A refused request is a response like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

from airflow_provider_studio.client.auth import is_identifier
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.discovery import DiscoveryClient
from airflow_provider_studio.client.errors import StudioConnectionError, StudioResponseError
from airflow_provider_studio.client.exchange import Exchange
from airflow_provider_studio.client.pagination import embedded
from airflow_provider_studio.client.resources.subscriptions import SUBSCRIBER_LISTS

MOST_REQUESTS = 40
"""The doctor sends no request after this number."""
PAST_THE_END = 999
SAMPLED_COLLECTIONS = 3
_MOST_DATASET_LISTINGS = 2
_LONGEST_COUNT = 9
_MOST_WITHOUT_SCHEDULES = 3
"""Of the Reports that count no schedules, the lists of this many are read if no Report counts any."""
Row = Mapping[str, Any]
Query = Mapping[str, str | int]


class Reader(Protocol):
    """Sends a GET request and returns the exchange; None if it was not sent or got no whole response."""

    def __call__(self, path: str, query: Query | None = None) -> Exchange | None:
        """Send the request."""


class Survey:
    """The responses that were received, by the name of the request."""

    def __init__(self, exchanges: Mapping[str, Exchange] | None = None) -> None:
        self.exchanges: dict[str, Exchange] = dict(exchanges or {})

    def status(self, name: str) -> int | None:
        """Return the status of a response; None if there was none."""
        exchange = self.exchanges.get(name)
        return None if exchange is None else exchange.status

    def body(self, name: str) -> dict[str, Any] | None:
        """Return the object of a successful response; None without one."""
        exchange = self.exchanges.get(name)
        return exchange.body if exchange is not None and exchange.is_success else None

    def rows(self, name: str, key: str) -> list[dict[str, Any]] | None:
        """Return the rows of a page of a listing; None if there was no such page."""
        body = self.body(name)
        if body is None:
            return None
        try:
            return embedded(body, key, what=name)
        except StudioResponseError:
            return None

    def reason(self, name: str, without: str) -> str:
        """Return why a response shows nothing.

        :param without: the reason if the request was not sent.
        """
        status = self.status(name)
        if status is None:
            return without
        return f"the response was {status}" if status >= 300 else "none was listed"

    @property
    def all(self) -> Iterator[Exchange]:
        """The exchanges, in order."""
        return iter(self.exchanges.values())


class Surveyor:
    """Asks the questions of the survey.

    :param workspace: the workspace's name, for paths.
    :param read: sends the requests.
    """

    def __init__(self, workspace: str, read: Reader) -> None:
        self._root = f"/api/{workspace}"
        self._read = read
        self.survey = Survey()

    def all(self) -> Survey:
        """Send the requests of all questions."""
        self.identity()
        self.collections()
        self.listings()
        self.reports()
        self.people()
        return self.survey

    def essential(self) -> Survey:
        """Send only the requests whose responses a workspace profile is made of."""
        self._get("collections", f"{self._root}/spaces", {"filter": "custom", "page": 1})
        self._sample_reports(1)
        self._next_page_of_reports()
        self._schedules()
        return self.survey

    def identity(self) -> None:
        """Ask who the credentials belong to, and what the workspace links to."""
        self._get("verify", "/api/verify")
        self._get("account", self._root)
        self._get("archived", f"{self._root}/reports", {"filter": "archived"})
        self._get("workspace_schedules", f"{self._root}/schedules")

    def collections(self) -> None:
        """List the Collections with each filter, and their first page twice."""
        path = f"{self._root}/spaces"
        self._get("collections", path, {"filter": "custom", "page": 1})
        self._get("collections_next", path, {"filter": "custom", "page": 2})
        self._get("collections_again", path, {"filter": "custom", "page": 1})
        self._get("collections_all", path, {"filter": "all", "page": 1})
        self._get("collections_unfiltered", path)

    def listings(self) -> None:
        """List the Reports of some Collections: pages, order, filters, and what is past the end."""
        self._sample_reports(SAMPLED_COLLECTIONS)
        path, rows = self._next_page_of_reports()
        if path is None:
            return
        self._get("reports_past_the_end", path, {"page": PAST_THE_END})
        self._get("reports_per_page", path, {"page": 1, "per_page": 100})
        created = [row["created_at"] for row in rows if isinstance(row.get("created_at"), str)]
        order = "desc" if created == sorted(created) else "asc"
        self._get("reports_ordered", path, {"page": 1, "order": order, "order_by": "created_at"})
        if created:
            self._get("reports_filtered", path, {"page": 1, "filter": f"created_at.gt.{max(created)}"})
        self._datasets(path)

    def _datasets(self, reports: str) -> None:
        """List the datasets of Collections until one has some, from that with this listing of Reports."""
        sampled = (f"reports_{number}" for number in range(SAMPLED_COLLECTIONS))
        paths = [self.survey.exchanges[name].path for name in sampled if name in self.survey.exchanges]
        for path in [reports, *(path for path in paths if path != reports)][:_MOST_DATASET_LISTINGS]:
            self._get("datasets", f"{path.removesuffix('/reports')}/datasets", {"page": 1})
            if self.survey.rows("datasets", "reports"):
                return

    def reports(self) -> None:
        """Ask about single Reports: schedules, runs, subscriptions, queries, filters, datasets."""
        self._schedules()
        reports = self._sampled_reports()
        report = _first(reports, lambda row: isinstance(row.get("last_run_at"), str)) or _first(reports)
        if report is not None:
            path = self._report(report)
            self._get("report", path)
            self._get("runs", f"{path}/runs", {"page": 1})
            self._get("runs_next", f"{path}/runs", {"page": 2})
            self._follow("last_run", report, "last_run")
            self._get("filters", f"{path}/filters")
            self._queries(report, reports)
        dataset = _first(_with_tokens(self.survey.rows("datasets", "reports")))
        if dataset is not None:
            path = f"{self._root}/datasets/{dataset['token']}"
            self._get("dataset_reports", f"{path}/reports")
            self._get("dataset_schedules", f"{path}/schedules")
        archived = _first(reports, lambda row: row.get("archived") is True)
        if archived is not None:
            self._get("archived_schedules", f"{self._report(archived)}/schedules")

    def people(self) -> None:
        """Ask for the members of the workspace, and its data sources."""
        self._get("members", f"{self._root}/memberships/lite")
        self._get("memberships", f"{self._root}/memberships")
        self._get("data_sources", f"{self._root}/data_sources")

    def discovery(self, client: DiscoveryClient) -> None:
        """Ask the Discovery API for its first Reports and their numbers."""
        with suppress(StudioConnectionError, StudioResponseError):
            self.survey.exchanges["discovery_reports"] = client.exchange("reports")
            self.survey.exchanges["discovery_report_stats"] = client.exchange("report_stats")

    # Parts

    def _get(self, name: str, path: str, query: Query | None = None) -> None:
        exchange = self._read(path, query)
        if exchange is not None:
            self.survey.exchanges[name] = exchange

    def _report(self, row: Row) -> str:
        return f"{self._root}/reports/{row['token']}"

    def _sample_reports(self, most: int) -> None:
        collections = _with_tokens(self.survey.rows("collections", "spaces"))
        shared = [row for row in collections if row.get("space_type") != "private"]
        for number, row in enumerate(shared[:most]):
            self._get(f"reports_{number}", f"{self._root}/spaces/{row['token']}/reports", {"page": 1})

    def _next_page_of_reports(self) -> tuple[str | None, Sequence[Row]]:
        """Read the second and again the first page of the longest listing; return its path and its first page."""
        sampled = [f"reports_{number}" for number in range(SAMPLED_COLLECTIONS)]
        name = max(sampled, key=lambda name: len(self.survey.rows(name, "reports") or []))
        rows = self.survey.rows(name, "reports")
        if rows is None:
            return None, []
        path = self.survey.exchanges[name].path
        self.survey.exchanges["reports"] = self.survey.exchanges[name]
        self._get("reports_next", path, {"page": 2})
        self._get("reports_again", path, {"page": 1})
        return path, rows

    def _sampled_reports(self) -> list[Row]:
        pages = (self.survey.rows(f"reports_{number}", "reports") for number in range(SAMPLED_COLLECTIONS))
        return [row for page in pages for row in _with_tokens(page)]

    def _schedules(self) -> None:
        """List the schedules of a Report that counts some, or of those with the most runs that count none."""
        reports = self._sampled_reports()
        scheduled = _first(reports, lambda row: bool(count_of(row.get("schedules_count"))))
        others = [row for row in reports if row is not scheduled and count_of(row.get("schedules_count")) == 0]
        others.sort(key=lambda row: -(count_of(row.get("runs_count")) or 0))
        for number, row in enumerate(others[: 1 if scheduled else _MOST_WITHOUT_SCHEDULES]):
            self._get(f"unscheduled_{number}", f"{self._report(row)}/schedules", {"page": 1})
        if scheduled is None:
            return
        path = f"{self._report(scheduled)}/schedules"
        self._get("schedules", path, {"page": 1})
        self._get("schedules_next", path, {"page": 2})
        schedule = _first(_with_tokens(self.survey.rows("schedules", "report_schedules")))
        if schedule is not None:
            self._get("subscriptions", f"{path}/{schedule['token']}/subscriptions")
            subscription = _first(self.survey.rows("subscriptions", "report_subscriptions") or [])
            for relation in SUBSCRIBER_LISTS if subscription is not None else ():
                self._follow(relation, subscription or {}, relation)

    def _queries(self, report: Row, reports: Sequence[Row]) -> None:
        self._get("queries", f"{self._report(report)}/queries")
        query = _first(_with_tokens(self.survey.rows("queries", "queries")))
        other = _first(reports, lambda row: row["token"] != report["token"])
        if query is not None and other is not None:
            self._get("query_elsewhere", f"{self._report(other)}/queries/{query['token']}")

    def _follow(self, name: str, row: Row, relation: str) -> None:
        """Follow a link of a row, if it stays in the workspace's API and is no template."""
        try:
            path = urlsplit(link_of(row, relation) or "").path
        except ValueError:  # such as an unfinished IPv6 address
            return
        parts = path.split("/")
        if path.startswith(f"{self._root}/") and all(map(is_identifier, parts[1:])):
            self._get(name, path)


def link_of(row: Row, relation: str) -> str | None:
    """Return the URL of a link of a row, or None."""
    links = row.get("_links")
    entry = links.get(relation) if isinstance(links, Mapping) else None
    href = entry.get("href") if isinstance(entry, Mapping) else None
    return href if isinstance(href, str) else None


def client_reader(client: StudioClient, most: int = MOST_REQUESTS) -> Reader:
    """Return a reader that uses a client, and sends nothing more once the client has sent this many requests.

    The last request may be repeated after that.

    :param most: counted from now, with repeated ones.
    """
    began, is_reached = client.spending.requests, False

    def read(path: str, query: Query | None = None) -> Exchange | None:
        nonlocal is_reached
        if client.spending.requests - began >= most:
            return None
        try:
            exchange = client.exchange("GET", path, query)
        except (StudioConnectionError, StudioResponseError):
            if not is_reached:
                raise  # without a first response there is no service to examine
            return None
        is_reached = True
        return exchange

    return read


def _with_tokens(rows: Sequence[Row] | None) -> list[Row]:
    return [row for row in rows or [] if is_identifier(row.get("token"))]


def _first(rows: Sequence[Row], matches: Callable[[Row], bool] = lambda _row: True) -> Row | None:
    return next((row for row in rows if matches(row)), None)


def count_of(value: object) -> int | None:
    """Return a counter, which may be text; None for anything else, such as `true`."""
    if isinstance(value, str) and value.isdecimal() and value.isascii() and len(value) <= _LONGEST_COUNT:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
