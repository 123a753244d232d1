# SPDX-License-Identifier: Apache-2.0
"""What an apply has done to each Report, for the tasks after it: a list of bounded length, and messages in words."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from airflow_provider_studio.governance.plans.changes import ReportChange, Tense, changes, totals_in_words
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.text import PLAIN, SLACK, TextFormat

MOST_LISTED = 20
"""The largest number of Reports in the list: an XCom is stored in Airflow's database."""


def done_in_words(plan: Plan, done: Container[str]) -> dict[str, Any]:
    """Return what was done to which Reports, as plain JSON.

    `reports` has `report` (the token), `name`, `collection`, `url` and `what` (in words) of the first Reports, and
    `reports_not_listed` the number of the others. `text` and `slack` are the same as a message: in plain text, and in
    Slack's markup. Only in these are names neutralized.

    :param done: the ids of the actions that were done, by this try or an earlier one.
    """
    actions = [action for action in plan.actions if action.action_id in done]
    changed = list(changes(actions))
    listed, others = changed[:MOST_LISTED], len(changed[MOST_LISTED:])
    total = totals_in_words(actions, Tense.DONE) or "nothing was changed"
    head = f"Studio workspace {plan.workspace}, plan {plan.plan_id}: {total}."
    more = [f"and {others:,} more"] if others else []
    return {
        "reports": [_fields(change) for change in listed],
        "reports_not_listed": others,
        "text": "\n".join([PLAIN.text(head), *(f"- {_line(change, PLAIN)}" for change in listed), *more]),
        "slack": "\n".join([SLACK.text(head), *(f"• {_line(change, SLACK)}" for change in listed), *more]),
    }


def _fields(change: ReportChange) -> dict[str, Any]:
    return {
        "report": change.report,
        "name": change.name,
        "collection": change.collection,
        "url": change.url,
        "what": change.in_words(Tense.DONE),
    }


def _line(change: ReportChange, written: TextFormat) -> str:
    place = f", Collection {written.text(change.collection, longest=80)}" if change.collection else ""
    what = written.text(change.in_words(Tense.DONE))
    return f"{written.link(change.name, change.url)} ({change.report}){place}: {what}"
