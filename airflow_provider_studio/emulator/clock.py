# SPDX-License-Identifier: Apache-2.0
"""The clock of an emulated workspace: it can be set, accelerated and stopped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache


class EmulatorClock:
    """Follows the real clock, from the time that it was set to.

    :param start: the initial time; the real time by default.
    :param speed: emulated seconds per real second; 0 stops the clock, which `set` and `advance` still move.
    """

    def __init__(self, start: datetime | None = None, speed: float = 1.0) -> None:
        self._real = datetime.now(UTC)
        self._emulated = start or self._real
        self._speed = 1.0
        self.speed = speed

    @property
    def speed(self) -> float:
        """Emulated seconds per real second."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if not speed >= 0:
            raise ValueError(f"the clock's speed {speed!r} is not 0 or more: emulated time never runs backwards")
        self.set(self.now())
        self._speed = speed

    def now(self) -> datetime:
        """Return the emulated time with its zone, in whole milliseconds like the API's times."""
        now = self._emulated + (datetime.now(UTC) - self._real) * self._speed
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def set(self, to: datetime) -> None:
        """Set the time."""
        self._emulated, self._real = to, datetime.now(UTC)

    def advance(self, by: timedelta) -> None:
        """Advance the time by a duration."""
        self._emulated += by


@lru_cache(maxsize=32_768)  # pages repeat most times, and formatting them is half of a page's cost
def stamp(time: datetime | None) -> str | None:
    """Return a time as the API writes it: ISO 8601, milliseconds, Z."""
    if time is None:
        return None
    if time.tzinfo is not UTC:
        time = time.astimezone(UTC)
    return time.isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"
