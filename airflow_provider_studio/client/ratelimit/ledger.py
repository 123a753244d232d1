# SPDX-License-Identifier: Apache-2.0
"""The algorithm: a log of sends, and a queue of callers that wait for a slot.

A caller reserves the earliest slot at which the log stays legal, behind all callers of its priority. At that time it
requests a stamp, which is refused while the last window has too many sends, even of callers that woke late. So the log
is legal for any number of callers, and only the queue decides their order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from airflow_provider_studio.client.ratelimit.budget import Budget, Priority, RateLimitFeedback

_GAP_SECONDS = 0.01
"""The gap between two reserved slots, so that callers do not wake at the same time."""
_ABANDONED_AFTER_SECONDS = 1.0
"""Reservations unclaimed for this long are treated as abandoned."""
_GRAIN_SECONDS = 0.001
_BLIND_SENDS_PER_INTERVAL = 100
"""The pace of sends while no recent response has reported the budget."""
_HEARD_FOR_WINDOWS = 6
"""Windows for which other clients' last observed usage is assumed to continue."""
_ARRIVES_WITHIN_SECONDS = 0.5
"""An older send has reached the server; a newer one may have."""
_OWN_SHARE = 4
"""One part in this many of the budget is used whatever responses report of other clients: a wrong count must not stop
all work, and if it is right, a 429 pauses requests."""
_MAX_DOUBLINGS = 10
"""Of the pause after a 429; the pause has a lower limit."""
_LONGEST_STORED_PAUSE_SECONDS = 86_400.0
"""Readers limit it by their budget, which is unknown to a pause."""
_STORED = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")
Count = Annotated[int, Field(ge=0)]


class UnreadableLedgerError(Exception):
    """A stored text is no ledger. The message names the field."""


@dataclass
class Slot:
    """A reserved slot in the queue: when its owner may send, and to which class of resources."""

    __pydantic_config__: ClassVar[ConfigDict] = _STORED

    number: int
    at: float
    priority: int
    resource: str


@dataclass
class Smaller:
    """A class of resources with a smaller limit than the token's, and its sends that count."""

    __pydantic_config__: ClassVar[ConfigDict] = _STORED

    limit: Annotated[int, Field(ge=1)]
    sent: list[float]


_SLOT_FIELDS = tuple(field.name for field in fields(Slot))


def _from_list(stored: Any) -> Any:
    """Decode a slot, which is stored as a list of its fields."""
    return dict(zip(_SLOT_FIELDS, stored, strict=False)) if isinstance(stored, list) else stored


