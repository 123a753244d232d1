# SPDX-License-Identifier: Apache-2.0
"""How the emulated server counts requests: the models that the real one may use, on the real clock."""

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


@dataclass(frozen=True)
class RequestClass:
    """Requests that are counted apart from all others.

    :param path: a regular expression that is found in their paths.
    :param limit: how many of them pass in an interval.
    """

    path: str
    limit: int


class Limits:
    """One limit for each caller and class of requests, as configured now."""

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
        """Start counting anew.

        :param model: `sliding`, `fixed` or `token_bucket`.
        :param per: whose requests are counted together: those of a `token`, or of a `username` over all their tokens.
        :param headers: whether answers carry X-RateLimit-Limit and X-RateLimit-Remaining.
        :param retry_after: whether a 429 carries Retry-After.
        :param classes: `{"path": regular expression, "limit": n}` for requests that are counted apart.
        :raises ValueError: an unknown model, or a setting that makes no sense.
        """
        if model not in MODELS:
            raise ValueError(f"unknown rate limit model {model!r}; known: {', '.join(MODELS)}")
        if per not in {"token", "username"}:
            raise ValueError(f"rate limit per {per!r}: neither 'token' nor 'username'")
        if limit < 1 or not interval_seconds > 0:
            raise ValueError(f"a rate limit of {limit} in {interval_seconds} s makes no sense: both must be positive")
        self.enabled, self.headers, self.retry_after = enabled, headers, retry_after
        self.limit, self.interval_seconds, self._model, self._per = limit, interval_seconds, model, per
        self._classes = [RequestClass(**one) for one in classes]
        self.forget()

    def forget(self) -> None:
        """Start counting anew, as configured."""
        self._counted: dict[tuple[str, str], ServerLimit] = {}

    def of(self, token: str, username: str | None, path: str) -> tuple[ServerLimit, int]:
        """What counts a request, and its limit."""
        who = username if self._per == "username" and username else token
        apart = next((one for one in self._classes if re.search(one.path, path)), None)
        key, limit = (who, apart.path if apart else ""), apart.limit if apart else self.limit
        if key not in self._counted:
            self._counted[key] = MODELS[self._model](limit, self.interval_seconds, self._now)
        return self._counted[key], limit
