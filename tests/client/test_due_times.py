# SPDX-License-Identifier: Apache-2.0
"""When a schedule should have run: in its time zone, over daylight saving, and unknown where it is unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_studio.client.due_times import days_of_week, due_times, late_since
from airflow_provider_studio.emulator.firing import firings_before

PACIFIC = "Pacific Time (US & Canada)"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cron(freq: str = "daily", **values: Any) -> dict[str, Any]:
    return {"freq": freq, "hour": 6, "minute": 30, "time_zone": "UTC", **values}


@pytest.mark.parametrize(
    ("values", "now", "last", "following"),
    [
        (cron(), "2026-06-01T06:30", "2026-06-01T06:30", "2026-06-02T06:30"),
        (cron(), "2026-06-01T06:29", "2026-05-31T06:30", "2026-06-01T06:30"),
        (cron(time_zone=PACIFIC), "2026-06-01T13:29", "2026-05-31T13:30", "2026-06-01T13:30"),
        (cron(time_zone=PACIFIC), "2026-12-01T14:30", "2026-12-01T14:30", "2026-12-02T14:30"),
        (cron("hourly"), "2026-06-01T06:29", "2026-06-01T05:30", "2026-06-01T06:30"),
        (cron("hourly", time_zone="Kathmandu"), "2026-06-01T06:50", "2026-06-01T06:45", "2026-06-01T07:45"),
        (cron("every_15_minutes", minute=3), "2026-06-01T06:29:59", "2026-06-01T06:18", "2026-06-01T06:33"),
        (cron("every_30_minutes", minute=None), "2026-06-01T06:30", "2026-06-01T06:30", "2026-06-01T07:00"),
        (cron("weekly", day_of_week="Monday,Friday"), "2026-06-03T00:00", "2026-06-01T06:30", "2026-06-05T06:30"),
        (cron("monthly", day_of_month=31), "2026-05-01T00:00", "2026-03-31T06:30", "2026-05-31T06:30"),
        # 02:30 does not exist on 8 March; 01:30 exists twice on 1 November, and the first counts.
        (cron(hour=2, time_zone="America/New_York"), "2026-03-08T12:00", "2026-03-08T07:30", "2026-03-09T06:30"),
        (cron(hour=1, time_zone="America/New_York"), "2026-11-01T12:00", "2026-11-01T05:30", "2026-11-02T06:30"),
    ],
)
def test_a_schedule_is_due_at_its_time_in_its_zone(values: dict[str, Any], now: str, last: str, following: str) -> None:
    due = due_times(values)
    assert due is not None
    assert due.last(at(now)) == at(last)
    assert due.next(at(now)) == at(following)


@pytest.mark.parametrize("zone", ["UTC", PACIFIC, "Kathmandu", "Sydney"])
@pytest.mark.parametrize(
    "values",
    [
        cron("every_15_minutes"),
        cron("hourly"),
        cron(),
        cron("weekly", day_of_week="2,4"),
        cron("monthly", day_of_month=29),
    ],
)
def test_they_are_the_times_at_which_the_emulator_fires(values: dict[str, Any], zone: str) -> None:
    schedule, now = {**values, "time_zone": zone}, at("2026-06-17T12:00")
    fired = [*firings_before(schedule, now, since=now - timedelta(days=100))][:20]
    due = due_times(schedule, fired[0])
    assert due is not None
    assert [due.last(now), *(due.last(time - timedelta(seconds=1)) for time in fired[:-1])] == fired
    assert [due.next(time) for time in fired[1:]] == fired[:-1]


@pytest.mark.parametrize(
    "values",
    [
        cron("yearly"),
        cron(None),
        cron(hour=None),
        cron(time_zone=None),
        cron(time_zone="Moon"),
        cron("hourly", minute=None),
        cron("weekly"),
        cron("weekly", day_of_week="1"),
        cron("monthly"),
    ],
)
def test_what_is_unknown_has_no_times(values: dict[str, Any]) -> None:
    assert due_times(values) is None


def test_numbers_of_days_are_believed_if_the_next_run_confirms_them() -> None:
    monday = at("2026-06-01T06:30")
    assert due_times(cron("weekly", day_of_week="[1]"), monday) is not None
    assert due_times(cron("weekly", day_of_week="[2]"), monday) is None


@pytest.mark.parametrize(
    ("runs", "created_at", "since"),
    [
        (["2026-06-01T06:31"], None, None),
        (["2026-06-01T06:29"], None, None),
        (["2026-05-31T06:31"], None, "2026-06-01T06:30"),
        (["2026-05-29T06:31", None], None, "2026-05-30T06:30"),
        (["2026-05-29T06:31", "2026-06-01T09:00"], None, None),
        ([None, None], "2026-06-01T08:00", None),
        ([None], "2026-05-30T08:00", "2026-05-31T06:30"),
    ],
)
def test_it_is_late_since_the_first_time_that_it_missed(
    runs: list[str | None], created_at: str | None, since: str | None
) -> None:
    found = late_since(
        due_times(cron()),
        at("2026-06-01T12:00"),
        runs=[None if run is None else at(run) for run in runs],
        created_at=None if created_at is None else at(created_at),
    )
    assert found == (None if since is None else at(since))


@pytest.mark.parametrize(("values", "run"), [(cron(), None), (cron(hour=None), "2026-05-31T06:31")])
def test_whether_it_is_late_may_be_unknown(values: dict[str, Any], run: str | None) -> None:
    with pytest.raises(ValueError, match="unknown"):
        late_since(due_times(values), at("2026-06-01T12:00"), runs=[run and at(run)], created_at=None)


@pytest.mark.parametrize(
    ("written", "days"),
    [("Monday,Tuesday", {1, 2}), ("1-5", {1, 2, 3, 4, 5}), ([1, 3], {1, 3}), ("0", {0}), ("7", {0}), (None, set())],
)
def test_days_of_the_week_are_read_however_they_are_written(written: Any, days: set[int]) -> None:
    assert days_of_week(written) == days
