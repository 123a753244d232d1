# SPDX-License-Identifier: Apache-2.0
"""What happens before and after each API request: credentials, the rate limit, faults, the log."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import re
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.faults import Fault
from airflow_provider_studio.emulator.hostile_bodies import LARGE_RESPONSES, UNREADABLE_BODIES, long_message
from airflow_provider_studio.emulator.serializers.hal import HAL, error, json_response
from airflow_provider_studio.emulator.state import ACCOUNTS, Account, EmulatorState, LoggedRequest
from airflow_provider_studio.emulator.tls import TlsConnection

_LOGIN_PAGE = "<!doctype html><title>Sign in</title><h1>Sign in to continue</h1>"
_PUBLIC_PATH = re.compile(r"/api/(?!(?:verify|account)/?$)[^/]+/?")
_PIECES = 8
_UNKNOWN_CREDENTIALS = (
    "Not authorized: this is an emulator of Studio, which accepts only the tokens "
    f"{', '.join(ACCOUNTS)}, each with the public secret"
)
_ERRORS: dict[int, tuple[str, Any]] = {
    400: ("bad_request", "Bad request"),
    401: ("unauthorized", "Not authorized"),
    403: ("forbidden", "You do not have permission to do this"),
    404: ("not_found", "report not found"),
    413: ("payload_too_large", "The request is too large"),
    422: ("bad_request", {"name": ["is invalid"]}),  # its message may be a dict
    429: ("rate_limited", "Too many requests"),
    500: ("internal_server_error", "Something went wrong"),
    503: ("service_unavailable", "Temporarily unavailable"),
}
"""The default body of a `status` fault."""
_TLS_FAULTS: dict[str, Callable[[TlsConnection], None]] = {
    "tls_alert": TlsConnection.send_alert,
    "tls_plain_text": TlsConnection.send_plain_text,
    "tls_no_close_notify": TlsConnection.close,
}
_AFTER_EFFECT = frozenset({"lose_response", "status_after_effect", "mix_up", *_TLS_FAULTS})
_log = logging.getLogger("airflow_provider_studio.emulator")


class ApiMiddleware:
    """The outermost ASGI application.

    :param api: the API; it reads the caller from `scope["account"]` and the state from `scope["emulator"]`.
    :param others: everything outside the API; it reads the state from there, too.
    """

    def __init__(self, api: ASGIApp, others: ASGIApp, state: EmulatorState) -> None:
        self._api, self._others = api, others
        self._state = state
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        scope["emulator"] = self._state
        if scope["type"] != "http" or not scope["path"].startswith(("/api/", "/batch/")):
            await self._others(scope, receive, send)
            return
        header = Headers(scope=scope).get("authorization")
        account = _account(self._state, header)
        exchange = _Exchange(self._state, scope, send, account)
        refusal = self._refusal(account, scope, header)
        if refusal is not None:
            await refusal(scope, receive, exchange.send)
            return
        scope["account"] = account
        fault = self._state.faults.next_for(scope["method"], scope["path"])
        if fault is None:
            await self._api(scope, receive, exchange.send)
        else:
            await self._with_fault(fault, exchange, receive)

    def _refusal(self, account: Account | None, scope: Scope, header: str | None) -> Response | None:
        if account is None:
            if header is None and _PUBLIC_PATH.fullmatch(scope["path"]):
                return None
            if _is_refused_format(scope):
                return None
            self._warn_of_unknown_credentials(header)
            return json_response(error("unauthorized", self._reason(header)), 401)
        limits = self._state.limits
        if limits.enabled and not limits.of(account.token, account.username, scope["path"])[0].take():
            return json_response(error("rate_limited", "Too many requests"), 429)
        return None

    def _reason(self, header: str | None) -> str:
        known = ACCOUNTS.get(_decoded(header or "").partition(":")[0])
        standing = self._state.standing_of(known) if known else "active"
        return _UNKNOWN_CREDENTIALS if standing == "active" else f"Not authorized: the token is {standing}"

    def _warn_of_unknown_credentials(self, header: str | None) -> None:
        """Warn once that a real connection may point at an emulator; do not store the credentials."""
        if header is not None and not self._warned and not any(token in _decoded(header) for token in ACCOUNTS):
            self._warned = True
            _log.warning(
                "Refused credentials that are not the emulator's; they were neither stored nor forwarded. If they are "
                "those of a real workspace, the connection that holds them points at an emulator."
            )

    async def _with_fault(self, fault: Fault, exchange: _Exchange, receive: Receive) -> None:
        scope = exchange.scope
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            await self._api(scope, receive, exchange.send)
        elif fault.kind == "dribble":
            exchange.dribble_seconds = fault.seconds
            await self._api(scope, receive, exchange.dribble)
        elif fault.kind == "reset":
            exchange.drop()
        elif fault.kind == "no_effect":
            await self._api({**scope, "workspace": deepcopy(self._state.workspace)}, receive, exchange.send)
        elif fault.kind == "truncate":
            await self._api(scope, receive, exchange.cut)
            exchange.drop()
        elif fault.kind in _AFTER_EFFECT:
            await self._api(scope, receive, exchange.swallow)
            await self._after_effect(fault, exchange)
        else:
            await _faulty_response(fault, scope)(scope, receive, exchange.send)

    async def _after_effect(self, fault: Fault, exchange: _Exchange) -> None:
        """Respond to a request that had its effect, and whose own response was not sent."""
        if fault.kind == "lose_response":
            exchange.drop()
        elif fault.kind == "status_after_effect":
            await _faulty_response(fault, exchange.scope)(exchange.scope, _no_body, exchange.send)
        elif fault.kind == "mix_up":
            await self._api({**exchange.scope, "method": "GET", "path": fault.other_path}, _no_body, exchange.send)
        else:
            exchange.break_tls(_TLS_FAULTS[fault.kind])


class _Exchange:
    """Sends the response to one request: adds headers, writes the log, and can break the connection off."""

    def __init__(self, state: EmulatorState, scope: Scope, send: Send, account: Account | None) -> None:
        self.scope = scope
        self.dribble_seconds = 0.0
        self._state, self._send, self._account = state, send, account
        self._logged = False

    async def send(self, message: Message) -> None:
        """Send the response with the rate limit's headers."""
        if message["type"] == "http.response.start":
            self._log(message["status"])
            headers = [*message["headers"], *self._limit_headers(message["status"])]
            if not any(name.lower() == b"date" for name, _ in headers):
                headers += self._date_headers()
            message = {**message, "headers": headers}
        await self._send(message)

    async def swallow(self, message: Message) -> None:
        """Send nothing."""

    async def cut(self, message: Message) -> None:
        """Announce the whole body and send a part of it."""
        if message["type"] == "http.response.body":
            message = {**message, "body": message["body"][: len(message["body"]) // 2], "more_body": True}
        await self.send(message)

    async def dribble(self, message: Message) -> None:
        """Send the body in small pieces."""
        if message["type"] != "http.response.body":
            await self.send(message)
            return
        body, size = message["body"], len(message["body"]) // _PIECES + 1
        for start in range(0, len(body), size):
            await asyncio.sleep(self.dribble_seconds / _PIECES)
            await self.send({**message, "body": body[start : start + size], "more_body": True})
        await self.send({**message, "body": b"", "more_body": False})

    def drop(self) -> None:
        """Break the connection off."""
        self._log(0)
        cycle = getattr(self._send, "__self__", None)
        if cycle is not None:  # uvicorn's; ASGI itself cannot do this
            cycle.transport.abort()

    def break_tls(self, fault: Callable[[TlsConnection], None]) -> None:
        """Break the connection at the level of TLS."""
        self._log(0)
        fault(TlsConnection(self._send.__self__.transport))  # type: ignore[attr-defined]  # uvicorn's, as in `drop`

    def _log(self, status: int) -> None:
        if self._logged:
            return
        self._logged = True
        requests = self._state.log.requests
        number = requests[-1].n + 1 if requests else 1
        token = self._account.token if self._account else None
        at = stamp(self._state.clock.now()) or ""
        requests.append(LoggedRequest(number, at, self.scope["method"], self.scope["path"], status, token))

    def _date_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the header `Date` as the quirk `date_header` requires."""
        now = {"real": datetime.now(UTC), "workspace": self._state.clock.now(), "absent": None}
        time = now[self._state.workspace.quirks.date_header]
        return [] if time is None else [(b"date", format_datetime(time, usegmt=True).encode())]

    def _limit_headers(self, status: int) -> list[tuple[bytes, bytes]]:
        limits, account = self._state.limits, self._account
        if account is None or not limits.enabled:
            return []
        counter, limit = limits.of(account.token, account.username, self.scope["path"])
        headers = []
        if limits.headers:
            headers.append((b"x-ratelimit-limit", str(limit).encode()))
            headers.append((b"x-ratelimit-remaining", str(max(0, counter.remaining())).encode()))
        if limits.retry_after and status == 429:
            headers.append((b"retry-after", str(round(limits.interval_seconds)).encode()))
        return headers


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def _is_refused_format(scope: Scope) -> bool:
    """Return whether a request of the audit log accepts HAL: that is refused whatever the credentials are."""
    path = scope["path"].rstrip("/")
    return path.endswith("/audit_logs") and "hal+json" in Headers(scope=scope).get("accept", "")


def _decoded(header: str) -> str:
    """Return an Authorization header's base64 decoded; empty if it is not base64."""
    try:
        return base64.b64decode(header.partition(" ")[2], validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _account(state: EmulatorState, header: str | None) -> Account | None:
    """Return the account of an Authorization header, or None if the credentials are not valid."""
    if header is None:
        return None
    if header.lower().startswith("basic "):
        token, _, secret = _decoded(header).partition(":")
        return state.account_of(token, secret)
    return state.signer_of(_decoded(header)) if header.lower().startswith("bearer ") else None


def _faulty_response(fault: Fault, scope: Scope) -> Response:
    if fault.kind == "html":
        return HTMLResponse(_LOGIN_PAGE, fault.status or 200)
    if fault.kind in UNREADABLE_BODIES:
        return Response(UNREADABLE_BODIES[fault.kind], media_type=HAL)
    if fault.kind in LARGE_RESPONSES:
        return LARGE_RESPONSES[fault.kind](fault)
    status = fault.status or 500
    if fault.kind == "long_message":
        authorization = Headers(scope=scope).get("authorization", "")
        return long_message(status, authorization, _decoded(authorization))
    response = json_response(fault.body or error(*_ERRORS.get(status, _ERRORS[500 if status >= 500 else 400])), status)
    response.headers.update(fault.headers)
    return response
