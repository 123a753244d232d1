# SPDX-License-Identifier: Apache-2.0
"""Frames of HTTP that no library would send: each ends in a bounded time and memory, with a typed error."""

from __future__ import annotations

import gzip
from contextlib import suppress

import pytest

from airflow_provider_studio.client.auth import Credentials, TokenKind
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioConnectionError,
    StudioError,
    StudioResponseError,
    StudioResponseTooLargeError,
)
from airflow_provider_studio.client.ratelimit import RateLimiter
from airflow_provider_studio.client.retry_policy import RetryPolicy
from tests.raw_server import RawServer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def client_at(server: RawServer, timeout_seconds: float = 10.0) -> StudioClient:
    """A client that sends once and reads at most 1 MB."""
    return StudioClient(
        Credentials("acme", "token", "hush-hush", server.url, TokenKind.WORKSPACE),
        limiter=RateLimiter.unlimited(),
        timeout_seconds=timeout_seconds,
        retries=RetryPolicy(attempts=1, unreadable_attempts=1),
        max_response_mb=1,
    )


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
WHOLE = gzip.compress(b'{"workspace": "acme"}')
RAW = {
    "headers without an end": (HEAD, b"X-More: " + b"x" * 60_000 + b"\r\n"),
    "a header without an end": (HEAD + b"X-More: ", b"x" * 65_536),
    "interim responses without an end": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000),
    "a size of a chunk without an end": (CHUNKED, b"0" * 65_536),
    "an extension of a chunk without an end": (CHUNKED + b"5;", b"x" * 65_536),
    "chunks of one byte without an end": (CHUNKED, b"1\r\n \r\n" * 10_000),
    "trailers without an end": (CHUNKED + b"1\r\n \r\n0\r\n", b"X-More: xxxxxxxxxx\r\n" * 3_000),
    "a status line without an end": (b"HTTP/1.1 200 ", b"x" * 65_536),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", b"x" * 65_536),
}


@pytest.mark.parametrize("name", RAW)
def test_frames_of_http_without_an_end_are_errors_too(name: str) -> None:
    start, endless = RAW[name]
    with (
        RawServer(start, endless) as server,
        client_at(server) as client,
    ):
        with pytest.raises((StudioConnectionError, StudioResponseError)):
            client.verify()
        assert server.sent_bytes < 10_000_000


@pytest.mark.parametrize("start", [b"", HEAD + b"X-More: "], ids=["status", "headers"])
def test_headers_that_drip_end_after_twice_the_timeout(start: bytes) -> None:
    with (
        RawServer(start, b"x", pause=0.05) as server,
        client_at(server, timeout_seconds=0.5) as client,
        pytest.raises(StudioConnectionError, match=r"not complete within 1 s"),
    ):
        client.verify()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Content-Encoding: gzip", WHOLE[:-8] + b"damaged!"),
        (b"Content-Encoding: gzip", b"no gzip at all"),
        (b"Content-Encoding: gzip, gzip, gzip", gzip.compress(gzip.compress(WHOLE))),
        (b"Content-Encoding: br", WHOLE),
        (b"Content-Encoding: \x1b[2Jzstd", WHOLE),
    ],
    ids=["damaged", "not compressed", "three times", "brotli", "with an escape sequence"],
)
def test_a_compression_that_is_damaged_or_was_not_requested_is_an_error_of_the_response(
    headers: bytes, body: bytes
) -> None:
    head = HEAD + headers + f"\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with RawServer(head + body) as server, client_at(server) as client:
        with pytest.raises(StudioResponseError) as caught:
            client.verify()
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("length", [b"x", b"-1", b"1, 2", b"9" * 5_000, b""], ids=range(5))
def test_a_length_that_makes_no_sense_raises_nothing_else(length: bytes) -> None:
    head = HEAD + b"Content-Length: " + length + b"\r\n\r\n"
    with RawServer(head + b'{"workspace": "acme"}') as server, client_at(server) as client, suppress(StudioError):
        assert client.verify().workspace == "acme"


def test_the_body_of_a_redirect_is_limited_too() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    head = b"HTTP/1.1 302 Found\r\nLocation: https://example.com/\r\nContent-Encoding: gzip\r\n"
    head += f"Content-Length: {len(bomb)}\r\n\r\n".encode()
    with RawServer(head + bomb) as server, client_at(server) as client, pytest.raises(StudioResponseTooLargeError):
        client.verify()


def test_cookies_are_neither_stored_nor_sent() -> None:
    body = b'{"workspace": "acme"}'
    head = HEAD + b"Set-Cookie: a=b\r\n" * 90 + f"Content-Length: {len(body)}\r\n\r\n".encode()
    with RawServer(head + body) as server, client_at(server) as client:
        client.verify()
        client.verify()
        assert not any(b"cookie" in request.lower() for request in server.requests)
