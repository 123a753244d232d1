# SPDX-License-Identifier: Apache-2.0
"""Wait for the effect of a change: it may become visible to reads some seconds after the response.

How long that takes is not documented. The wait is bounded, so a change without an effect is reported as such.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

ValueT = TypeVar("ValueT")

WAITS_SECONDS = (1.0, 2.0, 4.0)
"""The waits between reads: an effect that is visible within 7 seconds is found."""


def read_until(
    read: Callable[[], ValueT], is_visible: Callable[[ValueT], bool], *, sleep: Callable[[float], None]
) -> ValueT:
    """Read at once, and again after each wait until the effect is visible; return what the last read returned."""
    value = read()
    for wait in WAITS_SECONDS:
        if is_visible(value):
            break
        sleep(wait)
        value = read()
    return value
