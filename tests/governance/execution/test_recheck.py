# SPDX-License-Identifier: Apache-2.0
"""A Report is acted on only while it is exactly what the plan saw; what Studio does not say permits nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_studio.client.models import Report, Schedule
from airflow_provider_studio.governance.execution.recheck import LiveReport, reason_to_skip
from airflow_provider_studio.governance.plans.models import Action, ActionKind, Rule
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from tests.governance.nights import NOW
from tests.governance.small_plans import COLLECTION, action, baseline

REPORT, FIRST, SECOND = "0123456789ab", "5c4ed0000001", "5c4ed0000002"
EDITED, RAN = NOW - timedelta(days=365), NOW - timedelta(days=200)
CRON = {"freq": "daily", "hour": 6, "minute": 15, "time_zone": "UTC"}
POLICY = StalenessPolicy()
A_MOMENT, A_WHILE = timedelta(seconds=1), timedelta(seconds=1.001)


def schedule(token: str = FIRST, *, cron: dict[str, Any] | None = None, **fields: Any) -> Schedule:
    """Return a schedule as the API returns it, whose form has the machine's values."""
    values = {name: {"value": value} for name, value in (CRON if cron is None else cron).items()}
    form = {"report_schedule": {"cron": values, "name": {"value": None}}}
    return Schedule.parse({"token": token, "_forms": {"edit": {"input": form}}, **_plain(fields)})


def live(*schedules: Schedule, ran: dict[str, datetime] | None = None, **fields: Any) -> LiveReport:
    """Return the Report that the plan saw, except for these fields."""
    owner, subscribers = fields.pop("owner", "ada"), fields.pop("subscribers", 0)
    values = {
        "token": REPORT,
        "name": "Old",
        "archived": False,
        "view_count": 5,
        "edited_at": EDITED,
        "last_run_at": RAN,
        "space_token": COLLECTION,
        "description": None,
        "is_embedded": False,
        "public": False,
        "_links": {"creator": {"href": f"/api/{owner}"}},
        **fields,
    }
    report = Report.parse(_plain(values))
    by_token = {schedule.token: schedule for schedule in schedules}
    return LiveReport(report, by_token, (ran or {}).get, subscribers=subscribers)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def seen(schedule: str | None = None, *, known: tuple[str, ...] = (), **fields: Any) -> Action:
    """Return an action on the Report as the plan saw it."""
    about = fields.pop("baseline", {})
    return action(REPORT, schedule, **{"baseline": baseline(last_run_at=RAN, schedules=known, **about), **fields})


STALE = seen()


def test_what_is_as_the_plan_saw_it_may_be_acted_on() -> None:
    assert reason_to_skip(STALE, live(), POLICY) is None
    assert reason_to_skip(seen(FIRST, known=(FIRST,), schedule_cron=CRON), live(schedule()), POLICY) is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"archived": None}, "unknown"),
        ({"archived": True}, "already_archived"),
        ({"view_count": None}, "unknown"),
        ({"edited_at": None}, "unknown"),
        ({"space_token": None}, "unknown"),
        ({"view_count": 6}, "viewed"),
        ({"view_count": 4}, "viewed"),
        ({"edited_at": EDITED + A_WHILE}, "edited"),
        ({"edited_at": EDITED - A_WHILE}, "edited"),
        ({"edited_at": EDITED + A_MOMENT}, None),
        ({"edited_at": EDITED - A_MOMENT}, None),
        ({"space_token": "0ther"}, "moved"),
        ({"last_run_at": RAN + A_WHILE}, "run"),
        ({"last_run_at": RAN + A_MOMENT}, None),
        ({"last_run_at": None}, "unknown"),
        ({"updated_at": NOW}, None),
    ],
)
def test_any_sign_of_life_of_a_stale_report_keeps_it(fields: dict[str, Any], reason: str | None) -> None:
    assert reason_to_skip(STALE, live(**fields), POLICY) == reason


@pytest.mark.parametrize("name", ["view_count", "edited_at", "collection"])
def test_what_the_plan_did_not_know_is_never_as_it_was(name: str) -> None:
    assert reason_to_skip(seen(baseline={name: None}), live(), POLICY) is not None


def test_an_unarchival_is_done_only_to_what_is_archived() -> None:
    taken_out = seen(baseline={"archived": True}, kind=ActionKind.UNARCHIVE_REPORT, rule=Rule.NAMED)
    assert reason_to_skip(taken_out, live(archived=True), None) is None
    assert reason_to_skip(taken_out, live(archived=False), None) == "unarchived"
    assert reason_to_skip(taken_out, live(archived=None), None) == "unknown"


def test_what_a_person_named_is_acted_on_however_alive_it_is() -> None:
    alive = live(view_count=99, edited_at=NOW, space_token="0ther", description="#keep")
    assert reason_to_skip(seen(rule=Rule.NAMED), alive, None) is None
    assert reason_to_skip(seen(rule=Rule.NAMED), live(archived=True), None) == "already_archived"


