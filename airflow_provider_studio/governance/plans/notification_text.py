# SPDX-License-Identifier: Apache-2.0
"""Notifications about a plan before it is applied: one for the team, and one for each owner of affected Reports.

Each has a subject, a plain text, a text for Slack and HTML for e-mail. Names come from users and are neutralized for
each format (`governance.text`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Protocol

from airflow_provider_studio.governance.plans.markdown import saving_in_words
from airflow_provider_studio.governance.plans.models import ActionKind, Spared, SpareReason
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.text import counted, html_text, plain, slack

_LONGEST_LIST = 50
_LONGEST_NAME = 80
_LONGEST_POLICY = 2000
_ADDRESS = re.compile(r"[^\s,;:<>()\[\]\"@]+@[^\s,;:<>()\[\]\"@]+")
"""One e-mail address. A list of them, or a line break, would add recipients to a message about somebody's Reports."""


@dataclass(frozen=True)
class DueReport:
    """A Report that a plan changes or will change.

    :param what: what happens to it, in words.
    :param why: the evidence in words.
    :param is_due: whether this plan changes it, once the plan is approved.
    :param due_on: the first day on which a plan may change it; None if a plan of an earlier version has no date.
    """

    token: str
    name: str
    owner: str | None
    owner_email: str | None
    what: str
    why: str
    is_due: bool
    due_on: date | None

    def line(self, neutralized: Callable[[str], str] = plain) -> str:
        """Return the Report in one line of text.

        :param neutralized: makes a text from outside safe for a format.
        """
        return f"{neutralized(self.name)} ({self.token}): {self.what}, {self.when}; {neutralized(self.why)}"

    @property
    def when(self) -> str:
        """When it happens, in words."""
        if self.is_due:
            return "once the plan is approved"
        return "due on an unknown day" if self.due_on is None else f"due on {self.due_on}"


@dataclass(frozen=True)
class Notice:
    """A message in the formats that notifiers use.

    :param text: plain text; a chat that reads markup needs its own format.
    :param slack: Slack's mrkdwn.
    """

    subject: str
    text: str
    slack: str
    html: str


@dataclass(frozen=True)
class OwnerNotice(Notice):
    """A message for one owner.

    :param owner: the user name.
    """

    owner: str
    email: str | None
    reports: tuple[DueReport, ...]


def due_reports(plan: Plan) -> list[DueReport]:
    """Return the Reports that a plan acts on, and the items in their grace period; each schedule has its own day."""
    due: list[DueReport] = []
    for report, group in groupby(plan.actions, key=lambda action: action.report):
        actions = list(group)
        deleted = sum(action.kind is ActionKind.DELETE_SCHEDULE for action in actions)
        what = [f"{counted(deleted, 'schedule')} {'is' if deleted == 1 else 'are'} deleted"] if deleted else []
        what += ["it is archived"] if len(actions) > deleted else []
        first, why = actions[0], dict.fromkeys(fact.meaning for action in actions for fact in action.evidence)
        name = plain(first.report_name or "untitled", longest=_LONGEST_NAME)
        due.append(
            DueReport(
                report,
                name,
                first.owner,
                first.owner_email,
                " and ".join(what),
                "; ".join(why),
                is_due=True,
                due_on=first.due_on,
            )
        )
    due += [_waiting(item) for item in plan.spared if item.reason is SpareReason.GRACE]
    return due


def _waiting(item: Spared) -> DueReport:
    return DueReport(
        item.report,
        plain(item.report_name or "untitled", longest=_LONGEST_NAME),
        item.owner,
        _one_address(item.owner_email),
        "it is archived" if item.schedule is None else f"schedule {item.schedule} is deleted",
        "nobody seems to use it",
        is_due=False,
        due_on=item.due_on,
    )


def _one_address(email: str | None) -> str | None:
    """Return an e-mail address; None for anything else, such as several addresses."""
    return email if email is not None and _ADDRESS.fullmatch(email) else None


def plan_notice(plan: Plan) -> Notice:
    """Return the message for the team."""
    numbers, due = plan.summary(), due_reports(plan)
    subject = (
        f"Studio workspace {plan.workspace}: archive {counted(numbers['reports_to_archive'], 'Report')}, "
        f"delete {counted(numbers['schedules_to_delete'], 'schedule')}"
    )
    head = [
        f"Plan {plan.plan_id}, from the snapshot of {plan.header.taken_at:%Y-%m-%d %H:%M UTC}.",
        *filter(None, [saving_in_words(plan.actions)]),
        plan.header.policy_in_words,
    ]
    return Notice(subject, _text(head, due, [], plain), _text(head, due, [], slack), _html(subject, head, due, []))


def owner_notices(plan: Plan) -> list[OwnerNotice]:
    """Return a message for each owner of Reports that are due now or after their grace period."""
    by_owner: dict[str, list[DueReport]] = {}
    for report in due_reports(plan):
        if report.owner is not None:
            by_owner.setdefault(report.owner, []).append(report)
    notices = []
    for owner, due in sorted(by_owner.items()):
        reports = len({report.token for report in due})
        count = f"{reports} of your Reports {'is' if reports == 1 else 'are'}"
        subject = f"Studio workspace {plan.workspace}: {count} about to be cleaned up"
        head = [f"Nobody seems to use these Reports in {plan.workspace} any more. {plan.header.policy_in_words}"]
        mark = plan.header.policy.get("keep_mark")
        how = f" or write {mark} into its description" if mark else ""
        foot = [f"To keep a Report, open it{how}. Archived Reports can be restored."]
        email = next((report.owner_email for report in due if report.owner_email), None)
        notices.append(
            OwnerNotice(
                subject,
                _text(head, due, foot, plain),
                _text(head, due, foot, slack),
                _html(subject, head, due, foot),
                owner=owner,
                email=email,
                reports=tuple(due),
            )
        )
    return notices


class _Neutralize(Protocol):
    def __call__(self, text: str, *, longest: int = ...) -> str: ...


def _text(head: Sequence[str], due: Sequence[DueReport], foot: Sequence[str], neutralized: _Neutralize) -> str:
    def paragraphs(texts: Iterable[str]) -> list[str]:
        return [neutralized(text, longest=_LONGEST_POLICY) for text in texts]

    lines = [f"- {report.line(neutralized)}" for report in due[:_LONGEST_LIST]]
    if len(due) > _LONGEST_LIST:
        lines.append(f"- and {len(due) - _LONGEST_LIST} more")
    return "\n".join([*paragraphs(head), "", *lines, *(["", *paragraphs(foot)] if foot else [])])


def _html(subject: str, head: Iterable[str], due: Sequence[DueReport], foot: Iterable[str]) -> str:
    def paragraphs(texts: Iterable[str]) -> str:
        return "".join(f"<p>{html_text(text, longest=_LONGEST_POLICY)}</p>" for text in texts)

    columns = [(report.name, report.what, report.when, report.why) for report in due[:_LONGEST_LIST]]
    cells = ("".join(f"<td>{html_text(value)}</td>" for value in row) for row in columns)
    rows = "".join(f"<tr>{row}</tr>" for row in cells)
    more = f"<p>and {len(due) - _LONGEST_LIST} more</p>" if len(due) > _LONGEST_LIST else ""
    table = f"<table><tr><th>Report</th><th>What</th><th>When</th><th>Why</th></tr>{rows}</table>{more}" if due else ""
    return f"<h3>{html_text(subject)}</h3>{paragraphs(head)}{table}{paragraphs(foot)}"
