# SPDX-License-Identifier: Apache-2.0
"""What every API request passes before and after its endpoint: credentials, the rate limit, faults, the log."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import re
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.faults import Fault
from airflow_provider_studio.emulator.serializers.hal import HAL, error, json_response
from airflow_provider_studio.emulator.state import ACCOUNTS, Account, EmulatorState, LoggedRequest
from airflow_provider_studio.emulator.tls import TlsConnection

_LOGIN_PAGE = "<!doctype html><title>Sign in</title><h1>Sign in to continue</h1>"
_FOR_ANYBODY = re.compile(r"/api/(?!verify$|account$)[^/]+")
_PIECES = 8
_STRANGER = (
    "Not authorized: this is an emulator of Studio, which knows the tokens "
    f"{', '.join(ACCOUNTS)} alone, and these only with their public secret"
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
"""What a `status` fault says where its body is not given."""
_TLS_FAULTS: dict[str, Callable[[TlsConnection], None]] = {
    "tls_alert": TlsConnection.send_alert,
    "tls_plain_text": TlsConnection.send_plain_text,
    "tls_no_close_notify": TlsConnection.close,
}
_log = logging.getLogger("airflow_provider_studio.emulator")


class ApiMiddleware:
    """The outermost ASGI application.

    :param api: the API; it finds who asks in `scope["account"]`, and the state in `scope["emulator"]`.
    :param others: what stands outside the API; it finds the state there, too.
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
            if header is None and _FOR_ANYBODY.fullmatch(scope["path"]):
                return None
            self._warn_of_strangers(header)
            return json_response(error("unauthorized", self._why(header)), 401)
        limits = self._state.limits
        if limits.enabled and not limits.of(account.token, account.username, scope["path"])[0].take():
            return json_response(error("rate_limited", "Too many requests"), 429)
        return None

    def _why(self, header: str | None) -> str:
        known = ACCOUNTS.get(_decoded(header or "").partition(":")[0])
        standing = self._state.standing_of(known) if known else "active"
        return _STRANGER if standing == "active" else f"Not authorized: the token is {standing}"

    def _warn_of_strangers(self, header: str | None) -> None:
        """Somebody may have pointed a real connection at an emulator; say so once, and keep nothing of it."""
        if header is not None and not self._warned and not any(token in _decoded(header) for token in ACCOUNTS):
            self._warned = True
            _log.warning(
                "Refused credentials that are not the emulator's. If they are a real workspace's: they were neither "
                "kept nor sent on, but the connection that holds them points at an emulator."
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
        elif fault.kind == "lose_response":
            await self._api(scope, receive, exchange.swallow)
            exchange.drop()
        elif fault.kind == "truncate":
            await self._api(scope, receive, exchange.cut)
            exchange.drop()
        elif fault.kind in _TLS_FAULTS:
            await self._api(scope, receive, exchange.swallow)
            exchange.break_tls(_TLS_FAULTS[fault.kind])
        else:
            await _answer(fault)(scope, receive, exchange.send)


class _Exchange:
    """One request's way out: adds the headers, writes the log, and can break off."""

    def __init__(self, state: EmulatorState, scope: Scope, send: Send, account: Account | None) -> None:
        self.scope = scope
        self.dribble_seconds = 0.0
        self._state, self._send, self._account = state, send, account
        self._logged = False

    async def send(self, message: Message) -> None:
        """Send on, with the rate limit's headers."""
        if message["type"] == "http.response.start":
            self._log(message["status"])
            message = {**message, "headers": [*message["headers"], *self._limit_headers(message["status"])]}
        await self._send(message)

    async def swallow(self, message: Message) -> None:
        """Send nothing, but remember that it was answered."""

    async def cut(self, message: Message) -> None:
        """Promise the whole body and send a part of it."""
        if message["type"] == "http.response.body":
            message = {**message, "body": message["body"][: len(message["body"]) // 2], "more_body": True}
        await self.send(message)

    async def dribble(self, message: Message) -> None:
        """Send the body bit by bit."""
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
        if cycle is not None:  # uvicorn's; ASGI itself has no word for this
            cycle.transport.abort()

    def break_tls(self, how: Callable[[TlsConnection], None]) -> None:
        """Break the connection at the level of TLS."""
        self._log(0)
        how(TlsConnection(self._send.__self__.transport))  # type: ignore[attr-defined]  # uvicorn's, as in `drop`

    def _log(self, status: int) -> None:
        if self._logged:
            return
        self._logged = True
        requests = self._state.log.requests
        number = requests[-1].n + 1 if requests else 1
        token = self._account.token if self._account else None
        at = stamp(self._state.clock.now()) or ""
        requests.append(LoggedRequest(number, at, self.scope["method"], self.scope["path"], status, token))

    def _limit_headers(self, status: int) -> list[tuple[bytes, bytes]]:
        limits, account = self._state.limits, self._account
        if account is None or not limits.enabled:
            return []
        counted, limit = limits.of(account.token, account.username, self.scope["path"])
        headers = []
        if limits.headers:
            headers.append((b"x-ratelimit-limit", str(limit).encode()))
            headers.append((b"x-ratelimit-remaining", str(max(0, counted.remaining())).encode()))
        if limits.retry_after and status == 429:
            headers.append((b"retry-after", str(round(limits.interval_seconds)).encode()))
        return headers


def _decoded(header: str) -> str:
    """What an Authorization header's base64 says; nothing where it is none."""
    try:
        return base64.b64decode(header.partition(" ")[2], validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _account(state: EmulatorState, header: str | None) -> Account | None:
    """Whom an Authorization header stands for; None where it opens nothing."""
    if header is None:
        return None
    if header.lower().startswith("basic "):
        token, _, secret = _decoded(header).partition(":")
        return state.account_of(token, secret)
    return state.signer_of(_decoded(header)) if header.lower().startswith("bearer ") else None


def _answer(fault: Fault) -> Response:
    if fault.kind == "html":
        return HTMLResponse(_LOGIN_PAGE, fault.status or 200)
    if fault.kind == "garbage":
        return Response('{"_links": {"self": {"hr', media_type=HAL)
    status = fault.status or 500
    answer = json_response(fault.body or error(*_ERRORS.get(status, _ERRORS[500])), status)
    answer.headers.update(fault.headers)
    return answer
