# SPDX-License-Identifier: Apache-2.0
"""Studio's clock may be hours off: neither the polls of a run nor the age of a result depend on it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_studio.sensors.reports import StudioReportFreshnessSensor
from airflow_provider_studio.testing import StudioTestReport, StudioTestWorkspace
from airflow_provider_studio.triggers.reports import StudioReportFreshnessTrigger
from tests.conftest import slow
from tests.hand_clock import HandClock
from tests.operators import test_traps
from tests.sensors import test_sensors
from tests.triggers_by_hand import fired, started

HOURS = pytest.mark.parametrize("hours", [-6, *slow(0), 6])


@pytest.fixture
def report(clock: HandClock, studio_workspace: StudioTestWorkspace, studio_connection: str) -> StudioTestReport:
    return studio_workspace.report("Revenue")


@HOURS
@pytest.mark.parametrize("deferrable", [False, True])
def test_a_run_is_polled_as_often_whatever_studios_clock_shows(
    clock: HandClock, report: StudioTestReport, hours: int, deferrable: bool
) -> None:
    clock.set_studio_ahead(timedelta(hours=hours))
    report.next_run("succeeded", 60.0)
    task, began = test_traps.Task(clock), clock.now()
    test_traps.ended(task, task.next_try(report=report.token, deferrable=deferrable, poll_policy=None))
    assert (clock.now() - began).total_seconds() < 80


def ended_half_an_hour_ago(clock: HandClock, report: StudioTestReport, hours: int) -> None:
    clock.set_studio_ahead(timedelta(hours=hours))
    started(report, 0.0)
    clock.sleep(1800)


@HOURS
@pytest.mark.parametrize(("minutes", "is_fresh"), [(40, True), (20, False)])
def test_the_age_of_a_result_does_not_depend_on_studios_clock(
    clock: HandClock, report: StudioTestReport, hours: int, minutes: int, is_fresh: bool
) -> None:
    ended_half_an_hour_ago(clock, report, hours)
    task = test_sensors.Task(clock)
    task.start = clock.now()
    how: Any = test_sensors.options("poke")
    sensor = StudioReportFreshnessSensor(report=report.token, max_age=timedelta(minutes=minutes), **how)
    assert sensor.poke(task.context) is is_fresh


@HOURS
@pytest.mark.parametrize(("seconds_ago", "event"), [(2400, "fresh"), (1200, "timeout")])
def test_a_deferred_sensor_judges_the_age_alike(
    clock: HandClock, report: StudioTestReport, hours: int, seconds_ago: int, event: str
) -> None:
    ended_half_an_hour_ago(clock, report, hours)
    trigger = StudioReportFreshnessTrigger(
        studio_conn_id="studio_default",
        report=report.token,
        newer_than=(clock.now() - timedelta(seconds=seconds_ago)).isoformat(),
        interval_seconds=1.0,
        deadline=(clock.now() + timedelta(seconds=3)).isoformat(),
    )
    assert fired(clock, trigger)[0]["event"] == event
