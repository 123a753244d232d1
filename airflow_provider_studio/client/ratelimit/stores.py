# SPDX-License-Identifier: Apache-2.0
"""Stores of ledgers. A store runs the ledger's algorithm with exclusive access, and saves the ledger."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from airflow_provider_studio.client.ratelimit.budget import Budget, Priority, RateLimitFeedback
from airflow_provider_studio.client.ratelimit.ledger import Ledger, UnreadableLedgerError

log = logging.getLogger(__name__)

Clock = Callable[[], float]
T = TypeVar("T")
_SAME_END = timedelta(seconds=0.5)
_LONGEST_LOGGED_SECONDS = 86_400.0


class StoreUnavailableError(Exception):
    """A store is temporarily unavailable. The message says which and why, without credentials."""


class SlotStore(Protocol):
    """The interface of a store. Each call is atomic for all users of the same key, and none sleeps."""

    def reserve(self, key: str, budget: Budget, priority: Priority, resource: str = "") -> tuple[int, float]:
        """Reserve a slot; return its number and the seconds to wait (0.0: send now)."""

    def stamp(self, key: str, budget: Budget, number: int, resource: str = "") -> float:
        """Request to send in a slot; return the seconds to wait (0.0: send now)."""

    def release(self, key: str, number: int) -> None:
        """Release an unused slot."""

    def observe(self, key: str, budget: Budget, feedback: RateLimitFeedback) -> None:
        """Correct the ledger by the server's feedback."""

    def pause(self, key: str, seconds: float) -> None:
        """Pause all requests for a number of seconds."""


class LedgerStore(ABC):
    """A store that runs the algorithm in this process; a subclass loads and saves the ledger."""

    def __init__(self) -> None:
        self._cached: dict[str, Ledger] = {}
        self._replaced: set[str] = set()
        self._pauses = _PauseLog()
        self._shortages = _ShortageLog()

    @abstractmethod
    def with_ledger(self, key: str, change: Callable[[Ledger, float], T]) -> T:
        """Call `change` with exclusive access to the key's ledger and the time; save the ledger and return the result.

        :raises StoreUnavailableError: the store is unavailable, and nothing was changed.
        """

    def reserve(self, key: str, budget: Budget, priority: Priority, resource: str = "") -> tuple[int, float]:
        """Reserve a slot; return its number and the seconds to wait (0.0: send now)."""
        return self._change(key, lambda ledger, now: ledger.reserve(now, budget, priority, resource))

    def stamp(self, key: str, budget: Budget, number: int, resource: str = "") -> float:
        """Request to send in a slot; return the seconds to wait (0.0: send now)."""
        return self._change(key, lambda ledger, now: ledger.stamp(now, budget, number, resource))

    def release(self, key: str, number: int) -> None:
        """Release an unused slot."""
        self.with_ledger(key, lambda ledger, _now: ledger.release(number))

    def observe(self, key: str, budget: Budget, feedback: RateLimitFeedback) -> None:
        """Correct the ledger by the server's feedback, if it may change the ledger: most feedback does not."""
        cached = self._cached.get(key)
        if cached is None or cached.learns_from(budget, feedback):
            self._change(key, lambda ledger, now: ledger.observe(now, budget, feedback))
            self._shortages.note(key, budget, feedback, self._cached[key])

    def pause(self, key: str, seconds: float) -> None:
        """Pause all requests for a number of seconds."""
        self._change(key, lambda ledger, now: ledger.pause(now, seconds))

    def _change(self, key: str, change: Callable[[Ledger, float], T]) -> T:
        """Change a ledger, cache its state, and log the beginning and the end of a pause."""

        def with_cache(ledger: Ledger, now: float) -> tuple[T, float]:
            self._cached[key] = ledger
            result = change(ledger, now)
            return result, ledger.paused_until - now

        result, paused_for = self.with_ledger(key, with_cache)
        self._pauses.note(key, paused_for)
        return result

    def _loaded(self, key: str, text: str | bytes | None) -> Ledger:
        """Return the stored ledger; a new one replaces an unreadable one, which no other caller could read either."""
        try:
            return Ledger.loads(text)
        except UnreadableLedgerError as error:
            if key not in self._replaced:
                self._replaced.add(key)
                log.warning("The rate limit's stored ledger is unreadable (%s). A new one replaces it.", error)
            return Ledger()


class _PauseLog:
    """Logs each pause of a token's requests once, and its end."""

    def __init__(self) -> None:
        self._ends: dict[str, datetime] = {}

    def note(self, key: str, seconds: float) -> None:
        """Log a change of a token's pause; `seconds` of at most 0 mean that it is not paused."""
        ends = self._ends.get(key)
        if seconds <= 0:
            if self._ends.pop(key, None) is not None:
                log.info("Requests with this token are resumed.")
            return
        now = datetime.now(UTC)
        until = now + timedelta(seconds=min(seconds, _LONGEST_LOGGED_SECONDS))
        if ends is None or until > ends + _SAME_END:
            self._ends[key] = until
            log.warning("Requests with this token are paused until %s UTC (%.1f s).", f"{until:%H:%M:%S}", seconds)


class _ShortageLog:
    """Logs once that the headers of responses leave less of the budget than is configured."""

    def __init__(self) -> None:
        self._logged: set[tuple[str, str]] = set()

    def note(self, key: str, budget: Budget, feedback: RateLimitFeedback, ledger: Ledger) -> None:
        """Log what a response changed in a token's ledger."""
        smaller = ledger.smaller.get(feedback.resource)
        if smaller is not None and self._is_first(key, feedback.resource):
            log.warning(
                "Responses report a limit of %d requests in %.0f s for %s instead of %d; it is respected.",
                smaller.limit,
                budget.interval_seconds,
                feedback.resource or "this token",
                budget.limit,
            )
        if ledger.is_crowded_out(budget) and self._is_first(key, "/others"):
            log.warning(
                "Responses report that other clients use %d of this token's %d requests in %.0f s. A quarter of them "
                "is used nevertheless. Use a separate token for Airflow; if nobody else uses it, ask Studio's support.",
                min(ledger.others, budget.limit),
                budget.limit,
                budget.interval_seconds,
            )

    def _is_first(self, key: str, what: str) -> bool:
        is_first = (key, what) not in self._logged
        self._logged.add((key, what))
        return is_first


class MemoryStore(LedgerStore):
    """Ledgers in memory, for this process only.

    :param now: the clock, in seconds.
    """

    def __init__(self, now: Clock = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._lock = threading.Lock()
        self._ledgers: dict[str, Ledger] = {}

    def with_ledger(self, key: str, change: Callable[[Ledger, float], T]) -> T:
        """Change the key's ledger under a lock."""
        with self._lock:
            return change(self._ledgers.setdefault(key, Ledger()), self._now())
