# SPDX-License-Identifier: Apache-2.0
"""Render a plan as Markdown: numbers, changes since the previous plan, the policy, and a row for each Report.

Names come from users: they are escaped and shortened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_studio.governance.plans.changes import (
    ReportChange,
    changes,
    losses_in_words,
    totals_in_words,
)
from airflow_provider_studio.governance.plans.models import (
    Action,
    PlanDiff,
    PlanHeader,
    ProtectionCount,
    Spared,
    SpareReason,
)
from airflow_provider_studio.governance.plans.policy_text import SPARED
from airflow_provider_studio.governance.text import MARKDOWN, counted, duration, markdown

_MOST_PROTECTIONS = 20
_MOST_REFUSED = 10
_MOST_DAYS = 10


@dataclass(frozen=True)
class PlanText:
    """The parts of a plan that the text contains.

    :param numbers: the result of `Plan.summary`.
    """

    header: PlanHeader
    numbers: Mapping[str, Any]
    actions: Sequence[Action]
    spared: Sequence[Spared]

    def render(self, *, rows: int, diff: PlanDiff | None) -> str:
        """Return the text.

        :param rows: the largest number of Reports in the table.
        """
        lines = [f"## Plan {self.header.plan_id} for workspace {markdown(self.header.workspace)}", ""]
        lines += [self.proposal(), "", *self._losses(), *self._saving(), *self._since(diff)]
        name = "" if self.header.name is None else f" of {markdown(self.header.name)}"
        lines += [f"Policy{name}: {markdown(self.header.policy_in_words, longest=2000)}", ""]
        lines += self._protections()
        lines += [*self._due_later(), *self._refused(), *self._spared(), *self._table(rows)]
        return "\n".join(lines)

    def proposal(self) -> str:
        """Return what the plan would do, in one or two sentences."""
        numbers, what = self.numbers, totals_in_words(self.actions)
        if self.header.is_one_off:
            how = "Named by a person" if self.header.snapshot is None else "Selected by a person's condition"
            return f"{how}: {what or 'nothing to do'}."
        stale = f"{numbers['stale']:,} of {numbers['reports']:,} Reports are stale"
        proposal = f"once the plan is approved, {what}" if what else "nothing to do"
        return f"**{stale}: {proposal}.** Snapshot of {_minute(self.header.taken_at)}."

    def _losses(self) -> list[str]:
        return [f"**{' '.join(losses)}**", ""] if (losses := losses_in_words(self.actions)) else []

    def _saving(self) -> list[str]:
        return [saving, ""] if (saving := saving_in_words(self.actions)) else []

    @staticmethod
    def _since(diff: PlanDiff | None) -> list[str]:
        if diff is None:
            return []
        reasons = Counter(reason for _, reason in diff.gone)
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        new = ", ".join(
            dict.fromkeys(markdown(action.report_name or "untitled", longest=40) for action in diff.new[:10])
        )
        more = f", and {len(diff.new) - 10} more" if len(diff.new) > 10 else ""
        added = f"{counted(len(diff.new), 'new action')}{f' ({new}{more})' if new else ''}"
        gone = f"{len(diff.gone)} gone{f' ({why})' if why else ''}"
        return [f"Since the previous plan {diff.previous}: {added}, {gone}, {diff.unchanged} unchanged.", ""]

    def _table(self, rows: int) -> list[str]:
        # The largest savings come first and are not cut off.
        by_report = sorted(changes(self.actions), key=lambda change: runs_saved(change.actions), reverse=True)
        if not by_report:
            return []
        lines = [
            "| Report | Collection | Owner | What will happen | Why | By e-mail | Saves a week |",
            "|---|---|---|---|---|---|---|",
            *(_row(change) for change in by_report[:rows]),
        ]
        if len(by_report) > rows:
            left = sum(len(change.actions) for change in by_report[rows:])
            more = f"and {left:,} more actions on {counted(len(by_report) - rows, 'Report')}"
            lines.append(f"| … | | | {more} | see the plan's file | | |")
        return [*lines, ""]

    def _protections(self) -> list[str]:
        """Return the matches of each protection; those without a match come first, because they may be misspelt."""
        counts = sorted(self.header.protections or (), key=lambda count: not count.may_be_a_typo)
        if not counts:
            return []
        lines = [_protected(count) for count in counts[:_MOST_PROTECTIONS]]
        if len(counts) > _MOST_PROTECTIONS:
            lines.append(f"and {len(counts) - _MOST_PROTECTIONS} more in the plan's file")
        return [f"Protections: {'; '.join(lines)}.", ""]

    def _due_later(self) -> list[str]:
        waiting = [item for item in self.spared if item.reason is SpareReason.GRACE]
        if not waiting:
            return []
        reports: dict[str, set[str]] = {}
        for item in waiting:
            day = f"due on {item.due_on}" if item.due_on else "due on an unknown day"
            reports.setdefault(day, set()).add(item.report)
        days = [f"{counted(len(found), 'Report')} {day}" for day, found in sorted(reports.items())]
        more = [f"and {len(days) - _MOST_DAYS} more days in the plan's file"] if len(days) > _MOST_DAYS else []
        return [f"In the grace period: {'; '.join([*days[:_MOST_DAYS], *more])}.", ""]

    def _refused(self) -> list[str]:
        """Return what Studio refused before, which a person may have to resolve."""
        refused = {item.report: item for item in self.spared if item.reason is SpareReason.REFUSED}
        if not refused:
            return []
        headline = f"**Refused by Studio** before, and not in this plan: {counted(len(refused), 'Report')}."
        advice = "Give the token the missing permissions, or protect them in the policy."
        lines = [f"{headline} {advice}" if not self.header.is_one_off else headline, ""]
        lines += [
            f"- {markdown(item.report_name or 'untitled')} ({item.report}): {markdown(item.detail, longest=400)}"
            for item in [*refused.values()][:_MOST_REFUSED]
        ]
        if len(refused) > _MOST_REFUSED:
            lines.append(f"- and {len(refused) - _MOST_REFUSED} more in the plan's file")
        return [*lines, ""]

    def _spared(self) -> list[str]:
        if not self.numbers["spared"]:
            return []
        counts = ", ".join(f"{count} {reason}" for reason, count in self.numbers["spared"].items())
        return [f"Spared: {counts}.", ""]


def _protected(count: ProtectionCount) -> str:
    what = f"{SPARED[count.field]} {markdown(count.value)}"
    if count.may_be_a_typo:
        return f"**{what}: matches no Report, is it misspelt?**"
    spared = f" ({count.spared:,} would be in this plan)" if count.spared else ""
    return f"{what}: {counted(count.matched, 'Report')}{spared}"


def _row(change: ReportChange) -> str:
    actions, first = change.actions, change.actions[0]
    facts = [fact for action in actions for fact in action.evidence]
    reasons = dict.fromkeys((markdown(fact.meaning, longest=200), _origin(fact)) for fact in facts)
    origins = {origin for _, origin in reasons}
    why = "; ".join(meaning if len(origins) == 1 else f"{meaning} ({origin})" for meaning, origin in reasons)
    why += f" ({origins.pop()})" if len(origins) == 1 else ""
    seconds = sum(action.saving.seconds_a_week or 0 for action in actions if action.saving)
    runs = runs_saved(actions)
    cells = (
        f"{MARKDOWN.link(change.name, change.url)} ({change.report})",
        markdown(change.collection or "none"),
        markdown(first.owner or "unknown"),
        markdown(change.in_words(), longest=400),
        why,
        _by_email(change),
        f"{runs:,.3g} runs, {duration(seconds)}" if runs else "",
    )
    return f"| {' | '.join(cells)} |"


def _by_email(change: ReportChange) -> str:
    """Return how many people get a Report's results by e-mail; empty if it has no schedule."""
    if not change.deletions:
        return ""
    return "unknown" if change.subscribers is None else f"{change.subscribers:,}"


def runs_saved(actions: Sequence[Action]) -> float:
    """Return how many scheduled runs a week actions save."""
    return sum(action.saving.runs_a_week for action in actions if action.saving)


def saving_in_words(actions: Sequence[Action]) -> str:
    """Return the weekly saving of actions as a sentence; empty if there is none."""
    runs = runs_saved(actions)
    seconds = sum(action.saving.seconds_a_week or 0 for action in actions if action.saving)
    return f"That saves {runs:,.0f} scheduled runs and {duration(seconds)} of query time a week." if runs else ""


def _origin(fact: Any) -> str:
    age = "" if fact.age_days < 1 else f", {fact.age_days:.0f} days old"
    return f"source: {fact.source}{age}"


def _minute(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC")
