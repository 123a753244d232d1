# SPDX-License-Identifier: Apache-2.0
"""Notifications about a plan before it is applied: one for the team, and one for each owner of affected Reports.

Each has a subject, a text (without escaping for Slack) and HTML for e-mail. Names come from users and are escaped in
HTML.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from airflow_provider_studio.governance.plans.markdown import saving_in_words
from airflow_provider_studio.governance.plans.models import ActionKind, Spared, SpareReason
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.text import counted, shorten

_LONGEST_LIST = 50
_LONGEST_NAME = 80


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

    def line(self) -> str:
        """Return the Report in one line of text."""
        return f"{self.name} ({self.token}): {self.what}, {self.when}; {self.why}"

    @property
    def when(self) -> str:
        """When it happens, in words."""
        if self.is_due:
            return "once the plan is approved"
        return "due on an unknown day" if self.due_on is None else f"due on {self.due_on}"


@dataclass(frozen=True)
class Notice:
    """A message in the formats that notifiers use."""

    subject: str
    text: str
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
        name = shorten(first.report_name or "untitled", _LONGEST_NAME)
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
        shorten(item.report_name or "untitled", _LONGEST_NAME),
        item.owner,
        item.owner_email,
        "it is archived" if item.schedule is None else f"schedule {item.schedule} is deleted",
        "nobody seems to use it",
        is_due=False,
        due_on=item.due_on,
    )


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
    return Notice(subject, _text(head, due, []), _html(subject, head, due, []))


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
                _text(head, due, foot),
                _html(subject, head, due, foot),
                owner=owner,
                email=email,
                reports=tuple(due),
            )
        )
    return notices


def _text(head: Sequence[str], due: Sequence[DueReport], foot: Sequence[str]) -> str:
    lines = [f"- {report.line()}" for report in due[:_LONGEST_LIST]]
    if len(due) > _LONGEST_LIST:
        lines.append(f"- and {len(due) - _LONGEST_LIST} more")
    return "\n".join([*head, "", *lines, *(["", *foot] if foot else [])])


def _html(subject: str, head: Iterable[str], due: Sequence[DueReport], foot: Iterable[str]) -> str:
    def paragraphs(texts: Iterable[str]) -> str:
        return "".join(f"<p>{html.escape(text)}</p>" for text in texts)

    columns = [(report.name, report.what, report.when, report.why) for report in due[:_LONGEST_LIST]]
    cells = ("".join(f"<td>{html.escape(value)}</td>" for value in row) for row in columns)
    rows = "".join(f"<tr>{row}</tr>" for row in cells)
    more = f"<p>and {len(due) - _LONGEST_LIST} more</p>" if len(due) > _LONGEST_LIST else ""
    table = f"<table><tr><th>Report</th><th>What</th><th>When</th><th>Why</th></tr>{rows}</table>{more}" if due else ""
    return f"<h3>{html.escape(subject)}</h3>{paragraphs(head)}{table}{paragraphs(foot)}"
