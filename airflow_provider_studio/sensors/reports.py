# SPDX-License-Identifier: Apache-2.0
"""Wait for a Report run that something else started, or for a Report to be fresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.client.errors import StudioConfigurationError, StudioRunTimeoutError
from airflow_provider_studio.client.identifiers import report_token
from airflow_provider_studio.client.run_endpoints import Runnable
from airflow_provider_studio.durations import seconds_of
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.links import StudioReportLink
from airflow_provider_studio.sensors.base import StudioSensor
from airflow_provider_studio.sensors.run_sensor import StudioRunSensor
from airflow_provider_studio.triggers.events import is_fresh

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_studio.client.models import Report

__all__ = ["StudioReportFreshnessSensor", "StudioReportRunSensor"]

_FRESHNESS = "give max_age (a timedelta, or seconds) or newer_than (a time), and not both"


class StudioReportRunSensor(StudioRunSensor):
    """Wait until a Report run has results; a run that ended otherwise fails the task at once, with the reason.

    :param report: the Report's token, the URL of its page, or its asset.
    :param run: the run's token, or what `StudioRunReportOperator(wait_for_completion=False)` returned.
    :param deferrable: whether to wait in the triggerer; by default `[operators] default_deferrable`.
    :param studio_conn_id: the Airflow connection.
    """

    kind = Runnable.REPORT
    template_fields: Sequence[str] = (*StudioRunSensor.template_fields, "report")

    def __init__(
        self,
        *,
        report: str,
        run: str | Mapping[str, Any],
        deferrable: bool | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(run=run, deferrable=deferrable, studio_conn_id=studio_conn_id, **kwargs)
        self.report = report

    def token(self) -> str:
        """Return the Report's token."""
        return report_token(self.report, self.client.workspace)

    def read(self) -> Report:
        """Read the Report."""
        return self.client.get_report(self.token())


class StudioReportFreshnessSensor(StudioSensor):
    """Wait until a Report has a successful run that ended recently enough, however it was started.

    Give exactly one of `max_age` and `newer_than`.

    :param report: the Report's token, the URL of its page, or its asset.
    :param max_age: how old the run may be when the task first starts, as a timedelta or seconds.
    :param newer_than: the run must have ended after this time: a datetime with a zone, or ISO 8601 with a zone, such as
        `{{ dag_run.run_after }}`.
    :param deferrable: whether to wait in the triggerer; by default `[operators] default_deferrable`.
    :param studio_conn_id: the Airflow connection.
    :raises StudioConfigurationError: neither `max_age` nor `newer_than`, both, or a value that is unusable.
    """

    template_fields: Sequence[str] = (*StudioSensor.template_fields, "report", "max_age", "newer_than")
    operator_extra_links = (StudioReportLink(),)

    def __init__(
        self,
        *,
        report: str,
        max_age: timedelta | float | str | None = None,
        newer_than: datetime | str | None = None,
        deferrable: bool | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(deferrable=deferrable, studio_conn_id=studio_conn_id, **kwargs)
        self.report = report
        self.max_age = max_age
        self.newer_than = newer_than
        if (max_age is None) == (newer_than is None):
            raise StudioConfigurationError(f"max_age is {max_age!r} and newer_than is {newer_than!r}; {_FRESHNESS}.")
        if isinstance(newer_than, timedelta):
            raise StudioConfigurationError(f"newer_than is {newer_than!r}; {_FRESHNESS}.")
        if isinstance(max_age, timedelta | float | int):
            seconds_of("max_age", max_age, allow_zero=True)

    def check(self, context: Context) -> bool:
        """Return whether the Report is fresh."""
        threshold = self._threshold(context)
        report = self.client.get_report(report_token(self.report, self.client.workspace))
        self.show_link(StudioReportLink, context, report.web_url)
        at = report.last_successfully_run_at
        if at is not None:
            at -= self.client.clock_offset(datetime.now(UTC))
        self.log.info("Report %s was last run successfully at %s; required: after %s", report.token, at, threshold)
        return at is not None and at > threshold

    def _threshold(self, context: Context) -> datetime:
        """Return the time after which a run counts as fresh."""
        if self.max_age is not None:
            age = timedelta(seconds=seconds_of("max_age", self.max_age, allow_zero=True))
            try:
                return self.first_start(context) - age
            except OverflowError:  # before year 1: any successful run is fresh
                return datetime.min.replace(tzinfo=UTC)
        value = self.newer_than
        try:
            time = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            time = None
        if time is None or time.tzinfo is None:
            raise StudioConfigurationError(
                f"newer_than is {value!r}; give a time with a zone such as 2026-01-31T06:00:00+00:00."
            )
        return time

    def trigger(self, context: Context, deadline: str) -> BaseTrigger:
        """Return the trigger that waits for the Report."""
        from airflow_provider_studio.triggers.reports import StudioReportFreshnessTrigger

        return StudioReportFreshnessTrigger(
            studio_conn_id=self.studio_conn_id,
            report=report_token(self.report, self.client.workspace),
            newer_than=self._threshold(context).isoformat(),
            interval_seconds=self.poke_interval,
            deadline=deadline,
        )

    def check_event(self, context: Context, event: dict[str, Any]) -> None:  # noqa: ARG002
        """Return if the Report is fresh."""
        if not is_fresh(event):
            raise StudioRunTimeoutError(f"Report {self.report} was not fresh within {self.timeout:.0f} s.")
