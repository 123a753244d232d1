# SPDX-License-Identifier: Apache-2.0
"""Send a request: get a permit, send, pass the rate limit's feedback to the limiter, retry, map the error.

A POST is sent again only if no byte of it was sent (see `delivery`) or it was refused (429). GET, PATCH and DELETE are
idempotent and are repeated. No exception of `requests` is raised to callers, because it contains the whole URL.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import tenacity
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import HTTPError

from airflow_provider_studio import __version__
from airflow_provider_studio.client.auth import Credentials, is_loopback
from airflow_provider_studio.client.delivery import Phase, RecordingAdapter, recorded
from airflow_provider_studio.client.errors import (
    StudioAPIError,
    StudioConfigurationError,
    StudioConnectionError,
    StudioError,
    StudioResponseError,
)
from airflow_provider_studio.client.ratelimit import Priority, RateLimiter
from airflow_provider_studio.client.responses import (
    api_error,
    connection_error,
    decoded,
    endpoint_of,
    rate_limit_feedback,
)

log = logging.getLogger(__name__)

_RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
_CONNECT_TIMEOUT_SECONDS = 10.0
_POOL_SIZE = 32
_FAILURES = (requests.RequestException, HTTPError)
"""Exceptions of a send; `requests` does not wrap all errors of urllib3."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often a request is repeated, and after which waits.

    :param attempts: the number of sends, including the first.
    :param unreadable_attempts: the same for responses that are not the API's, such as a proxy's HTML.
    :param first_wait_seconds: the upper limit of the first wait, doubled each time; each wait is random below it.
    :param longest_wait_seconds: the longest wait, also for `Retry-After`.
    """

    attempts: int = 6
    unreadable_attempts: int = 3
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 60.0


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
    """The requests that a client has used: sends (including retries), seconds of waiting for permits, 429s."""

    requests: int = 0
    seconds_waited: float = 0.0
    rate_limited: int = 0


class _Bearer(requests.auth.AuthBase):
    """Authorizes with a bearer token."""

    def __init__(self, bearer: str) -> None:
        self._bearer = bearer

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._bearer}"
        return request


class Transport:
    """Sends requests for one credential.

    :param credentials: the credentials; the secret is used only in the Authorization header.
    :param limiter: issues a permit for each send.
    :param timeout_seconds: how long to wait between two bytes of a response.
    :param retries: how often a request is repeated, and after which waits.
    :param sleep: the function that waits between attempts.
    :param on_sent: a function that is called after each send.
    :param bearer: a bearer token instead of token and secret, for the Discovery API, which returns plain JSON.
    """

    def __init__(
        self,
        credentials: Credentials,
        limiter: RateLimiter,
        *,
        bearer: str | None = None,
        timeout_seconds: float = 30.0,
        retries: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
        on_sent: Callable[[Sent], None] | None = None,
    ) -> None:
        if not timeout_seconds > 0:
            raise StudioConfigurationError(f"timeout_seconds is {timeout_seconds!r}; it must be above 0.")
        self._host = credentials.host
        self._limiter = limiter
        self._timeout = (min(_CONNECT_TIMEOUT_SECONDS, timeout_seconds), timeout_seconds)
        self._retries = retries or RetryPolicy()
        self._sleep = sleep
        self._on_sent = on_sent or (lambda _sent: None)
        self.spending = Spending()
        self._counting = threading.Lock()
        self._last = threading.local()
        self._session = requests.Session()
        self._is_loopback = is_loopback(urlsplit(credentials.host).hostname or "")
        self._session.auth = (
            HTTPBasicAuth(credentials.token.encode(), credentials.secret.encode())
            if bearer is None
            else _Bearer(bearer)
        )
        self._session.headers["Accept"] = "application/hal+json" if bearer is None else "application/json"
        self._session.headers["User-Agent"] = f"airflow-provider-studio/{__version__}"
        adapter = RecordingAdapter(pool_maxsize=_POOL_SIZE)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

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
        """Send a request and return the decoded response; an empty response is `{}`.

        :raises StudioAPIError: the status is an error, after retries where they can help.
        :raises StudioConnectionError: there was no response.
        :raises StudioResponseError: the response is not a JSON object.
        """
        was_lost = False
        for attempt in self._attempts(method):
            with attempt:
                try:
                    response = self._exchange(method, path, query=query, body=body, priority=priority)
                    if method == "DELETE" and response.status_code == 404 and was_lost:
                        return {}  # an earlier attempt had its effect
                    if response.status_code >= 300:
                        raise api_error(method, path, response)
                    return decoded(method, path, response)
                except StudioError as error:
                    was_lost = was_lost or _may_have_acted(error)
                    raise
        raise AssertionError("unreachable: tenacity returns or raises")

    @contextmanager
    def stream(
        self, path: str, chunk_bytes: int, *, priority: Priority = Priority.CRAWL
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Open a large response and yield its content type and its bytes in chunks; only the opening is retried.

        :raises StudioConnectionError: also from the chunks, if the response is cut short.
        """
        for attempt in self._attempts("GET"):
            with attempt:
                response = self._opened("GET", path, priority=priority)
                if response.status_code >= 300:
                    with response:
                        raise api_error("GET", path, response)
        with response:
            yield response.headers.get("Content-Type", "").partition(";")[0], _chunks(path, response, chunk_bytes)

    def _attempts(self, method: str) -> tenacity.Retrying:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: _may_repeat(method, error)),
            stop=self._is_enough,
            wait=self._wait,
            sleep=self._sleep,
            before_sleep=_log_retry,
            reraise=True,
        )

    def _is_enough(self, state: tenacity.RetryCallState) -> bool:
        unreadable = isinstance(_failure(state), StudioResponseError)
        policy = self._retries
        return state.attempt_number >= (policy.unreadable_attempts if unreadable else policy.attempts)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        policy = self._retries
        retry_after = getattr(_failure(state), "retry_after_seconds", None)
        if retry_after:  # "Retry-After: 0" and past dates request no wait
            return float(min(retry_after, policy.longest_wait_seconds))
        return tenacity.wait_random_exponential(policy.first_wait_seconds, policy.longest_wait_seconds)(state)

    def _exchange(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """Send a request and read the whole response."""
        with self._opened(method, path, **kwargs) as response:
            try:
                _ = response.content
            except _FAILURES as error:
                raise connection_error(method, path, error, Phase.RESPONDING) from None
            return response

    def _opened(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        priority: Priority,
    ) -> requests.Response:
        prepared = self._session.prepare_request(
            requests.Request(method, f"{self._host}{path}", params=query, json=body)
        )
        settings = self._environment_of(prepared)
        endpoint = endpoint_of(path)
        # The permit comes last: a delay between it and the send reduces the budget's margin.
        waited = self._limiter.acquire(priority, endpoint).waited_seconds
        with self._counting:
            self.spending.seconds_waited += waited
            self.spending.requests += 1
        status: int | None = None
        try:
            with recorded() as delivery:
                response = self._session.send(prepared, timeout=self._timeout, allow_redirects=False, **settings)
            status = response.status_code
        except _FAILURES as error:
            raise connection_error(method, path, error, delivery.phase) from None
        finally:
            self._last.status = status
            self._on_sent(Sent(method, endpoint, status, waited))
        self._limiter.observe(rate_limit_feedback(response, endpoint))
        if status == 429:
            with self._counting:
                self.spending.rate_limited += 1
        return response

    def _environment_of(self, prepared: requests.PreparedRequest) -> Mapping[str, Any]:
        """Return the proxies and the certificate authorities that the environment names.

        The proxies are used for Studio, not for an emulator on this machine; the authorities for both.

        :raises StudioConfigurationError: the file of authorities that the environment names does not exist.
        """
        url = prepared.url or ""
        settings = self._session.merge_environment_settings(url, {}, True, None, None)
        if self._is_loopback:
            settings["proxies"] = {}
        bundle = settings["verify"]
        if url.startswith("https:") and isinstance(bundle, str) and not Path(bundle).exists():
            raise StudioConfigurationError(
                f"REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE is {bundle!r}, which does not exist on this host; "
                "set it to a file or folder of certificate authorities, or unset it."
            )
        return settings


def _chunks(path: str, response: requests.Response, size: int) -> Iterator[bytes]:
    """Yield the bytes; an exception of `requests` would look like an error of the file that they are written to."""
    try:
        yield from response.iter_content(size)
    except _FAILURES as error:
        raise connection_error("GET", path, error, Phase.RESPONDING) from None


def _may_repeat(method: str, error: BaseException) -> bool:
    if isinstance(error, StudioConnectionError):
        return method != "POST" or not error.may_have_arrived
    if isinstance(error, StudioAPIError):
        return error.status == 429 or (method != "POST" and error.status in _RETRIED_STATUSES)
    return isinstance(error, StudioResponseError) and method == "GET"


def _may_have_acted(error: StudioError) -> bool:
    """Whether a request that failed may have had its effect; a 429 is a refusal."""
    if isinstance(error, StudioConnectionError):
        return error.may_have_arrived
    return not (isinstance(error, StudioAPIError) and error.status == 429)


def _failure(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _log_retry(state: tenacity.RetryCallState) -> None:
    log.warning("Attempt %d: %s Trying again in %.1f s.", state.attempt_number, _failure(state), state.upcoming_sleep)
