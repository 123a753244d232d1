# SPDX-License-Identifier: Apache-2.0
"""How the emulated server counts requests: the models that the real one may use, on the real clock."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol


class ServerLimit(Protocol):
    """Counts the requests of one token."""

    def take(self) -> bool:
        """Count a request that arrives now; False refuses it."""

    def remaining(self) -> int:
        """How many more would pass right now."""


class SlidingWindow:
    """At most `limit` requests in any `interval` seconds."""

    def __init__(self, limit: int, interval: float, now: Callable[[], float]) -> None:
        self._limit, self._interval, self._now = limit, interval, now
        self._taken: deque[float] = deque()

    def take(self) -> bool:
        """Count a request that arrives now; False refuses it."""
        allowed = self.remaining() > 0
        if allowed:
            self._taken.append(self._now())
        return allowed

    def remaining(self) -> int:
        """How many more would pass right now."""
        oldest = self._now() - self._interval
        while self._taken and self._taken[0] <= oldest:
            self._taken.popleft()
        return self._limit - len(self._taken)


class FixedWindow:
    """At most `limit` requests in each slice of `interval` seconds; nobody outside knows where slices begin."""

    def __init__(self, limit: int, interval: float, now: Callable[[], float], phase: float = 0.37) -> None:
        self._limit, self._interval, self._now = limit, interval, now
        self._phase = phase * interval
        self._slice, self._taken = 0, 0

    def take(self) -> bool:
        """Count a request that arrives now; False refuses it."""
        allowed = self.remaining() > 0
        self._taken += allowed
        return allowed

    def remaining(self) -> int:
        """How many more would pass right now."""
        current = int((self._now() + self._phase) // self._interval)
        if current != self._slice:
            self._slice, self._taken = current, 0
        return self._limit - self._taken


class TokenBucket:
    """A bucket of `limit` permits that fills again over `interval` seconds."""

    def __init__(self, limit: int, interval: float, now: Callable[[], float]) -> None:
        self._limit, self._interval, self._now = limit, interval, now
        self._level, self._at = float(limit), now()

    def take(self) -> bool:
        """Count a request that arrives now; False refuses it."""
        allowed = self.remaining() > 0
        self._level -= allowed
        return allowed

    def remaining(self) -> int:
        """How many more would pass right now."""
        now = self._now()
        self._level = min(self._limit, self._level + (now - self._at) * self._limit / self._interval)
        self._at = now
        return int(self._level + 1e-9)


MODELS: dict[str, Callable[[int, float, Callable[[], float]], ServerLimit]] = {
    "sliding": SlidingWindow,
    "fixed": FixedWindow,
    "token_bucket": TokenBucket,
}


class Limits:
    """One limit a token, as configured now."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.configure()

    def configure(
        self, *, enabled: bool = True, limit: int = 40, interval_seconds: float = 10.0, model: str = "sliding"
    ) -> None:
        """Start counting anew, by this model.

        :raises ValueError: an unknown model.
        """
        if model not in MODELS:
            raise ValueError(f"unknown rate limit model {model!r}; known: {', '.join(MODELS)}")
        self.enabled, self.limit, self._interval, self._model = enabled, limit, interval_seconds, model
        self._by_token: dict[str, ServerLimit] = {}

    def of(self, token: str) -> ServerLimit:
        """The limit of one token."""
        if token not in self._by_token:
            self._by_token[token] = MODELS[self._model](self.limit, self._interval, self._now)
        return self._by_token[token]
