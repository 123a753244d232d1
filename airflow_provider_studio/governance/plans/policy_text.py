# SPDX-License-Identifier: Apache-2.0
"""A policy in one sentence, for the approval screen, the plan and the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_studio.governance.text import counted

_SHORTER = {
    "owner_left_days": "where the owner left the workspace",
    "empty_days": "where there is no query",
    "never_run_days": "where it never ran",
}
_NAMED = {
    "protected_collections": "Collections",
    "protected_reports": "Reports",
    "protected_owners": "owners",
    "protected_names": "names like",
}
SPARED = {
    "protected_collections": "Collection",
    "protected_reports": "Report",
    "protected_owners": "owner",
    "protected_names": "names like",
    "keep_mark": "descriptions with",
}
"""What one entry of a policy's protections protects, by field."""


@dataclass(frozen=True)
class PolicyText:
    """The policy's fields."""

    values: Mapping[str, Any]

    def sentence(self) -> str:
        """Return the policy as one sentence."""
        clauses = [self._stale(), *self._schedules()]
        said = "; ".join(one for one in clauses if one)
        return f"{said[:1].upper()}{said[1:]}{self._grace()}{self._never()}."

    def _stale(self) -> str:
        conditions = [*self._windows(), *self._age()]
        if self.values["where"] is not None:
            conditions.append(f"matches the condition {' '.join(self.values['where'].split())}")
        if not self._archives():
            return ""
        last = conditions.pop()
        return f"a Report is stale when it {', '.join(conditions)}{', and ' if conditions else ''}{last}"

    def _archives(self) -> bool:
        names = ("unviewed_days", "unrun_days", "where", *_SHORTER)
        return any(self.values[name] is not None for name in names)

    def _windows(self) -> list[str]:
        shorter = [f"{self.values[name]} {where}" for name, where in _SHORTER.items() if self.values[name] is not None]
        unviewed, unrun = self.values["unviewed_days"], self.values["unrun_days"]
        said = []
        if unviewed is not None:
            fewer = f" ({', '.join(shorter)})" if shorter else ""
            said.append(f"was not viewed or edited for {unviewed} days{fewer}")
        elif shorter:
            said.append(f"was not viewed or edited for so many days: {', '.join(shorter)}")
        if unrun is not None:
            said.append(f"was not run by a person for {unrun} days")
        return said

    def _age(self) -> list[str]:
        days = self.values["minimum_age_days"]
        return [f"is at least {days} days old"] if days else []

    def _schedules(self) -> list[str]:
        said = []
        if self.values["failing_schedule_runs"] is not None:
            said.append(f"a schedule goes after {self.values['failing_schedule_runs']} failed runs in a row")
        if self.values["schedules_of_archived"]:
            said.append("the schedules of archived Reports go")
        return said

    def _grace(self) -> str:
        days = self.values["grace_days"]
        return f"; nothing is touched until {counted(days, 'day')} after it was first flagged" if days else ""

    def _never(self) -> str:
        spared = [f"{what} {', '.join(self.values[name])}" for name, what in _NAMED.items() if self.values[name]]
        if self.values["keep_mark"] is not None:
            spared.append(f"descriptions with {self.values['keep_mark']}")
        return f"; never touched: {'; '.join(spared)}" if spared else ""
