# SPDX-License-Identifier: Apache-2.0
"""Wait for a Report run that something else started, or for a Report to be fresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_studio.client.errors import (
    StudioConfigurationError,
    StudioResponseError,
    StudioRunTimeoutError,
)
from airflow_provider_studio.client.identifiers import report_token
from airflow_provider_studio.links import StudioReportLink, StudioReportRunLink
from airflow_provider_studio.sensors.base import StudioSensor
from airflow_provider_studio.triggers.events import TriggerError, run_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger


class StudioReportRunSensor(StudioSensor):
    """Wait until a Report run has results; a run that ended otherwise fails the task at once, with the reason.

    :param report: the Report's token, the address of its page, or its asset.
    :param run: the run's token, or what `StudioRunReportOperator(wait=False)` returned.
    """

    template_fields: Sequence[str] = (*StudioSensor.template_fields, "report", "run")
    template_fields_renderers: ClassVar[dict[str, str]] = {"run": "json"}
    operator_extra_links = (StudioReportRunLink(),)

    def __init__(self, *, report: str, run: str | Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.report = report
        self.run = run

    @property
    def _run_token(self) -> str:
        return self.run["run"] if isinstance(self.run, Mapping) else self.run

    def look(self, context: Context) -> bool:
        """Look at the run."""
        from airflow_provider_studio.client.run_polling import raise_unless_good

        report = report_token(self.report, self.client.workspace)
        run = self.client.get_report_run(report, self._run_token)
        self.show_link(StudioReportRunLink, context, run.link("web_external_url"))
        if not run.run_state.is_over:
            self.log.info("Report run %s is %s", run.token, run.state)
            return False
        raise_unless_good(self.client, report, run)
        return True

    def trigger(self, context: Context, deadline: str) -> BaseTrigger:  # noqa: ARG002
        """Return what waits for the run."""
        from airflow_provider_studio.triggers.reports import StudioReportRunTrigger

        return StudioReportRunTrigger(
            studio_conn_id=self.studio_conn_id,
            report=report_token(self.report, self.client.workspace),
            run=self._run_token,
            deadline=deadline,
            poll_policy=self._poll_policy(),
        )

    def _poll_policy(self) -> dict[str, float]:
        """Looks that are never further apart than `poke_interval`."""
        from airflow_provider_studio.client.run_polling import PollPolicy

        longest = max(self.poke_interval, 0.1)
        return {"shortest_seconds": min(PollPolicy().shortest_seconds, longest), "longest_seconds": longest}

    def after(self, context: Context, event: dict[str, Any]) -> None:  # noqa: ARG002
        """Return if the run is good."""

        run_of(event, self.timeout)


class StudioReportFreshnessSensor(StudioSensor):
    """Wait until a Report has a good run that ended recently enough, whoever started it.

    :param report: the Report's token, the address of its page, or its asset.
    :param newer_than: a timedelta, counted back from the task's first start; or a time with a zone, as a datetime or in
        ISO 8601, such as `{{ data_interval_end }}`.
    """

    template_fields: Sequence[str] = (*StudioSensor.template_fields, "report", "newer_than")
    operator_extra_links = (StudioReportLink(),)

    def __init__(self, *, report: str, newer_than: timedelta | datetime | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.report = report
        self.newer_than = newer_than

    def look(self, context: Context) -> bool:
        """Look at the Report."""
        wanted = self._wanted(context)
        report = self.client.get_report(report_token(self.report, self.client.workspace))
        self.show_link(StudioReportLink, context, report.web_url)
        at = report.last_successfully_run_at
        self.log.info("Report %s last ran well at %s; wanted: after %s", report.token, at, wanted)
        return at is not None and at > wanted

    def _wanted(self, context: Context) -> datetime:
        given = self.newer_than
        if isinstance(given, timedelta):
            ti = context["ti"]
            first = ti.get_first_reschedule_date(context) if self.reschedule else None
            return (first or ti.start_date or datetime.now(UTC)) - given
        try:
            time = datetime.fromisoformat(given) if isinstance(given, str) else given
        except ValueError:
            time = None
        if time is None or time.tzinfo is None:
            raise StudioConfigurationError(
                f"newer_than is {given!r}; give a timedelta, or a time with a zone such as 2026-01-31T06:00:00+00:00."
            )
        return time

    def trigger(self, context: Context, deadline: str) -> BaseTrigger:
        """Return what waits for the Report."""
        from airflow_provider_studio.triggers.reports import StudioReportFreshnessTrigger

        return StudioReportFreshnessTrigger(
            studio_conn_id=self.studio_conn_id,
            report=report_token(self.report, self.client.workspace),
            newer_than=self._wanted(context).isoformat(),
            interval_seconds=self.poke_interval,
            deadline=deadline,
        )

    def after(self, context: Context, event: dict[str, Any]) -> None:  # noqa: ARG002
        """Return if the Report is fresh."""

        match (event or {}).get("event"):
            case "fresh":
                return
            case "timeout":
                raise StudioRunTimeoutError(f"Report {self.report} was not fresh within {self.timeout:.0f} s.")
            case "error":
                raise TriggerError(event)
            case other:
                raise StudioResponseError(f"The trigger fired an event that nobody knows: {other!r}.")
