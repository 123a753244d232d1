# SPDX-License-Identifier: Apache-2.0
"""A plan for people, in Markdown: the numbers, what changed since last night, the policy, and a row for each Report.

Names come from users: nothing in them becomes markup, and none is long.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.governance.records import Action, ActionKind, PlanHeader, Spared, SpareReason

if TYPE_CHECKING:
    from airflow_provider_studio.governance.plan import PlanDiff

_LONGEST_NAME = 80


@dataclass(frozen=True)
class PlanText:
    """The parts of a plan that its text is made of.

    :param numbers: what `Plan.summary` tells.
    """

    header: PlanHeader
    numbers: Mapping[str, Any]
    actions: Sequence[Action]
    spared: Sequence[Spared]

    def render(self, *, rows: int, diff: PlanDiff | None) -> str:
        """Return the text; at most so many rows of Reports."""
        lines = [f"## Plan {self.header.plan_id} for workspace {shown(self.header.workspace)}", ""]
        lines += [self.proposal(), "", *self._saving(), *self._since(diff)]
        lines += [f"Policy: {shown(self.header.policy_in_words, longest=2000)}", ""]
        lines += [*self._table(rows), *self._due_later(), *self._spared()]
        return "\n".join(lines)

    def proposal(self) -> str:
        """Return what the plan would do, in a sentence or two."""
        numbers = self.numbers
        if self.header.snapshot is None:
            return f"Named by a person: {_done_to(self.actions) or 'nothing to do'}."
        return (
            f"{numbers['stale']} of {numbers['reports']} Reports are stale: archive {numbers['reports_to_archive']}, "
            f"delete {numbers['schedules_to_delete']} schedules. Snapshot of {_minute(self.header.taken_at)}."
        )

    def _saving(self) -> list[str]:
        if not self.numbers["runs_saved_a_week"]:
            return []
        return [
            (
                f"That saves {self.numbers['runs_saved_a_week']:,.0f} scheduled runs and "
                f"{self.numbers['hours_saved_a_week']:,.1f} hours of query time a week."
            ),
            "",
        ]

    @staticmethod
    def _since(diff: PlanDiff | None) -> list[str]:
        if diff is None:
            return []
        reasons = Counter(reason for _, reason in diff.gone)
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        new = ", ".join(dict.fromkeys(shown(one.report_name or "untitled", longest=40) for one in diff.new[:10]))
        more = f", and {len(diff.new) - 10} more" if len(diff.new) > 10 else ""
        added = f"{len(diff.new)} new actions{f' ({new}{more})' if new else ''}"
        gone = f"{len(diff.gone)} gone{f' ({why})' if why else ''}"
        return [f"Since last night's plan {diff.previous}: {added}, {gone}, {diff.kept} as before.", ""]

    def _table(self, rows: int) -> list[str]:
        by_report = [list(each) for _, each in groupby(self.actions, key=lambda action: action.report)]
        if not by_report:
            return []
        lines = ["| Report | Owner | What | Why | Saves a week |", "|---|---|---|---|---|"]
        lines += [_row(actions) for actions in by_report[:rows]]
        if len(by_report) > rows:
            left = sum(map(len, by_report[rows:]))
            lines.append(
                f"| … | | and {left} more actions on {len(by_report) - rows} Reports | see the plan's file | |"
            )
        return [*lines, ""]

    def _due_later(self) -> list[str]:
        waiting = [one for one in self.spared if one.reason is SpareReason.GRACE]
        if not waiting:
            return []
        soonest = min(one.nights_left or 0 for one in waiting)
        nights = "night" if soonest == 1 else "nights"
        return [f"Due later: {len(waiting)} Reports in their grace, the first in {soonest} {nights}.", ""]

    def _spared(self) -> list[str]:
        if not self.numbers["spared"]:
            return []
        counts = ", ".join(f"{count} {reason}" for reason, count in self.numbers["spared"].items())
        return [f"Spared: {counts}.", ""]


def _done_to(actions: Iterable[Action]) -> str:
    kinds = Counter(one.kind for one in actions)
    words = {
        ActionKind.DELETE_SCHEDULE: "delete {} schedules",
        ActionKind.ARCHIVE_REPORT: "archive {}",
        ActionKind.UNARCHIVE_REPORT: "unarchive {}",
    }
    return ", ".join(word.format(kinds[kind]) for kind, word in words.items() if kinds[kind])


def _row(actions: Sequence[Action]) -> str:
    first = actions[0]
    schedules = [shown(one.schedule_name or one.schedule or "", longest=40) for one in actions if one.schedule]
    what = [f"delete schedule {name}" for name in schedules[:3]]
    what += [f"and {len(schedules) - 3} more schedules"] if len(schedules) > 3 else []
    what += [one.kind.value.removesuffix("_report") for one in actions if not one.schedule]
    facts = [fact for one in actions for fact in one.evidence]
    reasons = dict.fromkeys((shown(fact.meaning, longest=200), _origin(fact)) for fact in facts)
    origins = {origin for _, origin in reasons}
    why = "; ".join(meaning if len(origins) == 1 else f"{meaning} ({origin})" for meaning, origin in reasons)
    why += f" ({origins.pop()})" if len(origins) == 1 else ""
    runs = sum(one.saving.runs_a_week for one in actions if one.saving)
    minutes = sum(one.saving.seconds_a_week or 0 for one in actions if one.saving) / 60
    saves = f"{runs:,.1f} runs, {minutes:,.1f} min" if runs else ""
    name = f"{shown(first.report_name or 'untitled')} ({first.report})"
    return f"| {name} | {shown(first.owner or 'unknown')} | {', '.join(what)} | {why} | {saves} |"


def _origin(fact: Any) -> str:
    age = "" if fact.age_days < 1 else f", {fact.age_days:.0f} days old"
    return f"{fact.source}{age}"


def _minute(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC")


def shown(text: str, *, longest: int = _LONGEST_NAME) -> str:
    """Make a name that people chose harmless in Markdown and HTML, and short."""
    plain = " ".join(text.split())
    plain = plain if len(plain) <= longest else f"{plain[: longest - 1]}…"
    escaped = html.escape(plain, quote=False)
    return "".join(f"\\{one}" if one in "\\`*_[]|#~!" else one for one in escaped)
