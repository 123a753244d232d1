# SPDX-License-Identifier: Apache-2.0
"""Serve a cassette, which `airflow studio doctor --record` wrote, instead of an emulated API.

A request gets the recorded response to the same path and query. Responses to a repeated request come in the recorded
order, and the last of them again after that. `Date` is as far from this machine's clock as it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from airflow_provider_studio.emulator.request import ApiError
from airflow_provider_studio.emulator.state import SECRET, EmulatorState, Signature

_FORMAT = 1
_STUDIO = "https://studio.example"
"""The host of the recorded service in links."""
_SIGNATURE = "emulator-batch"
Key = tuple[str, str, frozenset[tuple[str, str]]]


class Replay:
    """The recorded API as an ASGI application.

    :param path: the cassette.
    :raises OSError: the file cannot be read.
    :raises ValueError: it is no cassette; names the line.
    """

    def __init__(self, path: Path) -> None:
        lines = path.read_text(encoding="utf-8").splitlines()
        self._responses: dict[Key, list[dict[str, Any]]] = {}
        header = _parsed(lines, 0)
        if header.get("format") != _FORMAT or not isinstance(header.get("workspace"), str):
            raise ValueError("this is no cassette of `airflow studio doctor --record`: line 1 is not its header")
        self.workspace: str = header["workspace"]
        for number in range(1, len(lines)):
            self._add(_parsed(lines, number), number + 1)

    @property
    def has_discovery(self) -> bool:
        """Whether it has responses of the Discovery API."""
        return any(path.startswith("/batch/") for _, path, _ in self._responses)

    def prepare(self, state: EmulatorState) -> None:
        """Let an emulator accept a signature token of the Discovery API, and add no headers of its own."""
        ends = datetime.max.replace(tzinfo=UTC)
        state.signatures[_SIGNATURE] = Signature(_SIGNATURE, _SIGNATURE, SECRET, ends)
        state.workspace.quirks.date_header = "absent"
        state.limits.configure(enabled=False)

    def extra(self) -> dict[str, str]:
        """Return the extras of a connection with which the doctor can ask what it asked when it was recorded."""
        names = ("discovery_token", "discovery_access_key", "discovery_access_secret")
        values = (_SIGNATURE, _SIGNATURE, SECRET)
        return dict(zip(names, values, strict=True)) if self.has_discovery else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request."""
        query = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
        recorded = self._responses.get((scope["method"], scope["path"], frozenset(query)))
        if recorded is None:
            await ApiError(404, "not_found", "the cassette has no such request").response()(scope, receive, send)
            return
        found = recorded[0] if len(recorded) == 1 else recorded.pop(0)
        await _response(found, f"{scope['scheme']}://{scope['server'][0]}:{scope['server'][1]}")(scope, receive, send)

    def _add(self, exchange: Mapping[str, Any], line: int) -> None:
        method, path, query, status = (exchange.get(name) for name in ("method", "path", "query", "status"))
        is_usable = isinstance(method, str) and isinstance(path, str) and isinstance(query, dict)
        if not is_usable or not isinstance(status, int) or not 100 <= status < 600:
            raise ValueError(f"line {line} of the cassette is no exchange")
        key = (str(method), str(path), frozenset((str(name), str(value)) for name, value in dict(query or {}).items()))
        self._responses.setdefault(key, []).append(dict(exchange))


def _parsed(lines: list[str], number: int) -> dict[str, Any]:
    try:
        found = json.loads(lines[number])
    except (ValueError, IndexError):
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"this is no cassette: line {number + 1} is no JSON object")  # noqa: TRY004  the file is wrong
    return found


def _response(exchange: Mapping[str, Any], origin: str) -> Response:
    body, headers, offset = exchange.get("body"), exchange.get("headers"), exchange.get("clock_offset_seconds")
    text = "" if body is None else json.dumps(body, ensure_ascii=False).replace(f'"{_STUDIO}', f'"{origin}')
    response = Response(text.encode(), exchange["status"])
    for name, value in (headers if isinstance(headers, dict) else {}).items():
        response.headers[str(name)] = str(value)
    if isinstance(offset, int | float):
        response.headers["date"] = format_datetime(datetime.now(UTC) + timedelta(seconds=offset), usegmt=True)
    return response
