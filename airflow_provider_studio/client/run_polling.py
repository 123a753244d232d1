# SPDX-License-Identifier: Apache-2.0
"""Wait for a Report run, and say why it did not end well.

The first look comes some time before the run should be over, since runs differ; later ones at intervals that grow with
the time it has run, so that what is learned late is late by a share of the runtime. A look that fails does not fail the
wait until several in a row have.
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
)
from airflow_provider_studio.client.models import ReportRun, RunState

if TYPE_CHECKING:
    from airflow_provider_studio.client.client import StudioClient

TRANSIENT = (StudioConnectionError, StudioServerError, StudioNotFoundError, StudioRateLimitedError)
"""What a look may meet while all is well. Not found: a run is not always visible right after it was started."""


@dataclass(frozen=True)
class PollPolicy:
    """When to look at a run.

    :param first_share: the first look comes after this share of the Report's expected runtime.
    :param shortest_seconds: no two looks are closer.
    :param share: later looks are this share of the time that the run has taken so far apart.
    :param longest_seconds: no two looks are further apart, the first one aside.
    :param jitter: each interval is longer by a random share up to this one, so that many waiters spread.
    :param failed_looks: so many looks in a row may fail before the wait does.
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
    def of(cls, given: PollPolicy | Mapping[str, Any] | None) -> PollPolicy:
        """Return a policy from what a user gave.

        :raises StudioConfigurationError: names the field, its value and the mend.
        """
        if isinstance(given, PollPolicy):
            return given
        known = [one.name for one in fields(cls)]
        unknown = next((name for name in given or () if name not in known), None)
        if unknown is not None:
            raise StudioConfigurationError(f"poll_policy has no {unknown!r}; it has {', '.join(known)}.")
        return cls(**(given or {}))

    @classmethod
    def restored(cls, written: Mapping[str, Any]) -> PollPolicy:
        """Return a policy that was written down, perhaps by another version: unknown fields are skipped."""
        return cls(**{one.name: written[one.name] for one in fields(cls) if one.name in written})

    def intervals(
        self, expected_seconds: float | None, elapsed_seconds: float = 0.0, chance: Random | None = None
    ) -> Iterator[float]:
        """Yield the seconds to wait before each look.

        :param expected_seconds: the Report's expected runtime, where it is known.
        :param elapsed_seconds: how long the run has taken already.
        """
        drawn = chance or Random()  # noqa: S311  it spreads waiters, and keeps no secret
        due = (expected_seconds or 0.0) * self.first_share - elapsed_seconds
        interval = max(self.shortest_seconds, due)
        while True:
            interval *= 1 + self.jitter * drawn.random()
            yield interval
            elapsed_seconds += interval
            interval = min(max(self.shortest_seconds, self.share * elapsed_seconds), self.longest_seconds)


def wait_for_run(
    client: StudioClient,
    report: str,
    run: ReportRun,
    *,
    expected_seconds: float | None = None,
    elapsed_seconds: float = 0.0,
    timeout_seconds: float,
    policy: PollPolicy | None = None,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> ReportRun:
    """Wait until a run is over, and return it, good or not.

    :param expected_seconds: the Report's `expected_runtime`.
    :param elapsed_seconds: how long the run has taken already, where an earlier try started it.
    :raises StudioRunTimeoutError: it was not over in time; it goes on in Studio, which has no way to cancel it.
    """
    policy = policy or PollPolicy()
    deadline = monotonic() + timeout_seconds
    failed_looks = 0
    for interval in policy.intervals(expected_seconds, elapsed_seconds):
        if run.run_state.is_over:
            return run
        left = deadline - monotonic()
        if left <= 0:
            raise StudioRunTimeoutError(timed_out(report, run.token, run.state, timeout_seconds))
        sleep(min(interval, left))
        try:
            run = client.get_report_run(report, run.token)
        except TRANSIENT:
            failed_looks += 1
            if failed_looks >= policy.failed_looks:
                raise
        else:
            failed_looks = 0
    raise AssertionError("unreachable: the intervals do not end")


def timed_out(report: str, run: str, state: str | None, seconds: float) -> str:
    """Say that a run was not over in time."""
    return (
        f"Report run {run} of Report {report} was still {state} after {seconds:.0f} s. "
        "It goes on in Studio. Give it more time, or look at the Report's queries."
    )


def raise_unless_good(client: StudioClient, report: str, run: ReportRun, *, detail: bool = True) -> None:
    """Return if a run that is over has results.

    :param detail: whether to ask a failed run's queries why; one request.
    :raises StudioRunCancelledError: someone cancelled it.
    :raises StudioRunFailedError: it failed; names the query, the error code and the message.
    """
    state = run.run_state
    if state is RunState.CANCELLED:
        raise StudioRunCancelledError(f"Report run {run.token} of Report {report} was cancelled in Studio.")
    if not state.is_good:
        reason = reason_of(client, report, run) if detail else ""
        raise StudioRunFailedError(f"Report run {run.token} of Report {report} ended as {state}. {reason}")


def reason_of(client: StudioClient, report: str, run: ReportRun) -> str:
    """Return why a run failed, which only its query runs know."""
    try:
        failed = [query for query in client.list_query_runs(report, run.token) if query.state == RunState.FAILED]
    except StudioError as error:
        return f"Its queries could not be read: {error}"
    named = [f"{one.query_name or one.token}: {one.error_code}: {one.error_message}" for one in failed]
    return " ".join(named) or "No query of it failed; look at its notebook in Studio."
