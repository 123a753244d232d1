# SPDX-License-Identifier: Apache-2.0
"""A stopwatch for work in several threads: how long at least one of them was busy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class OverlapTimer:
    """Measures the time in which at least one thread is in its context.

    The sum over the threads would be longer than the time that passed.

    :param clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._inside, self._since = 0, 0.0
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time until the context ends."""
        with self._lock:
            if self._inside == 0:
                self._since = self._clock()
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self.seconds += self._clock() - self._since
