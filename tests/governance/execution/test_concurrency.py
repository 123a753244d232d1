# SPDX-License-Identifier: Apache-2.0
"""Several things at once, never more than allowed; the first error ends the rest, and nothing is left running."""

from __future__ import annotations

import threading

import pytest

from airflow_provider_studio.governance.execution.concurrency import run_concurrently


@pytest.mark.parametrize("concurrency", [0, 1])
def test_one_at_a_time_is_in_order_and_in_the_callers_thread(concurrency: int) -> None:
    done: list[tuple[int, str]] = []
    run_concurrently(lambda thing: done.append((thing, threading.current_thread().name)), range(4), concurrency)
    assert done == [(number, threading.current_thread().name) for number in range(4)]


def test_as_many_as_allowed_work_at_once_and_no_more() -> None:
    meeting, lock = threading.Barrier(3, timeout=30), threading.Lock()
    working: list[int] = []
    most: list[int] = []

    def work(thing: int) -> None:
        with lock:
            working.append(thing)
            most.append(len(working))
        meeting.wait()  # nobody passes alone
        with lock:
            working.remove(thing)
        meeting.wait()

    run_concurrently(work, range(9), 3)
    assert (max(most), len(most), working) == (3, 9, [])


def test_the_first_error_ends_the_rest_after_those_on_their_way_are_finished() -> None:
    both_work, failed = threading.Barrier(2, timeout=30), threading.Event()
    begun: list[int] = []
    finished: list[int] = []

    def work(thing: int) -> None:
        begun.append(thing)
        if thing > 1:
            failed.wait(0.2)  # the pool has time to drop what waits
            return
        both_work.wait()
        if thing == 0:
            raise ValueError("the first")
        finished.append(thing)

    with pytest.raises(ValueError, match="the first"):
        run_concurrently(work, range(50), 2)
    assert finished == [1]
    assert len(begun) < 10
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("studio_")]


def test_an_error_of_one_at_a_time_ends_the_rest() -> None:
    begun: list[int] = []

    def work(thing: int) -> None:
        begun.append(thing)
        raise ValueError("the first")

    with pytest.raises(ValueError, match="the first"):
        run_concurrently(work, range(5), 1)
    assert begun == [0]
