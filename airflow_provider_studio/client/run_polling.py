# SPDX-License-Identifier: Apache-2.0
"""Wait for a Report run, and report why it failed.

The first poll is shortly before the expected end of the run. The intervals then grow with the time that the run has
taken, so the end is noticed late by at most a share of the runtime. Several consecutive failed polls fail the wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from random import Random
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.client.errors import (
    StudioConfigurationError,
    StudioConnectionError,
    StudioError,
    StudioNotFoundError,
    StudioRateLimitedError,
    StudioRunCancelledError,
    StudioRunFailedError,
    StudioRunTimeoutError,
    StudioServerError,
    StudioWrongResourceError,
)
from airflow_provider_studio.client.models import QueryRun, ReportRun, RunState
from airflow_provider_studio.client.plain_text import shorten
from airflow_provider_studio.client.run_messages import NamedRun

if TYPE_CHECKING:
    from airflow_provider_studio.client.run_endpoints import RunEndpoints

TRANSIENT = (
    StudioConnectionError,
    StudioServerError,
    StudioNotFoundError,
    StudioRateLimitedError,
    StudioWrongResourceError,
)
"""Errors that a poll tolerates. Not found: a run is not always visible right after its start."""

_LONGEST_REASON = 2_000
_LONGEST_NAME = 200
_MOST_REASONS = 10


@dataclass(frozen=True)
class PollPolicy:
    """When to poll a run.

    :param first_share: the first poll is after this share of the Report's expected runtime.
    :param shortest_seconds: the shortest interval.
    :param share: later intervals are this share of the time that the run has taken so far.
    :param longest_seconds: the longest interval after the first poll.
    :param jitter: each interval is longer by a random share up to this one, so that many waiters do not poll together.
    :param failed_looks: this many consecutive failed polls fail the wait.
    """

    first_share: float = 0.86
    shortest_seconds: float = 4.0
    share: float = 0.09
    longest_seconds: float = 300.0
    jitter: float = 0.05
    failed_looks: int = 5

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise StudioConfigurationError(f"poll_policy.{name} is {value!r}; it must be a number of at least 0.")
        if not 0 < self.shortest_seconds <= self.longest_seconds:
            raise StudioConfigurationError(
                f"poll_policy.shortest_seconds is {self.shortest_seconds} and longest_seconds {self.longest_seconds}; "
                "the shortest must be above 0 and not above the longest."
            )

    @classmethod
    def of(cls, values: PollPolicy | Mapping[str, Any] | None) -> PollPolicy:
        """Return a policy from a user's value.

        :raises StudioConfigurationError: names the field, its value and how to fix it.
        """
        if isinstance(values, PollPolicy):
            return values
        known = [field.name for field in fields(cls)]
        unknown = next((name for name in values or () if name not in known), None)
        if unknown is not None:
            raise StudioConfigurationError(f"poll_policy has no {unknown!r}; it has {', '.join(known)}.")
        return cls(**(values or {}))

    @classmethod
    def fixed(cls, seconds: float) -> PollPolicy:
        """Return a policy with the same time between any two polls."""
        return cls(first_share=0.0, shortest_seconds=seconds, share=0.0, longest_seconds=seconds, jitter=0.0)

    @classmethod
    def restored(cls, written: Mapping[str, Any]) -> PollPolicy:
        """Return a serialized policy, perhaps of another version: unknown fields are skipped."""
        return cls(**{field.name: written[field.name] for field in fields(cls) if field.name in written})

    def intervals(
        self, expected_seconds: float | None, elapsed_seconds: float = 0.0, chance: Random | None = None
    ) -> Iterator[float]:
        """Yield the seconds to wait before each poll.

        :param expected_seconds: the Report's expected runtime, where it is known.
        :param elapsed_seconds: how long the run has taken already.
        """
        random = chance or Random()  # noqa: S311  it spreads waiters, and protects no secret
        due = (expected_seconds or 0.0) * self.first_share - elapsed_seconds
        interval = max(self.shortest_seconds, due)
        while True:
            interval *= 1 + self.jitter * random.random()
            yield interval
            elapsed_seconds += interval
            interval = min(max(self.shortest_seconds, self.share * elapsed_seconds), self.longest_seconds)


def wait_for_run(
    client: RunEndpoints,
    report: str,
    run: ReportRun,
    *,
    expected_seconds: float | None = None,
    elapsed_seconds: float = 0.0,
    timeout_seconds: float,
    policy: PollPolicy | None = None,
    name: str | None = None,
    noun: str = "Report",
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> ReportRun:
    """Wait until a run is over, and return it, successful or not.

    :param expected_seconds: the Report's `expected_runtime`.
    :param elapsed_seconds: how long the run has taken already, where an earlier try started it.
    :param name: the Report's name, for messages.
    :param noun: what has the run, for messages.
    :raises StudioRunTimeoutError: it was not over in time; it continues in Studio, because the API cannot cancel it.
    """
    policy = policy or PollPolicy()
    deadline = monotonic() + timeout_seconds
    failed_polls = 0
    for interval in policy.intervals(expected_seconds, elapsed_seconds):
        if run.run_state.is_over:
            return run
        left = deadline - monotonic()
        if left <= 0:
            raise StudioRunTimeoutError(NamedRun.of(report, run, name, noun).timed_out(run.state, timeout_seconds))
        sleep(min(interval, left))
        try:
            run = client.get_report_run(report, run.token)
        except TRANSIENT:
            failed_polls += 1
            if failed_polls >= policy.failed_looks:
                raise
        else:
            failed_polls = 0
    raise AssertionError("unreachable: the intervals do not end")


def raise_unless_good(
    client: RunEndpoints,
    report: str,
    run: ReportRun,
    *,
    detail: bool = True,
    name: str | None = None,
    noun: str = "Report",
) -> None:
    """Return if a run that is over has results.

    :param detail: whether to read the reason from a failed run's queries; one request.
    :param name: the Report's name, for messages.
    :param noun: what has the run, for messages.
    :raises StudioRunCancelledError: someone cancelled it.
    :raises StudioRunFailedError: it failed; names the query, the error code and the message.
    """
    state = run.run_state
    if state is RunState.CANCELLED:
        raise StudioRunCancelledError(NamedRun.of(report, run, name, noun).cancelled())
    if not state.is_good:
        reason = reason_of(client, report, run) if detail else ""
        raise StudioRunFailedError(NamedRun.of(report, run, name, noun).failed(state, reason))


def reason_of(client: RunEndpoints, report: str, run: ReportRun) -> str:
    """Return why a run failed, from its query runs."""
    try:
        failed = [query for query in client.list_query_runs(report, run.token) if query.state == RunState.FAILED]
    except StudioError as error:
        return f"Its queries could not be read: {error}"
    reasons = [_reason_of_query(query) for query in failed[:_MOST_REASONS]]
    if len(failed) > _MOST_REASONS:
        reasons.append(f"{len(failed) - _MOST_REASONS} more queries failed.")
    return " ".join(reasons) or "No query of it failed; check its notebook in Studio."


def _reason_of_query(query: QueryRun) -> str:
    name, code = (shorten(str(text), _LONGEST_NAME) for text in (query.query_name or query.token, query.error_code))
    return f"{name}: {code}: {shorten(str(query.error_message), _LONGEST_REASON)}"
