# SPDX-License-Identifier: Apache-2.0
"""A retry policy for tasks that talk to Studio, for `retry_policy=` of Airflow 3.3 and later."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.client import errors

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryDecision, RetryPolicy
else:
    try:
        from airflow.sdk import RetryDecision, RetryPolicy
    except ImportError:  # before Airflow 3.3
        RetryDecision, RetryPolicy = None, object

__all__ = ["StudioRetryPolicy"]

_AFTER_429 = timedelta(seconds=30)
_LONGEST_AFTER_429_SECONDS = 600.0
_AT_ONCE = timedelta(seconds=1)


class StudioRetryPolicy(RetryPolicy):
    """Decides by the error whether and when a task is retried.

    * Bad input, a refused token, a cancelled run: fail.
    * 429 after all attempts: retry after the seconds of `Retry-After`, at most 10 minutes; after 30 s without it.
    * A run that was not over in time: retry at once, which waits for the same run again.
    * Anything else: the task's own `retries` and `retry_delay`.

    :raises StudioConfigurationError: this Airflow has no retry policies.
    """

    def __init__(self) -> None:
        if RetryPolicy is object:
            from airflow import __version__

            raise errors.StudioConfigurationError(
                f"retry_policy needs Airflow 3.3 or later, and this is {__version__}; leave it out; "
                "non-retryable errors still fail a task at once."
            )

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """Decide by the error."""
        if not isinstance(exception, errors.StudioError):
            return RetryDecision.default()
        kind = getattr(exception, "kind", type(exception).__name__)  # the class of an error in a trigger
        if not exception.retry_helps:
            return RetryDecision.fail(f"{kind}: no retry helps")
        if kind == errors.StudioRateLimitedError.__name__:
            seconds = getattr(exception, "retry_after_seconds", None)
            delay = timedelta(seconds=min(seconds, _LONGEST_AFTER_429_SECONDS)) if seconds else _AFTER_429
            return RetryDecision.retry(delay, f"{kind}: other clients use the token's budget")
        if isinstance(exception, errors.StudioRunTimeoutError):
            return RetryDecision.retry(_AT_ONCE, f"{kind}: the run continues; waiting for it again")
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Return an empty mapping: there are no settings."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> StudioRetryPolicy:  # noqa: ARG003
        """Return the policy."""
        return cls()