@pytest.mark.parametrize(
    ("policy", "fields"),
    [
        ({"protected_reports": [REPORT]}, {}),
        ({"protected_collections": [COLLECTION]}, {}),
        ({"protected_owners": ["ada"]}, {}),
        ({"protected_names": ["keep*"]}, {"name": "Keep this"}),
        ({}, {"description": "please #keep"}),
    ],
)
@pytest.mark.parametrize("rule", [Rule.STALE, Rule.FAILING_SCHEDULE, Rule.SCHEDULE_OF_ARCHIVED])
def test_what_is_protected_by_now_is_left_alone_whatever_the_rule(
    policy: dict[str, Any], fields: dict[str, Any], rule: Rule
) -> None:
    one = seen(FIRST, known=(FIRST,), rule=rule)
    assert reason_to_skip(one, live(schedule(), **fields), StalenessPolicy(**policy)) == "protected"


@pytest.mark.parametrize("rule", [Rule.FAILING_SCHEDULE, Rule.SCHEDULE_OF_ARCHIVED])
def test_a_move_keeps_a_schedule_only_where_collections_are_protected(rule: Rule) -> None:
    one, moved = seen(FIRST, known=(FIRST,), rule=rule), live(schedule(), space_token="0ther")
    assert reason_to_skip(one, moved, StalenessPolicy(protected_collections=["Board"])) == "moved"
    assert reason_to_skip(one, live(schedule()), StalenessPolicy(protected_collections=["Board"])) is None
    assert reason_to_skip(one, moved, StalenessPolicy(protected_names=["Board"])) is None


def test_the_use_of_a_report_does_not_keep_the_schedules_of_an_archived_one() -> None:
    one = seen(FIRST, known=(FIRST,), baseline={"archived": True}, rule=Rule.SCHEDULE_OF_ARCHIVED)
    assert reason_to_skip(one, live(schedule(), archived=True, view_count=99, edited_at=NOW), POLICY) is None
    assert reason_to_skip(one, live(schedule(), view_count=99), POLICY) == "unarchived"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"subscribers": 1}, "protected"),
        ({"public": True}, "protected"),
        ({"is_signed": True}, "protected"),
        ({"subscribers": None}, "unknown"),
        ({"is_embedded": None}, "unknown"),
    ],
)
def test_a_use_keeps_a_report_and_the_schedules_that_serve_it(fields: dict[str, Any], reason: str) -> None:
    archived, failing = (
        seen(FIRST, known=(FIRST,), baseline={"archived": is_archived}, rule=rule)
        for is_archived, rule in ((True, Rule.SCHEDULE_OF_ARCHIVED), (False, Rule.FAILING_SCHEDULE))
    )
    assert reason_to_skip(STALE, live(**fields), POLICY) == reason
    assert reason_to_skip(archived, live(schedule(), archived=True, **fields), POLICY) == reason
    assert reason_to_skip(failing, live(schedule(), **fields), POLICY) is None


# Schedules


def test_a_schedule_more_keeps_a_report_and_one_less_does_not() -> None:
    both = seen(known=(FIRST, SECOND))
    assert reason_to_skip(both, live(schedule(FIRST)), POLICY) is None
    assert reason_to_skip(both, live(schedule(FIRST), schedule(SECOND)), POLICY) is None
    assert reason_to_skip(both, live(schedule(FIRST), schedule("5c4ed0000003")), POLICY) == "rescheduled"
    assert reason_to_skip(STALE, live(schedule(FIRST)), POLICY) == "rescheduled"


@pytest.mark.parametrize("rule", [Rule.STALE, Rule.FAILING_SCHEDULE])
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"freq": "hourly"}, "rescheduled"),
        ({"hour": 7}, "rescheduled"),
        ({"minute": 45}, "rescheduled"),
        ({"time_zone": "Mumbai"}, "rescheduled"),
        ({"freq": "weekly", "day_of_week": 3}, "rescheduled"),
        ({"hour": "6"}, None),
    ],
)
def test_a_schedule_that_got_other_times_is_kept(rule: Rule, changed: dict[str, Any], reason: str | None) -> None:
    one = seen(FIRST, known=(FIRST,), rule=rule, schedule_cron={**CRON, "day_of_week": None})
    assert reason_to_skip(one, live(schedule(cron={**CRON, **changed})), POLICY) == reason


def test_times_that_the_snapshot_did_not_know_are_no_change() -> None:
    cron = {"freq": "daily", "hour": 6}
    one = seen(FIRST, known=(FIRST,), schedule_cron=cron)
    assert reason_to_skip(one, live(schedule(cron={**CRON, "minute": 45})), POLICY) is None
    assert reason_to_skip(one, live(schedule(cron={**CRON, "hour": 5})), POLICY) == "rescheduled"
    assert reason_to_skip(seen(FIRST, known=(FIRST,)), live(schedule(cron={**CRON, "hour": 5})), POLICY) is None


