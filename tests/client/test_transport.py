# SPDX-License-Identifier: Apache-2.0
"""One request over real HTTP: its retries, and the messages of its errors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from airflow_provider_studio.client.auth import Credentials, TokenKind
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioAPIError,
    StudioAuthenticationError,
    StudioBadRequestError,
    StudioConfigurationError,
    StudioConnectionError,
    StudioForbiddenError,
    StudioNotFoundError,
    StudioRateLimitedError,
    StudioResponseError,
    StudioServerError,
)
from airflow_provider_studio.client.models import Cron, Frequency, ScheduleInput
from airflow_provider_studio.client.ratelimit import Budget, Priority, RateLimiter
from airflow_provider_studio.client.ratelimit.stores import MemoryStore
from airflow_provider_studio.client.responses import retry_after_seconds
from airflow_provider_studio.client.retry_policy import RetryPolicy
from airflow_provider_studio.emulator import StudioEmulator
from tests.conftest import client_of, over_http_and_https


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def patient(emulator: StudioEmulator, waits: list[float]) -> StudioClient:
    """A client whose waits between attempts are written down instead of waited."""
    return client_of(emulator, sleep=waits.append)


def a_report(emulator: StudioEmulator) -> str:
    return emulator.control.add_report(name="Revenue")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_get_is_repeated_after_errors_that_pass(patient: StudioClient, emulator: StudioEmulator, status: int) -> None:
    report = a_report(emulator)
    emulator.control.add_fault("status", status=status, times=2)
    assert patient.get_report(report).name == "Revenue"
    assert emulator.control.requests_sent() == patient.spending.requests == 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, StudioBadRequestError),
        (401, StudioAuthenticationError),
        (403, StudioForbiddenError),
        (404, StudioNotFoundError),
        (409, StudioAPIError),
        (422, StudioBadRequestError),
    ],
)
def test_errors_that_stay_are_typed_and_not_repeated(
    patient: StudioClient, emulator: StudioEmulator, status: int, kind: type[StudioAPIError]
) -> None:
    body = {"id": "bad_luck", "message": "No luck today"}
    emulator.control.add_fault("status", status=status, body=body, times=None)
    with pytest.raises(kind) as caught:
        list(patient.list_collections())
    error = caught.value
    assert (error.status, error.error_id, error.message) == (status, "bad_luck", "No luck today")
    assert (error.method, error.path) == ("GET", "/api/acme/spaces")
    assert "bad_luck" in str(error)
    assert "filter" not in str(error), "the query string stays out"
    assert emulator.control.requests_sent() == 1


def test_a_server_that_stays_broken_is_given_up(patient: StudioClient, emulator: StudioEmulator) -> None:
    emulator.control.add_fault("status", status=503, times=None)
    with pytest.raises(StudioServerError):
        patient.verify()
    assert emulator.control.requests_sent() == RetryPolicy().attempts


def test_waits_grow_and_are_drawn_below_a_ceiling(
    patient: StudioClient, emulator: StudioEmulator, waits: list[float]
) -> None:
    emulator.control.add_fault("status", status=500, times=None)
    with pytest.raises(StudioServerError):
        patient.verify()
    assert len(waits) == RetryPolicy().attempts - 1
    assert all(0 <= wait <= 0.5 * 2**number for number, wait in enumerate(waits))


def test_retry_after_in_seconds_is_honoured_and_logged(
    patient: StudioClient, emulator: StudioEmulator, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    emulator.control.add_fault("status", status=429, headers={"Retry-After": "7"})
    patient.verify()
    assert waits == [7.0]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("Attempt 1: ")
    assert "429" in line
    assert "in 7.0 s" in line


def test_retry_after_as_a_date_is_honoured(patient: StudioClient, emulator: StudioEmulator, waits: list[float]) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    emulator.control.add_fault("status", status=503, headers={"Retry-After": until})
    patient.verify()
    assert 25 <= waits[0] <= 31


def test_retry_after_never_waits_longer_than_the_policy_allows(
    patient: StudioClient, emulator: StudioEmulator, waits: list[float]
) -> None:
    emulator.control.add_fault("status", status=503, headers={"Retry-After": "86400"})
    patient.verify()
    assert waits == [RetryPolicy().longest_wait_seconds]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": " 12 "}, 12.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "1.5s"}, None),
        ({"Retry-After": "1e3"}, None),
        ({"Retry-After": "1_0"}, None),
        ({"Retry-After": "-1.5"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "²"}, None),
        ({"Retry-After": "٣"}, None),
        ({"Retry-After": "5, 10"}, 10.0),
        ({"Retry-After": "5, soon"}, None),
        ({"Retry-After": "86400"}, 86_400.0),
        ({"Retry-After": "1764500000"}, 86_400.0),
        ({"Retry-After": "9" * 400}, 86_400.0),
        ({"Retry-After": "9" * 5000}, 86_400.0),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, 86_400.0),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 -2359"}, None),
        ({"Retry-After": "Fri, 31 Dec 99999999999999999999 23:59:59 GMT"}, None),
        ({"Retry-After": "Sun, 06 Nov 1994 08:49:37 +999999999999"}, None),
        ({"Retry-After": "Sun, 06 Nov 2044 08:49:37 GMT", "Date": "yesterday"}, 86_400.0),
        ({"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0.0),
        (
            {"Retry-After": "Sun, 06 Nov 2044 08:49:37 GMT", "Date": "Sun, 06 Nov 2044 08:49:30 GMT"},
            7.0,
        ),
    ],
)
def test_retry_after_is_read_against_the_servers_own_clock(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


ONCE = RetryPolicy(attempts=1)
ODD_HEADERS = [
    {"X-RateLimit-Limit": value, "X-RateLimit-Remaining": other, "Retry-After": value}
    for value in ("9" * 400, "9" * 5000, "-40", "0", "²", "40, 40", "40.5", "", "NaN", "many")
    for other in ("9" * 400, "9" * 5000, "-1", "0", "³")
]


@pytest.mark.parametrize("status", [200, 429])
def test_headers_that_make_no_sense_fail_nothing_and_pause_nobody_for_long(
    emulator: StudioEmulator, waits: list[float], status: int
) -> None:
    for headers in ODD_HEADERS:
        emulator.control.clear_faults()
        emulator.control.add_fault("status", status=status, headers=headers, body={"workspace": "acme"})
        store = MemoryStore()
        with client_of(emulator, limiter=RateLimiter(store, "token"), sleep=waits.append, retries=ONCE) as client:
            try:
                client.verify()
            except StudioRateLimitedError:
                assert status == 429
        longest = RetryPolicy().longest_wait_seconds
        assert store.reserve("token", Budget(), Priority.ACT)[1] <= longest, headers


def runs_of(emulator: StudioEmulator, report: str) -> list[Any]:
    return list(emulator.control.state()["reports"][report]["runs_started"])


@over_http_and_https
@pytest.mark.parametrize(
    ("fault", "runs", "raised"),
    [
        ({"kind": "lose_response"}, 1, StudioConnectionError),
        ({"kind": "reset"}, 0, StudioConnectionError),
        ({"kind": "truncate"}, 1, StudioConnectionError),
        ({"kind": "status", "status": 502}, 0, StudioServerError),
        ({"kind": "html"}, 0, StudioResponseError),
    ],
)
def test_a_post_that_may_have_arrived_is_never_replayed(
    patient: StudioClient, emulator: StudioEmulator, fault: dict[str, Any], runs: int, raised: type[Exception]
) -> None:
    report = a_report(emulator)
    emulator.control.add_fault(**fault, method="POST", times=None)
    with pytest.raises(raised) as caught:
        patient.create_report_run(report)
    assert emulator.control.requests_sent() == 1
    assert len(runs_of(emulator, report)) == runs
    assert getattr(caught.value, "may_have_arrived", True)


def test_a_post_that_was_refused_for_the_limit_is_sent_again(patient: StudioClient, emulator: StudioEmulator) -> None:
    report = a_report(emulator)
    emulator.control.add_fault("status", status=429, method="POST", times=2)
    patient.create_report_run(report)
    assert len(runs_of(emulator, report)) == 1


def test_no_connection_says_so_and_lets_even_a_post_repeat(emulator: StudioEmulator, waits: list[float]) -> None:
    from tests.system.live_airflow import free_ports

    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    credentials = Credentials("acme", "t", "hush-hush", nobody, TokenKind.WORKSPACE)
    client = StudioClient(credentials, limiter=RateLimiter.unlimited(), sleep=waits.append)
    with pytest.raises(StudioConnectionError, match="no connection") as caught:
        client.create_report_run("0123456789ab")
    assert not caught.value.may_have_arrived
    assert len(waits) == RetryPolicy().attempts - 1
    assert "hush-hush" not in str(caught.value)
    assert caught.value.__suppress_context__, "the text of requests holds the whole URL"


@over_http_and_https
@pytest.mark.parametrize("rate_limited_too", [False, True])
def test_a_delete_whose_answer_was_lost_is_repeated_and_its_404_means_done(
    patient: StudioClient, emulator: StudioEmulator, rate_limited_too: bool
) -> None:
    report = a_report(emulator)
    schedule = emulator.control.add_schedule(report)
    emulator.control.add_fault("lose_response", method="DELETE")
    if rate_limited_too:
        emulator.control.add_fault("status", status=429, method="DELETE")
    patient.delete_schedule(report, schedule)
    assert schedule not in emulator.control.state()["schedules"]


def test_a_404_to_a_delete_that_was_only_refused_before_is_an_error(
    patient: StudioClient, emulator: StudioEmulator
) -> None:
    emulator.control.add_fault("status", status=429, method="DELETE")
    with pytest.raises(StudioNotFoundError):
        patient.delete_schedule(a_report(emulator), "0123456789ab")


@pytest.mark.parametrize("emulator", ["https"], indirect=True)
@pytest.mark.parametrize("fault", ["tls_alert", "tls_plain_text", "tls_no_close_notify"])
def test_a_post_that_tls_broke_after_its_effect_is_not_repeated(
    patient: StudioClient, emulator: StudioEmulator, fault: str
) -> None:
    report = a_report(emulator)
    emulator.control.add_fault(fault, method="POST", times=None)
    with pytest.raises(StudioConnectionError, match="connection broke before the response") as caught:
        patient.create_report_run(report)
    assert caught.value.may_have_arrived
    assert len(runs_of(emulator, report)) == 1


@pytest.mark.parametrize("emulator", ["https"], indirect=True)
@pytest.mark.parametrize("fault", ["tls_handshake", "tls_untrusted"])
def test_a_post_whose_handshake_failed_is_sent_again(
    patient: StudioClient, emulator: StudioEmulator, fault: str
) -> None:
    report = a_report(emulator)
    emulator.control.add_fault(fault, times=2)
    patient.create_report_run(report)
    assert len(runs_of(emulator, report)) == 1


def test_a_first_404_to_a_delete_is_an_error(patient: StudioClient, emulator: StudioEmulator) -> None:
    with pytest.raises(StudioNotFoundError):
        patient.delete_schedule(a_report(emulator), "0123456789ab")


def test_html_instead_of_json_names_what_may_stand_in_between(patient: StudioClient, emulator: StudioEmulator) -> None:
    emulator.control.add_fault("html", times=None)
    with pytest.raises(StudioResponseError, match=r"text/html.*login page"):
        patient.verify()
    assert emulator.control.requests_sent() == RetryPolicy().unreadable_attempts


def test_half_a_json_text_is_no_answer(patient: StudioClient, emulator: StudioEmulator) -> None:
    emulator.control.add_fault("garbage", times=None)
    with pytest.raises(StudioResponseError, match="cut short"):
        patient.verify()


def test_a_body_cut_short_is_requested_again(patient: StudioClient, emulator: StudioEmulator) -> None:
    report = a_report(emulator)
    emulator.control.add_fault("truncate", times=2)
    assert patient.get_report(report).token == report


def test_a_body_cut_short_for_good_is_an_error(patient: StudioClient, emulator: StudioEmulator) -> None:
    emulator.control.add_fault("truncate", times=None)
    with pytest.raises(StudioConnectionError, match="cut short"):
        patient.verify()


def test_a_server_that_does_not_answer_in_time(emulator: StudioEmulator) -> None:
    emulator.control.add_fault("slow", seconds=2.0, times=None)
    client = client_of(emulator, timeout_seconds=0.1, retries=RetryPolicy(attempts=2))
    with pytest.raises(StudioConnectionError, match="in time"):
        client.verify()


def test_a_redirect_is_not_followed_and_carries_no_credentials_away(
    patient: StudioClient, emulator: StudioEmulator
) -> None:
    with StudioEmulator("elsewhere", reports=1) as elsewhere:
        location = f"{elsewhere.url}/api/verify"
        emulator.control.add_fault("status", status=302, headers={"Location": location})
        with pytest.raises(StudioAPIError) as caught:
            patient.verify()
        assert caught.value.status == 302
        assert elsewhere.control.requests_sent() == 0


def test_a_wrong_secret_is_reported_without_showing_it(emulator: StudioEmulator) -> None:
    credentials = Credentials("acme", "emulator-workspace", "not-the-secret", emulator.url, TokenKind.WORKSPACE)
    client = StudioClient(credentials, limiter=RateLimiter.unlimited())
    with pytest.raises(StudioAuthenticationError, match="token and secret") as caught:
        list(client.list_collections())
    assert "not-the-secret" not in f"{caught.value!r} {credentials!r}"


def test_too_many_429_name_the_cause(patient: StudioClient, emulator: StudioEmulator) -> None:
    emulator.control.add_fault("status", status=429, times=None)
    with pytest.raises(StudioRateLimitedError, match="budget"):
        patient.verify()
    assert patient.spending.rate_limited == RetryPolicy().attempts


def test_the_answer_to_a_change_may_be_empty(patient: StudioClient, emulator: StudioEmulator) -> None:
    report = a_report(emulator)
    values = ScheduleInput(cron=Cron(freq=Frequency.DAILY, hour=4, minute=0))
    patient.delete_schedule(report, patient.create_schedule(report, values).token)
    assert list(patient.list_schedules(report)) == []


@pytest.mark.parametrize("seconds", [0, -1.5, float("nan")])
def test_a_timeout_that_makes_no_sense(emulator: StudioEmulator, seconds: float) -> None:
    with pytest.raises(StudioConfigurationError, match=rf"timeout_seconds is {seconds!r}; it must be above 0"):
        client_of(emulator, timeout_seconds=seconds)


def test_a_timeout_of_less_than_a_second_is_a_timeout(emulator: StudioEmulator) -> None:
    assert client_of(emulator, timeout_seconds=0.9).verify().workspace == emulator.workspace
