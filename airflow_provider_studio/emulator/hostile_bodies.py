# SPDX-License-Identifier: Apache-2.0
"""Responses that no client should trust: without an end, compressed a thousandfold, no JSON, or no text for people."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.responses import Response, StreamingResponse

from airflow_provider_studio.emulator.serializers.hal import HAL, error, json_response

UNREADABLE_BODIES: dict[str, bytes] = {
    "garbage": b'{"_links": {"self": {"hr',
    "empty": b"",
    "byte_order_mark": b'\xef\xbb\xbf{"_links": {}}',
    "not_utf8": b'{"name": "caf\xe9"}',
    "duplicate_keys": b'{"token": "0123456789ab", "token": "ba9876543210"}',
    "nan": b'{"view_count": NaN}',
    "infinity": b'{"expected_runtime": 1e999}',
    "huge_number": b'{"id": ' + b"9" * 5_000 + b"}",
    "deep_json": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nested_json": b'{"a": ' + b"[" * 500 + b"]" * 500 + b"}",
}
"""Bodies of status 200, by the kind of fault."""
_BOMB_PART = gzip.compress(b" " * 1_000_000, mtime=0)
_BOMB_PARTS = 1_000
_BOMB_PARTS_AT_ONCE = 50
_TERMINAL_ESCAPES = "\x1b[2J\x1b]0;owned\x07\u202edlrow\u202c\r\n"
_LONG_MESSAGE_CHARACTERS = 5_000_000


def long_message(status: int, authorization: str, credentials: str) -> Response:
    """Return an error of 5 MB that echoes the request's credentials and controls a terminal."""
    start = f"{_TERMINAL_ESCAPES}Authorization: {authorization} ({credentials}) "
    return json_response(error("bad_luck" * 1_000, start.ljust(_LONG_MESSAGE_CHARACTERS, "x")), status)


def endless() -> Response:
    """Return a listing that does not end."""
    return StreamingResponse(_endless_rows(), media_type=HAL)


def gzip_bomb() -> Response:
    """Return 1 GB that gzip compresses to 1 MB."""
    return StreamingResponse(_bomb(), media_type=HAL, headers={"Content-Encoding": "gzip"})


def small_objects() -> Response:
    """Return 15 MB of JSON, valid as such, that becomes five million objects."""
    return Response(b'{"_embedded": {"spaces": [' + b"[]," * 5_000_000 + b"[]]}}", media_type=HAL)


def drip(seconds: float) -> Response:
    """Return a listing that does not end, with one byte every `seconds`."""
    return StreamingResponse(_drops(seconds), media_type=HAL)


LARGE_RESPONSES: dict[str, Callable[[Any], Response]] = {
    "endless": lambda _fault: endless(),
    "gzip_bomb": lambda _fault: gzip_bomb(),
    "drip": lambda fault: drip(fault.seconds),
    "small_objects": lambda _fault: small_objects(),
}
"""Responses of status 200 that are long, or take long, by the kind of fault."""


async def _endless_rows() -> AsyncIterator[bytes]:
    yield b'{"_embedded": {"spaces": ['
    while True:
        yield b'{"token": "0123456789ab"}, ' * 2_000
        await asyncio.sleep(0)


async def _bomb() -> AsyncIterator[bytes]:
    for _ in range(_BOMB_PARTS // _BOMB_PARTS_AT_ONCE):
        yield _BOMB_PART * _BOMB_PARTS_AT_ONCE


async def _drops(seconds: float) -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await asyncio.sleep(seconds)
