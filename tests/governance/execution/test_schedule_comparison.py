# SPDX-License-Identifier: Apache-2.0
"""Whether a live schedule may be the restored one, and each field in which the two differ."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.client.errors import StudioResponseError
from airflow_provider_studio.client.models import Schedule
from airflow_provider_studio.governance.execution.schedule_comparison import (
    differences,
    find_restored,
    original_parameters,
)

DAILY = {"freq": "daily", "hour": 6, "minute": 15, "time_zone": "UTC"}
HOURLY = {"freq": "hourly", "minute": 15, "time_zone": "UTC"}
WEEKLY = {**DAILY, "freq": "weekly", "day_of_week": 3}
MONTHLY = {**DAILY, "freq": "monthly", "day_of_month": 9}
OFTEN = {"freq": "every_15_minutes"}


def backup(cron: dict[str, Any] = DAILY, **fields: Any) -> dict[str, Any]:
    """Return what the journal keeps of a deleted schedule."""
    values = {"name": "Weekly numbers", "timeout": 60, "params": {"region": "EU"}, **fields}
    row = {"token": "5c4ed0000001", "name": values["name"], "timeout": values["timeout"]}
    return {"schedule": {**row, "parameters": values["params"]}, "machine_values": {"cron": cron, **values}}


def live(cron: dict[str, Any] = DAILY, token: str = "5c4ed0000009", **fields: Any) -> Schedule:
    """Return a schedule as the API returns it, whose form has the machine's values."""
    values = {"name": "Weekly numbers", "timeout": 60, "parameters": {"region": "EU"}, **fields}
    form = {
        "cron": {name: {"value": value} for name, value in cron.items()},
        "name": {"value": values["name"]},
        "timeout": {"value": values["timeout"]},
        "params": {"value": values["parameters"]},
    }
    return Schedule.parse({"token": token, **values, "_forms": {"edit": {"input": {"report_schedule": form}}}})


def may_be(before: dict[str, Any], now: Schedule) -> bool:
    return find_restored(before, [now]) is now


# What differs


@pytest.mark.parametrize("cron", [DAILY, HOURLY, WEEKLY, MONTHLY, OFTEN])
def test_a_schedule_that_is_as_it_was_differs_in_nothing(cron: dict[str, Any]) -> None:
    assert differences(backup(cron), live(cron)) == []


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ({"cron": {**DAILY, "hour": 7}}, ["cron.hour was 6 and is 7"]),
        ({"cron": {**DAILY, "minute": 0}}, ["cron.minute was 15 and is 0"]),
        ({"cron": {**DAILY, "time_zone": "Mumbai"}}, ["cron.time_zone was 'UTC' and is 'Mumbai'"]),
        ({"cron": {**DAILY, "hour": 7, "minute": 0}}, ["cron.hour was 6 and is 7", "cron.minute was 15 and is 0"]),
        ({"cron": WEEKLY}, ["cron.day_of_week was None and is 3", "cron.freq was 'daily' and is 'weekly'"]),
        ({"name": "Other"}, ["name was 'Weekly numbers' and is 'Other'"]),
        ({"timeout": 90}, ["timeout was 60 and is 90"]),
        ({"parameters": {}}, ["params.region was 'EU' and is missing"]),
        ({"parameters": {"region": "US"}}, ["params.region was 'EU' and is 'US'"]),
        ({"parameters": {"region": "EU", "extra": None}}, ["params.extra was missing and is None"]),
        ({"parameters": {"a": 1, "region": 2}}, ["params.a was missing and is 1", "params.region was 'EU' and is 2"]),
    ],
)
def test_each_field_that_differs_is_told_with_both_values(now: dict[str, Any], expected: list[str]) -> None:
    assert differences(backup(), live(**now)) == expected


def test_all_that_differs_is_told_at_once() -> None:
    found = differences(backup(), live({**DAILY, "hour": 7}, name="Other", timeout=90, parameters={}))
    assert [difference.split()[0] for difference in found] == ["cron.hour", "name", "params.region", "timeout"]


@pytest.mark.parametrize("value", [1, "1", True, 1.0, None, [1], {"a": 1}])
@pytest.mark.parametrize("other", ["x", False, [1, 2], {"a": 2}])
def test_a_parameter_is_the_same_only_as_the_same_json(value: Any, other: Any) -> None:
    assert differences(backup(params={"p": value}), live(parameters={"p": value})) == []
    assert differences(backup(params={"p": value}), live(parameters={"p": other})) != []


def test_a_name_and_a_timeout_that_studio_filled_in_are_those_of_the_row() -> None:
    filled = backup(name=None, timeout=None)
    filled["schedule"] |= {"name": "Untitled schedule", "timeout": 86100}
    now = live(name="Untitled schedule", timeout=86100)
    assert differences(filled, now) == []
    assert differences(filled, live(name="Untitled schedule", timeout=60)) == ["timeout was None and is 60"]
    assert differences(filled, live(name="Other", timeout=86100)) == ["name was None and is 'Other'"]


def test_a_name_and_a_timeout_that_only_the_live_row_has_are_compared() -> None:
    row = {"name": "Weekly numbers", "timeout": 60}
    now = Schedule.parse({**live(name=None, timeout=None).to_json(), **row})
    assert differences(backup(), now) == []
    assert len(differences(backup(name="Other"), now)) == 1
    assert len(differences(backup(timeout=90), now)) == 1


