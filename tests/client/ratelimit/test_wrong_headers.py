# SPDX-License-Identifier: Apache-2.0
"""Headers of good responses that are wrong or mean something else: they never bring work to a stop unnoticed."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from airflow_provider_studio.client.ratelimit import Budget, RateLimiter
from airflow_provider_studio.client.ratelimit.stores import MemoryStore
from airflow_provider_studio.emulator import StudioEmulator
from tests.conftest import client_of

SENDS = 100


@pytest.fixture
def seconds_for(emulator: StudioEmulator) -> Callable[[dict[str, str]], float]:
    """Return a function that sends 100 requests, whose responses have these headers, and returns how long it takes."""

    def send(headers: dict[str, str]) -> float:
        now = [1_000.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        emulator.control.add_fault("status", status=200, headers=headers, body={"workspace": "acme"}, times=None)
        limiter = RateLimiter(MemoryStore(now=lambda: now[0]), "token", Budget(), sleep=sleep)
        with client_of(emulator, limiter=limiter) as client:
            for _ in range(SENDS):
                client.verify()
                now[0] += 0.05
        return now[0] - 1_000.0

    return send


@pytest.mark.parametrize(
    "headers",
    [
        {"X-RateLimit-Limit": "0"},
        {"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "0"},
        {"X-RateLimit-Remaining": "0"},
        {},
    ],
    ids=str,
)
def test_a_limit_of_zero_or_a_remaining_without_a_limit_changes_nothing(
    seconds_for: Callable[[dict[str, str]], float], headers: dict[str, str]
) -> None:
    assert seconds_for(headers) < 2.5 * Budget().window_seconds


def test_a_remaining_of_zero_on_every_good_response_leaves_a_quarter_and_is_logged_once(
    seconds_for: Callable[[dict[str, str]], float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    seconds = seconds_for({"X-RateLimit-Limit": "40", "X-RateLimit-Remaining": "0"})
    assert 8 * Budget().window_seconds < seconds < 11 * Budget().window_seconds, "ten in each window, not one"
    (line,) = [record.getMessage() for record in caplog.records]
    assert "other clients use 40 of this token's 40 requests in 10 s. A quarter of them is used" in line
    assert "Use a separate token for Airflow" in line


def test_a_small_limit_is_respected_and_logged_once(
    seconds_for: Callable[[dict[str, str]], float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert seconds_for({"X-RateLimit-Limit": "20"}) > 3.5 * Budget().window_seconds
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == "Responses report a limit of 20 requests in 10 s for verify instead of 40; it is respected."
