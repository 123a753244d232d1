# SPDX-License-Identifier: Apache-2.0
"""What a token may spend, who goes first, and what the server says of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from airflow_provider_studio.client.errors import StudioConfigurationError

LONGEST_PAUSE_SECONDS = 60.0
"""One response pauses a token's requests no longer, whatever its `Retry-After` says; further 429s extend the pause."""


class Priority(IntEnum):
    """Who gets the next permit where several wait; the lower number first."""

    ACT = 0
    """Changing something: a person or a DAG waits for it."""
    POLL = 1
    """Watching a run."""
    WALK = 2
    """Reading a whole workspace, which takes minutes anyway."""


@dataclass(frozen=True)
class Budget:
    """`limit` requests in any `interval_seconds`.

    :param limit: requests; Studio documents about 40.
    :param interval_seconds: Studio documents 10 seconds.
    :param margin_seconds: added to the interval for the jitter between a permit and its request's arrival. With 0.25 s,
        97.5 % of the budget can be used.
    """

    limit: int = 40
    interval_seconds: float = 10.0
    margin_seconds: float = 0.25

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise StudioConfigurationError(f"rate limit requests is {self.limit!r}; it must be 1 or more.")
        if not self.interval_seconds > 0:
            raise StudioConfigurationError(f"rate limit seconds is {self.interval_seconds!r}; it must be above 0.")
        if not self.margin_seconds >= 0:
            raise StudioConfigurationError(f"rate limit margin is {self.margin_seconds!r}; it must not be negative.")

    @property
    def window_seconds(self) -> float:
        """The interval with its margin: how long a send counts."""
        return self.interval_seconds + self.margin_seconds

    @property
    def longest_pause_seconds(self) -> float:
        """How long all requests may be paused at once; never less than a window."""
        return max(LONGEST_PAUSE_SECONDS, self.window_seconds)


@dataclass(frozen=True)
class RateLimitFeedback:
    """What one answer says of the budget; None where it does not.

    :param limit: `X-RateLimit-Limit`, the size of the budget.
    :param remaining: `X-RateLimit-Remaining`, how many requests are left of it.
    :param retry_after_seconds: from `Retry-After`.
    :param resource: which class of resources the answer is of, such as `reports/runs`; each may have its own limit.
    """

    status: int
    limit: int | None = None
    remaining: int | None = None
    retry_after_seconds: float | None = None
    resource: str = ""
