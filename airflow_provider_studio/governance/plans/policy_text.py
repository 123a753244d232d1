# SPDX-License-Identifier: Apache-2.0
"""A policy in words, for the approval screen, the plan and the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_studio.governance.text import counted

_SHORTER_IN_WORDS = {
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
    "protected_subscribers": "e-mail subscribers, at least",
    "protected_uses": "Reports that are",
}
"""The text before an entry of a policy's protections, by field."""


@dataclass(frozen=True)
class PolicyText:
    """Renders a policy as one sentence, for the approval screen, the plan and the log.

    :param values: the policy's fields.
    """

    values: Mapping[str, Any]

    def sentence(self) -> str:
        """Return the policy as one sentence."""
        clauses = [self._stale(), *self._schedules()]
        text = "; ".join(clause for clause in clauses if clause)
        return f"{text[:1].upper()}{text[1:]}{self._grace()}{self._never()}."

    def _stale(self) -> str:
        conditions = [*self._windows(), *self._age()]
        if self.values["where"] is not None:
            conditions.append(f"matches the condition {' '.join(self.values['where'].split())}")
        if not self._judges():
            return ""
        last = conditions.pop()
        return f"a Report is stale when it {', '.join(conditions)}{', and ' if conditions else ''}{last}"

    def _judges(self) -> bool:
        names = ("unviewed_days", "unrun_days", "where", *_SHORTER_IN_WORDS)
        return any(self.values[name] is not None for name in names)

    def _windows(self) -> list[str]:
        shorter = {where: days for name, where in _SHORTER_IN_WORDS.items() if (days := self.values[name]) is not None}
        unviewed, unrun = self.values["unviewed_days"], self.values["unrun_days"]
        conditions = []
        if unviewed is not None:
            fewer = f" ({', '.join(f'{days} {where}' for where, days in shorter.items())})" if shorter else ""
            conditions.append(f"was not viewed or edited for {unviewed} days{fewer}")
        elif shorter:
            days_by_case = (f"{days} days {where}" for where, days in shorter.items())
            conditions.append(f"was not viewed or edited for {', '.join(days_by_case)}")
        if unrun is not None:
            conditions.append(f"was not run by a person for {unrun} days")
        return conditions

    def _age(self) -> list[str]:
        days = self.values["minimum_age_days"]
        return [f"is at least {days} days old"] if days else []

    def _schedules(self) -> list[str]:
        clauses = []
        if self.values["actions"] == "schedules" and self._judges():
            clauses.append("only the schedules of stale Reports are deleted, and no Report is archived")
        if self.values["failing_schedule_runs"] is not None:
            clauses.append(f"a schedule is deleted after {self.values['failing_schedule_runs']} failed runs in a row")
        if self.values["schedules_of_archived"]:
            clauses.append("the schedules of archived Reports are deleted")
        return clauses

    def _grace(self) -> str:
        days = self.values["grace_days"]
        return f"; nothing is touched until {counted(days, 'day')} after it was first flagged" if days else ""

    def _never(self) -> str:
        spared = [f"{what} {', '.join(self.values[name])}" for name, what in _NAMED.items() if self.values[name]]
        if self.values["keep_mark"] is not None:
            spared.append(f"descriptions with {self.values['keep_mark']}")
        spared += self._used()
        return f"; never touched: {'; '.join(spared)}" if spared else ""

    def _used(self) -> list[str]:
        """Return which uses protect a Report; a schedule that only fails is deleted regardless of them."""
        has_failing = self.values["failing_schedule_runs"] is not None
        if has_failing and not self._judges() and not self.values["schedules_of_archived"]:
            return []
        count, uses = self.values["protected_subscribers"], self.values["protected_uses"]
        people = "anyone gets" if count == 1 else f"{count or 0:,} or more people get"
        used = [f"Reports that {people} by e-mail"] if count else []
        used += [f"Reports that are {' or '.join(uses)}"] if uses else []
        if used and has_failing:
            used[-1] += " (but schedules that only fail are deleted)"
        return used
