# SPDX-License-Identifier: Apache-2.0
"""Refuses what a page of another site makes a browser on this machine send.

Such a page may post to `localhost`, and with DNS rebinding it may also read: its own name then resolves to this
machine. The first kind of request has an `Origin`, or `Sec-Fetch-Site`, of another site; the second has the page's name
as `Host`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_studio.emulator.serializers.hal import error, json_response

_OWN_SITES = frozenset({"same-origin", "none"})
"""`none` is a person who typed the address."""


class BrowserGuard:
    """Wraps the emulator's ASGI application.

    :param names: names of this host by which it may be requested, besides `localhost` and IP addresses: an address
        does not resolve to another one.
    """

    def __init__(self, app: ASGIApp, names: Collection[str] = ()) -> None:
        self._app = app
        self._names = {"localhost", *(name.casefold() for name in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or respond 403."""
        refusal = self._refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await json_response(error("forbidden", refusal), 403)(scope, receive, send)

    def _refusal(self, headers: Headers) -> str | None:
        host = headers.get("host", "")
        if not self._is_own(host):
            return (
                "The emulator does not have the name in the Host header. Start it with --name to give it another name."
            )
        if headers.get("sec-fetch-site", "none") not in _OWN_SITES or not _is_same(headers.get("origin"), host):
            return "The emulator accepts no request from a page of another site."
        return None

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._names or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_same(origin: str | None, host: str) -> bool:
    return origin is None or origin in {f"http://{host}", f"https://{host}"}
