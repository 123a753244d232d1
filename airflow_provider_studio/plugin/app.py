# SPDX-License-Identifier: Apache-2.0
"""The app behind the pages. Each of its routes asks Airflow first; there is no way to add one that does not.

Airflow mounts a plugin's app without any check of its own. The check stands on the router that all routes belong to,
static files too, and FastAPI's own pages (`/docs`, `/openapi.json`) are not made.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as NotRouted

from airflow_provider_studio.client.errors import StudioError
from airflow_provider_studio.plugin.access import MAY_READ
from airflow_provider_studio.plugin.rendering import SECURITY_HEADERS, page
from airflow_provider_studio.plugin.routes import budget, overview, plans, reports, runs, static
from airflow_provider_studio.plugin.waiting import StillPreparingError, TooSlowError

log = logging.getLogger(__name__)


def create_app() -> FastAPI:
    """Return the app."""
    app = FastAPI(title="Studio", openapi_url=None, docs_url=None, redoc_url=None)
    closed = APIRouter(dependencies=[MAY_READ])
    for part in (overview, reports, plans, budget, runs, static):
        closed.include_router(part.router)
    app.include_router(closed)
    app.middleware("http")(_with_headers)
    app.exception_handler(StillPreparingError)(_still_preparing)
    app.exception_handler(TooSlowError)(_unreadable)
    app.exception_handler(StudioError)(_unreadable)
    app.exception_handler(RequestValidationError)(_bad_request)
    app.exception_handler(NotRouted)(_refused)
    return app


async def _with_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _still_preparing(request: Request, error: Exception) -> Response:
    answer = page(request, "preparing.html", {"message": str(error)}, status=503)
    answer.headers["Retry-After"] = "3"
    return answer


def _unreadable(request: Request, error: Exception) -> Response:
    """What storage holds cannot be read: say what, and what to do; never a trace."""
    log.warning("Studio page %s: %s", request.url.path, error)
    title = "Storage cannot be read"
    return page(request, "problem.html", {"title": title, "message": str(error), "advice": _STORAGE_ADVICE}, status=503)


def _bad_request(request: Request, error: Exception) -> Response:
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": ("?",), "msg": "not understood"}
    message = f"The parameter {first['loc'][-1]!r} of this address cannot be used: {first['msg']}."
    context = {"title": "This address is not right", "message": message, "advice": "Go back to the overview."}
    return page(request, "problem.html", context, status=422)


def _refused(request: Request, error: Exception) -> Response:
    """Answer what is not there, and what Airflow refuses, as a page."""
    status = error.status_code if isinstance(error, NotRouted | HTTPException) else 500
    title, advice = _REFUSALS.get(status, ("This did not work", "Go back to the overview."))
    detail = str(getattr(error, "detail", "") or "")
    return page(request, "problem.html", {"title": title, "message": detail, "advice": advice}, status=status)


_STORAGE_ADVICE = (
    "Check [studio] storage_path, and that the API server may read it. The pages come back by themselves when it can."
)
_REFUSALS = {
    401: ("You are not logged in", "Log in to Airflow, then open this page again."),
    403: ("You may not see this", "Ask an Airflow admin for leave to read assets, and DAGs where a page is about one."),
    404: ("There is no such page", "It may have been removed since. Go back to the overview."),
    405: ("Pages are only read here", "Use the DAGs to change anything."),
}
