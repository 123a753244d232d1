# SPDX-License-Identifier: Apache-2.0
"""How the emulated server counts requests: models that the real service may use, on the real clock."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class ServerLimit(Protocol):
    """Counts the requests of one token."""

    def take(self) -> bool:
        """Count a request that arrives now; False refuses it."""

    def remaining(self) -> int:
        """Return how many more requests would pass now."""


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
        """Return how many more requests would pass now."""
        oldest = self._now() - self._interval
        while self._taken and self._taken[0] <= oldest:
            self._taken.popleft()
        return self._limit - len(self._taken)


class FixedWindow:
    """At most `limit` requests in each slice of `interval` seconds; clients do not know where slices start."""

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
        """Return how many more requests would pass now."""
        current = int((self._now() + self._phase) // self._interval)
        if current != self._slice:
            self._slice, self._taken = current, 0
        return self._limit - self._taken


class TokenBucket:
    """A bucket of `limit` permits that refills over `interval` seconds."""

    def __init__(self, limit: int, interval: float, now: Callable[[], float]) -> None:
        self._limit, self._interval, self._now = limit, interval, now
        self._level, self._at = float(limit), now()

    def take(self) -> bool:
        """Count a request that arrives now; False refuses it."""
        allowed = self.remaining() > 0
        self._level -= allowed
        return allowed

    def remaining(self) -> int:
        """Return how many more requests would pass now."""
        now = self._now()
        self._level = min(self._limit, self._level + (now - self._at) * self._limit / self._interval)
        self._at = now
        return int(self._level + 1e-9)


MODELS: dict[str, Callable[[int, float, Callable[[], float]], ServerLimit]] = {
    "sliding": SlidingWindow,
    "fixed": FixedWindow,
    "token_bucket": TokenBucket,
}


@dataclass(frozen=True)
class RequestClass:
    """Requests with a separate limit.

    :param path: a regular expression that is searched in their paths.
    :param limit: how many of them pass per interval.
    """

    path: str
    limit: int


class Limits:
    """One limit for each caller and class of requests."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.configure()

    def configure(
        self,
        *,
        enabled: bool = True,
        limit: int = 40,
        interval_seconds: float = 10.0,
        model: str = "sliding",
        per: str = "token",
        headers: bool = True,
        retry_after: bool = False,
        classes: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Change the settings and restart the counts.

        :param model: `sliding`, `fixed` or `token_bucket`.
        :param per: which requests are counted together: those of a `token`, or of a `username` with any token.
        :param headers: whether responses have X-RateLimit-Limit and X-RateLimit-Remaining.
        :param retry_after: whether a 429 has Retry-After.
        :param classes: `{"path": regular expression, "limit": n}` for requests with a separate limit.
        :raises ValueError: an unknown model, or an invalid setting.
        """
        if model not in MODELS:
            raise ValueError(f"unknown rate limit model {model!r}; known: {', '.join(MODELS)}")
        if per not in {"token", "username"}:
            raise ValueError(f"unknown rate limit per {per!r}; known: token, username")
        if limit < 1 or not interval_seconds > 0:
            raise ValueError(f"a rate limit of {limit} in {interval_seconds} s is invalid: both must be positive")
        self.enabled, self.headers, self.retry_after = enabled, headers, retry_after
        self.limit, self.interval_seconds, self._model, self._per = limit, interval_seconds, model, per
        self._classes = [RequestClass(**settings) for settings in classes]
        self.restart()

    def restart(self) -> None:
        """Restart the counts."""
        self._counters: dict[tuple[str, str], ServerLimit] = {}

    def of(self, token: str, username: str | None, path: str) -> tuple[ServerLimit, int]:
        """Return the counter of a request, and its limit."""
        caller = username if self._per == "username" and username else token
        separate = next((request_class for request_class in self._classes if re.search(request_class.path, path)), None)
        key, limit = (caller, separate.path if separate else ""), separate.limit if separate else self.limit
        if key not in self._counters:
            self._counters[key] = MODELS[self._model](limit, self.interval_seconds, self._now)
        return self._counters[key], limit
