# SPDX-License-Identifier: Apache-2.0
"""Each send has a permit before it, counters and feedback after it, and a bounded wait before the next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_studio.client.auth import Credentials, TokenKind
from airflow_provider_studio.client.errors import (
    StudioAPIError,
    StudioConnectionError,
    StudioNotFoundError,
    StudioRateLimitedError,
    StudioResponseError,
    StudioServerError,
)
from airflow_provider_studio.client.ratelimit import Budget, Priority, RateLimiter, RateLimitFeedback
from airflow_provider_studio.client.ratelimit.limiter import Permit
from airflow_provider_studio.client.ratelimit.stores import MemoryStore
from airflow_provider_studio.client.retry_policy import RetryPolicy
from airflow_provider_studio.client.transport import Sent, Spending, Transport
from airflow_provider_studio.emulator import StudioEmulator
from tests.conftest import client_of

REPORTS = "/api/acme/reports"
ONCE = RetryPolicy(attempts=1)


class WatchedLimiter(RateLimiter):
    """Reports a wait of a quarter of a second for each permit, and records its calls."""

    def __init__(self) -> None:
        super().__init__(MemoryStore(), "token")
        self.acquired: list[tuple[Priority, str]] = []
        self.observed: list[RateLimitFeedback] = []

    def acquire(self, priority: Priority = Priority.CRAWL, resource: str = "") -> Permit:
        self.acquired.append((priority, resource))
        return Permit(0.25)

    def observe(self, feedback: RateLimitFeedback) -> None:
        self.observed.append(feedback)


@pytest.fixture
def limiter() -> WatchedLimiter:
    return WatchedLimiter()


@pytest.fixture
def sent() -> list[Sent]:
    return []


@pytest.fixture
def transport(emulator: StudioEmulator, limiter: WatchedLimiter, sent: list[Sent]) -> Iterator[Transport]:
    made = transport_of(emulator, limiter=limiter, on_sent=sent.append)
    yield made
    made.close()


def transport_of(emulator: StudioEmulator, **options: Any) -> Transport:
    credentials = Credentials(emulator.workspace, *emulator.credentials(), emulator.url, TokenKind.WORKSPACE)
    return Transport(credentials, **{"limiter": RateLimiter.unlimited(), "sleep": lambda _seconds: None, **options})


@pytest.fixture
def report(emulator: StudioEmulator) -> str:
    return emulator.control.add_report(next_runtime_seconds=0.0, next_outcome="succeeded")


def test_each_send_is_reported_with_its_class_its_status_and_its_wait(
    transport: Transport, emulator: StudioEmulator, report: str, sent: list[Sent]
) -> None:
    emulator.control.add_fault("status", status=429)
    emulator.control.add_fault("reset")
    transport.request("GET", f"{REPORTS}/{report}")
    assert sent == [Sent("GET", "reports", status, 0.25) for status in (429, None, 200)]
    assert transport.spending == Spending(requests=3, seconds_waited=0.75, rate_limited=1)


def test_each_send_requests_a_permit_of_its_priority_and_class(
    transport: Transport, emulator: StudioEmulator, report: str, limiter: WatchedLimiter
) -> None:
    emulator.control.add_fault("status", status=503)
    transport.request("GET", f"{REPORTS}/{report}")
    transport.request("PATCH", f"{REPORTS}/{report}/archive", priority=Priority.ACT)
    run = transport.request("POST", f"{REPORTS}/{report}/runs", body={"parameters": {}}, priority=Priority.ACT)["token"]
    with transport.stream(f"{REPORTS}/{report}/runs/{run}/results/content.csv", 64, priority=Priority.POLL):
        pass
    with transport.stream(f"{REPORTS}/{report}/runs/{run}/results/content.csv", 64):
        pass
    assert limiter.acquired == [
        (Priority.CRAWL, "reports"),
        (Priority.CRAWL, "reports"),
        (Priority.ACT, "reports/archive"),
        (Priority.ACT, "reports/runs"),
        (Priority.POLL, "reports/runs/results/content.csv"),
        (Priority.CRAWL, "reports/runs/results/content.csv"),
    ]


def test_each_response_teaches_the_limiter_and_a_lost_one_does_not(
    transport: Transport, emulator: StudioEmulator, report: str, limiter: WatchedLimiter
) -> None:
    headers = {"Retry-After": "7", "X-RateLimit-Limit": "40", "X-RateLimit-Remaining": "0"}
    emulator.control.add_fault("status", status=429, headers=headers)
    emulator.control.add_fault("reset")
    transport.request("GET", f"{REPORTS}/{report}")
    refused, answered = limiter.observed
    assert refused == RateLimitFeedback(429, 40, 0, 7.0, "reports")
    assert (answered.status, answered.resource) == (200, "reports")


def test_a_429_pauses_everyone_who_shares_the_budget(emulator: StudioEmulator, report: str) -> None:
    store = MemoryStore(now=lambda: 0.0)
    emulator.control.add_fault("status", status=429, headers={"Retry-After": "7"})
    transport = transport_of(emulator, limiter=RateLimiter(store, "token"), retries=ONCE)
    with pytest.raises(StudioRateLimitedError):
        transport.request("GET", f"{REPORTS}/{report}")
    assert store.reserve("token", Budget(), Priority.ACT)[1] == 7.0


def test_a_lost_response_leaves_no_status_of_the_request_before(emulator: StudioEmulator, report: str) -> None:
    transport = transport_of(emulator, retries=ONCE)
    assert transport.last_status is None
    transport.request("GET", f"{REPORTS}/{report}")
    assert transport.last_status == 200
    emulator.control.add_fault("lose_response")
    with pytest.raises(StudioConnectionError):
        transport.request("GET", f"{REPORTS}/{report}")
    assert transport.last_status is None


@pytest.mark.parametrize("status", [300, 304, 399])
def test_a_status_that_is_no_success_is_an_error(emulator: StudioEmulator, report: str, status: int) -> None:
    transport = transport_of(emulator)
    emulator.control.add_fault("status", status=status, times=2)
    with pytest.raises(StudioAPIError) as caught:
        transport.request("GET", f"{REPORTS}/{report}")
    assert caught.value.status == status
    with pytest.raises(StudioAPIError) as caught, transport.stream(f"{REPORTS}/{report}", 64):
        pass
    assert (caught.value.status, caught.value.method, caught.value.path) == (status, "GET", f"{REPORTS}/{report}")


def finished_run(emulator: StudioEmulator, report: str) -> str:
    """The path of the results of a run that is over."""
    with client_of(emulator) as client:
        return f"{REPORTS}/{report}/runs/{client.create_report_run(report).token}/results/content.csv"


def test_opening_a_download_is_retried(emulator: StudioEmulator, report: str) -> None:
    results = finished_run(emulator, report)
    emulator.control.add_fault("status", status=503)
    emulator.control.add_fault("reset")
    with transport_of(emulator).stream(results, 64) as (kind, chunks):
        assert kind == "text/csv"
        parts = list(chunks)
    assert b"".join(parts).startswith(b"region,orders\n")
    assert max(map(len, parts)) == 64


def test_a_download_that_does_not_exist_is_requested_once(emulator: StudioEmulator, report: str) -> None:
    transport = transport_of(emulator)
    with pytest.raises(StudioNotFoundError), transport.stream(f"{REPORTS}/{report}/runs/0123456789ab", 64):
        pass
    assert transport.spending.requests == 1


def test_a_download_that_is_cut_short_is_an_error_of_the_connection(emulator: StudioEmulator, report: str) -> None:
    results = finished_run(emulator, report)
    emulator.control.add_fault("truncate")
    with transport_of(emulator).stream(results, 64) as (_, chunks), pytest.raises(StudioConnectionError) as caught:
        list(chunks)
    assert str(caught.value) == f"GET {results}: the response was cut short."
    assert caught.value.may_have_arrived
    assert caught.value.__suppress_context__, "the text of requests holds the whole URL"


def test_a_query_reaches_studio_and_stays_out_of_errors(emulator: StudioEmulator) -> None:
    transport = transport_of(emulator)
    listed = transport.request("GET", "/api/acme/spaces", query={"filter": "all"})["_embedded"]["spaces"]
    assert len(listed) > len(transport.request("GET", "/api/acme/spaces")["_embedded"]["spaces"])
    emulator.control.add_fault("lose_response", times=None)
    with pytest.raises(StudioConnectionError) as caught:
        transport.request("GET", "/api/acme/spaces", query={"filter": "all"})
    assert str(caught.value).startswith("GET /api/acme/spaces: ")


@pytest.mark.parametrize("fault", ["reset", "lose_response", "truncate", "html", "garbage"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_whatever_breaks_the_error_names_the_request(
    emulator: StudioEmulator, report: str, method: str, fault: str
) -> None:
    emulator.control.add_fault(fault, times=None)
    with pytest.raises((StudioConnectionError, StudioResponseError)) as caught:
        transport_of(emulator).request(method, f"{REPORTS}/{report}/runs")
    assert re.match(rf"{method} {REPORTS}/{report}/runs(:| answered 20\d) ", str(caught.value))


def test_no_wait_between_attempts_is_longer_than_the_longest(emulator: StudioEmulator, report: str) -> None:
    waits: list[float] = []
    patience = RetryPolicy(attempts=20, first_wait_seconds=1.0, longest_wait_seconds=2.0)
    emulator.control.add_fault("status", status=503, times=None)
    with pytest.raises(StudioServerError):
        transport_of(emulator, retries=patience, sleep=waits.append).request("GET", f"{REPORTS}/{report}")
    assert len(waits) == 19
    assert max(waits) <= 2.0
    assert len(set(waits)) > 1, "drawn, so that callers that failed together do not come back together"


@pytest.mark.parametrize("header", ["0", "Sun, 06 Nov 1994 08:49:37 GMT"])
def test_a_retry_after_in_the_past_adds_no_wait(emulator: StudioEmulator, report: str, header: str) -> None:
    waits: list[float] = []
    emulator.control.add_fault("status", status=503, headers={"Retry-After": header}, times=3)
    transport_of(emulator, sleep=waits.append).request("GET", f"{REPORTS}/{report}")
    assert len(waits) == 3
    assert all(0 < wait <= 2.0 for wait in waits), "drawn as if there were none"


@pytest.mark.parametrize(("method", "sends"), [("GET", 3), ("POST", 1)])
def test_a_get_is_repeated_and_a_post_is_not_after_a_response_that_cannot_be_read(
    emulator: StudioEmulator, report: str, method: str, sends: int
) -> None:
    transport = transport_of(emulator)
    emulator.control.add_fault("html", times=None)
    with pytest.raises(StudioResponseError, match="is no JSON"):
        transport.request(method, f"{REPORTS}/{report}")
    assert transport.spending.requests == sends