@dataclass
class Ledger:
    """The state of one token's budget. Times are seconds of the store's clock; the field names are stored.

    :param sent: the times of the sends that count.
    :param waiting: the reserved slots.
    :param paused_until: no request is sent before this time.
    :param others: the part of the budget that is left to other clients with the same token.
    :param heard_at: when a response last reported the budget.
    :param smaller: the classes of resources with a limit of their own.
    :param strikes: the number of consecutive 429s.
    :param last_number: the number of the newest reservation.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STORED

    sent: list[float] = field(default_factory=list)
    waiting: list[Annotated[Slot, BeforeValidator(_from_list)]] = field(default_factory=list)
    paused_until: float = 0.0
    others: Count = 0
    heard_at: float | None = None
    smaller: dict[str, Smaller] = field(default_factory=dict)
    strikes: Count = 0
    last_number: Count = 0

    @staticmethod
    def loads(text: str | bytes | None) -> Ledger:
        """Decode the text of `dumps`, of this version or another; None is a new ledger.

        :raises UnreadableLedgerError: the text is no ledger.
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
        """Encode the state as a short text, for a store."""
        waiting = [[slot.number, slot.at, slot.priority, slot.resource] for slot in self.waiting]
        smaller = {name: asdict(limit) for name, limit in self.smaller.items()}
        return json.dumps({**vars(self), "waiting": waiting, "smaller": smaller}, separators=(",", ":"))

    def reserve(self, now: float, budget: Budget, priority: Priority, resource: str = "") -> tuple[int, float]:
        """Reserve a slot. Return its number and the seconds to wait; 0.0 means that it is stamped: send now."""
        self._forget(now, budget)
        self.last_number += 1
        slot = Slot(self.last_number, self._earliest(now, budget, resource), priority, resource)
        if slot.at <= now:
            self._stamp(now, resource)
            return slot.number, 0.0
        self._queue(slot)
        return slot.number, slot.at - now

    def stamp(self, now: float, budget: Budget, number: int, resource: str = "") -> float:
        """Request to send in a reserved slot. Return the seconds to wait; 0.0 means that it is stamped: send now."""
        self._forget(now, budget)
        slot = next((slot for slot in self.waiting if slot.number == number), None)
        if slot is None:  # treated as abandoned, perhaps because the process was stopped for a while
            slot = Slot(number, now, Priority.ACT, resource)
            self.waiting.append(slot)
        slot.at = max(slot.at, self._legal_at(budget, resource))
        if slot.at > now + _GRAIN_SECONDS:
            self.waiting.sort(key=lambda waiting: waiting.at)
            return slot.at - now
        self.waiting.remove(slot)
        self._stamp(now, resource)
        return 0.0

    def release(self, number: int) -> None:
        """Release an unused slot."""
        self.waiting = [slot for slot in self.waiting if slot.number != number]

    def pause(self, now: float, seconds: float) -> None:
        """Pause all requests for a number of seconds."""
        self.paused_until = max(self.paused_until, now + min(seconds, _LONGEST_STORED_PAUSE_SECONDS))

    def observe(self, now: float, budget: Budget, feedback: RateLimitFeedback) -> None:
        """Correct the ledger by the server's feedback.

        Requests that the server counted and this ledger did not send are of other clients with the same token. The
        ledger yields that part of the budget until responses show that they use less; if they use more, it yields more
        at once. Its own sends explain a low `remaining` at the end of a burst, which therefore changes nothing.
        """
        self._forget(now, budget)
        if feedback.limit is not None:
            self._learn(now, budget, feedback.limit, feedback.remaining, feedback.resource)
        if feedback.status == 429:
            self.strikes += 1
            doubled = 2 ** min(self.strikes - 1, _MAX_DOUBLINGS)
            backoff = min(budget.interval_seconds / 4 * doubled, budget.window_seconds)
            self.pause(now, min(feedback.retry_after_seconds or backoff, budget.longest_pause_seconds))
        elif feedback.status < 400:
            self.strikes = 0

    def learns_from(self, budget: Budget, feedback: RateLimitFeedback) -> bool:
        """Whether the response to a send of this ledger may change the ledger."""
        long_ago = self.heard_at is None or self.sent[-1:] > [self.heard_at + budget.window_seconds]
        if long_ago or self.strikes or self.others or feedback.status >= 400 or feedback.resource in self.smaller:
            return True
        if feedback.limit is None or feedback.limit > budget.limit:
            return False
        counted = feedback.limit - (feedback.limit if feedback.remaining is None else feedback.remaining)
        return feedback.limit < budget.limit or counted > len(self.sent)

    def _learn(self, now: float, budget: Budget, limit: int, remaining: int | None, resource: str) -> None:
        """Apply the server's counts; a smaller limit applies to the class of resources of the response."""
        counted = 0 if remaining is None else limit - remaining
        if limit < budget.limit:
            before = self.smaller.get(resource)
            known = [] if before is None else before.sent
            known.extend([now] * (counted - len(known)))
            self.smaller[resource] = Smaller(max(1, limit), known)
            return
        self.smaller.pop(resource, None)  # the smaller limit ended
        if self.heard_at is None or now - self.heard_at > budget.window_seconds:
            self.heard_at = now
        if limit == budget.limit and remaining is not None:
            # The server has counted at least `arrived` and at most all of our sends. The others get one request more
            # than they were observed to use, for the edge of the window.
            arrived = sum(_ARRIVES_WITHIN_SECONDS < now - at < budget.interval_seconds for at in self.sent)
            least, most = counted - len(self.sent), counted - arrived
            if least > 0:
                self.others = max(self.others, least + 1)
            if most + 1 < self.others or most == 0:
                self.others = max(0, self.others - 1)

    def is_crowded_out(self, budget: Budget) -> bool:
        """Whether other clients are reported to use more of the budget than is left to them."""
        return budget.limit - self.others < budget.limit // _OWN_SHARE

    def _limit(self, budget: Budget) -> int:
        """Return the part of the budget for the users of this ledger."""
        return max(1, budget.limit // _OWN_SHARE, budget.limit - self.others)

    def _stamp(self, now: float, resource: str) -> None:
        self.sent.append(now)
        if resource in self.smaller:
            self.smaller[resource].sent.append(now)

    def _legal_at(self, budget: Budget, resource: str) -> float:
        """Return the earliest time at which one more send keeps the log legal."""
        smaller = self.smaller.get(resource)
        of_resource = 0.0 if smaller is None else _room(smaller.sent, smaller.limit, budget)
        return max(self.paused_until, _room(self.sent, self._limit(budget), budget), of_resource)

    def _earliest(self, now: float, budget: Budget, resource: str) -> float:
        """Return the earliest time for a new reservation: the end of the queue, or now if that delays no other."""
        if self._is_left_over(now, budget, resource):
            return now
        smaller, blind_pace = self.smaller.get(resource), budget.interval_seconds / _BLIND_SENDS_PER_INTERVAL
        # A reservation for a class with its own limit delays no other class.
        ahead = [slot for slot in self.waiting if slot.resource == resource or slot.resource not in self.smaller]
        earliest = max(now, self.paused_until)
        if self.heard_at is None and self.sent:  # the usage of others is unknown: a burst would discover it too late
            earliest = max(earliest, self.sent[-1] + blind_pace)
        earliest = max(earliest, _room([*self.sent, *(slot.at for slot in self.waiting)], self._limit(budget), budget))
        if smaller is not None:
            of_resource = (slot.at for slot in self.waiting if slot.resource == resource)
            earliest = max(earliest, _room([*smaller.sent, *of_resource], smaller.limit, budget))
        gap = _GAP_SECONDS if self.heard_at is not None else blind_pace
        return max(earliest, ahead[-1].at + gap) if ahead else earliest

    def _is_left_over(self, now: float, budget: Budget, resource: str) -> bool:
        """Whether one more send now delays no reservation; abandoned slots leave such room."""
        if self.heard_at is None or now < self.paused_until or resource in self.smaller:
            return False
        window, limit = budget.window_seconds, self._limit(budget)
        taken = sorted([*self.sent, now, *(slot.at for slot in self.waiting)])
        return all(later - earlier >= window for earlier, later in zip(taken, taken[limit:], strict=False))

    def _queue(self, newcomer: Slot) -> None:
        """Insert a reservation before all of lower priority: it gets the first one's time, each of them the next."""
        overtaken = [slot for slot in self.waiting if slot.priority > newcomer.priority]
        times = [*(slot.at for slot in overtaken), newcomer.at]
        for slot, at in zip([newcomer, *overtaken], times, strict=True):
            slot.at = at
        self.waiting.append(newcomer)
        self.waiting.sort(key=lambda slot: slot.at)

    def _forget(self, now: float, budget: Budget) -> None:
        """Drop what no longer counts, and impossible times, such as stamps of a clock that restarted."""
        window = budget.window_seconds
        if self.heard_at is None or not -_GRAIN_SECONDS < now - self.heard_at < window * _HEARD_FOR_WINDOWS:
            self.others, self.heard_at = 0, None
        self.paused_until = min(self.paused_until, now + budget.longest_pause_seconds)
        smallest = min([self._limit(budget), *(limited.limit for limited in self.smaller.values())])
        self.sent = _counting(self.sent, now, window)
        for limited in self.smaller.values():
            limited.sent = _counting(limited.sent, now, window)
        horizon = now + window * (2 + len(self.waiting) / smallest) + max(0.0, self.paused_until - now)
        self.waiting = [slot for slot in self.waiting if now - _ABANDONED_AFTER_SECONDS < slot.at < horizon]


_LEDGER = TypeAdapter(Ledger)


def _room(sends: Iterable[float], limit: int, budget: Budget) -> float:
    """Return when a window of `limit` sends has room for one more; 0.0 if it has room now."""
    taken = sorted(sends)
    return taken[-limit] + budget.window_seconds if len(taken) >= limit else 0.0


def _counting(sends: list[float], now: float, window: float) -> list[float]:
    return [at for at in sends if now - window < at <= now + _GRAIN_SECONDS]
