# SPDX-License-Identifier: Apache-2.0
"""RateLimiter: what a caller asks before each send."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

from airflow_provider_studio.client.ratelimit.budget import Budget, Priority, RateLimitFeedback
from airflow_provider_studio.client.ratelimit.stores import MemoryStore, SlotStore


@dataclass(frozen=True)
class Permit:
    """Leave to send one request, now.

    :param waited_seconds: how long it took to get.
    """

    waited_seconds: float


class RateLimiter:
    """The budget of one token.

    :param store: where the ledger is kept; everyone who shares a budget shares the store.
    :param key: names the budget: a hash of host and token, never the token.
    :param budget: how many requests in how many seconds.
    :param sleep: how a blocking caller waits.
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

    def acquire(self, priority: Priority = Priority.WALK, resource: str = "") -> Permit:
        """Wait for the next place in the budget. Send at once when this returns."""
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
        """Tell the ledger what an answer said of the budget."""
        if feedback.limit is not None or feedback.status == 429:
            self._store.observe(self._key, self._budget, feedback)

    def pause(self, seconds: float) -> None:
        """Let nobody who shares this budget send for so many seconds, up to the budget's `longest_pause_seconds`."""
        self._store.pause(self._key, min(seconds, self._budget.longest_pause_seconds))

    def _steps(self, priority: Priority, resource: str) -> Generator[float, None, None]:
        """Yield the seconds to sleep, until the send is stamped; a caller that gives up gives its place back."""
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

    def acquire(self, priority: Priority = Priority.WALK, resource: str = "") -> Permit:  # noqa: ARG002
        return Permit(0.0)

    def observe(self, feedback: RateLimitFeedback) -> None:
        pass
