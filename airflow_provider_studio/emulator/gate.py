# SPDX-License-Identifier: Apache-2.0
"""What every API request passes before and after its endpoint: credentials, the rate limit, faults, the log."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.faults import Fault
from airflow_provider_studio.emulator.render import error
from airflow_provider_studio.emulator.state import ACCOUNTS, SECRET, Account, EmulatorState, LoggedRequest

_LOGIN_PAGE = "<!doctype html><title>Sign in</title><h1>Sign in to continue</h1>"


class Gate:
    """The outermost ASGI application.

    :param app: the endpoints; they find the account in `scope["account"]`.
    """

    def __init__(self, app: ASGIApp, state: EmulatorState) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not scope["path"].startswith("/api"):
            await self._app(scope, receive, send)
            return
        account = _account(Headers(scope=scope).get("authorization"))
        exchange = _Exchange(self._state, scope, send, account)
        refusal = _refusal(self._state, account)
        if refusal is not None:
            await refusal(scope, receive, exchange.send)
            return
        scope["account"] = account
        fault = self._state.faults.next_for(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, exchange.send)
        else:
            await self._with_fault(fault, exchange, receive)

    async def _with_fault(self, fault: Fault, exchange: _Exchange, receive: Receive) -> None:
        scope = exchange.scope
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            await self._app(scope, receive, exchange.send)
        elif fault.kind == "reset":
            exchange.drop()
        elif fault.kind == "lose_response":
            await self._app(scope, receive, exchange.swallow)
            exchange.drop()
        elif fault.kind == "truncate":
            await self._app(scope, receive, exchange.cut)
            exchange.drop()
        else:
            await _answer(fault)(scope, receive, exchange.send)


class _Exchange:
    """One request's way out: adds the headers, writes the log, and can break off."""

    def __init__(self, state: EmulatorState, scope: Scope, send: Send, account: Account | None) -> None:
        self.scope = scope
        self._state, self._send, self._account = state, send, account
        self._logged = False

    async def send(self, message: Message) -> None:
        """Send on, with the rate limit's headers."""
        if message["type"] == "http.response.start":
            self._log(message["status"])
            message = {**message, "headers": [*message["headers"], *self._limit_headers()]}
        await self._send(message)

    async def swallow(self, message: Message) -> None:
        """Send nothing, but remember that it was answered."""

    async def cut(self, message: Message) -> None:
        """Promise the whole body and send a part of it."""
        if message["type"] == "http.response.body":
            message = {**message, "body": message["body"][: len(message["body"]) // 2], "more_body": True}
        await self.send(message)

    def drop(self) -> None:
        """Break the connection off."""
        self._log(0)
        cycle = getattr(self._send, "__self__", None)
        if cycle is not None:  # uvicorn's; ASGI itself has no word for this
            cycle.transport.abort()

    def _log(self, status: int) -> None:
        if self._logged:
            return
        self._logged = True
        requests = self._state.log.requests
        number = requests[-1].n + 1 if requests else 1
        token = self._account.token if self._account else None
        at = stamp(self._state.clock.now()) or ""
        requests.append(LoggedRequest(number, at, self.scope["method"], self.scope["path"], status, token))

    def _limit_headers(self) -> list[tuple[bytes, bytes]]:
        limits = self._state.limits
        if self._account is None or not limits.enabled:
            return []
        remaining = limits.of(self._account.token).remaining()
        return [
            (b"x-ratelimit-limit", str(limits.limit).encode()),
            (b"x-ratelimit-remaining", str(max(0, remaining)).encode()),
        ]


def _account(header: str | None) -> Account | None:
    """Whom a basic Authorization header stands for; None where it opens nothing."""
    scheme, _, encoded = (header or "").partition(" ")
    try:
        token, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    valid = scheme.lower() == "basic" and secrets.compare_digest(secret.encode(), SECRET.encode())
    return ACCOUNTS.get(token) if valid else None


def _refusal(state: EmulatorState, account: Account | None) -> Response | None:
    if account is None:
        return JSONResponse(error("unauthorized", "Not authorized"), 401)
    if state.limits.enabled and not state.limits.of(account.token).take():
        return JSONResponse(error("rate_limited", "Too many requests"), 429)
    return None


def _answer(fault: Fault) -> Response:
    if fault.kind == "html":
        return HTMLResponse(_LOGIN_PAGE)
    if fault.kind == "garbage":
        return Response('{"_links": {"self": {"hr', media_type="application/hal+json")
    body: dict[str, Any] = fault.body or error("internal_server_error", "Something went wrong")
    return Response(json.dumps(body), fault.status, fault.headers, media_type="application/hal+json")
