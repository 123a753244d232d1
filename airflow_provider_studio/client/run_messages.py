# SPDX-License-Identifier: Apache-2.0
"""What a task's log says of a Report run: the Report and the reason first, then the run and the URL of its page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_studio.client.plain_text import shorten, web_address

if TYPE_CHECKING:
    from airflow_provider_studio.client.models import ReportRun

_LONGEST_NAME = 100


@dataclass(frozen=True)
class NamedRun:
    """A Report run as messages name it.

    :param report: the Report's token.
    :param run: the run's token.
    :param name: the Report's name, where it is known.
    :param url: the URL of the run's page, or of the Report's.
    :param seconds: the runtime by Studio's clock, where the run is over.
    :param noun: what has the run: a Report, or a dataset.
    """

    report: str
    run: str
    name: str | None = None
    url: str | None = None
    seconds: float | None = None
    noun: str = "Report"

    @classmethod
    def of(cls, report: str, run: ReportRun, name: str | None = None, noun: str = "Report") -> NamedRun:
        """Return the names of a run."""
        seconds = runtime(run.created_at, run.completed_at)
        return cls(report, run.token, name, run.link("web_external_url"), seconds, noun)

    def succeeded(self, state: str | None) -> str:
        """Return the message of a run that has results."""
        return f"{self._title} {state}{self._after}. {self._page}"

    def failed(self, state: str | None, reason: str) -> str:
        """Return the message of a run without results."""
        why = f": {reason}" if reason else ""
        end = "" if why.endswith((".", "!", "?")) else "."
        return f"{self._title} {state}{self._after}{why}{end} {self._page}"

    def cancelled(self) -> str:
        """Return the message of a run that someone cancelled."""
        return f"{self._title} was cancelled in Studio{self._after}. {self._page}"

    def timed_out(self, state: str | None, seconds: float) -> str:
        """Return the message of a run that was not over in time.

        :param seconds: how long the task waited.
        """
        return (
            f"{self._title} was still {state} after {seconds:.0f} s. The run continues in Studio. Increase the "
            f"timeout, or check its queries. {self._page}"
        )

    @property
    def _title(self) -> str:
        name = self.report if self.name is None else f'"{shorten(self.name, _LONGEST_NAME)}"'
        return f"{self.noun} {name}"

    @property
    def _after(self) -> str:
        return "" if self.seconds is None else f" after {self.seconds:,.1f} s"

    @property
    def _page(self) -> str:
        url = web_address(self.url)
        return f"Run {self.run} of {self.noun} {self.report}{f': {url}' if url else '.'}"


def runtime(begun: datetime | None, ended: datetime | None) -> float | None:
    """Return the seconds between two times, or None if one of them is unknown."""
    return None if begun is None or ended is None else (ended - begun).total_seconds()