def test_a_live_schedule_whose_values_or_parameters_are_unknown_is_not_called_the_same() -> None:
    (found,) = differences(backup(), Schedule.parse({"token": "0", "_forms": {}}))
    assert found.startswith("its values are unknown (Schedule 0")
    body = live(parameters={}).to_json()
    del body["parameters"], body["_forms"]["edit"]["input"]["report_schedule"]["params"]
    assert differences(backup(params={}), Schedule.parse(body)) == ["its parameters are unknown"]


def test_the_original_parameters_are_those_of_the_row_and_else_of_the_values_that_were_sent() -> None:
    before = backup(params={"region": "EU"})
    before["machine_values"]["params"] = {"region": "other"}
    assert original_parameters(before) == {"region": "EU"}
    before["schedule"]["parameters"] = None
    assert original_parameters(before) == {}, "the row says that there are none"
    del before["schedule"]["parameters"]
    assert original_parameters(before) == {"region": "other"}
    del before["machine_values"]["params"]
    assert original_parameters(before) == {}


# Which one may be the restored one


@pytest.mark.parametrize("cron", [DAILY, HOURLY, WEEKLY, MONTHLY, OFTEN])
def test_an_equal_schedule_may_be_the_restored_one(cron: dict[str, Any]) -> None:
    assert may_be(backup(cron), live(cron))


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (DAILY, HOURLY),
        (DAILY, WEEKLY),
        (WEEKLY, {**WEEKLY, "day_of_week": 4}),
        (WEEKLY, {**WEEKLY, "day_of_week": [3, 4]}),
        (MONTHLY, {**MONTHLY, "day_of_month": 10}),
        (OFTEN, {"freq": "every_30_minutes"}),
        (DAILY, {**DAILY, "hour": 7}),
        (DAILY, {**DAILY, "hour": 18}),
    ],
)
def test_a_schedule_of_another_frequency_day_or_time_is_not_the_restored_one(
    was: dict[str, Any], now: dict[str, Any]
) -> None:
    assert not may_be(backup(was), live(now))
    assert not may_be(backup(now), live(was))


@pytest.mark.parametrize(
    "parameters", [{}, {"region": "US"}, {"region": "EU", "extra": 1}, {"region": ["EU"]}, {"Region": "EU"}]
)
def test_a_schedule_with_other_parameters_is_not_the_restored_one(parameters: dict[str, Any]) -> None:
    assert not may_be(backup(), live(parameters=parameters))


def test_a_schedule_whose_parameters_are_null_has_none() -> None:
    assert may_be(backup(params={}), live(parameters=None))
    assert not may_be(backup(), live(parameters=None))


def test_a_name_a_timeout_and_a_time_zone_do_not_decide() -> None:
    assert may_be(backup(), live({**DAILY, "time_zone": "Mumbai"}, name="Untitled schedule", timeout=86100))


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        ((6, 15), (6, 45), True),
        ((6, 15), (6, 46), False),
        ((6, 45), (6, 15), True),
        ((6, 46), (6, 15), False),
        ((6, 45), (7, 15), True),
        ((6, 45), (7, 16), False),
        ((23, 45), (0, 15), True),
        ((0, 15), (23, 45), True),
        ((23, 45), (0, 16), False),
        ((0, 0), (12, 0), False),
        ((6, None), (6, 0), True),
        ((6, None), (6, 31), False),
    ],
)
def test_a_time_of_day_may_have_been_rounded_by_half_an_hour(
    was: tuple[int, int | None], now: tuple[int, int], expected: bool
) -> None:
    before = {**DAILY, "hour": was[0], "minute": was[1]}
    assert may_be(backup(before), live({**DAILY, "hour": now[0], "minute": now[1]})) is expected


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [(15, 45, True), (50, 10, True), (10, 50, True), (0, 30, True), (59, 0, True), (5, 5, True)],
)
def test_a_minute_of_the_hour_is_near_any_other(was: int, now: int, expected: bool) -> None:
    """No two minutes of an hour are farther apart than one may be rounded."""
    assert may_be(backup({**HOURLY, "minute": was}), live({**HOURLY, "minute": now})) is expected


def test_a_time_that_one_of_them_does_not_have_is_not_compared() -> None:
    unset = {"freq": "daily", "time_zone": "UTC"}
    assert may_be(backup(unset), live())
    assert may_be(backup({"freq": "hourly", "hour": 3, "time_zone": "UTC"}), live(HOURLY)), "an hour says nothing there"


def test_a_candidate_whose_times_are_unknown_stops_the_search() -> None:
    with pytest.raises(StudioResponseError):
        find_restored(backup(), [Schedule.parse({"token": "0"})])


def test_of_several_the_one_with_the_fewest_differences_is_it_whatever_the_order() -> None:
    like, less = live(token="b"), live(token="a", name="Other")
    assert find_restored(backup(), [less, like]) is like
    assert find_restored(backup(), [like, less]) is like
    assert find_restored(backup(), []) is None
    assert find_restored(backup(), [live(WEEKLY, token="c"), less]) is less


def test_of_two_that_differ_equally_none_is_taken_and_both_are_named() -> None:
    twins = [live(token="b", name="Other"), live(token="a", name="Another"), live(token="c", name="X", timeout=1)]
    with pytest.raises(StudioResponseError, match=r"Schedule 5c4ed0000001 may .* as any of a, b\. Delete the surplus"):
        find_restored(backup(), twins)


@pytest.mark.parametrize("name", ["name", "timeout"])
def test_the_values_that_were_sent_count_where_the_row_has_none_or_another(name: str) -> None:
    for row in ({}, {name: None}, {name: "other"}):
        before = backup()
        del before["schedule"][name]
        before["schedule"] |= row
        assert differences(before, live()) == []
