# SPDX-License-Identifier: Apache-2.0
"""A fallback while the shared store is unavailable: a private share of the budget that is small enough to be safe."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from airflow_provider_studio.client.ratelimit.budget import Budget, Priority, RateLimitFeedback
from airflow_provider_studio.client.ratelimit.stores import Clock, SlotStore, StoreUnavailableError

log = logging.getLogger(__name__)

_RETRY_SECONDS = 5.0


class FallbackStore:
    """A store with a fallback for the time that it is unavailable. Reservations of the fallback have negative numbers.

    Switching to the fallback and back each waits one window, so that no window mixes sends of the two stores.

    :param shared: the store to use.
    :param private: the fallback, which fewer callers share.
    :param parts: the number of shares into which the budget is divided meanwhile; the fallback has one of them.
    :param now: the clock, in seconds.
    """

    def __init__(self, shared: SlotStore, private: SlotStore, *, parts: int, now: Clock = time.monotonic) -> None:
        self._shared, self._private, self._parts = shared, private, parts
        self._now = now
        self._retry_at: float | None = None
        self._moved: dict[int, int] = {}

    def reserve(self, key: str, budget: Budget, priority: Priority, resource: str = "") -> tuple[int, float]:
        """Reserve a slot; return its number and the seconds to wait (0.0: send now)."""
        if self._usable(key, budget):
            try:
                return self._shared.reserve(key, budget, priority, resource)
            except StoreUnavailableError as error:
                self._switch_to_private(key, budget, error)
        number, wait = self._private.reserve(key, self._share(budget), priority, resource)
        return -number, wait

    def stamp(self, key: str, budget: Budget, number: int, resource: str = "") -> float:
        """Request to send in a slot; return the seconds to wait (0.0: send now)."""
        moved = self._moved.get(number, number)
        if moved > 0:
            try:
                return self._shared.stamp(key, budget, number, resource)
            except StoreUnavailableError as error:
                self._switch_to_private(key, budget, error)
            moved, wait = self.reserve(key, budget, Priority.ACT, resource)
            self._moved[number] = moved
        else:
            wait = self._private.stamp(key, self._share(budget), -moved, resource)
        if wait == 0.0:
            self._moved.pop(number, None)
        return wait

    def release(self, key: str, number: int) -> None:
        """Release an unused slot; if the store is unavailable, the slot expires."""
        moved = self._moved.pop(number, number)
        try:
            if moved > 0:
                self._shared.release(key, moved)
            else:
                self._private.release(key, -moved)
        except StoreUnavailableError:
            log.debug("A slot could not be released", exc_info=True)

    def observe(self, key: str, budget: Budget, feedback: RateLimitFeedback) -> None:
        """Correct the ledger by the server's feedback."""
        if self._retry_at is None:
            try:
                self._shared.observe(key, budget, feedback)
            except StoreUnavailableError as error:
                self._switch_to_private(key, budget, error)
            else:
                return
        self._private.observe(key, self._share(budget), feedback)

    def pause(self, key: str, seconds: float) -> None:
        """Pause all requests for a number of seconds."""
        try:
            self._shared.pause(key, seconds)
        except StoreUnavailableError:
            self._private.pause(key, seconds)

    def _share(self, budget: Budget) -> Budget:
        return replace(budget, limit=max(1, budget.limit // self._parts))

    def _usable(self, key: str, budget: Budget) -> bool:
        """Whether to use the shared store; when it is back, all requests pause until private sends no longer count."""
        if self._retry_at is None:
            return True
        if self._now() < self._retry_at:
            return False
        try:
            self._shared.pause(key, budget.window_seconds)
        except StoreUnavailableError:
            self._retry_at = self._now() + _RETRY_SECONDS
            return False
        log.warning("The rate limit's shared ledger is available again.")
        self._retry_at = None
        return True

    def _switch_to_private(self, key: str, budget: Budget, error: StoreUnavailableError) -> None:
        if self._retry_at is None:
            share = self._share(budget)
            log.warning(
                "The rate limit's shared ledger cannot be used (%s). Until it is available, a private share of %d "
                "requests in %.0f s is used instead.",
                error,
                share.limit,
                budget.interval_seconds,
            )
            self._private.pause(key, budget.window_seconds)
        self._retry_at = self._now() + _RETRY_SECONDS
