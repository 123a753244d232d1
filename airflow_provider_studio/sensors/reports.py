# SPDX-License-Identifier: Apache-2.0
"""Wait for a Report run that something else started, or for a Report to be fresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_studio.client.errors import (
    StudioConfigurationError,
    StudioError,
    StudioRunTimeoutError,
)
from airflow_provider_studio.client.identifiers import report_token, run_token
from airflow_provider_studio.durations import seconds_of
from airflow_provider_studio.governance.text import plain
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.links import StudioReportLink, StudioReportRunLink
from airflow_provider_studio.sensors.base import StudioSensor
from airflow_provider_studio.triggers.events import described, is_fresh, run_of, success_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

__all__ = ["StudioReportFreshnessSensor", "StudioReportRunSensor"]

_FRESHNESS = "give max_age (a timedelta, or seconds) or newer_than (a time), and not both"


class StudioReportRunSensor(StudioSensor):
    """Wait until a Report run has results; a run that ended otherwise fails the task at once, with the reason.

    :param report: the Report's token, the URL of its page, or its asset.
    :param run: the run's token, or what `StudioRunReportOperator(wait_for_completion=False)` returned.
    :param deferrable: whether to wait in the triggerer; by default `[operators] default_deferrable`.
    :param studio_conn_id: the Airflow connection.
    """

    template_fields: Sequence[str] = (*StudioSensor.template_fields, "report", "run")
    template_fields_renderers: ClassVar[dict[str, str]] = {"run": "json"}
    operator_extra_links = (StudioReportRunLink(),)

    def __init__(
        self,
        *,
        report: str,
        run: str | Mapping[str, Any],
        deferrable: bool | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(deferrable=deferrable, studio_conn_id=studio_conn_id, **kwargs)
        self.report = report
        self.run = run

    def check(self, context: Context) -> bool:
        """Return whether the run has results."""
        from airflow_provider_studio.client.run_polling import raise_unless_good

        report = report_token(self.report, self.client.workspace)
        run = self.client.get_report_run(report, run_token(self.run))
        self.show_link(StudioReportRunLink, context, run.link("web_external_url"))
        if not run.run_state.is_over:
            self.log.info("Report run %s is %s", run.token, run.state)
            return False
        raise_unless_good(self.client, report, run, name=None if run.run_state.is_good else self._name())
        self.log.info("%s", success_of(described(report, run)))
        return True

    def _name(self) -> str | None:
        """Return the Report's name for the message of a failure; None if it cannot be read."""
        try:
            report = self.client.get_report(report_token(self.report, self.client.workspace))
        except StudioError:
            return None
        return plain(report.name or "untitled")

    def trigger(self, context: Context, deadline: str) -> BaseTrigger:  # noqa: ARG002
        """Return the trigger that waits for the run."""
        from airflow_provider_studio.triggers.reports import StudioReportRunTrigger

        return StudioReportRunTrigger(
            studio_conn_id=self.studio_conn_id,
            report=report_token(self.report, self.client.workspace),
            run=run_token(self.run),
            deadline=deadline,
            poll_policy=self._poll_policy(),
        )

    def _poll_policy(self) -> dict[str, float]:
        """Return a policy whose intervals never exceed `poke_interval`."""
        from airflow_provider_studio.client.run_polling import PollPolicy

        longest = max(self.poke_interval, 0.1)
        return {"shortest_seconds": min(PollPolicy().shortest_seconds, longest), "longest_seconds": longest}

    def check_event(self, context: Context, event: dict[str, Any]) -> None:  # noqa: ARG002
        """Return if the run is successful."""
        event = event or {}
        if "run" in event and event.get("state") not in {"succeeded", "completed"}:
            event = {**event, "name": self._name()}
        run = run_of(event, self.timeout)
        self.log.info("%s", success_of(run))


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
