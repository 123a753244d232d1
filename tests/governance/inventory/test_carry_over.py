# SPDX-License-Identifier: Apache-2.0
"""Later snapshots: which schedules are requested again, and that carried facts equal what would have been read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.governance.conftest import Governed, ago
from tests.governance.inventory.test_inventory import table


def asked_for(governed: Governed) -> set[str]:
    requests = governed.control.requests_summary()["requests"]
    return {request["path"].split("/")[-2] for request in requests if request["path"].endswith("/schedules")}


def schedule_of(path: str, report: str) -> dict[str, Any]:
    return next(row for row in table(path, "schedules") if row["report"] == report)


@pytest.mark.parametrize(
    ("cron", "zone"),
    [
        ({"freq": "daily", "hour": 6}, "UTC"),
        ({"freq": "daily", "hour": 6}, "Pacific Time (US & Canada)"),
        ({"freq": "every_15_minutes"}, "UTC"),
    ],
)
def test_a_schedule_that_ran_as_predicted_is_carried_over(governed: Governed, cron: dict[str, Any], zone: str) -> None:
    report = governed.report()
    governed.control.add_schedule(report, cron={**cron, "minute": 0, "time_zone": zone})
    first = governed.night(100.4)
    governed.control.clear_requests()
    read = 0
    for days in (99.4, 98.4, 93.4, 86.9, 84.4):  # daylight saving began 85 days ago
        summary = governed.night(days)
        read += summary.schedules_read
        carried = schedule_of(summary.path, report)
        governed.storage = governed.storage.parent / f"fresh{days}"
        fresh = schedule_of(governed.night(days).path, report)
        governed.storage = governed.storage.parent / "studio"
        names = ("last_run_at", "last_succeeded_at", "next_scheduled_run", "last_run_failed", "freq", "hour")
        assert {name: carried[name] for name in names} == {name: fresh[name] for name in names}
        (row,) = table(summary.path, "reports")
        assert row["last_run_by_schedule"] is True
        assert row["verified_at"] == carried["verified_at"]
    assert first.schedules_read == 1
    assert read <= 2, "its turn comes once within 14 days"


def test_no_carried_fact_is_older_than_it_may_be(governed: Governed) -> None:
    for number in range(12):
        governed.report(f"Old {number}", schedules=1)
    for days in (120, 119, 113, 106, 105, 104):
        path = governed.night(days, verify_within=timedelta(days=14)).path
        oldest = min(row["verified_at"] for row in table(path, "schedules"))
        assert oldest > ago(days + 14).replace(tzinfo=None)


CHANGES = {
    "edited": lambda governed, report: governed.control.change_report(report, edited_at=ago(50.5).isoformat()),
    "archived": lambda governed, report: governed.client.archive_report(report),
    "one schedule more": lambda governed, report: governed.control.add_schedule(report),
    "run by a person": lambda governed, report: governed.client.create_report_run(report),
    "its schedule exchanged": lambda governed, report: (
        governed.client.delete_schedule(report, next(iter(governed.client.list_schedules(report))).token),
        governed.control.add_schedule(report, cron={"hour": 17, "minute": 30}),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_schedules_are_read_again_where_something_changed(governed: Governed, change: str) -> None:
    report = governed.report(schedules=1)
    governed.night(51.2)
    governed.control.set_clock(ago(50.4))
    CHANGES[change](governed, report)
    governed.control.clear_requests()
    summary = governed.night(50.2)
    assert asked_for(governed) == {report}
    assert {row["verified_at"] for row in table(summary.path, "schedules")} == {ago(50.2).replace(tzinfo=None)}


def test_a_run_that_did_not_come_is_a_change(governed: Governed) -> None:
    report = governed.report(schedules=1)
    token = next(iter(governed.control.state()["schedules"]))
    governed.night(51)
    governed.control.set_clock(ago(50.9))
    governed.client.delete_schedule(report, token)
    governed.control.add_schedule(report, cron={"freq": "monthly", "day_of_month": 28})
    governed.control.clear_requests()
    governed.night(49)
    assert asked_for(governed) == {report}


def test_without_changes_only_a_share_is_read_again_in_a_week(governed: Governed) -> None:
    for number in range(30):
        governed.report(f"Old {number}", schedules=1)
    governed.night(108)
    shares = [governed.night(days, verify_within=timedelta(days=5)).schedules_read for days in range(107, 102, -1)]
    assert sum(shares) == 30
    assert max(shares) < 15
