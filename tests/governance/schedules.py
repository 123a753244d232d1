# SPDX-License-Identifier: Apache-2.0
"""Reports with schedules and subscriptions, for the tests of backups and restored schedules."""

from __future__ import annotations

from typing import Any

from airflow_provider_studio.client.models import ScheduleInput
from airflow_provider_studio.governance.planning.one_off import plan_named
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.storage import utcnow
from tests.governance.conftest import ACTOR, Governed

CSV = {"csv_attachments_enabled": True, "report_links_enabled": False}
PDF = {"pdf_attachments_enabled": True}
DELIVERIES = (CSV, PDF, {"data_tables_enabled": True})
OTHER = {"freq": "daily", "hour": 17, "minute": 0, "time_zone": "UTC"}


def posted(governed: Governed, report: str, **cron: Any) -> str:
    """A schedule that a person makes now."""
    values = ScheduleInput.checked(cron={**OTHER, **cron}, name="Made by a person")
    return governed.client.create_schedule(report, values).token


def scheduled(governed: Governed, count: int, **schedule: Any) -> str:
    """A Report with schedules at 6:00, 7:00, …, each of which delivers something else."""
    report = governed.report()
    for number in range(count):
        governed.control.add_schedule(report, **{"cron": {"hour": 6 + number}, **schedule})
        governed.client.create_subscription(report, DELIVERIES[number])
    return report


def deleted(governed: Governed, report: str) -> Plan:
    """A plan that deleted all schedules of a Report."""
    plan = plan_named(governed.client, governed.storage, [report], kind=ActionKind.DELETE_SCHEDULE, actor=ACTOR)
    summary = governed.apply(plan, now=utcnow)
    assert (summary.failures, summary.schedules_deleted) == ([], len(plan.actions))
    governed.control.clear_requests()
    return plan


def delivered(governed: Governed, report: str) -> dict[int, list[str]]:
    """What the subscriptions of each of a Report's schedules deliver, by the schedule's hour."""
    state = governed.control.state()
    found: dict[int, list[str]] = {}
    for token, schedule in state["schedules"].items():
        if schedule["report"] == report:
            options = [each["options"] for each in state["subscriptions"].values() if each["schedule"] == token]
            found.setdefault(schedule["cron"]["hour"], []).extend(
                sorted(name for each in options for name, value in each.items() if value)
            )
    return found


def count(governed: Governed, report: str) -> int:
    return sum(schedule["report"] == report for schedule in governed.control.state()["schedules"].values())
