# SPDX-License-Identifier: Apache-2.0
"""One request in terms of the world: who asks, what the path names, what the body says, and the errors in each."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
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
from airflow_provider_studio.emulator.serializers.hal import Body, View, error, json_response, listing, pagination
from airflow_provider_studio.emulator.state import Account, EmulatorState
from airflow_provider_studio.emulator.workspace import World

PER_PAGE = 30
NOT_FOR_KEYS = "This endpoint is unsupported for use with Api Keys"
Item = TypeVar("Item")
Types = type | tuple[type, ...]


class ApiError(Exception):
    """An answer other than the one asked for."""

    def __init__(self, status: int, error_id: str, message: str) -> None:
        super().__init__(message)
        self.status, self.error_id, self.message = status, error_id, message

    def response(self) -> Response:
        """The answer."""
        return json_response(error(self.error_id, self.message), self.status)


def not_found(what: str) -> ApiError:
    """Return the 404 that names what is missing."""
    return ApiError(404, "not_found", f"{what} not found")


def bad_request(message: str) -> ApiError:
    """Return the 400 that says what is wrong."""
    return ApiError(400, "bad_request", message)


def param_missing(name: str) -> ApiError:
    """Return the 400 that names the parameter."""
    return ApiError(400, "param_missing", f"param is missing or the value is empty: {name}")


def time_of(name: str, text: str) -> datetime:
    """Return a time as a request writes it.

    :raises ApiError: it is none, or has no time zone.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise bad_request(f"{name} is no time") from None
    if time.tzinfo is None:
        raise bad_request(f"{name} has no time zone")
    return time


class ApiRequest:
    """One request in terms of the world.

    :param body: the request's whole body, as it came.
    """

    def __init__(self, request: Request, body: bytes = b"") -> None:
        self.state: EmulatorState = request.scope["emulator"]
        self.world: World = self.state.world
        self.now = self.state.clock.now()
        self.view = View(self.world, self.now)
        self.query = request.query_params
        self.headers = request.headers
        self._account: Account | None = request.scope["account"]
        self._names = request.path_params
        self._path: str = request.scope["path"]
        self._body = body

    @property
    def account(self) -> Account:
        """Who asks.

        :raises ApiError: nobody in particular.
        """
        if self._account is None:
            raise ApiError(401, "unauthorized", "Not authorized")
        return self._account

    @property
    def who(self) -> str:
        """Whom a run is by: a person, or the workspace."""
        return self.account.username or self.world.workspace

    @property
    def path(self) -> str:
        """The path, as links spell it."""
        return self._path.replace("/spaces", "/collections", 1)

    @property
    def page(self) -> int:
        """The page asked for; nonsense is the first."""
        text = self.query.get("page", "1")
        return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < 10 else 1

    @property
    def person(self) -> Person | None:
        """The person who asks; None for a Workspace token."""
        return self.world.people.get(self.account.username or "")

    def name(self, what: str) -> str:
        """The token in the path."""
        return str(self._names[what])

    def body(self) -> dict[str, Any]:
        """The JSON body; what is no object counts as empty."""
        try:
            body = json.loads(self._body or b"{}")
        except ValueError:
            raise bad_request("The body is no JSON") from None
        return body if isinstance(body, dict) else {}

    def values(self, wrapper: str | None, **types: Types) -> dict[str, Any]:
        """What the body's wrapper holds under these names, each null or of its type; other names are passed over.

        :param wrapper: None where the body itself holds them.
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
        """Refuse who may not manage the workspace."""
        if self.account.kind != "workspace" and not (self.person and self.person.admin):
            raise ApiError(403, "forbidden", "Only admins may do this")

    def may_see(self, collection: Collection) -> bool:
        """Whether the account may see a Collection: a Workspace token sees all, a person theirs and the open ones."""
        if self.account.kind == "workspace":
            return True
        return self.belongs_to(collection) or (collection.owner is None and not collection.restricted)

    def belongs_to(self, collection: Collection) -> bool:
        """Whether a person owns a Collection, made it, or is its member; a Workspace token belongs to none."""
        username = self.account.username
        if username is None:
            return False
        if username in (collection.owner, collection.creator):
            return True
        members = self.world.records.get("space_memberships", {}).values()
        mine = token_for("member", username)
        return any(one["parent"] == collection.token and one["member_token"] == mine for one in members)

    def collection(self) -> Collection:
        """The Collection that the path names."""
        found = self.world.collections.get(self.name("space"))
        if found is None or not self.may_see(found):
            raise not_found("space")
        if found.forbidden:
            raise ApiError(403, "forbidden", "You do not have permission to view this collection")
        return found

    def report(self) -> Report:
        """The Report, or the dataset, that the path names."""
        if "dataset" in self._names:
            return self._visible_report("dataset", "DatasetReport")
        return self._visible_report("report")

    def _visible_report(self, what: str, kind: str | None = None) -> Report:
        found = self.world.reports.get(self.name(what))
        if found is None or not self._may_see_report(found):
            raise not_found(what)
        if kind not in (None, found.type):
            raise not_found(what)
        return found

    def visible_reports(self, wanted: Callable[[Report], bool]) -> list[Report]:
        """The Reports and datasets of the workspace that the account may see and that are wanted."""
        return [one for one in self.world.reports.values() if wanted(one) and self._may_see_report(one)]

    def _may_see_report(self, report: Report) -> bool:
        """Whether it is in a Collection that the account may see; in none, only a Workspace token and its maker may."""
        place = self.world.collection_of(report)
        if place is None:
            return self.account.kind == "workspace" or self.account.username == report.creator
        return self.may_see(place)

    def query_of_report(self) -> Query:
        """The query that the path names."""
        token = self.name("query")
        return _found(next((one for one in self.world.queries_of(self.report()) if one.token == token), None), "query")

    def run(self) -> Run:
        """The Report run that the path names."""
        return _found(self.world.find_run(self.report(), self.name("run"), self.now), "report run")

    def schedule(self) -> Schedule:
        """The schedule that the path names."""
        report, found = self.report(), self.world.schedules.get(self.name("schedule"))
        return _found(found if found and found.report == report.token else None, "ReportSchedule")

    def subscription(self) -> Subscription:
        """The subscription that the path names."""
        report, found = self.report(), self.world.subscriptions.get(self.name("subscription"))
        mine = found and self.world.schedules[found.schedule].report == report.token
        return _found(found if mine else None, "ReportSubscription")

    def data_source(self) -> DataSource:
        """The data source that the path names."""
        return _found(self.world.data_sources.get(self.name("data_source")), "data source")

    def paged(
        self, key: str, rows: list[Any], body: Callable[[Any], Body], *, per_page: int = PER_PAGE, counters: bool = True
    ) -> Body:
        """One fixed page of a listing, whatever `per_page` asks for; some listings tell no counters."""
        start = (self.page - 1) * per_page
        shown = [body(row) for row in rows[start : start + per_page]]
        block = pagination(self.page, per_page, len(shown), len(rows)) if counters else None
        return listing(self.path, key, shown, block)

    def whole(self, key: str, rows: list[Any], body: Callable[[Any], Body]) -> Body:
        """A listing in one piece, whatever `page` asks for."""
        return listing(self.path, key, [body(row) for row in rows])


def _is_stray_bool(value: Any, types: Types) -> bool:
    return isinstance(value, bool) and types is not bool


def _found(thing: Item | None, what: str) -> Item:
    if thing is None:
        raise not_found(what)
    return thing
