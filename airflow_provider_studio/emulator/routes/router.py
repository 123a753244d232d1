# SPDX-License-Identifier: Apache-2.0
"""All endpoints, and the responses for those that are not emulated."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from airflow_provider_studio.emulator.request import ApiError
from airflow_provider_studio.emulator.routes import (
    audit_logs,
    collections,
    datasets,
    discovery,
    identity,
    records,
    reports,
    runs,
    schedules,
)
from airflow_provider_studio.emulator.routes.endpoint import API_ROOT

NOT_EMULATED = {
    ("DELETE", "/reports/schedules/v1/bulk_delete"): "deleting schedules in bulk: its parameters are not documented",
    ("GET", "/reports"): "a list of a whole workspace's Reports: whether there is one is unknown",
    ("GET", "/schedules"): "a list of a whole workspace's schedules: whether there is one is unknown",
    ("GET", "/report_views"): "the list of views: its shape is not documented",
    ("GET", "/reports/{report}/pins"): "pins",
    ("GET", "/reports/{report}/layout_cells"): "layout cells",
    ("GET", "/reports/{report}/notebooks/{notebook}"): "notebooks",
    ("GET", "/reports/{report}/perspective_email_report_subscription_memberships"): "perspective subscriptions",
    ("GET", "/reports/{report}/queries/{query}/runs"): "the runs of one query over all Report runs",
    ("GET", "/reports/{report}/schedules/{schedule}/runs"): "the runs of one schedule",
    ("GET", "/spaces/{space}/detail"): "a Collection's details",
    ("GET", "/spaces/{space}/report_pins"): "pins",
    ("GET", "/spaces/{space}/viewed"): "who viewed a Collection",
    ("GET", "/spaces/{space}/permissions/search"): "permissions",
    ("GET", "/spaces/{space}/memberships/preview"): "the preview of memberships",
    ("GET", "/data_sources/{data_source}/permissions"): "permissions",
}
"""Endpoints that real responses link to or the API's description lists; the emulator responds 501 with the reason."""


_SPELLED_COLLECTIONS = re.compile(r"^(/api/[^/]+)/collections(?=/|$)")


class Api:
    """The API as an ASGI application. Paths may contain `spaces` or `collections`, and may end in a slash."""

    def __init__(self) -> None:
        self._by_shape: dict[tuple[str, int], list[Route]] = {}
        for route in api_routes():
            for method in route.methods or ():
                self._by_shape.setdefault((method, route.path.count("/")), []).append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to its endpoint."""
        path = scope["path"].rstrip("/")
        scope = {**scope, "path": _SPELLED_COLLECTIONS.sub(r"\1/spaces", path)}
        for route in self._by_shape.get((scope["method"], scope["path"].count("/")), ()):
            match, found = route.matches(scope)
            if match is Match.FULL:
                await route.handle({**scope, **found}, receive, send)
                return
        await ApiError(404, "not_found", "request path not recognized").response()(scope, receive, send)


def api_routes() -> list[Route]:
    """Return all endpoints, the more specific paths first."""
    emulated = [
        *identity.routes,
        *audit_logs.routes,
        *collections.routes,
        *schedules.routes,
        *runs.routes,
        *records.routes,
        *datasets.routes,
        *reports.routes,
        *discovery.routes,
    ]
    missing = [_missing(method, path, what) for (method, path), what in NOT_EMULATED.items()]
    return [*missing, *sorted(emulated, key=lambda route: "{" in route.path.rsplit("/", 1)[-1])]


def _missing(method: str, path: str, what: str) -> Route:
    async def handle(_request: Request) -> Response:
        return ApiError(501, "not_implemented", f"The emulator does not emulate {what}").response()

    return Route(API_ROOT + path, handle, methods=[method])
