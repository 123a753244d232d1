# SPDX-License-Identifier: Apache-2.0
"""Send a request: get a permit, send, pass the rate limit's feedback to the limiter, retry, map the error.

What a server sends is limited in time and size, and its texts are made safe before they become messages. No exception
of `requests` is raised to callers, because it contains the whole URL.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

import requests
from urllib3.exceptions import HTTPError

from airflow_provider_studio.client.auth import Credentials
from airflow_provider_studio.client.delivery import Phase, recorded
from airflow_provider_studio.client.errors import (
    StudioAPIError,
    StudioConfigurationError,
    StudioError,
    StudioNotFoundError,
    StudioResponseTooLargeError,
)
from airflow_provider_studio.client.exchange import Exchange
from airflow_provider_studio.client.json_body import UnreadableBodyError, parse_object
from airflow_provider_studio.client.overlap import OverlapTimer
from airflow_provider_studio.client.ratelimit import Priority, RateLimiter, RateLimitFeedback
from airflow_provider_studio.client.response_limits import (
    MAX_DOWNLOAD_MB,
    MAX_RESPONSE_MB,
    ResponseLimits,
    ResponseMeter,
)
from airflow_provider_studio.client.responses import (
    ReceivedResponse,
    api_error,
    connection_error,
    decoded,
    endpoint_of,
    http_date,
    rate_limit_feedback,
    undecodable,
)
from airflow_provider_studio.client.retry_policy import RetryPolicy, may_have_acted
from airflow_provider_studio.client.secret_scrubber import SecretScrubber
from airflow_provider_studio.client.session import StudioSession

_CONNECT_TIMEOUT_SECONDS = 10.0
_CHUNK_BYTES = 16_384
"""How much is read at a time: a thousandfold compression makes 16 MB of it, in versions of urllib3 without a limit."""
_DECODED_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
_PLAIN_JSON = frozenset({"audit_logs"})
"""Endpoints that do not take the media type of all others, as one client reports (406)."""
_LONGEST_SHOWN = 200
_RATE_LIMITED = 429
_FAILURES = (requests.RequestException, HTTPError, OSError)
"""Exceptions of a send; `requests` does not wrap all errors of urllib3 and of sockets."""


@dataclass(frozen=True)
class Sent:
    """One send, for metrics.

    :param endpoint: the path without names and tokens, such as `reports/runs`.
    :param status: HTTP status; None if there was no response.
    :param seconds_waited: how long the request waited for its permit.
    """

    method: str
    endpoint: str
    status: int | None
    seconds_waited: float


@dataclass
class Spending:
    """The requests that a client has used.

    :param requests: sends, including retries.
    :param seconds_waited: the waits of all requests for their permits in sum; parallel requests wait at the same time.
    :param rate_limited: 429s.
    :param seconds_held_up: the time in which at least one request waited for its permit. It is measured, so that two
        are never equal.
    """

    requests: int = 0
    seconds_waited: float = 0.0
    rate_limited: int = 0
    seconds_held_up: float = field(default=0.0, compare=False)


class Transport:
    """Sends requests for one credential.

    :param credentials: the credentials; the secret is used only in the Authorization header.
    :param limiter: issues a permit for each send.
    :param timeout_seconds: how long to wait between two bytes of a response; a whole response may take twice that.
    :param retries: how often a request is repeated, and after which waits.
    :param sleep: the function that waits between attempts.
    :param on_sent: a function that is called after each send.
    :param bearer: a bearer token instead of token and secret, for the Discovery API, which returns plain JSON.
    :param secrets: further secrets that must not be in messages.
    :param max_response_mb: the size in MB of a response, compressed and decompressed.
    :param max_download_mb: the same of a download, which may take as long as it progresses.
    """

    def __init__(
        self,
        credentials: Credentials,
        limiter: RateLimiter,
        *,
        bearer: str | None = None,
        secrets: tuple[str, ...] = (),
        timeout_seconds: float = 30.0,
        retries: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
        on_sent: Callable[[Sent], None] | None = None,
        max_response_mb: float = MAX_RESPONSE_MB,
        max_download_mb: float = MAX_DOWNLOAD_MB,
    ) -> None:
        for name, value in (
            ("timeout_seconds", timeout_seconds),
            ("max_response_mb", max_response_mb),
            ("max_download_mb", max_download_mb),
        ):
            if not value > 0:
                raise StudioConfigurationError(f"{name} is {value!r}; it must be above 0.")
        self._host = credentials.host
        self._limiter = limiter
        self._timeout = (min(_CONNECT_TIMEOUT_SECONDS, timeout_seconds), timeout_seconds)
        self._api_limits = ResponseLimits.of_api(timeout_seconds, max_response_mb)
        self._download_limits = ResponseLimits.of_download(timeout_seconds, max_download_mb)
        self._scrubber = SecretScrubber(credentials.secret, bearer or "", *secrets)
        self._retries = retries or RetryPolicy()
        self._sleep = sleep
        self._on_sent = on_sent or (lambda _sent: None)
        self.spending = Spending()
        self._counting, self._held_up = threading.Lock(), OverlapTimer()
        self._last = threading.local()
        self._session = StudioSession(credentials, bearer)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    @property
    def proxy(self) -> str | None:
        """Scheme, host and port of the proxy that the last request went through; None without one."""
        return self._session.route.proxy

    @property
    def last_date(self) -> datetime | None:
        """The `Date` of this thread's last response, by Studio's clock; None if it has none."""
        return getattr(self._last, "date", None)

    @property
    def last_status(self) -> int | None:
        """HTTP status of this thread's last send; None if there was no response."""
        return getattr(self._last, "status", None)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        priority: Priority = Priority.CRAWL,
    ) -> dict[str, Any]:
        """Send a request and return the decoded response; an empty response to a change is `{}`.

        :raises StudioAPIError: the status is an error, after retries where they can help.
        :raises StudioConnectionError: there was no response, or it was not complete in time.
        :raises StudioResponseError: the response is not a JSON object, or too large.
        """
        was_lost = False
        for attempt in self._retries.attempts_of(method, self._sleep):
            with attempt:
                try:
                    response = self._exchange(method, path, query=query, body=body, priority=priority)
                    if response.status >= 300:
                        raise self._error_of(response, path)
                    return decoded(response, self._scrubber)
                except StudioNotFoundError:
                    if method == "DELETE" and was_lost:
                        return {}  # an earlier attempt had its effect
                    raise
                except StudioError as error:
                    was_lost = was_lost or may_have_acted(error)
                    raise
        raise AssertionError("unreachable: tenacity returns or raises")

    def exchange(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        priority: Priority = Priority.CRAWL,
    ) -> Exchange:
        """Send a request and return the whole response whatever its status, after retries where they can help.

        :raises StudioConnectionError: there was no response, or it was not complete in time.
        :raises StudioResponseTooLargeError: the response is too large.
        """
        received: list[ReceivedResponse] = []
        with suppress(StudioAPIError):  # after the last attempt, its response is the result
            for attempt in self._retries.attempts_of(method, self._sleep):
                with attempt:
                    received.append(self._exchange(method, path, query=query, body=body, priority=priority))
                    if received[-1].status >= 300:
                        raise self._error_of(received[-1], path)
        return _exchange_of(method, path, query, received[-1])

    @contextmanager
    def stream(
        self, path: str, chunk_bytes: int, *, priority: Priority = Priority.CRAWL
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Open a large response and yield its content type and its bytes in chunks; only the opening is retried.

        :raises StudioConnectionError: also from the chunks, if the response is cut short or makes no progress.
        :raises StudioResponseTooLargeError: also from the chunks.
        """
        for attempt in self._retries.attempts_of("GET", self._sleep):
            with attempt:
                meter = ResponseMeter(self._download_limits)
                response = self._opened("GET", path, meter, priority=priority)
                if response.status_code >= 300:
                    meter.apply(self._api_limits)
                    raise self._error_of(self._read("GET", path, response, meter), path)
        with response:
            kind = self._scrubber.shown(response.headers.get("Content-Type", "").partition(";")[0], _LONGEST_SHOWN)
            yield kind, self._chunks("GET", path, response, meter, chunk_bytes)

    def _error_of(self, response: ReceivedResponse, path: str) -> StudioAPIError:
        error = api_error(response, self._scrubber)
        if error.meant_status == _RATE_LIMITED != error.status:
            self._observe(rate_limit_feedback(_RATE_LIMITED, response.headers, endpoint_of(path)))
        return error

    def _exchange(self, method: str, path: str, **kwargs: Any) -> ReceivedResponse:
        """Send a request and read the whole response."""
        meter = ResponseMeter(self._api_limits)
        return self._read(method, path, self._opened(method, path, meter, **kwargs), meter)

    def _read(self, method: str, path: str, response: requests.Response, meter: ResponseMeter) -> ReceivedResponse:
        with response:
            body = b"".join(self._chunks(method, path, response, meter, _CHUNK_BYTES))
        return ReceivedResponse(method, self._shown(path), response.status_code, response.headers, body)

    def _chunks(
        self, method: str, path: str, response: requests.Response, meter: ResponseMeter, size: int
    ) -> Iterator[bytes]:
        """Yield the body; an exception of `requests` would look like an error of the file that it is written to."""
        encoding = response.headers.get("Content-Encoding", "")
        if encoding.strip().lower() not in _DECODED_ENCODINGS:
            raise undecodable(method, self._shown(path), self._scrubber.shown(encoding, _LONGEST_SHOWN))
        try:
            for chunk in response.iter_content(size):
                meter.count_decoded(len(chunk))
                yield chunk
        except requests.exceptions.ContentDecodingError:
            raise undecodable(method, self._shown(path), self._scrubber.shown(encoding, _LONGEST_SHOWN)) from None
        except _FAILURES as error:
            self._raise(method, path, error, Phase.RESPONDING, meter)

    def _opened(
        self,
        method: str,
        path: str,
        meter: ResponseMeter,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        priority: Priority,
    ) -> requests.Response:
        endpoint = endpoint_of(path)
        headers = {"Accept": "application/json"} if endpoint in _PLAIN_JSON else None
        prepared = self._session.prepare_request(
            requests.Request(method, f"{self._host}{path}", params=query, json=body, headers=headers)
        )
        settings = self._session.environment_of(prepared)
        # The permit comes last: a delay between it and the send reduces the budget's margin.
        with self._held_up.running():
            waited = self._limiter.acquire(priority, endpoint).waited_seconds
        with self._counting:
            self.spending.seconds_held_up = self._held_up.seconds
            self.spending.seconds_waited += waited
            self.spending.requests += 1
        status: int | None = None
        date: datetime | None = None
        try:
            meter.start()
            with recorded(meter) as delivery:
                response = self._session.send(prepared, timeout=self._timeout, allow_redirects=False, **settings)
            status = response.status_code
            date = http_date(response.headers.get("Date", ""))
        except _FAILURES as error:
            self._raise(method, path, error, delivery.phase, meter)
        finally:
            self._last.status = status
            self._last.date = date
            self._on_sent(Sent(method, endpoint, status, waited))
        self._observe(rate_limit_feedback(status, response.headers, endpoint))
        return response

    def _observe(self, feedback: RateLimitFeedback) -> None:
        self._limiter.observe(feedback)
        if feedback.status == _RATE_LIMITED:
            with self._counting:
                self.spending.rate_limited += 1

    def _raise(self, method: str, path: str, error: Exception, phase: Phase, meter: ResponseMeter) -> NoReturn:
        if meter.is_too_large:
            raise StudioResponseTooLargeError(f"{method} {self._shown(path)}: {meter.excess}.") from None
        raise connection_error(
            method, self._shown(path), error, phase, route=self._session.route, excess=meter.excess
        ) from None

    def _shown(self, path: str) -> str:
        """Return a path for messages: some come from links in responses."""
        return self._scrubber.shown(path.partition("?")[0], _LONGEST_SHOWN)


def _exchange_of(method: str, path: str, query: Mapping[str, str | int] | None, response: ReceivedResponse) -> Exchange:
    try:
        body = parse_object(response.body)
    except UnreadableBodyError:
        body = None
    return Exchange(method, path, response.status, datetime.now(UTC), dict(query or {}), response.headers, body)
