# SPDX-License-Identifier: Apache-2.0
"""Stale-while-revalidate cache; loads run in threads of their own, and reads time out.

A request waits for a short time. Then it gets the previous value, or an error page where there is none; the load
continues, and the next request finds its result. Waiting requests hold threads that Airflow's own requests need, so the
number of waiting requests is limited, and further ones do not wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")
_WAITING = threading.BoundedSemaphore(12)
"""How many requests may wait. The API server has 40 threads; requests that wait for a query hold some of them too."""
_SHORT_SECONDS = 0.2
"""How long a request waits for a newer value where there is a previous one."""
_MOST_LOADS = 32
"""How many loads of a cache may run or be queued. Keys come from URLs, so their number has no limit."""


class TooSlowError(Exception):
    """A load takes longer than a request may wait."""


class StillPreparingError(Exception):
    """Tables are being prepared; the same request succeeds a moment later."""


@dataclass
class _Entry(Generic[Value]):
    value: Value
    loaded_at: float


class AsyncCache(Generic[Value]):
    """Values by key, each valid for some time.

    :param load: returns the value of a key.
    :param good_for_seconds: how long a value is used before it is loaded again; None means forever.
    :param still_good: whether a value may be used at all; one that may not is loaded again.
    :param patience_seconds: how long a request waits for a first value.
    :param too_slow: returns the error to raise after that.
    :param keep: how many values are held, the newest.
    """

    def __init__(
        self,
        load: Callable[..., Value],
        *,
        good_for_seconds: float | None,
        still_good: Callable[[Value], bool] = lambda _value: True,
        patience_seconds: float = 5.0,
        too_slow: Callable[[], Exception],
        keep: int = 8,
        threads: int = 2,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._good_for = good_for_seconds
        self._still_good = still_good
        self._patience = patience_seconds
        self._too_slow = too_slow
        self._keep = keep
        self._clock = clock
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="studio-page")
        self._lock = threading.Lock()
        self._entries: dict[Hashable, _Entry[Value]] = {}
        self._loading: dict[Hashable, Future[Value]] = {}

    def get(self, *key: Hashable) -> Value:
        """Return the value of a key; an error of the load is raised here."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and not self._still_good(entry.value):
                entry = None
            if entry is not None and (self._good_for is None or self._clock() - entry.loaded_at < self._good_for):
                return entry.value
            future = self._loading.get(key)
            if future is None and len(self._loading) < _MOST_LOADS:
                future = self._loading[key] = self._pool.submit(self._loaded, key)
        if future is not None and self._finished(future, self._patience if entry is None else _SHORT_SECONDS):
            return future.result()
        if entry is not None:
            return entry.value
        raise self._too_slow()

    def _finished(self, future: Future[Value], seconds: float) -> bool:
        """Wait for a load, unless too many requests wait, and return whether it is finished."""
        if not future.done() and _WAITING.acquire(blocking=False):
            try:
                wait([future], min(seconds, self._patience))
            finally:
                _WAITING.release()
        return future.done()

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
                self._entries.pop(key, None)  # the previous value may no longer be true
            raise
        else:
            return value
        finally:
            with self._lock:
                self._loading.pop(key, None)
