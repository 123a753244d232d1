# SPDX-License-Identifier: Apache-2.0
"""What people are told of a plan before it happens: whoever watches the workspace, and each owner of what is due.

As a subject, as text (Slack's own markup is left alone) and as HTML for e-mail. Names come from users: in HTML they are
text.
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
    """A Report that a plan speaks of.

    :param what: what happens to it, in words.
    :param why: the evidence in words.
    :param is_due: whether this plan does it, once it is approved.
    :param due_on: the day from which on a plan may do it; None where a plan of an earlier version did not say.
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
        """The Report in one line of text."""
        return f"{self.name} ({self.token}): {self.what}, {self.when}; {self.why}"

    @property
    def when(self) -> str:
        """When it happens, in words."""
        if self.is_due:
            return "once the plan is approved"
        return "due on an unknown day" if self.due_on is None else f"due on {self.due_on}"


@dataclass(frozen=True)
class Notice:
    """A message in the forms that notifiers take."""

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
    """Return the Reports that a plan acts on, and what is in its grace, each schedule with a day of its own."""
    due: list[DueReport] = []
    for report, each in groupby(plan.actions, key=lambda action: action.report):
        actions = list(each)
        deleted = sum(one.kind is ActionKind.DELETE_SCHEDULE for one in actions)
        what = [f"{counted(deleted, 'schedule')} {'is' if deleted == 1 else 'are'} deleted"] if deleted else []
        what += ["it is archived"] if len(actions) > deleted else []
        first, why = actions[0], dict.fromkeys(fact.meaning for one in actions for fact in one.evidence)
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
    due += [_waiting(one) for one in plan.spared if one.reason is SpareReason.GRACE]
    return due


def _waiting(one: Spared) -> DueReport:
    return DueReport(
        one.report,
        shorten(one.report_name or "untitled", _LONGEST_NAME),
        one.owner,
        one.owner_email,
        "it is archived" if one.schedule is None else f"schedule {one.schedule} is deleted",
        "nobody seems to use it",
        is_due=False,
        due_on=one.due_on,
    )


def plan_notice(plan: Plan) -> Notice:
    """Return what whoever watches the workspace is told."""
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
    """Return what each owner is told of their Reports that are due now or after their grace."""
    by_owner: dict[str, list[DueReport]] = {}
    for one in due_reports(plan):
        if one.owner is not None:
            by_owner.setdefault(one.owner, []).append(one)
    notices = []
    for owner, due in sorted(by_owner.items()):
        reports = len({one.token for one in due})
        count = f"{reports} of your Reports {'is' if reports == 1 else 'are'}"
        subject = f"Studio workspace {plan.workspace}: {count} about to be tidied away"
        head = [f"Nobody seems to use these Reports in {plan.workspace} any more. {plan.header.policy_in_words}"]
        mark = plan.header.policy.get("keep_mark")
        kept = f" or write {mark} into its description, and it is left alone" if mark else ", and it is left alone"
        foot = [f"To keep a Report, open it{kept}. Archived Reports can be brought back."]
        email = next((one.owner_email for one in due if one.owner_email), None)
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
    lines = [f"- {one.line()}" for one in due[:_LONGEST_LIST]]
    if len(due) > _LONGEST_LIST:
        lines.append(f"- and {len(due) - _LONGEST_LIST} more")
    return "\n".join([*head, "", *lines, *(["", *foot] if foot else [])])


def _html(subject: str, head: Iterable[str], due: Sequence[DueReport], foot: Iterable[str]) -> str:
    def paragraphs(texts: Iterable[str]) -> str:
        return "".join(f"<p>{html.escape(one)}</p>" for one in texts)

    columns = [(one.name, one.what, one.when, one.why) for one in due[:_LONGEST_LIST]]
    cells = ("".join(f"<td>{html.escape(value)}</td>" for value in row) for row in columns)
    rows = "".join(f"<tr>{row}</tr>" for row in cells)
    more = f"<p>and {len(due) - _LONGEST_LIST} more</p>" if len(due) > _LONGEST_LIST else ""
    table = f"<table><tr><th>Report</th><th>What</th><th>When</th><th>Why</th></tr>{rows}</table>{more}" if due else ""
    return f"<h3>{html.escape(subject)}</h3>{paragraphs(head)}{table}{paragraphs(foot)}"
