# SPDX-License-Identifier: Apache-2.0
"""Distinguish runs that are newer than an intent from those that existed before it.

A marker is what Studio returned about a Report's newest run before the intent was written. "Unknown" and "none" are two
values: a Report whose newest run is unknown may have run. All times are Studio's own, so no two clocks are compared. A
run counts as newer only if that is proven.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_studio.client.errors import StudioNotFoundError
from airflow_provider_studio.client.models import Report, ReportRun

if TYPE_CHECKING:
    from airflow_provider_studio.client.run_endpoints import RunEndpoints

_RUN_PATH = re.compile(r"/runs/([A-Za-z0-9][A-Za-z0-9_.-]*)/?")
_SAME_RUN = timedelta(seconds=10)
"""Within this time, a Report's `last_run_at` and a run's `created_at` may belong to the same run."""


@dataclass(frozen=True)
class RunMarker:
    """The known runs of a Report at one time.

    :param run: the newest run; None if it is unknown.
    :param newest_at: no run began later than this; None if it is unknown.
    :param known_runs: other runs that existed.
    :param never_ran: whether it is known that there was no run.
    """

    run: str | None = None
    newest_at: datetime | None = None
    known_runs: tuple[str, ...] = ()
    never_ran: bool = False

    @property
    def had_runs(self) -> bool:
        """Whether it is known that there was a run."""
        return bool(self.run or self.known_runs or self.newest_at)


def read_marker(client: RunEndpoints, report: Report) -> RunMarker:
    """Return the current marker. Sends one request unless the Report contains its newest run and the run's time."""
    linked = linked_run(report)
    if linked is not None and report.last_run_at is not None:
        return RunMarker(linked, report.last_run_at)
    try:
        listed = client.newest_report_runs(report.token)
    except StudioNotFoundError:  # the Report exists, so this proves nothing about its runs
        return RunMarker(linked, report.last_run_at)
    if not listed:
        return RunMarker(linked, report.last_run_at, never_ran=_never_ran(report))
    times = [report.last_run_at, *(run.created_at for run in listed)]
    return RunMarker(linked or listed[0].token, _latest(times), tuple(run.token for run in listed))


def linked_run(report: Report) -> str | None:
    """Return the run that a Report links as its last; None if the link is missing or names no run."""
    href = report.link("last_run")
    if href is None or report.links["last_run"].get("templated"):
        return None
    found = _RUN_PATH.search(urlsplit(href).path)
    return found.group(1) if found else None


def _never_ran(report: Report) -> bool:
    """Whether the Report itself reports no run, without a contradiction: an empty list alone may lag."""
    reports_none = report.runs_count == 0 or ("last_run_at" in report.model_fields_set and report.last_run_at is None)
    signs = (
        report.links.get("last_run"),
        report.runs_count,
        report.last_run_at,
        report.last_successfully_run_at,
        report.last_successful_run_token,
    )
    return reports_none and not any(signs)


class Listing:
    """A Report's listed runs, the newest first, compared with a marker.

    :param runs: the beginning of the listing.
    """

    def __init__(self, runs: Sequence[ReportRun], marker: RunMarker) -> None:
        self._runs, self._marker = runs, marker
        known = {marker.run, *marker.known_runs}
        self._known = [number for number, run in enumerate(runs) if run.token in known]
        self._since = self._newest_at()

    @property
    def reaches_the_marker(self) -> bool:
        """Whether these include a run that existed before; all later runs in the listing are older."""
        return any(newer is False for _, newer in self.are_newer())

    def are_newer(self) -> list[tuple[ReportRun, bool | None]]:
        """Return each run, and whether it is newer than the marker; None if that is unknown."""
        return [(run, self._is_newer(number, run)) for number, run in enumerate(self._runs)]

    def _is_newer(self, number: int, run: ReportRun) -> bool | None:
        if number in self._known:
            return False
        if self._marker.never_ran:
            return True
        if self._since is not None and run.created_at is not None:
            return run.created_at > self._since
        return number < self._known[0] if self._known else None  # without times, the order of the listing decides

    def _newest_at(self) -> datetime | None:
        listed = _latest(self._runs[number].created_at for number in self._known)
        reported = self._marker.newest_at
        if reported is None or (listed is not None and reported <= listed):
            return listed
        if any(run.created_at == reported for run in self._runs):
            return reported  # the link lagged; this is the run that was the newest
        return reported + _SAME_RUN


def _latest(times: Iterable[datetime | None]) -> datetime | None:
    return max((time for time in times if time is not None), default=None)
