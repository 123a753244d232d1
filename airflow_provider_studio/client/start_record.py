# SPDX-License-Identifier: Apache-2.0
"""The record of one start of a Report run, which the next try or another version reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, Self

from airflow_provider_studio.client.run_marker import RunMarker


@dataclass
class Launch:
    """One start of a Report run. Records outlive upgrades: absent fields are unknown, and unknown fields are skipped.

    :param epoch: the number of the start; it changes when a person clears the task.
    :param after_run: the Report's newest run before the intent; None if it is unknown.
    :param after_time: when the newest run before the intent began, as Studio returned it; None if it is unknown.
    :param known_runs: runs before the intent, if they were listed.
    :param never_ran: whether it is known that the Report had no run before the intent.
    :param began: when the intent was written, by the clock of its machine; None if it is unknown.
    :param run: the run's token, once it is known.
    """

    epoch: int
    report: str
    parameters: dict[str, Any] = field(default_factory=dict)
    after_run: str | None = None
    after_time: str | None = None
    known_runs: list[str] = field(default_factory=list)
    never_ran: bool = False
    began: str | None = None
    run: str | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any], start: Self) -> Self:
        """Read a record of the same start, which another version may have written."""
        known = {name: values[name] for name in cls.__dataclass_fields__ if _fits(name, values.get(name))}
        return replace(start, **{**_UNKNOWN, **known})

    @property
    def began_at(self) -> datetime | None:
        """The time of `began`."""
        return datetime.fromisoformat(self.began) if self.began else None

    @property
    def marker(self) -> RunMarker:
        """The known runs of the Report before the intent."""
        time = datetime.fromisoformat(self.after_time) if self.after_time else None
        return RunMarker(self.after_run, time, tuple(self.known_runs), self.never_ran)


_UNKNOWN: dict[str, Any] = {
    "after_run": None,
    "after_time": None,
    "known_runs": [],
    "never_ran": False,
    "began": None,
    "run": None,
}


def _fits(name: str, value: Any) -> bool:
    """Whether a field of a record holds a value that this version could have written."""
    if name == "parameters":
        return isinstance(value, dict)
    if name == "known_runs":
        return isinstance(value, list) and all(isinstance(token, str) for token in value)
    if name == "never_ran":
        return value is True
    if name in {"after_time", "began"}:
        return isinstance(value, str) and _is_time(value)
    return name in {"after_run", "run"} and isinstance(value, str)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


class LaunchRecord(Protocol):
    """The durable record of one task's start, shared by its tries."""

    def read(self) -> dict[str, Any] | None:
        """Return the last written values."""

    def write(self, values: dict[str, Any]) -> None:
        """Write durably before returning."""

    def claim(self, run: str) -> bool:
        """Claim a run for this task; False if another task has it."""
