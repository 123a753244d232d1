# SPDX-License-Identifier: Apache-2.0
"""Values that cost something to load: loaded once for all who ask, off the request, never waited for without end.

A request waits for a short while. After that it gets the value from before, where there is one, or an error that
becomes a page saying so; the load goes on and the next request finds its result.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotDoneError
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")


class TooSlowError(Exception):
    """A load takes longer than a request may wait."""


class StillPreparingError(Exception):
    """Tables are being made; asking again in a moment will do."""


@dataclass
class _Entry(Generic[Value]):
    value: Value
    loaded_at: float


class Remembered(Generic[Value]):
    """Values by key, each good for some time.

    :param load: makes the value of a key.
    :param good_for_seconds: how long a value is used without asking again; None is for ever.
    :param patience_seconds: how long a request waits for a first value.
    :param too_slow: what to raise after that.
    :param keep: how many values are held, the newest.
    """

    def __init__(
        self,
        load: Callable[..., Value],
        *,
        good_for_seconds: float | None,
        patience_seconds: float = 5.0,
        too_slow: Callable[[], Exception],
        keep: int = 8,
        threads: int = 2,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._good_for = good_for_seconds
        self._patience = patience_seconds
        self._too_slow = too_slow
        self._keep = keep
        self._clock = clock
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="studio-page")
        self._lock = threading.Lock()
        self._entries: dict[Hashable, _Entry[Value]] = {}
        self._loading: dict[Hashable, Future[Value]] = {}

    def get(self, *key: Hashable) -> Value:
        """Return the value of a key; what the load raises is raised here."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and (self._good_for is None or self._clock() - entry.loaded_at < self._good_for):
                return entry.value
            future = self._loading.get(key)
            if future is None:
                future = self._loading[key] = self._pool.submit(self._loaded, key)
        try:
            return future.result(self._patience if entry is None else min(0.2, self._patience))
        except NotDoneError:
            if not future.done() and entry is not None:
                return entry.value
            if future.done():
                return future.result()
            raise self._too_slow() from None

    def _loaded(self, key: tuple[Hashable, ...]) -> Value:
        try:
            value = self._load(*key)
            with self._lock:
                self._entries.pop(key, None)
                self._entries[key] = _Entry(value, self._clock())
                while len(self._entries) > self._keep:
                    self._entries.pop(next(iter(self._entries)))
        except BaseException:
            with self._lock:
                self._entries.pop(key, None)  # what was true before is not known to be true any more
            raise
        else:
            return value
        finally:
            with self._lock:
                self._loading.pop(key, None)
