# SPDX-License-Identifier: Apache-2.0
"""The emulated workspace's time: the real one, moved, hurried, or standing still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache


class EmulatorClock:
    """Runs with the real clock, from wherever it was set to.

    :param start: the time to begin with; the real one by default.
    :param speed: emulated seconds in a real one; 0 stands still and is moved by hand.
    """

    def __init__(self, start: datetime | None = None, speed: float = 1.0) -> None:
        self._real = datetime.now(UTC)
        self._emulated = start or self._real
        self._speed = 1.0
        self.speed = speed

    @property
    def speed(self) -> float:
        """Emulated seconds in a real one."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if not speed >= 0:
            raise ValueError(f"the clock's speed {speed!r} is not 0 or more: emulated time never runs backwards")
        self.set(self.now())
        self._speed = speed

    def now(self) -> datetime:
        """Return the emulated time, with its zone, to the millisecond as the API tells it."""
        now = self._emulated + (datetime.now(UTC) - self._real) * self._speed
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def set(self, to: datetime) -> None:
        """Move to a time."""
        self._emulated, self._real = to, datetime.now(UTC)

    def advance(self, by: timedelta) -> None:
        """Move by a duration."""
        self._emulated += by


@lru_cache(maxsize=32_768)  # most of them are told again with the next page, and writing them is half of a page's cost
def stamp(time: datetime | None) -> str | None:
    """Write a time as the API does: ISO 8601, milliseconds, Z."""
    if time is None:
        return None
    if time.tzinfo is not UTC:
        time = time.astimezone(UTC)
    return time.isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"
