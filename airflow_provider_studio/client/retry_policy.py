# SPDX-License-Identifier: Apache-2.0
"""Which requests are sent again, how often, and after which waits.

A POST is sent again only if no byte of it was sent (see `delivery`) or it was refused (429). GET, PATCH and DELETE are
idempotent and are repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import tenacity

from airflow_provider_studio.client.errors import (
    StudioAPIError,
    StudioConnectionError,
    StudioError,
    StudioResponseError,
    StudioResponseTooLargeError,
)

log = logging.getLogger(__name__)

_RATE_LIMITED = 429
_RETRIED_STATUSES = frozenset({408, _RATE_LIMITED, 500, 502, 503, 504})


@dataclass(frozen=True)
class RetryPolicy:
    """How often a request is repeated, and after which waits.

    :param attempts: the number of sends, including the first.
    :param unreadable_attempts: the same for responses that are not the API's, such as a proxy's HTML.
    :param first_wait_seconds: the upper limit of the first wait, doubled each time; each wait is random below it.
    :param longest_wait_seconds: the longest wait, also for `Retry-After`.
    """

    attempts: int = 6
    unreadable_attempts: int = 3
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 60.0

    def attempts_of(self, method: str, sleep: Callable[[float], None]) -> tenacity.Retrying:
        """Return an iterator over the attempts of one request."""
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: _may_repeat(method, error)),
            stop=self.is_enough,
            wait=self._wait,
            sleep=sleep,
            before_sleep=_log_retry,
            reraise=True,
        )

    def is_enough(self, state: tenacity.RetryCallState) -> bool:
        """Whether no further attempt follows this one."""
        unreadable = isinstance(_failure(state), StudioResponseError)
        return state.attempt_number >= (self.unreadable_attempts if unreadable else self.attempts)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        retry_after = getattr(_failure(state), "retry_after_seconds", None)
        if retry_after:  # "Retry-After: 0" and past dates request no wait
            return float(min(retry_after, self.longest_wait_seconds))
        return tenacity.wait_random_exponential(self.first_wait_seconds, self.longest_wait_seconds)(state)


def may_have_acted(error: StudioError) -> bool:
    """Whether a request that failed may have had its effect; a 429 is a refusal."""
    if isinstance(error, StudioConnectionError):
        return error.may_have_arrived
    return not (isinstance(error, StudioAPIError) and error.meant_status == _RATE_LIMITED)


def _may_repeat(method: str, error: BaseException) -> bool:
    if isinstance(error, StudioConnectionError):
        return method != "POST" or not error.may_have_arrived
    if isinstance(error, StudioAPIError):
        status = error.meant_status
        return status == _RATE_LIMITED or (method != "POST" and status in _RETRIED_STATUSES)
    if isinstance(error, StudioResponseTooLargeError):
        return False
    return isinstance(error, StudioResponseError) and method == "GET"


def _failure(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _log_retry(state: tenacity.RetryCallState) -> None:
    log.warning("Attempt %d: %s Trying again in %.1f s.", state.attempt_number, _failure(state), state.upcoming_sleep)
