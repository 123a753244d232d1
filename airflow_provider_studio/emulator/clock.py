# SPDX-License-Identifier: Apache-2.0
"""The emulated workspace's time: the real one, moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class EmulatorClock:
    """Runs with the real clock, from wherever it was set to.

    :param start: the time to begin with; the real one by default.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._offset = timedelta(0)
        if start is not None:
            self.set(start)

    def now(self) -> datetime:
        """Return the emulated time, with its zone, to the millisecond as the API tells it."""
        now = datetime.now(UTC) + self._offset
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def set(self, to: datetime) -> None:
        """Move to a time."""
        self._offset = to - datetime.now(UTC)

    def advance(self, by: timedelta) -> None:
        """Move by a duration."""
        self._offset += by


def stamp(time: datetime | None) -> str | None:
    """Write a time as the API does: ISO 8601, milliseconds, Z."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
