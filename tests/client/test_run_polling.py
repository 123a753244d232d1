# SPDX-License-Identifier: Apache-2.0
"""Waiting for a run: few polls, tolerance of failed polls, and the reason of a failed run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import islice
from random import Random
from typing import Any

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioConfigurationError,
    StudioError,
    StudioNotFoundError,
    StudioResponseError,
    StudioRunCancelledError,
    StudioRunFailedError,
    StudioRunTimeoutError,
    StudioServerError,
)
from airflow_provider_studio.client.models import ReportRun
from airflow_provider_studio.client.run_polling import PollPolicy, raise_unless_good, wait_for_run
from airflow_provider_studio.emulator import StudioEmulator


class Time:
    """A clock that sleeping moves, here and in the emulator."""

    def __init__(self, emulator: StudioEmulator) -> None:
        self._emulator = emulator
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self._emulator.control.advance(timedelta(seconds=seconds))

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(emulator: StudioEmulator) -> Time:
    return Time(emulator)


Wait = Callable[..., tuple[str, ReportRun]]


@pytest.fixture
def run_and_wait(client: StudioClient, emulator: StudioEmulator, time: Time) -> Wait:
    def run(*, seconds: float, outcome: str = "succeeded", **options: float) -> tuple[str, ReportRun]:
        report = emulator.control.add_report(next_runtime_seconds=seconds, next_outcome=outcome)
        started = client.create_report_run(report)
        options = {"timeout_seconds": 3600.0, **options}
        return report, wait_for_run(client, report, started, sleep=time.sleep, monotonic=time.monotonic, **options)

    return run


def test_the_first_poll_is_when_the_run_may_be_over() -> None:
    steady = PollPolicy(first_share=1.0, jitter=0.0)
    assert list(islice(steady.intervals(40.0), 3)) == [40.0, 4.0, 4.0]
    assert list(islice(steady.intervals(None), 2)) == [4.0, 4.0]
    assert list(islice(steady.intervals(45.0, elapsed_seconds=40.0), 1)) == [5.0]
    assert list(islice(PollPolicy(longest_seconds=30.0, jitter=0.0).intervals(900.0), 20))[1:] == [30.0] * 19


@pytest.mark.parametrize("seconds", [3.0, 50.0, 700.0, 9000.0])
def test_what_is_learned_late_is_late_by_a_share_of_the_runtime(seconds: float) -> None:
    for expected in (None, seconds * 0.3, seconds * 0.95, seconds, seconds * 1.1):
        at = 0.0
        for interval in PollPolicy().intervals(expected, chance=Random(1)):
            at += interval
            if at >= seconds:
                break
        assert at - seconds <= max(5.0, 0.1 * seconds)


def test_many_waiters_spread() -> None:
    firsts = {next(PollPolicy().intervals(100.0, chance=Random(seed))) for seed in range(50)}
    assert len(firsts) == 50
    assert 86.0 <= min(firsts) < 87.0
    assert 89.5 < max(firsts) <= 90.3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"share": -1}, "poll_policy.share is -1"),
        ({"longest_seconds": "many"}, "poll_policy.longest_seconds is 'many'"),
        ({"shortest_seconds": 0}, "shortest must be above 0"),
        ({"shortest_seconds": 10, "longest_seconds": 5}, "not above the longest"),
        ({"speed": 1}, "poll_policy has no 'speed'; it has first_share"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(StudioConfigurationError, match=message):
        PollPolicy.of(given)


@pytest.mark.parametrize(("seconds", "most"), [(85.0, 1), (93.0, 2), (102.0, 3), (111.0, 4)])
def test_a_run_about_as_long_as_expected_takes_few_polls(
    run_and_wait: Wait, time: Time, seconds: float, most: int
) -> None:
    assert run_and_wait(seconds=seconds, expected_seconds=100.0)[1].state == "succeeded"
    assert len(time.slept) <= most


def test_a_run_that_an_earlier_try_began_is_polled_when_it_may_be_over(run_and_wait: Wait, time: Time) -> None:
    run_and_wait(seconds=15.0, expected_seconds=100.0, elapsed_seconds=80.0)
    assert time.slept[0] < 13.0


def test_a_long_run_takes_few_polls(run_and_wait: Wait, time: Time) -> None:
    run_and_wait(seconds=1800.0, expected_seconds=10.0)
    assert len(time.slept) < 60


@pytest.mark.parametrize("outcome", ["succeeded", "completed"])
def test_both_good_ends_are_good(client: StudioClient, run_and_wait: Wait, outcome: str) -> None:
    report, run = run_and_wait(seconds=5.0, outcome=outcome)
    raise_unless_good(client, report, run)


def test_a_failed_run_says_which_query_and_why(client: StudioClient, run_and_wait: Wait) -> None:
    report, run = run_and_wait(seconds=5.0, outcome="failed")
    words = rf'Report "Revenue" failed after 5\.\d s: Query 1: \S+: .*{run.token} of'
    with pytest.raises(StudioRunFailedError, match=words):
        raise_unless_good(client, report, run, name="Revenue")


def test_a_cancelled_run_has_an_error_of_its_own(client: StudioClient, run_and_wait: Wait) -> None:
    report, run = run_and_wait(seconds=5.0, outcome="cancelled")
    with pytest.raises(StudioRunCancelledError) as caught:
        raise_unless_good(client, report, run)
    assert not caught.value.retry_helps


def test_a_reason_that_cannot_be_read_does_not_hide_the_failure(
    client: StudioClient, emulator: StudioEmulator, run_and_wait: Wait
) -> None:
    report, run = run_and_wait(seconds=5.0, outcome="failed")
    emulator.control.add_fault("status", path="query_runs", status=403, times=None)
    with pytest.raises(StudioRunFailedError, match="could not be read"):
        raise_unless_good(client, report, run)


def test_a_run_that_is_not_over_in_time(run_and_wait: Wait, time: Time) -> None:
    with pytest.raises(StudioRunTimeoutError, match=r"still enqueued after 20 s\. The run continues in Studio"):
        run_and_wait(seconds=600.0, timeout_seconds=20.0)
    assert time.now == 20.0


@pytest.mark.parametrize("status", [404, 503])
def test_polls_that_fail_now_and_then_are_tolerated(run_and_wait: Wait, emulator: StudioEmulator, status: int) -> None:
    emulator.control.add_fault("status", method="GET", path="/runs/", status=status, times=4)
    assert run_and_wait(seconds=60.0)[1].state == "succeeded"


@pytest.mark.parametrize(("status", "kind"), [(404, StudioNotFoundError), (503, StudioServerError)])
def test_polls_that_keep_failing_fail_the_wait(
    run_and_wait: Wait, emulator: StudioEmulator, time: Time, status: int, kind: type[StudioError]
) -> None:
    emulator.control.add_fault("status", method="GET", path="/runs/", status=status, times=None)
    with pytest.raises(kind):
        run_and_wait(seconds=60.0)
    assert len(time.slept) == 5


def test_an_unknown_state_ends_the_wait_with_an_error(run_and_wait: Wait) -> None:
    with pytest.raises(StudioResponseError, match="unknown state 'paused'"):
        run_and_wait(seconds=5.0, outcome="paused")
