# SPDX-License-Identifier: Apache-2.0
"""The sensor of lateness: it waits for the run that was due, and fails once the tolerance is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout, AirflowSkipException

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.sensors.on_time import StudioReportOnTimeSensor
from airflow_provider_studio.testing import StudioTestReport, StudioTestWorkspace
from tests.hand_clock import HandClock
from tests.sensors import test_sensors
from tests.sensors.test_sensors import MODES, Task, options

task, _outside_airflow = test_sensors.task, test_sensors._outside_airflow


@pytest.fixture
def report(clock: HandClock, studio_workspace: StudioTestWorkspace, studio_connection: str) -> StudioTestReport:
    """A Report whose runs take 90 seconds."""
    return studio_workspace.report("Revenue", runtime_seconds=90)


@pytest.fixture
def due(clock: HandClock, report: StudioTestReport) -> datetime:
    """The time at which its schedule has just fired, 10 seconds ago."""
    first = clock.now().replace(second=0, microsecond=0) + timedelta(minutes=5)
    report.scheduled("hourly", at=f"{first:%H:%M}")
    clock.sleep((first - clock.now()).total_seconds() + 10)
    return first


def sensor(report: StudioTestReport, mode: str, **more: Any) -> StudioReportOnTimeSensor:
    return StudioReportOnTimeSensor(
        report=report.token, **options(mode, **{"poke_interval": 20, "timeout": 600, **more})
    )


@pytest.mark.parametrize("mode", MODES)
def test_the_run_that_was_due_is_waited_for(task: Task, report: StudioTestReport, due: datetime, mode: str) -> None:
    task.start = task.clock.now()
    task.end(sensor(report, mode, tolerance=timedelta(minutes=5)))
    assert timedelta(seconds=90) <= task.clock.now() - due < timedelta(minutes=5)
    assert task.xcoms["_link_StudioReportLink"].endswith(report.token)


@pytest.mark.parametrize("mode", MODES)
def test_after_the_tolerance_it_is_late(task: Task, report: StudioTestReport, due: datetime, mode: str) -> None:
    task.start = task.clock.now()
    with pytest.raises(AirflowFailException, match=rf"^StudioReportLateError: .* run at {due:%Y-%m-%d %H:%M} UTC"):
        task.end(sensor(report, mode, tolerance="60"))


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"tolerance": 60, "soft_fail": True}, AirflowSkipException),
        ({"tolerance": 300, "timeout": 30}, AirflowSensorTimeout),
    ],
)
def test_deferred_it_skips_or_times_out_as_other_sensors(
    task: Task, report: StudioTestReport, due: datetime, more: dict[str, Any], error: type[Exception]
) -> None:
    task.start = task.clock.now()
    with pytest.raises(error):
        task.end(sensor(report, "deferrable", **more))


def test_what_is_not_scheduled_or_archived_or_was_never_due_is_on_time(
    task: Task, report: StudioTestReport, studio_workspace: StudioTestWorkspace
) -> None:
    archived = studio_workspace.report("Archived", archived=True).scheduled("hourly")
    later = studio_workspace.report("New").scheduled("daily", at=f"{task.clock.now() - timedelta(minutes=5):%H:%M}")
    for on_time in (report, archived, later):
        assert sensor(on_time, "poke", tolerance=0).poke(task.context)


def test_it_is_unknown_when_a_schedule_without_a_day_is_due(task: Task, report: StudioTestReport) -> None:
    report.scheduled("weekly")
    with pytest.raises(Exception, match=r"cron\.day_of_week has no value"):
        sensor(report, "poke").poke(task.context)


@pytest.mark.parametrize("tolerance", [-1, True, None])
def test_a_tolerance_that_is_none_is_refused_when_the_dag_is_parsed(tolerance: Any) -> None:
    with pytest.raises(StudioConfigurationError, match="tolerance is"):
        StudioReportOnTimeSensor(task_id="on_time", report="0a1b2c3d4e5f", tolerance=tolerance)
