# SPDX-License-Identifier: Apache-2.0
"""A Report that nobody opens may be read by e-mail, in Slack or on other pages: a plan and an apply respect that."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.governance.plans.models import Action, ActionKind, SpareReason
from airflow_provider_studio.governance.plans.plan import Plan
from tests.governance.conftest import Governed, built_once

TWELVE = [f"reader{number}@example.com" for number in range(12)]
MAILED, USED = SpareReason.PROTECTED_SUBSCRIBERS, SpareReason.PROTECTED_USE


@built_once
def read_elsewhere(governed: Governed) -> dict[str, str]:
    """Fill the workspace with Reports without views, each used in another way; return their tokens by name."""
    tokens = {name: governed.report(name) for name in ("by e-mail", "by two", "in Slack", "unused", "unscheduled")}
    for use in ("is_embedded", "is_signed", "public"):
        tokens[use] = governed.report(use, **{use: True})
    governed.control.add_schedule(tokens["by e-mail"], emails=TWELVE[:7])
    governed.control.add_schedule(tokens["by e-mail"], cron={"hour": 9}, emails=TWELVE[7:])
    governed.control.add_schedule(tokens["by two"], emails=TWELVE[:2])
    governed.control.add_schedule(tokens["in Slack"], slack=["#sales"])
    governed.control.add_schedule(tokens["unused"])
    governed.nights(100, 0)
    return tokens


def spared(plan: Plan) -> dict[str | None, SpareReason]:
    return {item.report_name: item.reason for item in plan.spared}


def archived(plan: Plan) -> dict[str | None, Action]:
    return {action.report_name: action for action in plan.actions if action.kind is ActionKind.ARCHIVE_REPORT}


def test_a_plan_spares_what_people_read_without_opening_it(governed: Governed) -> None:
    read_elsewhere(governed)
    plan = governed.plan()
    assert spared(plan) == {
        "by e-mail": MAILED,
        "by two": MAILED,
        "in Slack": MAILED,
        "is_embedded": USED,
        "is_signed": USED,
        "public": USED,
    }
    assert archived(plan).keys() == {"unused", "unscheduled"}
    assert "12 people get this by e-mail" in {item.detail for item in plan.spared}
    # A list for each scheduled Report whose schedules count nobody, and two more for a subscription without people.
    reads = {request["path"] for request in governed.control.requests_summary()["requests"]}
    assert sum("subscription" in path for path in reads) == 4
    counts = {(count.field, count.value): count.spared for count in plan.header.protections or ()}
    assert counts["protected_subscribers", "1"] == 2
    assert counts["protected_uses", "embedded"] == 2


def test_without_the_protection_the_approver_is_told_who_loses_what(governed: Governed) -> None:
    read_elsewhere(governed)
    plan = governed.plan(protected_subscribers=None, protected_uses=[])
    assert (plan.spared, len(archived(plan))) == ((), 8)
    found = {
        name: (action.subscribers, [fact.meaning for fact in action.evidence if fact.field == "subscribers"])
        for name, action in archived(plan).items()
    }
    assert found["by e-mail"] == (12, ["12 people get this by e-mail; an undo cannot add them again"])
    assert found["in Slack"][0] == 1
    assert found["unused"] == (0, ["nobody gets it by e-mail"])
    assert found["unscheduled"] == (None, [])
    assert governed.plan(protected_subscribers=3, protected_uses=[], where="subscribers = 2").reports == (
        archived(plan)["by two"].report,
    )


def test_an_apply_respects_who_subscribed_since_the_plan(governed: Governed) -> None:
    tokens = read_elsewhere(governed)
    plan = governed.plan()
    governed.control.add_schedule(tokens["unused"], emails=TWELVE)
    governed.control.change_report(tokens["unscheduled"], public=True)
    assert dict(governed.apply(plan).skipped) == {"protected": 3}


@pytest.mark.parametrize(
    ("quirks", "reason"),
    [
        ({"subscriber_count": "zero"}, None),
        ({"subscriber_count": "absent"}, None),
        ({"subscriber_count": "absent", "subscriber_lists": "forbidden"}, MAILED),
    ],
)
def test_a_wrong_count_of_subscribers_harms_nobody(
    governed: Governed, quirks: dict[str, Any], reason: SpareReason | None
) -> None:
    governed.control.set_quirks(**quirks)
    mailed, unused = governed.report("mailed"), governed.report("unused", schedules=1)
    governed.control.add_schedule(mailed, emails=TWELVE)
    governed.nights(100, 0)
    plan = governed.plan()
    assert spared(plan) == {"mailed": MAILED, **({"unused": reason} if reason else {})}
    assert governed.apply(plan).archived == (reason is None)
    assert governed.control.state()["reports"][unused]["archived"] is (reason is None)


def test_a_use_that_studio_does_not_return_is_not_the_absence_of_a_use(governed: Governed) -> None:
    governed.report()
    governed.nights(100, 0)
    plan = governed.plan()
    governed.control.set_quirks(missing_keys=["is_embedded", "is_signed"])
    assert dict(governed.apply(plan).skipped) == {"unknown": 1}
    governed.night(-1)
    assert spared(governed.plan()) == {"Old": USED}


def test_a_plan_for_schedules_archives_nothing(governed: Governed) -> None:
    tokens = read_elsewhere(governed)
    policy = {"actions": "schedules", "protected_uses": []}
    plan = governed.plan(**policy)
    assert [(action.kind, action.report) for action in plan.actions] == [(ActionKind.DELETE_SCHEDULE, tokens["unused"])]
    assert spared(plan)["unscheduled"] == SpareReason.NO_SCHEDULE
    assert (plan.summary()["stale"], plan.summary()["reports_to_archive"]) == (1, 0)
    assert "1 schedule will be deleted.**" in plan.to_markdown()
    due = governed.plan(**policy, grace_days=3)
    assert due.actions == ()
    waiting = {item.report_name: item.due_on for item in due.spared if item.reason is SpareReason.GRACE}
    assert [str(day) for day in waiting.values()] == ["2026-06-04"]
    summary = governed.apply(plan)
    assert (summary.archived, summary.schedules_deleted) == (0, 1)
    assert summary.done == governed.apply(plan).done == {plan.actions[0].action_id}  # a retry did the same
    governed.undo(plan)
    assert tokens["unused"] in {schedule["report"] for schedule in governed.control.state()["schedules"].values()}
