# SPDX-License-Identifier: Apache-2.0
"""Hold a Report, as it is now, against what the plan saw: whatever came alive since is left alone.

What Studio does not tell is no leave to act. `updated_at` moves without any human and is never looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_studio.client.errors import StudioResponseError
from airflow_provider_studio.client.models import Report, Schedule
from airflow_provider_studio.client.schedule_values import plain
from airflow_provider_studio.governance.plans.models import Action, Baseline, Rule
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.snapshots.schema import SAME_RUN
from airflow_provider_studio.governance.storage import SAME_TIME

_CRON = ("freq", "hour", "minute", "time_zone", "day_of_week", "day_of_month")


@dataclass(frozen=True)
class Live:
    """A Report and its schedules as they are now.

    :param schedules: by token.
    :param ran: when schedules of the plan that are gone by now last ran, as their backups tell.
    """

    report: Report
    schedules: Mapping[str, Schedule]
    ran: Callable[[str], datetime | None] = lambda _schedule: None


def reason_to_skip(action: Action, live: Live, policy: StalenessPolicy | None) -> str | None:
    """Return why an action may not be done any more, or None where everything is as the plan saw it.

    :param policy: the plan's; None where a person named the Report.
    """
    report = live.report
    wanted = action.baseline.archived
    if report.archived is None:
        return "unknown"
    if report.archived is not wanted:
        return "already_archived" if report.archived else "unarchived"
    if policy is None:
        return None
    if policy.protection(
        report=report.token,
        collection=report.space_token,
        collection_name=None,
        owner=report.creator,
        name=report.name,
        description=report.description,
    ):
        return "protected"
    if (
        policy.protected_collections
        and action.rule is not Rule.STALE
        and report.space_token != action.baseline.collection
    ):
        return "moved"  # a Report does not say its Collection's name, which may be protected
    checks = {Rule.STALE: _came_alive, Rule.FAILING_SCHEDULE: _was_mended}
    return checks[action.rule](action, live) if action.rule in checks else None


def _came_alive(action: Action, live: Live) -> str | None:
    report, baseline = live.report, action.baseline
    if None in (report.view_count, report.edited_at, report.space_token):
        return "unknown"
    if report.last_run_at is None and baseline.last_run_at is not None:
        return "unknown"  # it ran before, and the response does not say when it ran last
    checks = {
        "viewed": report.view_count != baseline.view_count,
        "edited": not _same(report.edited_at, baseline.edited_at),
        "moved": report.space_token != baseline.collection,
        "rescheduled": not set(live.schedules) <= set(baseline.schedules) or _changed(action, live),
        "run": _ran_since(live, baseline),
    }
    return next((reason for reason, is_so in checks.items() if is_so), None)


def _was_mended(action: Action, live: Live) -> str | None:
    schedule = live.schedules.get(action.schedule or "")
    if not _same(live.report.edited_at, action.baseline.edited_at):
        return "edited"
    if schedule is not None and not _same(schedule.last_succeeded_at, action.schedule_last_succeeded_at):
        return "succeeded"
    return "rescheduled" if _changed(action, live) else None


def _changed(action: Action, live: Live) -> bool:
    """Whether somebody gave the schedule other times since."""
    schedule, seen = live.schedules.get(action.schedule or ""), action.schedule_cron
    if schedule is None or seen is None:
        return False
    try:
        cron = schedule.cron().model_dump(mode="json")
    except StudioResponseError:
        return False  # it cannot be backed up either, and is kept for that
    return any(plain(cron.get(name)) != plain(seen.get(name)) for name in _CRON if name in seen)


def _ran_since(live: Live, baseline: Baseline) -> bool:
    """Whether somebody other than a schedule of the plan ran the Report since the snapshot."""
    last = live.report.last_run_at
    if last is None or _same(last, baseline.last_run_at):
        return False
    by_schedules = [schedule.last_run_at for schedule in live.schedules.values()]
    by_schedules += [live.ran(token) for token in baseline.schedules if token not in live.schedules]
    return not any(at is not None and abs(at - last) <= SAME_RUN for at in by_schedules)


def _same(one: datetime | None, other: datetime | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= SAME_TIME
