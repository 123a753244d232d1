# SPDX-License-Identifier: Apache-2.0
"""One API request: its caller, the entities that its path names, its values, and the errors in each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from airflow_provider_studio.emulator.entities import (
    Collection,
    DataSource,
    Person,
    Query,
    Report,
    Run,
    Schedule,
    Subscription,
    token_for,
)
from airflow_provider_studio.emulator.paging import counters_of, page_size, rows_of_page, served_page
from airflow_provider_studio.emulator.serializers.hal import Body, View, error, json_response, listing, pagination
from airflow_provider_studio.emulator.state import Account, EmulatorState
from airflow_provider_studio.emulator.workspace import Workspace

PER_PAGE = 30
NOT_FOR_KEYS = "This endpoint is unsupported for use with Api Keys"
_SPACES = re.compile(r"^(/api/[^/]+)/spaces(?=/|$)")
Item = TypeVar("Item")
Types = type | tuple[type, ...]


class ApiError(Exception):
    """An error response."""

    def __init__(self, status: int, error_id: str, message: str) -> None:
        super().__init__(message)
        self.status, self.error_id, self.message = status, error_id, message

    def response(self) -> Response:
        """Return the response."""
        return json_response(error(self.error_id, self.message), self.status)


def not_found(what: str) -> ApiError:
    """Return a 404 that names what is missing."""
    return ApiError(404, "not_found", f"{what} not found")


def bad_request(message: str) -> ApiError:
    """Return a 400 with a reason."""
    return ApiError(400, "bad_request", message)


def param_missing(name: str) -> ApiError:
    """Return a 400 that names the missing parameter."""
    return ApiError(400, "param_missing", f"param is missing or the value is empty: {name}")


def time_of(name: str, text: str, *, zone: tzinfo | None = None) -> datetime:
    """Parse a time in a request.

    :param zone: that of a time without one.
    :raises ApiError: it is not a time, or has no time zone.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise bad_request(f"{name} is not a time") from None
    if time.tzinfo is None and zone is None:
        raise bad_request(f"{name} has no time zone")
    return time if time.tzinfo else time.replace(tzinfo=zone)


