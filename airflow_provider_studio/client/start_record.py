# SPDX-License-Identifier: Apache-2.0
"""What is written down of one start of a Report run, and read again by the next try or another version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, Self

from airflow_provider_studio.client.run_marker import RunMarker


@dataclass
class Launch:
    """What is known of one start. Records outlive upgrades: absent fields are unknown, and unknown ones are skipped.

    :param epoch: which start this is: another number after somebody cleared the task.
    :param after_run: the Report's newest run before the intent, where it is known.
    :param after_time: when the newest run before the intent began, as Studio returned it, where it is known.
    :param known_runs: runs before the intent, where they were listed.
    :param never_ran: whether it is known that the Report had no run before the intent.
    :param run: the run's token, once it is known.
    """

    epoch: int
    report: str
    parameters: dict[str, Any] = field(default_factory=dict)
    after_run: str | None = None
    after_time: str | None = None
    known_runs: list[str] = field(default_factory=list)
    never_ran: bool = False
    run: str | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any], wanted: Self) -> Self:
        """Read a record of the same start, which another version may have written."""
        known = {name: values[name] for name in cls.__dataclass_fields__ if _fits(name, values.get(name))}
        return replace(wanted, **{**_UNKNOWN, **known})

    @property
    def marker(self) -> RunMarker:
        """What was known of the Report's runs before the intent."""
        time = datetime.fromisoformat(self.after_time) if self.after_time else None
        return RunMarker(self.after_run, time, tuple(self.known_runs), self.never_ran)


_UNKNOWN: dict[str, Any] = {"after_run": None, "after_time": None, "known_runs": [], "never_ran": False, "run": None}


def _fits(name: str, value: Any) -> bool:
    """Whether a field of a record holds what this version writes there."""
    if name == "parameters":
        return isinstance(value, dict)
    if name == "known_runs":
        return isinstance(value, list) and all(isinstance(token, str) for token in value)
    if name == "never_ran":
        return value is True
    if name == "after_time":
        return isinstance(value, str) and _is_time(value)
    return name in {"after_run", "run"} and isinstance(value, str)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


class LaunchRecord(Protocol):
    """Where one task keeps its launch between tries, durably."""

    def read(self) -> dict[str, Any] | None:
        """What was written last."""

    def write(self, values: dict[str, Any]) -> None:
        """Write durably before returning."""

    def claim(self, run: str) -> bool:
        """Take a run for this task; False if another task has it."""
