# SPDX-License-Identifier: Apache-2.0
"""Threads that wait at the same time make a task wait once."""

from __future__ import annotations

from airflow_provider_studio.client.overlap import OverlapTimer


def test_time_that_several_threads_wait_counts_once() -> None:
    times = iter([10.0, 13.0, 20.0, 21.5])
    timer = OverlapTimer(lambda: next(times))
    first, second = timer.running(), timer.running()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert timer.seconds == 3.0, "from the first beginning to the last end"
    with timer.running():
        pass
    assert timer.seconds == 4.5
