# SPDX-License-Identifier: Apache-2.0
"""Who made a Report's last run: what a snapshot knew of it stays true when the schedule is deleted."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.governance.plans.models import SpareReason
from tests.governance.conftest import Governed
from tests.governance.inventory.test_inventory import table
from tests.governance.planning.test_planning import reasons


def by_schedule(governed: Governed, days_ago: float, **options: Any) -> bool | None:
    (row,) = table(governed.night(days_ago, **options).path, "reports")
    return row["last_run_by_schedule"]  # type: ignore[no-any-return]


def deleted(governed: Governed, report: str) -> None:
    (schedule,) = governed.client.list_schedules(report)
    governed.client.delete_schedule(report, schedule.token)


@pytest.mark.parametrize("link", ["newest", "absent", "templated", "purged", "stale"])
def test_a_run_by_a_schedule_stays_one_after_the_schedule_is_deleted(governed: Governed, link: str) -> None:
    governed.control.set_quirks(last_run_link=link)
    report = governed.report(schedules=1)  # daily at 06:00
    governed.night(100)
    assert by_schedule(governed, 0.5) is True
    deleted(governed, report)
    for days_ago in (0.4, 0, -1):
        assert by_schedule(governed, days_ago) is True
    plan = governed.plan(unviewed_days=None, unrun_days=60)
    assert plan.reports == (report,), "its schedule's runs are no sign of life"


def test_a_run_of_which_a_snapshot_did_not_know_who_made_it_stays_unknown(
    governed: Governed,
) -> None:
    report = governed.report(schedules=1)
    governed.night(100, with_schedules=False)
    assert by_schedule(governed, 0.6, with_schedules=False) is None
    deleted(governed, report)
    assert by_schedule(governed, 0) is None
    assert reasons(governed, unviewed_days=None, unrun_days=60) == {report: SpareReason.UNPROVEN}


def test_a_run_at_the_time_of_a_schedule_that_was_deleted_since_is_unknown(
    governed: Governed,
) -> None:
    report = governed.report(schedules=1)
    governed.night(100)
    governed.night(1)
    governed.control.set_clock(governed.clock().replace(hour=7))  # after its firing at 06:00
    deleted(governed, report)
    assert by_schedule(governed, -1) is None
    assert reasons(governed, unviewed_days=None, unrun_days=60) == {report: SpareReason.UNPROVEN}


def test_a_run_by_a_person_stays_one_and_a_later_one_is_judged_by_itself(governed: Governed) -> None:
    report = governed.report(schedules=1)
    governed.night(100)
    assert by_schedule(governed, 0.5) is True
    deleted(governed, report)
    governed.client.create_report_run(report)
    assert by_schedule(governed, 0) is False
    assert by_schedule(governed, -1) is False
    assert reasons(governed, unviewed_days=None, unrun_days=60) == {report: SpareReason.RUN}


def test_a_run_stays_unknown_after_a_snapshot_that_could_not_read_its_collection(governed: Governed) -> None:
    report = governed.report(schedules=1)
    governed.night(100)
    assert by_schedule(governed, 0.5) is True
    governed.control.add_fault("status", path=f"/spaces/{governed.collection}/", status=403, times=None)
    governed.night(0.4)
    governed.control.clear_faults()
    deleted(governed, report)
    assert by_schedule(governed, 0) is None
