# SPDX-License-Identifier: Apache-2.0
"""One request in terms of the world: who asks, what the path names, and the errors where it names nothing."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from airflow_provider_studio.emulator.render import Body, Renderer, error, listing, pagination
from airflow_provider_studio.emulator.state import Account, EmulatorState
from airflow_provider_studio.emulator.world import Collection, Report, Run, Schedule, Subscription, World

_PER_PAGE = 30


class ApiError(Exception):
    """An answer other than the one asked for."""

    def __init__(self, status: int, error_id: str, message: str) -> None:
        super().__init__(message)
        self.status, self.error_id, self.message = status, error_id, message

    def response(self) -> Response:
        """The answer."""
        return JSONResponse(error(self.error_id, self.message), self.status)


def not_found(what: str) -> ApiError:
    """Return the 404 that names what is missing."""
    return ApiError(404, "not_found", f"{what} not found")


class Asked:
    """One request in terms of the world: who asks, and what the path names."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.state: EmulatorState = request.app.state.emulator
        self.account: Account = request.scope["account"]
        self.world: World = self.state.world
        self.now = self.state.clock.now()
        self.render = Renderer(self.world, self.now)
        if request.path_params.get("workspace", self.world.workspace) != self.world.workspace:
            raise not_found("account")

    @property
    def path(self) -> str:
        """The path, as links spell it."""
        return self.request.url.path.replace("/spaces", "/collections")

    @property
    def page(self) -> int:
        """The page asked for; nonsense is the first."""
        text = self.request.query_params.get("page", "1")
        return max(1, int(text)) if text.isdecimal() else 1

    async def body(self) -> dict[str, Any]:
        """The JSON body; anything else is empty."""
        try:
            body = json.loads(await self.request.body() or b"{}")
        except ValueError:
            raise ApiError(400, "bad_request", "The body is no JSON") from None
        return body if isinstance(body, dict) else {}

    def _param(self, name: str) -> str:
        return str(self.request.path_params[name])

    def may_see(self, collection: Collection) -> bool:
        """Whether the account may see a Collection: a Workspace token sees all, a person what is theirs or open."""
        if self.account.kind == "workspace":
            return True
        return collection.owner == self.account.username or (collection.owner is None and not collection.restricted)

    def collection(self) -> Collection:
        """The Collection that the path names."""
        found = self.world.collections.get(self._param("collection"))
        if found is None or not self.may_see(found):
            raise not_found("space")
        if found.forbidden:
            raise ApiError(403, "forbidden", "You do not have permission to view this collection")
        return found

    def report(self) -> Report:
        """The Report that the path names."""
        found = self.world.reports.get(self._param("report"))
        if found is None or not self.may_see(self.world.collections[found.collection]):
            raise not_found("report")
        return found

    def run(self) -> Run:
        """The Report run that the path names."""
        found = self.world.find_run(self.report(), self._param("run"), self.now)
        if found is None:
            raise not_found("report run")
        return found

    def schedule(self) -> Schedule:
        """The schedule that the path names."""
        found = self.world.schedules.get(self._param("schedule"))
        if found is None or found.report != self.report().token:
            raise not_found("ReportSchedule")
        return found

    def subscription(self) -> Subscription:
        """The subscription that the path names."""
        report = self.report()
        found = self.world.subscriptions.get(self._param("subscription"))
        if found is None or self.world.schedules[found.schedule].report != report.token:
            raise not_found("ReportSubscription")
        return found

    def paged(self, key: str, rows: list[Any], render: Any, *, counters: bool = False) -> Body:
        """One fixed page of a listing, whatever `per_page` asks for."""
        start = (self.page - 1) * _PER_PAGE
        shown = [render(row) for row in rows[start : start + _PER_PAGE]]
        block = pagination(self.page, _PER_PAGE, len(shown), len(rows)) if counters else None
        return listing(self.path, key, shown, block)
