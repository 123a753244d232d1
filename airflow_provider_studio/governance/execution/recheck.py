# SPDX-License-Identifier: Apache-2.0
"""Compare a Report with the state that the plan was created from; an action on a Report that was used since is skipped.

Missing data never permits an action. `updated_at` changes without any human action and is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_studio.client.errors import StudioResponseError
from airflow_provider_studio.client.models import Report, Schedule
from airflow_provider_studio.client.schedule_values import plain
from airflow_provider_studio.governance.plans.deployment_limits import DeploymentLimits
from airflow_provider_studio.governance.plans.models import Action, Baseline, Rule
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.plans.protections import ReportTexts
from airflow_provider_studio.governance.snapshots.schema import SAME_RUN
from airflow_provider_studio.governance.storage import SAME_TIME

_NO_LIMITS = DeploymentLimits()
_CRON = ("freq", "hour", "minute", "time_zone", "day_of_week", "day_of_month")


@dataclass(frozen=True)
class LiveReport:
    """A Report and its schedules in their current state.

    :param schedules: by token.
    :param collection_name: the name of its Collection, if the deployment protects Collections.
    :param subscribers: how many people and Slack channels get its results; None if that is unknown.
    :param last_run_in_backup: returns the last run of a schedule that the plan has deleted, from its backup.
    """

    report: Report
    schedules: Mapping[str, Schedule]
    last_run_in_backup: Callable[[str], datetime | None] = lambda _schedule: None
    collection_name: str | None = None
    subscribers: int | None = None


def reason_to_skip(
    action: Action, live: LiveReport, policy: StalenessPolicy | None, limits: DeploymentLimits = _NO_LIMITS
) -> str | None:
    """Return why an action must be skipped, or None if the Report is unchanged.

    :param policy: the plan's policy; None for a one-off plan.
    :param limits: the deployment's limits, whose protections apply to every plan.
    """
    report = live.report
    if report.archived is None:
        return "unknown"
    if report.archived is not action.baseline.archived:
        return "already_archived" if report.archived else "unarchived"
    protected = _protected_by(limits, action, live) or (None if policy is None else _protected_in(policy, action, live))
    if protected is not None or policy is None:
        return protected
    checks = {Rule.STALE: _was_used, Rule.FAILING_SCHEDULE: _was_fixed}
    return checks[action.rule](action, live) if action.rule in checks else None


def _protected_by(limits: DeploymentLimits, action: Action, live: LiveReport) -> str | None:
    """Return why the deployment protects a Report from every plan, or None."""
    texts = ReportTexts.of(live.report, live.collection_name, owner=action.owner)
    if limits.protection(texts) is not None:
        return "protected"
    is_unknown = (limits.protected_collections and texts.collection_name is None) or (
        limits.protected_owners and texts.owner is None
    )
    return "unknown" if is_unknown else None


def _protected_in(policy: StalenessPolicy, action: Action, live: LiveReport) -> str | None:
    """Return why the plan's policy protects a Report as it is now, or None."""
    report = live.report
    texts = ReportTexts.of(report, owner=action.owner, subscribers=live.subscribers)
    if action.rule is Rule.FAILING_SCHEDULE:
        texts = texts.without_uses()  # nobody gets the results of a schedule that only fails
    if policy.protection(texts) is not None:
        return "unknown" if policy.is_use_unknown(texts) else "protected"
    is_elsewhere = action.rule is not Rule.STALE and report.space_token != action.baseline.collection
    if policy.protected_collections and is_elsewhere:
        return "moved"  # the new Collection may be protected by its name, which the response does not have
    return None


def _was_used(action: Action, live: LiveReport) -> str | None:
    report, baseline = live.report, action.baseline
    if None in (report.view_count, report.edited_at, report.space_token):
        return "unknown"
    if report.last_run_at is None and baseline.last_run_at is not None:
        return "unknown"  # it ran before, but the response has no last run
    checks = {
        "viewed": report.view_count != baseline.view_count,
        "edited": not _same(report.edited_at, baseline.edited_at),
        "moved": report.space_token != baseline.collection,
        "rescheduled": not set(live.schedules) <= set(baseline.schedules) or _changed(action, live),
        "run": _ran_since(live, baseline),
    }
    return next((reason for reason, is_so in checks.items() if is_so), None)


def _was_fixed(action: Action, live: LiveReport) -> str | None:
    schedule = live.schedules.get(action.schedule or "")
    if not _same(live.report.edited_at, action.baseline.edited_at):
        return "edited"
    if schedule is not None and not _same(schedule.last_succeeded_at, action.schedule_last_succeeded_at):
        return "succeeded"
    return "rescheduled" if _changed(action, live) else None


def _changed(action: Action, live: LiveReport) -> bool:
    """Whether the times of the schedule were changed."""
    schedule, baseline = live.schedules.get(action.schedule or ""), action.schedule_cron
    if schedule is None or baseline is None:
        return False
    try:
        cron = schedule.cron().model_dump(mode="json")
    except StudioResponseError:
        return False  # it cannot be backed up either, so it is kept anyway
    return any(plain(cron.get(name)) != plain(baseline.get(name)) for name in _CRON if name in baseline)


def _ran_since(live: LiveReport, baseline: Baseline) -> bool:
    """Whether the Report ran since the snapshot, other than by a schedule of the plan."""
    last = live.report.last_run_at
    if last is None or _same(last, baseline.last_run_at):
        return False
    by_schedules = [schedule.last_run_at for schedule in live.schedules.values()]
    by_schedules += [live.last_run_in_backup(token) for token in baseline.schedules if token not in live.schedules]
    return not any(at is not None and abs(at - last) <= SAME_RUN for at in by_schedules)


def _same(first: datetime | None, second: datetime | None) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) <= SAME_TIME
