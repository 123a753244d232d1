# SPDX-License-Identifier: Apache-2.0
"""Limits for the queries of the pages: how many run at once, how many wait, and for how long.

The pages share the API server's process, threads and memory with Airflow. Pages and exports have a lane each, so that a
page never waits for an export. A query beyond a lane's limit is refused at once, and one that runs too long is stopped.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


class BusyError(Exception):
    """The API server has no room for this request now; the same request succeeds later."""


class Lane:
    """Queries of one kind.

    :param at_once: how many run at the same time.
    :param queue: how many more may wait; further ones are refused.
    :param wait_seconds: how long a query waits before it is refused.
    :param query_seconds: how long a query runs before it is interrupted.
    """

    def __init__(self, *, at_once: int, queue: int, wait_seconds: float, query_seconds: float) -> None:
        self.at_once = at_once
        self._most_inside = at_once + queue
        self._wait_seconds = wait_seconds
        self._query_seconds = query_seconds
        self._inside = 0
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(at_once)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, which lasts for the `with` block.

        :raises BusyError: too many queries wait already, or the turn does not come in time.
        """
        with self._lock:
            if self._inside >= self._most_inside:
                raise BusyError("Too many people use these pages at the moment.")
            self._inside += 1
        try:
            if not self._turns.acquire(timeout=self._wait_seconds):
                raise BusyError("The queries of other people take long at the moment.")
            try:
                yield
            finally:
                self._turns.release()
        finally:
            with self._lock:
                self._inside -= 1

    @contextmanager
    def watched(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
        """Interrupt a query that runs too long on a connection, and close the connection after the `with` block.

        :raises BusyError: a query needed too much memory or time.
        """
        import duckdb

        deadline = threading.Timer(self._query_seconds, _interrupt, [cursor])
        deadline.daemon = True
        deadline.start()
        try:
            with cursor:
                yield cursor
        except duckdb.OutOfMemoryException:
            raise BusyError("This needs more memory than is free at the moment.") from None
        except duckdb.InterruptException:
            raise BusyError(f"This took more than {self._query_seconds:.0f} seconds and was stopped.") from None
        finally:
            deadline.cancel()


def _interrupt(cursor: duckdb.DuckDBPyConnection) -> None:
    import duckdb

    try:
        cursor.interrupt()
    except duckdb.Error:
        return  # the query ended, and the connection was closed, just now


PAGES = Lane(at_once=3, queue=16, wait_seconds=10, query_seconds=20)
"""A waiting page holds one of the API server's 40 threads, which Airflow's own requests need too."""
EXPORTS = Lane(at_once=2, queue=0, wait_seconds=1, query_seconds=300)
"""Exports queue before they take a thread, see `csv_export`."""
