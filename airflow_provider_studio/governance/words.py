# SPDX-License-Identifier: Apache-2.0
"""Numbers in words that people read: plurals and durations."""

from __future__ import annotations

_HOUR, _MINUTE = 3600, 60


def counted(number: int, thing: str) -> str:
    """Return `1 schedule`, `2 schedules`, `1,000 schedules`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a duration in the unit that reads best: `14 seconds`, `2.5 minutes`, `3.2 hours`."""
    if seconds >= _HOUR:
        return f"{seconds / _HOUR:,.1f} hours"
    if seconds >= 2 * _MINUTE:
        return f"{seconds / _MINUTE:,.1f} minutes"
    return f"{seconds:,.0f} seconds"
