# SPDX-License-Identifier: Apache-2.0
"""Wait for a Report run, and say why it did not end well.

The first look comes when the run should be over; later ones at growing intervals. A look that fails does not fail the
wait until several in a row have.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from airflow_provider_studio.client.api import StudioClient
from airflow_provider_studio.client.errors import (
    StudioConnectionError,
    StudioError,
    StudioNotFoundError,
    StudioRunCancelledError,
    StudioRunFailedError,
    StudioRunTimeoutError,
    StudioServerError,
)
from airflow_provider_studio.client.models import ReportRun, RunState

_FAILED_LOOKS = 5
_FIRST_INTERVAL_SECONDS = 2.0
_LONGEST_INTERVAL_SECONDS = 60.0
_GROWTH = 1.5


def intervals(expected_seconds: float | None, *, longest_seconds: float = _LONGEST_INTERVAL_SECONDS) -> Iterator[float]:
    """Yield the seconds to wait before each look: the expected runtime first, then growing intervals to a ceiling."""
    interval = min(_FIRST_INTERVAL_SECONDS, longest_seconds)
    yield max(interval, min(expected_seconds or 0.0, longest_seconds))
    while True:
        yield interval
        interval = min(interval * _GROWTH, longest_seconds)


def wait_for_run(
    client: StudioClient,
    report: str,
    run: ReportRun,
    *,
    expected_seconds: float | None = None,
    timeout_seconds: float,
    longest_interval_seconds: float = _LONGEST_INTERVAL_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> ReportRun:
    """Wait until a run is over, and return it, good or not.

    :param expected_seconds: the Report's `expected_runtime`.
    :raises StudioRunTimeoutError: it was not over in time; it goes on in Studio, which has no way to cancel it.
    """
    deadline = monotonic() + timeout_seconds
    failed_looks = 0
    for interval in intervals(expected_seconds, longest_seconds=longest_interval_seconds):
        if run.run_state.is_over:
            return run
        left = deadline - monotonic()
        if left <= 0:
            raise StudioRunTimeoutError(
                f"Report run {run.token} of Report {report} was still {run.state} after {timeout_seconds:.0f} s. "
                "It goes on in Studio. Give it more time, or look at the Report's queries."
            )
        sleep(min(interval, left))
        try:
            run = client.get_report_run(report, run.token)
        except (StudioConnectionError, StudioServerError, StudioNotFoundError):
            # Not found: a run is not always visible right after it was started.
            failed_looks += 1
            if failed_looks >= _FAILED_LOOKS:
                raise
        else:
            failed_looks = 0
    raise AssertionError("unreachable: the intervals do not end")


def raise_unless_good(client: StudioClient, report: str, run: ReportRun) -> None:
    """Return if a run that is over has results.

    :raises StudioRunCancelledError: someone cancelled it.
    :raises StudioRunFailedError: it failed; names the query, the error code and the message.
    """
    state = run.run_state
    if state.is_good:
        return
    if state is RunState.CANCELLED:
        raise StudioRunCancelledError(f"Report run {run.token} of Report {report} was cancelled in Studio.")
    raise StudioRunFailedError(
        f"Report run {run.token} of Report {report} ended as {state}. {_reason(client, report, run)}"
    )


def _reason(client: StudioClient, report: str, run: ReportRun) -> str:
    """Return why a run failed, which only its query runs know."""
    try:
        failed = [query for query in client.list_query_runs(report, run.token) if query.state == RunState.FAILED]
    except StudioError as error:
        return f"Its queries could not be read: {error}"
    named = [f"{one.query_name or one.token}: {one.error_code}: {one.error_message}" for one in failed]
    return " ".join(named) or "No query of it failed; look at its notebook in Studio."
