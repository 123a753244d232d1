# SPDX-License-Identifier: Apache-2.0
"""Each guard rail at its edge: what is exactly as large or as old as it may be passes, and nothing beyond."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_studio.governance.errors import GuardRailError
from airflow_provider_studio.governance.execution.guard_rails import GuardRails
from tests.governance.nights import NOW
from tests.governance.small_plans import COLLECTION, action, baseline, plan_of

OPEN: dict[str, Any] = {"max_share": 1.0, "max_collection_share": 1.0}
UNTOUCHED = "Nothing was touched"


def reports(count: int) -> list[str]:
    return [f"{number:012x}" for number in range(count)]


def refusal(rails: GuardRails, plan: Any, *, after: timedelta = timedelta(0)) -> str | None:
    """Return why the plan is refused, this long after it was made; None where it passes."""
    try:
        rails.check(plan, NOW + after)
    except GuardRailError as error:
        return str(error)
    return None


def test_the_defaults_are_small() -> None:
    rails = GuardRails()
    assert (rails.max_actions, rails.max_share, rails.max_collection_share) == (100, 0.05, 1.0)
    assert (rails.max_failures_in_a_row, rails.max_refused_at_first, rails.max_age_days) == (5, 20, 7.0)


@pytest.mark.parametrize("name", ["max_actions", "max_failures_in_a_row", "max_refused_at_first"])
def test_a_number_of_things_is_one_or_more(name: str) -> None:
    assert getattr(GuardRails(**{name: 1}), name) == 1
    for value in (0, -1):
        with pytest.raises(GuardRailError, match=rf"^{name} is {value}; it must be 1 or more\.$"):
            GuardRails(**{name: value})


@pytest.mark.parametrize("name", ["max_share", "max_collection_share"])
def test_a_share_is_above_0_and_at_most_1(name: str) -> None:
    value: Any
    for value in (0.001, 1, 1.0):
        assert getattr(GuardRails(**{name: value}), name) == value
    for value in (0, -0.5, 1.001, 5, float("nan"), float("inf")):
        with pytest.raises(GuardRailError, match=rf"^{name} is {value!r}; it must be above 0 and at most 1"):
            GuardRails(**{name: value})


def test_an_age_is_above_0() -> None:
    assert GuardRails(max_age_days=0.5).max_age_days == 0.5
    for value in (0, -1, float("nan")):
        with pytest.raises(GuardRailError, match=rf"^max_age_days is {value!r}; it must be above 0\.$"):
            GuardRails(max_age_days=value)


def test_texts_stand_for_their_numbers() -> None:
    rails = GuardRails.of(
        max_actions="7",
        max_share="0.5",
        max_collection_share="0.25",
        max_failures_in_a_row="3",
        max_refused_at_first="2",
        max_age_days="1.5",
    )
    assert rails == GuardRails(7, 0.5, 0.25, 3, 2, 1.5)
    assert all(type(value) is int for value in (rails.max_actions, rails.max_failures_in_a_row))
    assert GuardRails.of() == GuardRails()


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"max_actions": "0.5"}, "max_actions is '0.5'; it must be a whole number"),
        ({"max_refused_at_first": None}, "max_refused_at_first is None; it must be a whole number"),
        ({"max_failures_in_a_row": []}, r"max_failures_in_a_row is \[\]; it must be a whole number"),
        ({"max_collection_share": "half"}, "max_collection_share is 'half'; it must be a number such as 0.05 for 5 %"),
        ({"max_age_days": ""}, "max_age_days is ''; it must be a number"),
    ],
)
def test_what_is_no_number_is_named_with_what_is_wanted(values: dict[str, Any], match: str) -> None:
    with pytest.raises(GuardRailError, match=match):
        GuardRails.of(**values)


def test_as_many_actions_as_allowed_pass_and_no_more() -> None:
    rails = GuardRails(max_actions=3, **OPEN)
    assert refusal(rails, plan_of(*map(action, reports(3)))) is None
    said = refusal(rails, plan_of(*map(action, reports(4))))
    assert said is not None
    assert "has 4 actions; max_actions allows 3" in said
    assert UNTOUCHED in said


def test_the_actions_of_one_report_all_count_and_the_report_is_one_share() -> None:
    plan = plan_of(action("0a", "1"), action("0a", "2"), action("0a"), reports_in_snapshot=10)
    assert refusal(GuardRails(max_actions=2, **OPEN), plan) is not None
    assert refusal(GuardRails(max_actions=3, max_share=0.1), plan) is None
    assert "touches 10.0% of the workspace's Reports" in (refusal(GuardRails(max_share=0.09), plan) or "")


def test_as_large_a_share_as_allowed_passes_and_no_larger() -> None:
    assert refusal(GuardRails(), plan_of(*map(action, reports(5)))) is None
    said = refusal(GuardRails(), plan_of(*map(action, reports(6))))
    assert said is not None
    assert "touches 6.0% of the workspace's Reports; max_share allows 5.0%" in said
    assert UNTOUCHED in said


def test_a_snapshot_without_reports_makes_any_plan_too_large() -> None:
    assert refusal(GuardRails(max_share=1.0), plan_of(*map(action, reports(2)), reports_in_snapshot=0)) is not None


def test_what_a_person_named_is_a_share_of_nothing_but_counts_and_ages() -> None:
    plan = plan_of(
        *map(action, reports(6)), snapshot=None, reports_in_snapshot=6, reports_by_collection={COLLECTION: 6}
    )
    rails = GuardRails(max_share=0.01, max_collection_share=0.01)
    assert refusal(rails, plan) is None
    assert refusal(GuardRails(max_actions=5), plan) is not None
    assert refusal(rails, plan, after=timedelta(days=8)) is not None


def test_as_large_a_share_of_each_collection_as_allowed_passes_and_no_larger() -> None:
    rails = GuardRails(max_share=1.0, max_collection_share=0.5)
    plan = plan_of(*map(action, reports(2)), reports_by_collection={COLLECTION: 4})
    assert refusal(rails, plan) is None
    said = refusal(rails, plan_of(*map(action, reports(3)), reports_by_collection={COLLECTION: 4}))
    assert said is not None
    assert f"touches 75.0% of the Reports in Collection {COLLECTION}; max_collection_share allows 50.0%" in said
    assert UNTOUCHED in said


def test_each_collection_has_its_own_share() -> None:
    rails = GuardRails(max_share=1.0, max_collection_share=0.5)
    one, other = (baseline(collection=name) for name in ("a", "b"))
    plan = plan_of(
        action("1", baseline=one),
        action("2", baseline=other),
        action("3", baseline=other),
        reports_by_collection={"a": 4, "b": 2},
    )
    assert "touches 100.0% of the Reports in Collection b" in (refusal(rails, plan) or "")


def test_reports_in_no_collection_are_a_share_of_those_in_none() -> None:
    rails = GuardRails(max_share=1.0, max_collection_share=0.5)
    nowhere = [action(report, baseline=baseline(collection=None)) for report in reports(2)]
    assert refusal(rails, plan_of(*nowhere, reports_by_collection={"": 4})) is None
    assert refusal(rails, plan_of(*nowhere, reports_by_collection={"": 3})) is not None


def test_schedules_of_archived_reports_are_no_share_of_a_collection() -> None:
    """Its Reports are counted without the archived ones."""
    rails = GuardRails(max_share=1.0, max_collection_share=0.5)
    archived = [action(report, "5c", baseline=baseline(archived=True)) for report in reports(4)]
    assert refusal(rails, plan_of(*archived, action("0f"), reports_by_collection={COLLECTION: 2})) is None


def test_several_actions_of_a_report_are_one_report_of_its_collection() -> None:
    rails = GuardRails(max_share=1.0, max_collection_share=0.5)
    plan = plan_of(action("0a", "1"), action("0a", "2"), action("0a"), reports_by_collection={COLLECTION: 2})
    assert refusal(rails, plan) is None


def test_a_collection_whose_reports_nobody_counted_is_touched_whole() -> None:
    plan = plan_of(*map(action, reports(2)), reports_by_collection={"other": 100})
    assert "touches 100.0%" in (refusal(GuardRails(max_share=1.0, max_collection_share=0.99), plan) or "")
    assert refusal(GuardRails(max_share=1.0), plan) is None


def test_a_plan_as_old_as_allowed_passes_and_no_older() -> None:
    rails, plan = GuardRails(max_age_days=2.5), plan_of(action())
    assert refusal(rails, plan, after=timedelta(days=2, hours=12)) is None
    said = refusal(rails, plan, after=timedelta(days=2, hours=12, seconds=1))
    assert said is not None
    assert "was created at 2026-06-01 03:00 UTC, 2 days ago; max_age_days allows 2.5" in said
    assert UNTOUCHED in said


def test_clocks_may_differ_by_an_hour_and_no_more() -> None:
    rails, plan = GuardRails(), plan_of(action())
    assert refusal(rails, plan, after=-timedelta(hours=1)) is None
    said = refusal(rails, plan, after=-timedelta(hours=1, seconds=1))
    assert said is not None
    assert "was created at 2026-06-01 03:00 UTC, but it is 2026-06-01 01:59 UTC here: a clock was wrong" in said
    assert UNTOUCHED in said


@pytest.mark.parametrize("days", ["inf", "1e12", 1_000_000_000])
def test_an_age_beyond_all_calendars_allows_any_plan(days: Any) -> None:
    assert refusal(GuardRails.of(max_age_days=days), plan_of(action()), after=timedelta(days=100_000)) is None
