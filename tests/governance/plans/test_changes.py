# SPDX-License-Identifier: Apache-2.0
"""What a plan does to a Report is said in words: before in the future tense, afterwards in the past tense."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.governance.plans.changes import (
    ReportChange,
    Tense,
    changes,
    losses_in_words,
    request_in_words,
    totals_in_words,
)
from airflow_provider_studio.governance.plans.done_text import done_in_words
from airflow_provider_studio.governance.plans.models import Action, ActionKind, Evidence, Rule
from airflow_provider_studio.governance.plans.notification_text import owner_notices, plan_notice
from airflow_provider_studio.governance.snapshots.frequency import times_in_words
from airflow_provider_studio.governance.text import HTML, MARKDOWN, PLAIN, SLACK, page_address
from tests.governance.nights import NOW
from tests.governance.small_plans import action, plan_of

SALES, TOKEN = "Sales | *north*", "0123456789ab"
PAGE = f"https://app.mode.com/acme/reports/{TOKEN}"
DAILY = {"freq": "daily", "hour": 6, "minute": 5, "day_of_week": None, "day_of_month": None}
WHY = (Evidence(field="view_count", value=5, observed_at=NOW, meaning="not viewed since 2026-01-02"),)
ABOUT: dict[str, Any] = {
    "report_name": SALES,
    "collection_name": "Finance",
    "report_url": PAGE,
    "owner": "ada",
    "evidence": WHY,
}


def on_sales(**fields: Any) -> list[Action]:
    about = {**ABOUT, **fields}
    schedule = {"schedule_name": "Board", "schedule_cron": DAILY, "schedule_time_zone": "UTC"}
    return [action(TOKEN, "5c4ed0000000", **schedule, **about), action(TOKEN, **about)]


def only(actions: list[Action]) -> ReportChange:
    (change,) = changes(actions)
    return change


@pytest.mark.parametrize(
    ("tense", "words"),
    [
        (Tense.PLANNED, "its schedule (Board, daily at 06:05 (UTC)) will be deleted, and the Report will be archived"),
        (Tense.DONE, "its schedule (Board, daily at 06:05 (UTC)) was deleted, and the Report was archived"),
        (Tense.NOT_DONE, "its schedule (Board, daily at 06:05 (UTC)) was not deleted, and the Report was not archived"),
    ],
)
def test_a_report_is_changed_with_its_schedules(tense: Tense, words: str) -> None:
    assert only(on_sales()).in_words(tense) == words


def test_many_schedules_are_counted_and_the_first_are_named() -> None:
    deletions = [action(TOKEN, f"5c4ed000000{number}") for number in range(5)]
    assert only(deletions).in_words(Tense.DONE) == (
        "its 5 schedules (5c4ed0000000; 5c4ed0000001; 5c4ed0000002; 2 more) were deleted"
    )


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        (DAILY, "daily at 06:05 (UTC)"),
        ({**DAILY, "freq": "weekly", "day_of_week": "[1, 3]"}, "weekly on Monday, Wednesday at 06:05 (UTC)"),
        ({**DAILY, "freq": "weekly", "day_of_week": "Sunday"}, "weekly on Sunday at 06:05 (UTC)"),
        ({**DAILY, "freq": "monthly", "day_of_month": 3}, "monthly on day 3 at 06:05 (UTC)"),
        ({**DAILY, "freq": "hourly", "hour": None}, "hourly"),
        ({**DAILY, "freq": "every_15_minutes"}, "every 15 minutes"),
        ({**DAILY, "hour": None}, "daily"),
        ({}, ""),
    ],
)
def test_the_times_of_a_schedule_are_said_as_far_as_they_are_known(cron: dict[str, Any], words: str) -> None:
    assert times_in_words(cron, "UTC") == words


def test_totals_say_what_an_approval_permits_and_what_was_done() -> None:
    actions = [*on_sales(), action("ba9876543210")]
    assert totals_in_words(actions) == "2 Reports will be archived and 1 schedule will be deleted"
    assert totals_in_words(actions, Tense.DONE) == "2 Reports were archived and 1 schedule was deleted"
    assert request_in_words(actions) == "archive 2 Reports and delete 1 schedule"
    assert request_in_words([action(TOKEN, kind=ActionKind.UNARCHIVE_REPORT)]) == "unarchive 1 Report"
    assert request_in_words([]) == "change nothing"


def test_the_people_of_a_report_count_once_and_those_of_single_schedules_each() -> None:
    both = [action(TOKEN, f"5c4ed000000{number}", subscribers=12) for number in range(2)]
    assert losses_in_words([*both, action(TOKEN, subscribers=12)]) == [
        "12 people get results of these Reports by e-mail; an undo cannot add them again."
    ]
    failing = [each.model_copy(update={"rule": Rule.FAILING_SCHEDULE, "subscribers": 1}) for each in both]
    assert losses_in_words(failing[:1]) == [
        "1 person gets results of these Reports by e-mail; an undo cannot add them again."
    ]
    assert only(failing).subscribers == 2
    assert losses_in_words(on_sales()) == ["It is unknown how many people get 1 of these Reports by e-mail."]
    assert losses_in_words(on_sales(subscribers=0)) == losses_in_words([action(TOKEN)]) == []


@pytest.mark.parametrize(
    "url",
    [
        None,
        "https://app.mode.com/acme/reports/ba9876543210",
        f"javascript:alert(1)//{TOKEN}",
        f"https://evil.example)[x](https://app.mode.com/{TOKEN}",
        f"https://app.mode.com|x>/acme/reports/{TOKEN}",
        f"https://app.mode.com@evil.example/{TOKEN}",
        f"https://app.mode.com/acme/reports/{TOKEN}?next=//evil.example",
        f"https://app.mode.com/acme reports/{TOKEN}",
        f"https://app.mode.com/acme/reports/{TOKEN}\n",
        f'https://app.mode.com/"><b>/{TOKEN}',
    ],
)
def test_only_the_page_of_the_report_is_linked(url: str | None) -> None:
    assert page_address(url, TOKEN) is None
    assert page_address(PAGE, TOKEN) == PAGE


def test_each_format_writes_a_link_and_neutralizes_its_text() -> None:
    assert [written.link(SALES, PAGE) for written in (MARKDOWN, HTML, SLACK, PLAIN)] == [
        f"[Sales \\| \\*north\\*]({PAGE})",
        f'<a href="{PAGE}">Sales | *north*</a>',
        f"<{PAGE}|Sales | \N{ASTERISK OPERATOR}north\N{ASTERISK OPERATOR}>",
        f"Sales | *north* {PAGE}",
    ]


def test_the_plan_and_each_message_link_the_report_and_say_where_it_is_and_what_will_happen() -> None:
    plan = plan_of(*on_sales(subscribers=12))
    what = "its schedule (Board, daily at 06:05 (UTC)) will be deleted, and the Report will be archived"
    loss = "12 people get results of these Reports by e-mail; an undo cannot add them again."
    assert (
        f"| [Sales \\| \\*north\\*]({PAGE}) ({TOKEN}) | Finance | ada | {what} | "
        "not viewed since 2026-01-02 (source: rest) | 12 | |" in plan.to_markdown().replace("|  |", "| |")
    )
    assert loss in plan.to_markdown()
    team, (owner,) = plan_notice(plan), owner_notices(plan)
    assert team.subject == "Studio workspace acme: archive 1 Report and delete 1 schedule?"
    for notice in (team, owner):
        assert f"<{PAGE}|Sales | ∗north∗> ({TOKEN}), Collection Finance: {what}, once the plan" in notice.slack
        assert f"Sales | *north* {PAGE} ({TOKEN}), Collection Finance: {what}, once the plan" in notice.text
        assert f'<a href="{PAGE}">Sales | *north*</a></td><td>Finance</td><td>{what}</td>' in notice.html
    assert loss in team.text


def test_what_was_done_is_listed_in_the_past_tense_with_a_count_of_the_rest() -> None:
    actions = [*on_sales(), *(action(f"{number:012x}", report_name="<!here>") for number in range(25))]
    plan = plan_of(*actions)
    done = {each.action_id for each in actions[:-1]}
    found = done_in_words(plan, done)
    assert (len(found["reports"]), found["reports_not_listed"]) == (20, 5)
    assert found["reports"][0] == {
        "report": TOKEN,
        "name": SALES,
        "collection": "Finance",
        "url": PAGE,
        "what": "its schedule (Board, daily at 06:05 (UTC)) was deleted, and the Report was archived",
    }
    lines = found["slack"].splitlines()
    assert lines[0].endswith("25 Reports were archived and 1 schedule was deleted.")
    assert lines[1].startswith(f"• <{PAGE}|Sales | ∗north∗> ({TOKEN}), Collection Finance: its schedule (Board,")
    assert lines[2].startswith("• &lt;!here&gt; (")
    assert lines[-1] == "and 5 more"
    assert f"- Sales | *north* {PAGE} ({TOKEN}), Collection Finance: its schedule" in found["text"]


def test_an_apply_that_did_nothing_says_so() -> None:
    found = done_in_words(plan_of(*on_sales()), set())
    assert (found["reports"], found["reports_not_listed"]) == ([], 0)
    assert found["text"].endswith(": nothing was changed.")
