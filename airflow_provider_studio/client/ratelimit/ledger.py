# SPDX-License-Identifier: Apache-2.0
"""The algorithm: a log of sends and the queue of those who wait for a place in it.

A caller reserves the earliest place at which the log stays legal, behind everyone of its priority. When that time
comes it asks to be stamped; the stamp is refused while the sends of the last window are too many, whoever made them and
however late they woke. So the log is legal at any number of waiters, and the queue alone decides who is next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from airflow_provider_studio.client.ratelimit.budget import Budget, Priority, RateLimitFeedback

_GAP_SECONDS = 0.01
"""Between two reserved places, so that waiters do not wake as one herd."""
_DEAD_AFTER_SECONDS = 2.0
"""A place that nobody claimed so long after its time belonged to a process that died."""
_GRAIN_SECONDS = 0.001


@dataclass
class Place:
    """A reserved place in the queue: when its owner may ask to send."""

    number: int
    at: float
    priority: int


@dataclass
class Ledger:
    """The state of one token's budget. Times are seconds of the store's clock."""

    sent: list[float] = field(default_factory=list)
    waiting: list[Place] = field(default_factory=list)
    paused_until: float = 0.0
    learned_limit: int | None = None
    strikes: int = 0
    last_number: int = 0

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(**{**data, "waiting": [Place(*place) for place in data["waiting"]]})

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON."""
        return {**vars(self), "waiting": [[place.number, place.at, place.priority] for place in self.waiting]}

    def reserve(self, now: float, budget: Budget, priority: Priority) -> tuple[int, float]:
        """Take a place. Returns its number and the seconds to wait; 0.0 means stamped already: send now."""
        self._forget(now, budget)
        self.last_number += 1
        place = Place(self.last_number, self._earliest(now, budget), priority)
        if place.at <= now:
            self.sent.append(now)
            return place.number, 0.0
        self._queue(place)
        return place.number, place.at - now

    def stamp(self, now: float, budget: Budget, number: int) -> float:
        """Ask to send from a reserved place. Returns the seconds to wait on; 0.0 means stamped: send now."""
        self._forget(now, budget)
        place = next((place for place in self.waiting if place.number == number), None)
        if place is None:  # taken for dead, perhaps after the process was stopped for a while
            place = Place(number, now, Priority.ACT)
            self.waiting.append(place)
        place.at = max(place.at, self._legal_at(budget))
        if place.at > now + _GRAIN_SECONDS:
            self.waiting.sort(key=lambda one: one.at)
            return place.at - now
        self.waiting.remove(place)
        self.sent.append(now)
        return 0.0

    def release(self, number: int) -> None:
        """Give a place back unused."""
        self.waiting = [place for place in self.waiting if place.number != number]

    def pause(self, now: float, seconds: float) -> None:
        """Let nobody send for so long."""
        self.paused_until = max(self.paused_until, now + seconds)

    def observe(self, now: float, budget: Budget, feedback: RateLimitFeedback) -> bool:
        """Correct the ledger by what the server said. Returns whether anything changed.

        Requests that the server counted and this ledger does not know were sent by others with the same token; they are
        booked as sent now, for everyone. Our own sends explain a low `remaining` at the end of each burst, which
        therefore costs nothing.
        """
        before = (len(self.sent), self.paused_until, self.learned_limit, self.strikes)
        self._forget(now, budget)
        if feedback.limit is not None:
            self.learned_limit = feedback.limit if feedback.limit < budget.limit else None
            if feedback.remaining is not None and feedback.limit <= budget.limit:
                unknown = feedback.limit - feedback.remaining - len(self.sent)
                self.sent.extend([now] * max(0, unknown))
        if feedback.status == 429:
            self.strikes += 1
            backoff = min(budget.interval_seconds / 4 * 2 ** (self.strikes - 1), budget.window_seconds)
            asked = feedback.retry_after_seconds
            self.pause(now, backoff if asked is None else asked)
        elif feedback.status < 400:
            self.strikes = 0
        return before != (len(self.sent), self.paused_until, self.learned_limit, self.strikes)

    def _limit(self, budget: Budget) -> int:
        return max(1, min(budget.limit, self.learned_limit or budget.limit))

    def _legal_at(self, budget: Budget) -> float:
        """The earliest time at which one more send keeps the log of sends legal."""
        limit = self._limit(budget)
        full = self.sent[-limit] + budget.window_seconds if len(self.sent) >= limit else 0.0
        return max(self.paused_until, full)

    def _earliest(self, now: float, budget: Budget) -> float:
        """The earliest time for a newcomer at the end of the queue."""
        limit = self._limit(budget)
        earliest = max(now, self.paused_until)
        taken = sorted([*self.sent, *(place.at for place in self.waiting)])
        if len(taken) >= limit:
            earliest = max(earliest, taken[-limit] + budget.window_seconds)
        if self.waiting:
            earliest = max(earliest, self.waiting[-1].at + _GAP_SECONDS)
        return earliest

    def _queue(self, newcomer: Place) -> None:
        """Put a newcomer before all of lower priority: it takes the first one's time, and each of them the next."""
        overtaken = [place for place in self.waiting if place.priority > newcomer.priority]
        times = [*(place.at for place in overtaken), newcomer.at]
        for place, at in zip([newcomer, *overtaken], times, strict=True):
            place.at = at
        self.waiting.append(newcomer)
        self.waiting.sort(key=lambda place: place.at)

    def _forget(self, now: float, budget: Budget) -> None:
        """Drop what no longer counts, and what cannot be: stamps from a clock that has started anew since."""
        window = budget.window_seconds
        self.sent = [at for at in self.sent if now - window < at <= now + _GRAIN_SECONDS]
        horizon = now + window * (2 + len(self.waiting) / self._limit(budget)) + max(0.0, self.paused_until - now)
        self.waiting = [place for place in self.waiting if now - _DEAD_AFTER_SECONDS < place.at < horizon]
