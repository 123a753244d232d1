# SPDX-License-Identifier: Apache-2.0
"""Tell runs that are newer than an intent from those that existed before it.

A marker is what Studio returned about a Report's newest run before the intent was written. "Unknown" and "none" are two
values: a Report whose newest run is unknown is not one that never ran. All times are Studio's own, so no two clocks are
compared. A run that nothing proves to be newer is not newer.
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
    from airflow_provider_studio.client.client import StudioClient

_RUN_PATH = re.compile(r"/runs/([A-Za-z0-9][A-Za-z0-9_.-]*)/?")
_SAME_RUN = timedelta(seconds=10)
"""A Report's `last_run_at` and a run's `created_at` that are no further apart may be those of one run."""


@dataclass(frozen=True)
class RunMarker:
    """What was known of a Report's runs at one time.

    :param run: the newest run, where it is known.
    :param newest_at: no run existed that began later, where that is known.
    :param known_runs: more runs that existed.
    :param never_ran: whether it is known that there was none.
    """

    run: str | None = None
    newest_at: datetime | None = None
    known_runs: tuple[str, ...] = ()
    never_ran: bool = False

    @property
    def had_runs(self) -> bool:
        """Whether it is known that there was one."""
        return bool(self.run or self.known_runs or self.newest_at)


def read_marker(client: StudioClient, report: Report) -> RunMarker:
    """Return the marker of now. Costs a request where the Report does not say both which run is its newest and when."""
    linked = linked_run(report)
    if linked is not None and report.last_run_at is not None:
        return RunMarker(linked, report.last_run_at)
    try:
        listed = client.newest_report_runs(report.token)
    except StudioNotFoundError:  # the Report is there, so this proves nothing about its runs
        return RunMarker(linked, report.last_run_at)
    if not listed:
        return RunMarker(linked, report.last_run_at, never_ran=_says_that_it_never_ran(report))
    times = [report.last_run_at, *(run.created_at for run in listed)]
    return RunMarker(linked or listed[0].token, _latest(times), tuple(run.token for run in listed))


def linked_run(report: Report) -> str | None:
    """Return the run that a Report links as its last; None where the link is missing, or names none."""
    href = report.link("last_run")
    if href is None or report.links["last_run"].get("templated"):
        return None
    found = _RUN_PATH.search(urlsplit(href).path)
    return found.group(1) if found else None


def _says_that_it_never_ran(report: Report) -> bool:
    """Whether the Report itself says so, with nothing that speaks against it: an empty list alone may lag behind."""
    says_so = report.runs_count == 0 or ("last_run_at" in report.model_fields_set and report.last_run_at is None)
    signs = (
        report.links.get("last_run"),
        report.runs_count,
        report.last_run_at,
        report.last_successfully_run_at,
        report.last_successful_run_token,
    )
    return says_so and not any(signs)


class Listing:
    """A Report's runs as they are listed, the newest first, compared with a marker.

    :param runs: the beginning of the list.
    """

    def __init__(self, runs: Sequence[ReportRun], marker: RunMarker) -> None:
        self._runs, self._marker = runs, marker
        known = {marker.run, *marker.known_runs}
        self._known = [number for number, run in enumerate(runs) if run.token in known]
        self._since = self._newest_at()

    @property
    def reaches_the_marker(self) -> bool:
        """Whether runs are among these that existed before; what follows them is older."""
        return any(newer is False for _, newer in self.are_newer())

    def are_newer(self) -> list[tuple[ReportRun, bool | None]]:
        """Return each run, and whether it is newer than the marker; None where that is unknown."""
        return [(run, self._is_newer(number, run)) for number, run in enumerate(self._runs)]

    def _is_newer(self, number: int, run: ReportRun) -> bool | None:
        if number in self._known:
            return False
        if self._marker.never_ran:
            return True
        if self._since is not None and run.created_at is not None:
            return run.created_at > self._since
        return number < self._known[0] if self._known else None  # without times, the order of the list has to do

    def _newest_at(self) -> datetime | None:
        listed = _latest(self._runs[number].created_at for number in self._known)
        said = self._marker.newest_at
        if said is None or (listed is not None and said <= listed):
            return listed
        if any(run.created_at == said for run in self._runs):
            return said  # the link lagged behind; this is the run that was the newest
        return said + _SAME_RUN


def _latest(times: Iterable[datetime | None]) -> datetime | None:
    return max((time for time in times if time is not None), default=None)
