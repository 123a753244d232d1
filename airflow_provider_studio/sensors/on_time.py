# SPDX-License-Identifier: Apache-2.0
"""Check that a Report ran on time: when its own schedules should have run it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.client.errors import StudioReportLateError, StudioResponseError, StudioRunTimeoutError
from airflow_provider_studio.client.identifiers import report_token
from airflow_provider_studio.durations import seconds_of
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.links import StudioReportLink
from airflow_provider_studio.sensors.base import StudioSensor
from airflow_provider_studio.triggers.events import is_fresh

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_studio.client.models import Report, Schedule

__all__ = ["StudioReportOnTimeSensor"]


class StudioReportOnTimeSensor(StudioSensor):
    """Wait until a Report has a successful run since the newest time at which its schedules should have run it.

    That time is the newest one before the task first started. If there is no such run `tolerance` after it, the task
    fails at once, without a retry; with `soft_fail` it skips. A run counts however it was started. A Report that is
    archived, or has no schedule that was ever due, is on time. The first check sends two requests.

    :param report: the Report's token, the URL of its page, or its asset.
    :param tolerance: how long after the due time the run must have succeeded, as a timedelta or seconds.
    :param deferrable: whether to wait in the triggerer; by default `[operators] default_deferrable`.
    :param studio_conn_id: the Airflow connection.
    :raises StudioConfigurationError: `tolerance` is unusable.
    """

    template_fields: Sequence[str] = (*StudioSensor.template_fields, "report", "tolerance")
    operator_extra_links = (StudioReportLink(),)

    def __init__(
        self,
        *,
        report: str,
        tolerance: timedelta | float | str = timedelta(hours=1),
        deferrable: bool | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(deferrable=deferrable, studio_conn_id=studio_conn_id, **kwargs)
        self.report = report
        self.tolerance = tolerance
        self._due_at: datetime | None = None
        """The due time, once it is known in this process."""
        if not isinstance(tolerance, str):
            self._tolerance()

    def _tolerance(self) -> timedelta:
        return timedelta(seconds=seconds_of("tolerance", self.tolerance, allow_zero=True))

    def check(self, context: Context) -> bool:
        """Return whether the Report is on time.

        :raises StudioReportLateError: it is late.
        :raises StudioResponseError: it is unknown when it should have run.
        """
        report = self.client.get_report(report_token(self.report, self.client.workspace))
        offset = self.client.clock_offset(datetime.now(UTC))
        self.show_link(StudioReportLink, context, report.web_url)
        due = self._due(report, self.first_start(context))
        if due is None:
            self.log.info("Report %s is archived, or no schedule of it was ever due: it is on time", report.token)
            return True
        ran = report.last_successfully_run_at
        self.log.info("Report %s was due at %s; it last ran successfully at %s", report.token, due, ran)
        if ran is not None and ran - offset > due:
            return True
        self._check_not_late(due, ran)
        return False

    def _due(self, report: Report, now: datetime) -> datetime | None:
        """Return the newest time at which the Report should have run; None if it need not have run."""
        if report.archived:
            return None
        if self._due_at is None:
            times = [self._due_of(schedule, report, now) for schedule in self.client.list_schedules(report.token)]
            self._due_at = max((time for time in times if time is not None), default=None)
        return self._due_at

    @staticmethod
    def _due_of(schedule: Schedule, report: Report, now: datetime) -> datetime | None:
        """Return the newest time at which a schedule should have run; None if it is newer than that."""
        from airflow_provider_studio.client.due_times import due_times

        times = due_times(schedule.cron().model_dump(), schedule.next_scheduled_run)
        if times is None:
            raise StudioResponseError(
                f"It is unknown when schedule {schedule.token} of Report {report.token} should run: its time zone is "
                "not known, or its days of the week contradict its next run. Check it in Studio."
            )
        due = times.last(now)
        return None if schedule.created_at is not None and due < schedule.created_at else due

    def _check_not_late(self, due: datetime, ran: datetime | None = None) -> None:
        """Raise if the tolerance is over.

        :param ran: when the last successful run ended, where that is known.
        """
        if datetime.now(UTC) >= due + self._tolerance():
            from airflow_provider_studio.governance.text import duration

            allowed = duration(self._tolerance().total_seconds())
            last = "" if ran is None else f" Its last successful run ended at {ran:%Y-%m-%d %H:%M UTC}."
            raise StudioReportLateError(
                f"Report {self.report} is late: by its schedule it should have run at {due:%Y-%m-%d %H:%M UTC}, and no "
                f"run of it succeeded within {allowed}.{last} See its runs in Studio."
            )

    def trigger(self, context: Context, deadline: str) -> BaseTrigger:
        """Return the trigger that waits for a run, until the tolerance is over."""
        from airflow_provider_studio.triggers.reports import StudioReportFreshnessTrigger

        token, start = report_token(self.report, self.client.workspace), self.first_start(context)
        due = self._due_at or self._due(self.client.get_report(token), start) or start
        return StudioReportFreshnessTrigger(
            studio_conn_id=self.studio_conn_id,
            report=token,
            newer_than=due.isoformat(),
            interval_seconds=self.poke_interval,
            deadline=min(datetime.fromisoformat(deadline), due + self._tolerance()).isoformat(),
        )

    def check_event(self, context: Context, event: dict[str, Any]) -> None:  # noqa: ARG002
        """Return if the Report is on time."""
        if not is_fresh(event):
            self._check_not_late(datetime.fromisoformat(event["newer_than"]))
            raise StudioRunTimeoutError(f"Report {self.report} did not run within {self.timeout:.0f} s.")