def test_times_of_another_schedule_are_no_change_of_this_one() -> None:
    one = seen(FIRST, known=(FIRST, SECOND), schedule_cron=CRON)
    assert reason_to_skip(one, live(schedule(), schedule(SECOND, cron={**CRON, "hour": 1})), POLICY) is None


def test_a_schedule_that_is_gone_or_does_not_say_its_times_has_not_changed() -> None:
    """It cannot be backed up without its times, and is kept for that."""
    one = seen(FIRST, known=(FIRST,), schedule_cron=CRON)
    assert reason_to_skip(one, live(), POLICY) is None
    assert reason_to_skip(one, live(Schedule.parse({"token": FIRST})), POLICY) is None


FAILED_SINCE = NOW - timedelta(days=40)
FAILING = seen(FIRST, known=(FIRST,), rule=Rule.FAILING_SCHEDULE, schedule_last_succeeded_at=FAILED_SINCE)


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (FAILED_SINCE, None),
        (FAILED_SINCE + A_MOMENT, None),
        (FAILED_SINCE + A_WHILE, "succeeded"),
        (NOW, "succeeded"),
        (None, "succeeded"),
    ],
)
def test_a_failing_schedule_that_succeeded_since_is_kept(at: datetime | None, reason: str | None) -> None:
    assert reason_to_skip(FAILING, live(schedule(last_succeeded_at=at)), POLICY) == reason


def test_a_schedule_that_never_succeeded_and_still_has_not_goes() -> None:
    never = seen(FIRST, known=(FIRST,), rule=Rule.FAILING_SCHEDULE)
    assert reason_to_skip(never, live(schedule()), POLICY) is None
    assert reason_to_skip(never, live(schedule(last_succeeded_at=NOW)), POLICY) == "succeeded"


def test_a_report_that_was_edited_since_keeps_its_failing_schedule() -> None:
    succeeded = schedule(last_succeeded_at=FAILED_SINCE)
    assert reason_to_skip(FAILING, live(succeeded, edited_at=EDITED + A_WHILE), POLICY) == "edited"
    assert reason_to_skip(FAILING, live(succeeded, edited_at=None), POLICY) == "edited"
    assert reason_to_skip(FAILING, live(succeeded, view_count=99), POLICY) is None


def test_a_failing_schedule_that_is_gone_is_left_to_the_act_to_notice() -> None:
    assert reason_to_skip(FAILING, live(), POLICY) is None


# Runs


NEW_RUN = NOW - timedelta(hours=3)


@pytest.mark.parametrize(
    ("apart", "reason"),
    [
        (timedelta(0), None),
        (timedelta(minutes=2), None),
        (-timedelta(minutes=2), None),
        (timedelta(minutes=2, seconds=1), "run"),
        (-timedelta(minutes=2, seconds=1), "run"),
    ],
)
@pytest.mark.parametrize("gone", [False, True])
def test_a_run_that_a_schedule_of_the_plan_started_is_no_sign_of_life(
    apart: timedelta, reason: str | None, gone: bool
) -> None:
    at = NEW_RUN + apart
    one = seen(known=(FIRST,))
    deleted = live(last_run_at=NEW_RUN, ran={FIRST: at})  # by an earlier try, whose backup says when it ran
    now = deleted if gone else live(schedule(last_run_at=at), last_run_at=NEW_RUN)
    assert reason_to_skip(one, now, POLICY) == reason


def test_a_run_is_a_persons_where_no_schedule_says_that_it_started_it() -> None:
    one = seen(known=(FIRST, SECOND))
    assert reason_to_skip(one, live(schedule(FIRST), last_run_at=NEW_RUN), POLICY) == "run"
    by_second = live(schedule(FIRST), schedule(SECOND, last_run_at=NEW_RUN), last_run_at=NEW_RUN)
    assert reason_to_skip(one, by_second, POLICY) is None


def test_a_backup_is_asked_only_for_schedules_that_are_gone() -> None:
    now = live(schedule(FIRST), last_run_at=NEW_RUN, ran={FIRST: NEW_RUN})
    assert reason_to_skip(seen(known=(FIRST,)), now, POLICY) == "run"


def test_a_first_run_since_the_snapshot_is_a_sign_of_life() -> None:
    assert reason_to_skip(seen(baseline={}), live(last_run_at=NEW_RUN), POLICY) == "run"
    never = action(REPORT, baseline=baseline(last_run_at=None))
    assert reason_to_skip(never, live(last_run_at=NEW_RUN), POLICY) == "run"
    assert reason_to_skip(never, live(last_run_at=None), POLICY) is None
