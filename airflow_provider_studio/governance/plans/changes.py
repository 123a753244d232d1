# SPDX-License-Identifier: Apache-2.0
"""What a plan does to each Report, in words: in the future tense before an apply, in the past tense after it.

The words contain names from outside: the caller neutralizes them for its format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from airflow_provider_studio.governance.plans.models import Action, ActionKind, Rule
from airflow_provider_studio.governance.plans.subscriber_count import total
from airflow_provider_studio.governance.plans.uses import NO_UNDO
from airflow_provider_studio.governance.snapshots.frequency import times_in_words
from airflow_provider_studio.governance.text import counted, page_address, shorten

_MOST_SCHEDULES = 3
_LONGEST_NAME = 40
_DONE = {
    ActionKind.DELETE_SCHEDULE: "deleted",
    ActionKind.ARCHIVE_REPORT: "archived",
    ActionKind.UNARCHIVE_REPORT: "unarchived",
}
_KINDS = (ActionKind.ARCHIVE_REPORT, ActionKind.UNARCHIVE_REPORT, ActionKind.DELETE_SCHEDULE)


class Tense(StrEnum):
    """When the actions happen: PLANNED before an apply, DONE after it, NOT_DONE if an apply left them out."""

    PLANNED = "planned"
    DONE = "done"
    NOT_DONE = "not_done"


@dataclass(frozen=True)
class ReportChange:
    """The actions of a plan on one Report.

    :param collection: the name of its Collection, or its token.
    :param url: its page; None where the plan has no address that can be linked.
    """

    report: str
    name: str
    collection: str | None
    url: str | None
    actions: tuple[Action, ...]

    @property
    def deletions(self) -> tuple[Action, ...]:
        """The deletions of its schedules."""
        return tuple(action for action in self.actions if action.kind is ActionKind.DELETE_SCHEDULE)

    @property
    def subscribers(self) -> int | None:
        """How many people get by e-mail what its deleted schedules send; None if that is unknown."""
        deletions = self.deletions
        if deletions and deletions[0].rule is Rule.STALE:
            return deletions[0].subscribers  # each has the number of the whole Report
        return total(action.subscribers for action in deletions)

    def in_words(self, tense: Tense = Tense.PLANNED) -> str:
        """Return what happens to the Report: `its schedule (Daily, daily at 06:00) will be deleted, and the …`."""
        schedules, phrases = self.deletions, []
        if schedules:
            phrases.append(f"{_schedules(schedules)} {_verb(ActionKind.DELETE_SCHEDULE, len(schedules), tense)}")
        subject = "the Report" if schedules else "it"
        others = [action.kind for action in self.actions if action.kind is not ActionKind.DELETE_SCHEDULE]
        return ", and ".join(phrases + [f"{subject} {_verb(kind, 1, tense)}" for kind in others])


def changes(actions: Iterable[Action]) -> Iterator[ReportChange]:
    """Yield what actions do to each Report, in their order."""
    for report, group in groupby(actions, key=lambda action: action.report):
        found = tuple(group)
        first = found[0]
        yield ReportChange(
            report,
            first.report_name or "untitled",
            first.collection_name or first.baseline.collection,
            page_address(first.report_url, report),
            found,
        )


def totals_in_words(actions: Iterable[Action], tense: Tense = Tense.PLANNED) -> str:
    """Return how many are changed: `4 Reports will be archived and 1 schedule will be deleted`."""
    return " and ".join(f"{what} {_verb(kind, count, tense)}" for kind, count, what in _counts(actions))


def request_in_words(actions: Iterable[Action]) -> str:
    """Return what an approval permits: `archive 4 Reports and delete 1 schedule`."""
    return " and ".join(f"{kind.value.split('_')[0]} {what}" for kind, _, what in _counts(actions)) or "change nothing"


def _counts(actions: Iterable[Action]) -> list[tuple[ActionKind, int, str]]:
    """Return the number of actions of each kind, also in words."""
    counts: Mapping[ActionKind, int] = Counter(action.kind for action in actions)
    return [
        (kind, counts[kind], counted(counts[kind], "schedule" if kind is ActionKind.DELETE_SCHEDULE else "Report"))
        for kind in _KINDS
        if counts[kind]
    ]


def losses_in_words(actions: Iterable[Action]) -> list[str]:
    """Return as sentences how many people lose e-mails that an undo cannot restore; none if nobody does."""
    counts = [change.subscribers for change in changes(actions)]
    people, unknown = sum(filter(None, counts)), counts.count(None)
    sentences = []
    if people:
        who = "1 person gets" if people == 1 else f"{people:,} people get"
        sentences.append(f"{who} results of these Reports by e-mail; {NO_UNDO}.")
    if unknown:
        sentences.append(f"It is unknown how many people get {unknown:,} of these Reports by e-mail.")
    return sentences


def _verb(kind: ActionKind, count: int, tense: Tense) -> str:
    auxiliaries = {Tense.PLANNED: "will be", Tense.DONE: "was" if count == 1 else "were"}
    not_done = "was not" if count == 1 else "were not"
    return f"{auxiliaries.get(tense, not_done)} {_DONE[kind]}"


def _schedules(actions: Sequence[Action]) -> str:
    """Return schedules with their names and times: `its 2 schedules (Daily, daily at 06:00; Weekly, …)`."""
    named = [_schedule(action) for action in actions[:_MOST_SCHEDULES]]
    if len(actions) > _MOST_SCHEDULES:
        named.append(f"{len(actions) - _MOST_SCHEDULES:,} more")
    return f"its {'schedule' if len(actions) == 1 else counted(len(actions), 'schedule')} ({'; '.join(named)})"


def _schedule(action: Action) -> str:
    times = times_in_words(action.schedule_cron or {}, action.schedule_time_zone)
    name = shorten(action.schedule_name or str(action.schedule), _LONGEST_NAME)
    return f"{name}, {times}" if times else name
