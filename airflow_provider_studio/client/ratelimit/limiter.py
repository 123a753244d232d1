# SPDX-License-Identifier: Apache-2.0
"""RateLimiter: issues a permit before each send."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

from airflow_provider_studio.client.ratelimit.budget import Budget, Priority, RateLimitFeedback
from airflow_provider_studio.client.ratelimit.stores import MemoryStore, SlotStore


@dataclass(frozen=True)
class Permit:
    """Permission to send one request now.

    :param waited_seconds: how long the caller waited for it.
    """

    waited_seconds: float


class RateLimiter:
    """The budget of one token.

    :param store: the store of the ledger; all users of a budget share it.
    :param key: the name of the budget: a hash of host and token, never the token.
    :param budget: the number of requests in an interval.
    :param sleep: the function that waits.
    """

    def __init__(
        self,
        store: SlotStore,
        key: str,
        budget: Budget | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._key = key
        self._budget = budget or Budget()
        self._sleep = sleep

    @staticmethod
    def unlimited() -> RateLimiter:
        """Return a limiter that never waits, for a server without a limit."""
        return _NoLimit()

    def acquire(self, priority: Priority = Priority.CRAWL, resource: str = "") -> Permit:
        """Wait for the next slot in the budget. Send immediately when this returns."""
        waited = 0.0
        steps = self._steps(priority, resource)
        try:
            for seconds in steps:
                self._sleep(seconds)
                waited += seconds
        finally:
            steps.close()
        return Permit(waited)

    def observe(self, feedback: RateLimitFeedback) -> None:
        """Pass a response's feedback to the ledger."""
        if feedback.limit is not None or feedback.status == 429:
            self._store.observe(self._key, self._budget, feedback)

    def pause(self, seconds: float) -> None:
        """Pause all users of this budget for a number of seconds, up to the budget's `longest_pause_seconds`."""
        self._store.pause(self._key, min(seconds, self._budget.longest_pause_seconds))

    def _steps(self, priority: Priority, resource: str) -> Generator[float, None, None]:
        """Yield the seconds to sleep until the send is stamped; if the caller stops, release its slot."""
        number, wait = self._store.reserve(self._key, self._budget, priority, resource)
        try:
            while wait > 0:
                yield wait
                wait = self._store.stamp(self._key, self._budget, number, resource)
        except GeneratorExit:
            self._store.release(self._key, number)
            raise


class _NoLimit(RateLimiter):
    def __init__(self) -> None:
        super().__init__(MemoryStore(), "unlimited")

    def acquire(self, priority: Priority = Priority.CRAWL, resource: str = "") -> Permit:  # noqa: ARG002
        return Permit(0.0)

    def observe(self, feedback: RateLimitFeedback) -> None:
        pass
