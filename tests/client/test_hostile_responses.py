# SPDX-License-Identifier: Apache-2.0
"""Responses of a server that means harm or is broken: each ends in a bounded time and memory, with a typed error."""

from __future__ import annotations

import base64

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioAPIError,
    StudioBadRequestError,
    StudioConnectionError,
    StudioForbiddenError,
    StudioNotFoundError,
    StudioRateLimitedError,
    StudioResponseError,
    StudioResponseTooLargeError,
    StudioServerError,
)
from airflow_provider_studio.client.models import ReportRun
from airflow_provider_studio.client.ratelimit import Budget, Priority, RateLimiter
from airflow_provider_studio.client.ratelimit.stores import MemoryStore
from airflow_provider_studio.client.retry_policy import RetryPolicy
from airflow_provider_studio.client.run_polling import reason_of
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.hostile_bodies import UNREADABLE_BODIES
from tests.conftest import client_of, over_http_and_https

ONCE = RetryPolicy(attempts=1, unreadable_attempts=1)
SHORT = 0.5


def hurried(emulator: StudioEmulator) -> StudioClient:
    """A client that sends once, and waits half a second for a byte and a second for a response."""
    return client_of(emulator, timeout_seconds=SHORT, retries=ONCE)


@pytest.mark.parametrize("kind", UNREADABLE_BODIES)
def test_a_body_that_is_not_one_json_object_is_requested_again_and_then_an_error_of_the_response(
    emulator: StudioEmulator, kind: str
) -> None:
    emulator.control.add_fault(kind, times=2)
    with client_of(emulator) as client:
        assert client.verify().workspace == "acme"
    emulator.control.add_fault(kind, times=None)
    with client_of(emulator) as client, pytest.raises(StudioResponseError, match="GET /api/verify answered 200"):
        client.verify()
    assert emulator.control.requests_sent() == 6


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", r"that is no JSON \(0 bytes\)"),
        ("byte_order_mark", "that starts with a byte order mark"),
        ("not_utf8", "that is not UTF-8"),
        ("duplicate_keys", "that has the key 'token' twice in one object"),
        ("nan", "that contains NaN, which is no JSON"),
        ("infinity", "that contains the number 1e999, which is too large"),
        ("huge_number", "that contains a number with thousands of digits"),
        ("deep_json", "that is nested too deeply"),
        ("nested_json", "that is nested more than 100 levels deep"),
        ("small_objects", "that contains more than 1,000,000 objects and lists"),
    ],
)
def test_the_error_names_what_is_wrong_with_the_body(emulator: StudioEmulator, kind: str, reason: str) -> None:
    emulator.control.add_fault(kind)
    client = client_of(emulator, retries=ONCE, max_response_mb=50)
    with client, pytest.raises(StudioResponseError, match=f"application/hal.json {reason}"):
        client.verify()


@pytest.mark.parametrize("kind", sorted(UNREADABLE_BODIES))
def test_a_start_whose_response_cannot_be_read_is_not_repeated(emulator: StudioEmulator, kind: str) -> None:
    report = emulator.control.add_report()
    emulator.control.add_fault(kind, method="POST", times=None)
    with client_of(emulator) as client, pytest.raises(StudioResponseError):
        client.create_report_run(report)
    assert emulator.control.requests_sent() == 1


@over_http_and_https
@pytest.mark.parametrize("kind", ["endless", "gzip_bomb"])
def test_a_response_that_is_too_large_ends_at_its_limit_and_is_not_requested_again(
    emulator: StudioEmulator, kind: str
) -> None:
    emulator.control.add_fault(kind, times=None)
    with client_of(emulator, max_response_mb=1) as client, pytest.raises(StudioResponseTooLargeError) as caught:
        client.verify()
    assert str(caught.value) == (
        "GET /api/verify: the response is larger than 1 MB; if that is right, increase [studio] max_response_mb."
    )
    assert not caught.value.retry_helps
    assert emulator.control.requests_sent() == 1


@over_http_and_https
def test_a_response_that_drips_ends_after_twice_the_timeout(emulator: StudioEmulator) -> None:
    emulator.control.add_fault("drip", seconds=0.05)
    with (
        hurried(emulator) as client,
        pytest.raises(StudioConnectionError, match=r"not complete within 1 s") as caught,
    ):
        client.verify()
    assert caught.value.may_have_arrived


def test_a_start_whose_response_drips_is_not_repeated(emulator: StudioEmulator) -> None:
    report = emulator.control.add_report()
    emulator.control.add_fault("drip", seconds=0.05, method="POST", times=None)
    with client_of(emulator, timeout_seconds=SHORT) as client, pytest.raises(StudioConnectionError) as caught:
        client.create_report_run(report)
    assert caught.value.may_have_arrived
    assert emulator.control.requests_sent() == 1


def download(client: StudioClient) -> int:
    with client.download_run_results("0123456789ab", "0123456789ab", chunk_bytes=1024) as (_, chunks):
        return sum(map(len, chunks))


@pytest.mark.parametrize("kind", ["endless", "gzip_bomb"])
def test_a_download_may_be_larger_and_ends_at_its_own_limit(emulator: StudioEmulator, kind: str) -> None:
    emulator.control.add_fault(kind, times=None)
    client = client_of(emulator, max_response_mb=1, max_download_mb=3)
    with client, pytest.raises(StudioResponseTooLargeError, match=r"larger than 3 MB; .* \[studio\] max_download_mb"):
        download(client)