class ApiRequest:
    """One API request.

    :param body: the request's whole body, not decoded.
    """

    def __init__(self, request: Request, body: bytes = b"") -> None:
        self.state: EmulatorState = request.scope["emulator"]
        self.workspace: Workspace = request.scope.get("workspace") or self.state.workspace_for(request.method)
        self.now = self.state.clock.now()
        self.view = View(self.workspace, self.now)
        self.query = request.query_params
        self.headers = request.headers
        self.origin = f"{request.url.scheme}://{request.url.netloc}"
        self._account: Account | None = request.scope["account"]
        self._names = request.path_params
        self._path: str = request.scope["path"]
        self._body = body

    @property
    def account(self) -> Account:
        """The caller.

        :raises ApiError: 401, the request has no credentials.
        """
        if self._account is None:
            raise ApiError(401, "unauthorized", "Not authorized")
        return self._account

    @property
    def executed_by(self) -> str:
        """Who a run is executed by: a person, or the workspace."""
        return self.account.username or self.workspace.name

    @property
    def path(self) -> str:
        """The path, as links write it: the Discovery API alone calls Collections `spaces` there."""
        return _SPACES.sub(r"\1/collections", self._path)

    @property
    def page(self) -> int:
        """The requested page; the first one if the number is invalid."""
        text = self.query.get("page", "1")
        return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < 10 else 1

    @property
    def person(self) -> Person | None:
        """The calling person; None for a Workspace token."""
        return self.workspace.people.get(self.account.username or "")

    def name(self, what: str) -> str:
        """Return the token that the path has in this place."""
        return str(self._names[what])

    def body(self) -> dict[str, Any]:
        """Return the JSON body; a body that is not an object counts as empty."""
        try:
            body = json.loads(self._body or b"{}")
        except ValueError:
            raise bad_request("The body is not JSON") from None
        return body if isinstance(body, dict) else {}

    def values(self, wrapper: str | None, **types: Types) -> dict[str, Any]:
        """Return the body's values of these names, each null or of its type; other names are ignored.

        :param wrapper: the object within the body that has them; None for the body itself.
        """
        wrapped = self.body() if wrapper is None else self.body().get(wrapper)
        if not isinstance(wrapped, dict):
            raise param_missing(str(wrapper))
        values = {name: wrapped[name] for name in types if name in wrapped}
        for name, value in values.items():
            if value is not None and (not isinstance(value, types[name]) or _is_stray_bool(value, types[name])):
                raise bad_request(f"{wrapper}.{name} is invalid" if wrapper else f"{name} is invalid")
        return values

    def refuse_keys(self) -> None:
        """Refuse Workspace and Member tokens."""
        if self.account.kind != "personal":
            raise bad_request(NOT_FOR_KEYS)

    def need_admin(self) -> None:
        """Refuse callers that may not manage the workspace."""
        if self.account.kind != "workspace" and not (self.person and self.person.admin):
            raise self.denied("Only admins may do this")

    def denied(self, message: str) -> ApiError:
        """Return the error of a request that the caller has no permission for."""
        if self.workspace.quirks.denied_status == 404:
            return not_found("request path")
        return ApiError(403, "forbidden", message)

    def may_see(self, collection: Collection) -> bool:
        """Return whether the account may see a Collection: a Workspace token all, a person theirs and the open ones."""
        if self.account.kind == "workspace":
            return True
        return self.belongs_to(collection) or (collection.owner is None and not collection.restricted)

    def may_see_token(self, token: str) -> bool:
        """Return whether there is a Collection with this token that the account may see."""
        collection = self.workspace.collections.get(token)
        return collection is not None and self.may_see(collection)

    def belongs_to(self, collection: Collection) -> bool:
        """Return whether a person owns a Collection, created it, or is its member; never true of a Workspace token."""
        username = self.account.username
        if username is None:
            return False
        if username in (collection.owner, collection.creator):
            return True
        members = self.workspace.records.get("space_memberships", {}).values()
        mine = token_for("member", username)
        return any(member["parent"] == collection.token and member["member_token"] == mine for member in members)

    def collection(self) -> Collection:
        """Return the Collection that the path names."""
        collection = self.workspace.collections.get(self.name("space"))
        if collection is None or not self.may_see(collection):
            raise not_found("space")
        if collection.forbidden:
            raise self.denied("You do not have permission to view this collection")
        return collection

    def report(self) -> Report:
        """Return the Report or dataset that the path names."""
        if "dataset" in self._names:
            return self._visible_report("dataset", "DatasetReport")
        return self._visible_report("report")

    def _visible_report(self, what: str, kind: str | None = None) -> Report:
        report = self.workspace.reports.get(self.name(what))
        if report is None or not self._may_see_report(report):
            raise not_found(what)
        if kind not in (None, report.type):
            raise not_found(what)
        return report

    def visible_reports(self, matches: Callable[[Report], bool]) -> list[Report]:
        """Return the Reports and datasets that the account may see and that match."""
        return [
            report for report in self.workspace.reports.values() if matches(report) and self._may_see_report(report)
        ]

    def _may_see_report(self, report: Report) -> bool:
        """Return whether its Collection is visible; without one, whether the caller created it or is the workspace."""
        collection = self.workspace.collection_of(report)
        if collection is None:
            return self.account.kind == "workspace" or self.account.username == report.creator
        return self.may_see(collection)

    def query_and_report(self) -> tuple[Query, Report]:
        """Return the query that the path names, and its own Report.

        That need not be the Report in the path, as one client saw: the quirk `query_parents`.
        """
        token, named = self.name("query"), self.report()
        found = self._query_in([named], token)
        if found is None and self.workspace.quirks.query_parents == "ignored":
            found = self._query_in(self.visible_reports(lambda report: report is not named), token)
        return _found(found, "query")

    def _query_in(self, reports: list[Report], token: str) -> tuple[Query, Report] | None:
        pairs = ((query, report) for report in reports for query in self.workspace.queries_of(report))
        return next((pair for pair in pairs if pair[0].token == token), None)

    def run(self) -> Run:
        """Return the Report run that the path names."""
        return _found(self.workspace.find_run(self.report(), self.name("run"), self.now), "report run")

    def schedule(self) -> Schedule:
        """Return the schedule that the path names."""
        report, schedule = self.report(), self.workspace.schedules.get(self.name("schedule"))
        return _found(schedule if schedule and schedule.report == report.token else None, "ReportSchedule")

    def subscription(self) -> Subscription:
        """Return the subscription that the path names."""
        report, subscription = self.report(), self.workspace.subscriptions.get(self.name("subscription"))
        mine = subscription and self.workspace.schedules[subscription.schedule].report == report.token
        return _found(subscription if mine else None, "ReportSubscription")

    def data_source(self) -> DataSource:
        """Return the data source that the path names."""
        return _found(self.workspace.data_sources.get(self.name("data_source")), "data source")

    def paged(
        self, key: str, rows: list[Any], body: Callable[[Any], Body], *, per_page: int = PER_PAGE, counters: bool = True
    ) -> Body:
        """Return one page of a listing; the request's `per_page` is ignored, and some listings have no counters."""
        quirks = self.workspace.quirks
        size = page_size(quirks, self._path, per_page)
        number = 1 if self._is_cached() else served_page(quirks, self.page, len(rows), size)
        bodies = [body(row) for row in rows_of_page(quirks, rows, number, size)]
        block = counters_of(quirks, pagination(self.page, size, len(bodies), len(rows)), usual=counters)
        return listing(self.path, key, bodies, block)

    def _is_cached(self) -> bool:
        """Whether the response is the listing's first page, from a cache that ignores `page`."""
        cache, page = self.workspace.quirks.page_cache, (self._path, self.page)
        if cache == "none" or self.page != 2:
            return False
        is_repeated = page in self.state.served_pages
        self.state.served_pages.add(page)
        return cache == "always" or not is_repeated

    def whole(self, key: str, rows: list[Any], body: Callable[[Any], Body]) -> Body:
        """Return a whole listing; the request's `page` is ignored."""
        return listing(self.path, key, [body(row) for row in rows])


def _is_stray_bool(value: Any, types: Types) -> bool:
    return isinstance(value, bool) and types is not bool


def _found(item: Item | None, what: str) -> Item:
    if item is None:
        raise not_found(what)
    return item
