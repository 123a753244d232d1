# SPDX-License-Identifier: Apache-2.0
"""Where ledgers are kept. A store runs the ledger's algorithm alone with a ledger; all else is where its bytes are."""

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
    """A store cannot be used for now; waiting may mend it. The message says which and why, without credentials."""


class SlotStore(Protocol):
    """What a limiter asks of a store. Each call is atomic for all users of the same key, and none of them sleeps."""

    def reserve(self, key: str, budget: Budget, priority: Priority, resource: str = "") -> tuple[int, float]:
        """Take a place; its number and the seconds to wait (0.0: send now)."""

    def stamp(self, key: str, budget: Budget, number: int, resource: str = "") -> float:
        """Ask to send from a place; the seconds to wait on (0.0: send now)."""

    def release(self, key: str, number: int) -> None:
        """Give a place back unused."""

    def observe(self, key: str, budget: Budget, feedback: RateLimitFeedback) -> None:
        """Correct the ledger by what the server said."""

    def pause(self, key: str, seconds: float) -> None:
        """Let nobody send for so long."""


class LedgerStore(ABC):
    """Runs the algorithm in this process on a ledger that a subclass loads and saves."""

    def __init__(self) -> None:
        self._last_seen: dict[str, Ledger] = {}
        self._replaced: set[str] = set()
        self._pauses = _PauseLog()

    @abstractmethod
    def with_ledger(self, key: str, change: Callable[[Ledger, float], T]) -> T:
        """Call `change` with the key's ledger and the time, alone with it; keep what it changed and return its answer.

        :raises StoreUnavailableError: it cannot be done for now, and nothing was changed.
        """

    def reserve(self, key: str, budget: Budget, priority: Priority, resource: str = "") -> tuple[int, float]:
        """Take a place; its number and the seconds to wait (0.0: send now)."""
        return self._seen(key, lambda ledger, now: ledger.reserve(now, budget, priority, resource))

    def stamp(self, key: str, budget: Budget, number: int, resource: str = "") -> float:
        """Ask to send from a place; the seconds to wait on (0.0: send now)."""
        return self._seen(key, lambda ledger, now: ledger.stamp(now, budget, number, resource))

    def release(self, key: str, number: int) -> None:
        """Give a place back unused."""
        self.with_ledger(key, lambda ledger, _now: ledger.release(number))

    def observe(self, key: str, budget: Budget, feedback: RateLimitFeedback) -> None:
        """Correct the ledger by what the server said, if that may be news: most answers are none and cost nothing."""
        seen = self._last_seen.get(key)
        if seen is None or seen.learns_from(budget, feedback):
            self._seen(key, lambda ledger, now: ledger.observe(now, budget, feedback))

    def pause(self, key: str, seconds: float) -> None:
        """Let nobody send for so long."""
        self._seen(key, lambda ledger, now: ledger.pause(now, seconds))

    def _seen(self, key: str, change: Callable[[Ledger, float], T]) -> T:
        """Change a ledger, remember how it was left, and log the beginning and the end of a pause."""

        def remembered(ledger: Ledger, now: float) -> tuple[T, float]:
            self._last_seen[key] = ledger
            answer = change(ledger, now)
            return answer, ledger.paused_until - now

        answer, paused_for = self.with_ledger(key, remembered)
        self._pauses.note(key, paused_for)
        return answer

    def _loaded(self, key: str, text: str | bytes | None) -> Ledger:
        """Return the ledger that was stored, or a new one in its place, since no caller could use it either."""
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
        """Take notice of how long a token is paused yet; not above 0: it is not."""
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


class MemoryStore(LedgerStore):
    """Ledgers of this process alone.

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
