# SPDX-License-Identifier: Apache-2.0
"""The algorithm: a log of sends and the queue of those who wait for a place in it.

A caller reserves the earliest place at which the log stays legal, behind everyone of its priority. When that time
comes it asks to be stamped; the stamp is refused while the sends of the last window are too many, whoever made them and
however late they woke. So the log is legal at any number of waiters, and the queue alone decides who is next.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from airflow_provider_studio.client.ratelimit.budget import Budget, Priority, RateLimitFeedback

_GAP_SECONDS = 0.01
"""Between two reserved places, so that waiters do not wake as one herd."""
_DEAD_AFTER_SECONDS = 1.0
"""A place that nobody claimed so long after its time belonged to a process that died."""
_GRAIN_SECONDS = 0.001
_BLIND_SENDS_PER_INTERVAL = 100
"""How fast sends follow each other while no answer has spoken of the budget for a while."""
_HEARD_FOR_WINDOWS = 6
"""For so long after an answer spoke of the budget, others are taken to spend of it what they did."""
_ARRIVES_WITHIN_SECONDS = 0.5
"""An older send has reached the server, a younger one may have."""
_MOST_DOUBLINGS = 10
"""Of the pause after a 429; it is capped long before."""
_LONGEST_STORED_PAUSE_SECONDS = 86_400.0
"""Readers cap it by their budget, which a pause does not know."""
_STORED = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")
Count = Annotated[int, Field(ge=0)]


class UnreadableLedgerError(Exception):
    """A stored text is no ledger. The message says which field is wrong."""


@dataclass
class Place:
    """A reserved place in the queue: when its owner may ask to send, and to which class of resources."""

    __pydantic_config__: ClassVar[ConfigDict] = _STORED

    number: int
    at: float
    priority: int
    resource: str


@dataclass
class Smaller:
    """A class of resources for which the server said a smaller limit than the token's, and the sends that count."""

    __pydantic_config__: ClassVar[ConfigDict] = _STORED

    limit: Annotated[int, Field(ge=1)]
    sent: list[float]


_PLACE = tuple(one.name for one in fields(Place))


def _from_list(stored: Any) -> Any:
    """A place is stored as a list of its fields, for brevity."""
    return dict(zip(_PLACE, stored, strict=False)) if isinstance(stored, list) else stored


