# SPDX-License-Identifier: Apache-2.0
"""A token's budget, the priorities of its users, and the server's feedback."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from airflow_provider_studio.client.errors import StudioConfigurationError

LONGEST_PAUSE_SECONDS = 60.0
"""The longest pause that one response causes, whatever its `Retry-After` is; further 429s extend it."""


class Priority(IntEnum):
    """The order in which waiting callers get permits; the lower number first."""

    ACT = 0
    """A change: a person or a DAG waits for it."""
    POLL = 1
    """A poll of a run."""
    CRAWL = 2
    """The inventory of a workspace, which takes minutes."""


@dataclass(frozen=True)
class Budget:
    """The budget of a token: `limit` requests in any `interval_seconds`.

    :param limit: the number of requests; Studio documents about 40.
    :param interval_seconds: the length of the interval; Studio documents 10 seconds.
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
        """The interval and its margin: the time for which a send counts."""
        return self.interval_seconds + self.margin_seconds

    @property
    def longest_pause_seconds(self) -> float:
        """The longest pause of all requests; at least one window."""
        return max(LONGEST_PAUSE_SECONDS, self.window_seconds)


@dataclass(frozen=True)
class RateLimitFeedback:
    """The feedback of one response about the budget; None for a missing header.

    :param status: HTTP status of the response.
    :param limit: `X-RateLimit-Limit`, the size of the budget.
    :param remaining: `X-RateLimit-Remaining`, the remaining requests.
    :param retry_after_seconds: from `Retry-After`.
    :param resource: the class of resources, such as `reports/runs`; each may have its own limit.
    """

    status: int
    limit: int | None = None
    remaining: int | None = None
    retry_after_seconds: float | None = None
    resource: str = ""
