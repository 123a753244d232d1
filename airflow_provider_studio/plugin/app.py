# SPDX-License-Identifier: Apache-2.0
"""The app of the pages. Airflow checks the permission for each of its routes, and no route can be added without it.

Airflow mounts a plugin's app without any check. So the check is a dependency of the router that all routes belong to,
static files too, and FastAPI's own pages (`/docs`, `/openapi.json`) are switched off.
"""

from __future__ import annotations

import logging

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException as NotRouted
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_studio.client.errors import StudioConfigurationError, StudioError
from airflow_provider_studio.governance.errors import PlanTamperedError
from airflow_provider_studio.plugin.access import MAY_READ
from airflow_provider_studio.plugin.cache import StillPreparingError, TooSlowError
from airflow_provider_studio.plugin.csv_export import ClientGoneError
from airflow_provider_studio.plugin.query_limits import BusyError
from airflow_provider_studio.plugin.rendering import SECURITY_HEADERS, page
from airflow_provider_studio.plugin.routes import budget, overview, plans, reports, runs, static

log = logging.getLogger(__name__)


def create_app() -> FastAPI:
    """Return the app."""
    app = FastAPI(title="Studio", openapi_url=None, docs_url=None, redoc_url=None)
    checked = APIRouter(dependencies=[MAY_READ])
    for module in (overview, reports, plans, budget, runs, static):
        checked.include_router(module.router)
    app.include_router(checked)
    app.add_middleware(_EveryResponse)
    app.exception_handler(StillPreparingError)(_still_preparing)
    app.exception_handler(BusyError)(_busy)
    app.exception_handler(TooSlowError)(_unreadable)
    app.exception_handler(StudioError)(_unreadable)
    app.exception_handler(StudioConfigurationError)(_misconfigured)
    app.exception_handler(PlanTamperedError)(_changed)
    app.exception_handler(ClientGoneError)(_client_gone)
    app.exception_handler(RequestValidationError)(_bad_request)
    app.exception_handler(NotRouted)(_refused)
    return app


class _EveryResponse:
    """Adds the headers to every response that does not set them, and answers unexpected errors.

    Starlette's own handler of these raises the error again, through Airflow's middleware. Its `BaseHTTPMiddleware`
    would end a response that fails in the middle as if it were complete.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            if begun or scope["type"] != "http":
                raise
            log.exception("Studio page %s failed", scope["path"])
            await _failed(Request(scope))(scope, receive, send_with_headers)


def _still_preparing(request: Request, error: Exception) -> Response:
    return _later(request, str(error), seconds=3)


def _busy(request: Request, error: Exception) -> Response:
    log.warning("Studio page %s: %s", request.url.path, error)
    return _later(request, str(error), seconds=5)


def _later(request: Request, message: str, *, seconds: int) -> Response:
    """Return a page that reloads itself."""
    response: Response
    if _is_download(request):
        response = PlainTextResponse(f"{message} Try again in {seconds} seconds.\n", status_code=503)
    else:
        response = page(request, "preparing.html", {"message": message, "seconds": seconds}, status=503)
    response.headers["Retry-After"] = str(seconds)
    return response


def _unreadable(request: Request, error: Exception) -> Response:
    """Return a page that says what cannot be read from storage, and what to do; never a traceback."""
    log.warning("Studio page %s: %s", request.url.path, error)
    response = _problem(request, "Storage cannot be read", str(error), _STORAGE_ADVICE, status=503)
    response.headers["Retry-After"] = "5"
    return response


def _misconfigured(request: Request, error: Exception) -> Response:
    log.warning("Studio page %s: %s", request.url.path, error)
    return _problem(request, "A setting cannot be used", str(error), "Ask an Airflow admin to correct it.", status=503)


def _changed(request: Request, error: Exception) -> Response:
    log.error("Studio page %s: %s", request.url.path, error)
    advice = "Find out who can write below [studio] storage_path, and whether they did."
    return _problem(request, "This plan was changed after it was made", str(error), advice, status=409)


def _client_gone(request: Request, _error: Exception) -> Response:
    log.info("Studio page %s: the client disconnected before its export was ready.", request.url.path)
    return Response(status_code=499)


def _bad_request(request: Request, error: Exception) -> Response:
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": ("?",), "msg": "not understood"}
    message = f"The parameter {first['loc'][-1]!r} of this URL cannot be used: {first['msg']}."
    return _problem(request, "This URL is not valid", message, "Go back to the overview.", status=422)


def _refused(request: Request, error: Exception) -> Response:
    """Return a page for what does not exist, and for what Airflow refuses."""
    status = error.status_code if isinstance(error, NotRouted | HTTPException) else 500
    title, advice = _REFUSALS.get(status, ("This did not work", "Go back to the overview."))
    return _problem(request, title, str(getattr(error, "detail", "") or ""), advice, status=status)


def _failed(request: Request) -> Response:
    """Return a page for an unexpected error."""
    advice = "The log of Airflow's API server has the reason. Go back to the overview."
    return _problem(request, "This page failed", "", advice, status=500)


def _problem(request: Request, title: str, message: str, advice: str, *, status: int) -> Response:
    if _is_download(request):
        return PlainTextResponse(f"{title}. {message} {advice}\n", status_code=status)
    return page(request, "problem.html", {"title": title, "message": message, "advice": advice}, status=status)


def _is_download(request: Request) -> bool:
    return request.url.path.endswith(".csv")


_STORAGE_ADVICE = "Check [studio] storage_path, and that the API server may read it. Then load the page again."
_REFUSALS = {
    401: ("You are not logged in", "Log in to Airflow, then open this page again."),
    403: (
        "You may not see this",
        "Ask an Airflow admin for permission to read assets, and the DAG of the page.",
    ),
    404: ("There is no such page", "It may have been removed. Go back to the overview."),
    405: ("These pages are read-only", "Use the DAGs to change anything."),
}