def test_a_download_without_progress_ends(emulator: StudioEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_studio.client.response_limits._STALLED_AFTER_SECONDS", 0.3)
    emulator.control.add_fault("drip", seconds=0.05)
    with hurried(emulator) as client, pytest.raises(StudioConnectionError, match=r"fewer than 65,536 bytes .* 1 s"):
        download(client)


def test_an_error_in_place_of_a_download_has_the_limits_of_an_error(emulator: StudioEmulator) -> None:
    emulator.control.add_fault("long_message", status=400)
    client = client_of(emulator, retries=ONCE, max_response_mb=1)
    with client, pytest.raises(StudioResponseTooLargeError, match="larger than 1 MB"):
        download(client)


def test_a_long_message_is_cut_on_one_line_and_without_the_credentials(emulator: StudioEmulator) -> None:
    token, secret = emulator.credentials()
    emulator.control.add_fault("long_message", status=400)
    with client_of(emulator) as client, pytest.raises(StudioBadRequestError) as caught:
        client.verify()
    error = caught.value
    for text in (str(error), error.message, error.error_id or ""):
        assert len(text) < 1_000
        assert text.isprintable(), "no escape sequence, no line break, no mark of direction"
        assert secret not in text
        assert base64.b64encode(f"{token}:{secret}".encode()).decode()[20:] not in text
    assert "Authorization: Basic " in error.message, "what is no secret stays readable"
    assert "***" in error.message
    assert len(error.message) == 500
    assert error.message.endswith("x…")


@pytest.mark.parametrize(
    ("status", "error_id", "kind", "sends"),
    [
        (400, "not_found", StudioNotFoundError, 1),
        (403, "not_found", StudioNotFoundError, 1),
        (404, "forbidden", StudioForbiddenError, 1),
        (400, "rate_limited", StudioRateLimitedError, 6),
        (400, "service_unavailable", StudioServerError, 6),
        (422, "a_new_id", StudioBadRequestError, 1),
        (408, "bad_request", StudioServerError, 6),
        (429, "not_found", StudioRateLimitedError, 6),
        (500, "not_found", StudioServerError, 6),
    ],
)
def test_the_id_of_a_refusal_wins_over_its_status(
    emulator: StudioEmulator, status: int, error_id: str, kind: type[StudioAPIError], sends: int
) -> None:
    emulator.control.add_fault("status", status=status, body={"id": error_id, "message": "no"}, times=None)
    with client_of(emulator) as client, pytest.raises(StudioAPIError) as caught:
        client.verify()
    assert type(caught.value) is kind
    assert caught.value.status == status
    assert emulator.control.requests_sent() == sends


def test_a_refusal_for_the_rate_limit_with_another_status_pauses_the_budget(emulator: StudioEmulator) -> None:
    store = MemoryStore(now=lambda: 0.0)
    emulator.control.add_fault("status", status=400, body={"id": "rate_limited"}, headers={"Retry-After": "7"})
    client = client_of(emulator, limiter=RateLimiter(store, "token"), retries=ONCE)
    with client, pytest.raises(StudioRateLimitedError):
        client.verify()
    assert store.reserve("token", Budget(), Priority.ACT)[1] == 7.0
    assert client.spending.rate_limited == 1


@pytest.mark.parametrize(
    ("location", "where"),
    [
        (
            "https://login.example.com/sso?token=abc",
            "redirects to https://login.example.com, which gets no cred",
        ),
        ("//eu.example.com:8443/api", "redirects to https://eu.example.com:8443, which"),
        ("/api/verify/", "redirects without the address of another host"),
        ("http://[", "redirects without the address of another host"),
        ("http://host:port/", "redirects without the address of another host"),
        ("", "redirects without the address of another host"),
    ],
)
def test_a_redirect_names_the_host_and_the_fix(emulator: StudioEmulator, location: str, where: str) -> None:
    emulator.control.add_fault("status", status=302, headers={"Location": location})
    with client_of(emulator) as client, pytest.raises(StudioAPIError) as caught:
        client.verify()
    assert where in str(caught.value)
    assert "set it as the connection's host" in str(caught.value)
    assert "abc" not in str(caught.value)


def test_a_path_that_a_response_chose_is_cut_in_messages(emulator: StudioEmulator) -> None:
    emulator.control.add_fault("status", status=404, times=None)
    with client_of(emulator) as client, pytest.raises(StudioNotFoundError) as caught:
        client._transport.request("GET", "/api/acme/\x1b[2J" + "x" * 5_000)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_the_reasons_of_a_failed_run_are_cut_and_printable(emulator: StudioEmulator) -> None:
    reason = "\x1b[2J" + "x" * 100_000
    query = {"state": "failed", "query_name": reason, "error_code": "failure", "error_message": reason}
    body = {"_embedded": {"query_runs": [{**query, "token": f"{number:012x}"} for number in range(25)]}}
    emulator.control.add_fault("status", status=200, body=body, path="query_runs", times=None)
    run = ReportRun.parse({"token": "0123456789ab", "state": "failed"})
    with client_of(emulator) as client:
        text = reason_of(client, "0123456789ab", run)
    assert text.isprintable()
    assert len(text) < 30_000
    assert text.endswith("15 more queries failed.")


def test_no_error_carries_megabytes() -> None:
    assert len(str(StudioResponseError("x" * 5_000_000))) == 20_000
