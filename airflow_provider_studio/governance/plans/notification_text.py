# SPDX-License-Identifier: Apache-2.0
"""Notifications about a plan before it is applied: one for the team, and one for each owner of affected Reports.

Each has a subject, a plain text, a text for Slack and HTML for e-mail. Names come from users and are neutralized for
each format (`governance.text`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from airflow_provider_studio.governance.plans.changes import (
    ReportChange,
    changes,
    losses_in_words,
    request_in_words,
    totals_in_words,
)
from airflow_provider_studio.governance.plans.markdown import saving_in_words
from airflow_provider_studio.governance.plans.models import Spared, SpareReason
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.text import HTML, PLAIN, SLACK, TextFormat, html_text, page_address, plain

_LONGEST_LIST = 50
_LONGEST_NAME = 80
_LONGEST_POLICY = 2000
_ADDRESS = re.compile(r"[^\s,;:<>()\[\]\"@]+@[^\s,;:<>()\[\]\"@]+")
"""One e-mail address. A list of them, or a line break, would add recipients to a message about somebody's Reports."""


@dataclass(frozen=True)
class DueReport:
    """A Report that a plan changes or will change.

    :param collection: the name of its Collection, or its token.
    :param url: its page.
    :param what: what will happen to it, in words.
    :param why: the evidence in words.
    :param is_due: whether this plan changes it, once the plan is approved.
    :param due_on: the first day on which a plan may change it; None if a plan of an earlier version has no date.
    """

    token: str
    name: str
    collection: str | None
    url: str | None
    owner: str | None
    owner_email: str | None
    what: str
    why: str
    is_due: bool
    due_on: date | None

    def line(self, written: TextFormat = PLAIN) -> str:
        """Return the Report in one line of text.

        :param written: how the format writes a text from outside, and a link.
        """
        name = written.link(self.name, self.url)
        place = f", Collection {written.text(self.collection, longest=_LONGEST_NAME)}" if self.collection else ""
        what, why = written.text(self.what), written.text(self.why)
        return f"{name} ({self.token}){place}: {what}, {self.when}; {why}"

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
    due = [_due(change) for change in changes(plan.actions)]
    only_schedules = plan.header.policy.get("actions") == "schedules"
    waiting = (item for item in plan.spared if item.reason is SpareReason.GRACE)
    return [*due, *(_waiting(item, only_schedules=only_schedules) for item in waiting)]


def _due(change: ReportChange) -> DueReport:
    first, why = change.actions[0], dict.fromkeys(fact.meaning for action in change.actions for fact in action.evidence)
    return DueReport(
        change.report,
        plain(change.name, longest=_LONGEST_NAME),
        change.collection,
        change.url,
        first.owner,
        _one_address(first.owner_email),
        change.in_words(),
        "; ".join(why),
        is_due=True,
        due_on=first.due_on,
    )


def _waiting(item: Spared, *, only_schedules: bool) -> DueReport:
    whole = "its schedules will be deleted" if only_schedules else "it will be archived, and its schedules deleted"
    return DueReport(
        item.report,
        plain(item.report_name or "untitled", longest=_LONGEST_NAME),
        item.collection_name,
        page_address(item.report_url, item.report),
        item.owner,
        _one_address(item.owner_email),
        whole if item.schedule is None else f"its schedule {item.schedule} will be deleted",
        item.why or "nobody seems to use it",
        is_due=False,
        due_on=item.due_on,
    )


def _one_address(email: str | None) -> str | None:
    """Return an e-mail address; None for anything else, such as several addresses."""
    return email if email is not None and _ADDRESS.fullmatch(email) else None


def plan_notice(plan: Plan) -> Notice:
    """Return the message for the team."""
    due = due_reports(plan)
    subject = f"Studio workspace {plan.workspace}: {request_in_words(plan.actions)}?"
    what = totals_in_words(plan.actions)
    head = [
        f"Plan {plan.plan_id}, from the snapshot of {plan.header.taken_at:%Y-%m-%d %H:%M UTC}.",
        *([f"Once the plan is approved, {what}."] if what else []),
        *losses_in_words(plan.actions),
        *filter(None, [saving_in_words(plan.actions)]),
        plan.header.policy_in_words,
    ]
    return Notice(subject, _text(head, due, [], PLAIN), _text(head, due, [], SLACK), _html(subject, head, due, []))


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
        foot = [f"To keep a Report, open it{how}. Archived Reports can be restored, with their schedules."]
        email = next((report.owner_email for report in due if report.owner_email), None)
        notices.append(
            OwnerNotice(
                subject,
                _text(head, due, foot, PLAIN),
                _text(head, due, foot, SLACK),
                _html(subject, head, due, foot),
                owner=owner,
                email=email,
                reports=tuple(due),
            )
        )
    return notices


def _text(head: Sequence[str], due: Sequence[DueReport], foot: Sequence[str], written: TextFormat) -> str:
    def paragraphs(texts: Iterable[str]) -> list[str]:
        return [written.text(text, longest=_LONGEST_POLICY) for text in texts]

    lines = [f"- {report.line(written)}" for report in due[:_LONGEST_LIST]]
    if len(due) > _LONGEST_LIST:
        lines.append(f"- and {len(due) - _LONGEST_LIST} more")
    return "\n".join([*paragraphs(head), "", *lines, *(["", *paragraphs(foot)] if foot else [])])


def _html(subject: str, head: Iterable[str], due: Sequence[DueReport], foot: Iterable[str]) -> str:
    def paragraphs(texts: Iterable[str]) -> str:
        return "".join(f"<p>{html_text(text, longest=_LONGEST_POLICY)}</p>" for text in texts)

    columns = [
        (
            HTML.link(report.name, report.url),
            *map(html_text, (report.collection or "", report.what, report.when, report.why)),
        )
        for report in due[:_LONGEST_LIST]
    ]
    cells = ("".join(f"<td>{value}</td>" for value in row) for row in columns)
    rows = "".join(f"<tr>{row}</tr>" for row in cells)
    more = f"<p>and {len(due) - _LONGEST_LIST} more</p>" if len(due) > _LONGEST_LIST else ""
    names = "".join(f"<th>{name}</th>" for name in ("Report", "Collection", "What will happen", "When", "Why"))
    table = f"<table><tr>{names}</tr>{rows}</table>{more}" if due else ""
    return f"<h3>{html_text(subject)}</h3>{paragraphs(head)}{table}{paragraphs(foot)}"