@dataclass
class Ledger:
    """The state of one token's budget. Times are seconds of the store's clock."""

    __pydantic_config__: ClassVar[ConfigDict] = _STORED

    sent: list[float] = field(default_factory=list)
    waiting: list[Annotated[Place, BeforeValidator(_from_list)]] = field(default_factory=list)
    paused_until: float = 0.0
    others: Count = 0
    heard_at: float | None = None
    smaller: dict[str, Smaller] = field(default_factory=dict)
    strikes: Count = 0
    last_number: Count = 0

    @staticmethod
    def loads(text: str | bytes | None) -> Ledger:
        """Read what `dumps` wrote, in this version or another; nothing stands for a new ledger.

        :raises UnreadableLedgerError: it is none.
        """
        if text is None:
            return Ledger()
        try:
            return _LEDGER.validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise UnreadableLedgerError(f"{where}: {first['msg']}" if where else first["msg"]) from None

    def dumps(self) -> str:
        """Return the state as one short text, for a store."""
        waiting = [[place.number, place.at, place.priority, place.resource] for place in self.waiting]
        smaller = {name: asdict(one) for name, one in self.smaller.items()}
        return json.dumps({**vars(self), "waiting": waiting, "smaller": smaller}, separators=(",", ":"))

    def reserve(self, now: float, budget: Budget, priority: Priority, resource: str = "") -> tuple[int, float]:
        """Take a place. Returns its number and the seconds to wait; 0.0 means stamped already: send now."""
        self._forget(now, budget)
        self.last_number += 1
        place = Place(self.last_number, self._earliest(now, budget, resource), priority, resource)
        if place.at <= now:
            self._stamp(now, resource)
            return place.number, 0.0
        self._queue(place)
        return place.number, place.at - now

    def stamp(self, now: float, budget: Budget, number: int, resource: str = "") -> float:
        """Ask to send from a reserved place. Returns the seconds to wait on; 0.0 means stamped: send now."""
        self._forget(now, budget)
        place = next((place for place in self.waiting if place.number == number), None)
        if place is None:  # taken for dead, perhaps after the process was stopped for a while
            place = Place(number, now, Priority.ACT, resource)
            self.waiting.append(place)
        place.at = max(place.at, self._legal_at(budget, resource))
        if place.at > now + _GRAIN_SECONDS:
            self.waiting.sort(key=lambda one: one.at)
            return place.at - now
        self.waiting.remove(place)
        self._stamp(now, resource)
        return 0.0

    def release(self, number: int) -> None:
        """Give a place back unused."""
        self.waiting = [place for place in self.waiting if place.number != number]

    def pause(self, now: float, seconds: float) -> None:
        """Let nobody send for so long."""
        self.paused_until = max(self.paused_until, now + min(seconds, _LONGEST_STORED_PAUSE_SECONDS))

    def observe(self, now: float, budget: Budget, feedback: RateLimitFeedback) -> None:
        """Correct the ledger by what the server said.

        What the server counted and this ledger does not know was sent by others with the same token. They are left as
        much of the budget until answers say that they want less; what they want more is believed at once. Our own sends
        explain a low `remaining` at the end of each burst, which therefore costs nothing.
        """
        self._forget(now, budget)
        if feedback.limit is not None:
            self._learn(now, budget, feedback.limit, feedback.remaining, feedback.resource)
        if feedback.status == 429:
            self.strikes += 1
            doubled = 2 ** min(self.strikes - 1, _MOST_DOUBLINGS)
            backoff = min(budget.interval_seconds / 4 * doubled, budget.window_seconds)
            self.pause(now, min(feedback.retry_after_seconds or backoff, budget.longest_pause_seconds))
        elif feedback.status < 400:
            self.strikes = 0

    def learns_from(self, budget: Budget, feedback: RateLimitFeedback) -> bool:
        """Whether an answer to one of the sends that this ledger knows may say something new."""
        long_ago = self.heard_at is None or self.sent[-1:] > [self.heard_at + budget.window_seconds]
        if long_ago or self.strikes or self.others or feedback.status >= 400 or feedback.resource in self.smaller:
            return True
        if feedback.limit is None or feedback.limit > budget.limit:
            return False
        counted = feedback.limit - (feedback.limit if feedback.remaining is None else feedback.remaining)
        return feedback.limit < budget.limit or counted > len(self.sent)

    def _learn(self, now: float, budget: Budget, limit: int, remaining: int | None, resource: str) -> None:
        """Believe what the server counted; a smaller limit holds for the class of resources that it was said of."""
        counted = 0 if remaining is None else limit - remaining
        if limit < budget.limit:
            before = self.smaller.get(resource)
            known = [] if before is None else before.sent
            known.extend([now] * (counted - len(known)))
            self.smaller[resource] = Smaller(max(1, limit), known)
            return
        self.smaller.pop(resource, None)  # it has recovered
        if self.heard_at is None or now - self.heard_at > budget.window_seconds:
            self.heard_at = now
        if limit == budget.limit and remaining is not None:
            # Of our sends the server has counted `arrived` at least, and all that we know of at most. The others get
            # one more than they were seen to spend, for the edge of the window.
            arrived = sum(_ARRIVES_WITHIN_SECONDS < now - at < budget.interval_seconds for at in self.sent)
            least, most = counted - len(self.sent), counted - arrived
            if least > 0:
                self.others = max(self.others, least + 1)
            if most + 1 < self.others or most == 0:
                self.others = max(0, self.others - 1)

    def _limit(self, budget: Budget) -> int:
        """What is left of the budget for those who share this ledger."""
        return max(1, budget.limit - self.others)

    def _stamp(self, now: float, resource: str) -> None:
        self.sent.append(now)
        if resource in self.smaller:
            self.smaller[resource].sent.append(now)

    def _legal_at(self, budget: Budget, resource: str) -> float:
        """The earliest time at which one more send keeps the log of sends legal."""
        smaller = self.smaller.get(resource)
        of_resource = 0.0 if smaller is None else _room(smaller.sent, smaller.limit, budget)
        return max(self.paused_until, _room(self.sent, self._limit(budget), budget), of_resource)

    def _earliest(self, now: float, budget: Budget, resource: str) -> float:
        """The earliest time for a newcomer: at the end of the queue, or now if nobody in it is held up by that."""
        if self._is_left_over(now, budget, resource):
            return now
        smaller, blind_pace = self.smaller.get(resource), budget.interval_seconds / _BLIND_SENDS_PER_INTERVAL
        # Who waits for a class of its own holds nobody else up.
        ahead = [one for one in self.waiting if one.resource == resource or one.resource not in self.smaller]
        earliest = max(now, self.paused_until)
        if self.heard_at is None and self.sent:  # nobody knows what others spend: a burst would find out too late
            earliest = max(earliest, self.sent[-1] + blind_pace)
        earliest = max(earliest, _room([*self.sent, *(one.at for one in self.waiting)], self._limit(budget), budget))
        if smaller is not None:
            of_resource = (one.at for one in self.waiting if one.resource == resource)
            earliest = max(earliest, _room([*smaller.sent, *of_resource], smaller.limit, budget))
        gap = _GAP_SECONDS if self.heard_at is not None else blind_pace
        return max(earliest, ahead[-1].at + gap) if ahead else earliest

    def _is_left_over(self, now: float, budget: Budget, resource: str) -> bool:
        """Whether one more send now leaves all who wait their times; a process that died left its place to nobody."""
        if self.heard_at is None or now < self.paused_until or resource in self.smaller:
            return False
        window, limit = budget.window_seconds, self._limit(budget)
        taken = sorted([*self.sent, now, *(place.at for place in self.waiting)])
        return all(later - earlier >= window for earlier, later in zip(taken, taken[limit:], strict=False))

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
        if self.heard_at is None or not -_GRAIN_SECONDS < now - self.heard_at < window * _HEARD_FOR_WINDOWS:
            self.others, self.heard_at = 0, None
        self.paused_until = min(self.paused_until, now + budget.longest_pause_seconds)
        smallest = min([self._limit(budget), *(one.limit for one in self.smaller.values())])
        self.sent = _counting(self.sent, now, window)
        for one in self.smaller.values():
            one.sent = _counting(one.sent, now, window)
        horizon = now + window * (2 + len(self.waiting) / smallest) + max(0.0, self.paused_until - now)
        self.waiting = [place for place in self.waiting if now - _DEAD_AFTER_SECONDS < place.at < horizon]


_LEDGER = TypeAdapter(Ledger)


def _room(sends: Iterable[float], limit: int, budget: Budget) -> float:
    """When a window of so many sends has room for one more; 0.0 where it has now."""
    taken = sorted(sends)
    return taken[-limit] + budget.window_seconds if len(taken) >= limit else 0.0


def _counting(sends: list[float], now: float, window: float) -> list[float]:
    return [at for at in sends if now - window < at <= now + _GRAIN_SECONDS]
