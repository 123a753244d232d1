# SPDX-License-Identifier: Apache-2.0
"""Wait for a Report run that something else started, or for a Report to be fresh."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    conf,
)

from airflow_provider_studio.client.errors import (
    StudioConfigurationError,
    StudioError,
    StudioResponseError,
    StudioRunError,
    StudioRunTimeoutError,
)
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.links import StudioReportLink, StudioReportRunLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_studio.client.api import StudioClient

Result = TypeVar("Result")


class StudioSensor(BaseSensorOperator):
    """Waits with a Studio connection, holding its worker (`mode="poke"`), coming back (`reschedule`), or deferred.

    :param studio_conn_id: the Airflow connection.
    :param deferrable: whether to give the worker free; by default `[operators] default_deferrable`.
    """

    template_fields: Sequence[str] = ("studio_conn_id",)
    ui_color = "#e8f1fb"

    def __init__(
        self, *, studio_conn_id: str = StudioHook.default_conn_name, deferrable: bool | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.studio_conn_id = studio_conn_id
        self.deferrable = conf.getboolean("operators", "default_deferrable") if deferrable is None else deferrable
        self._failed_looks = 0

    @cached_property
    def hook(self) -> StudioHook:
        """The hook of the connection."""
        return StudioHook(self.studio_conn_id)

    @cached_property
    def client(self) -> StudioClient:
        """The client of the connection, whose looks go after others' changes."""
        from airflow_provider_studio.client.ratelimit import Priority

        return self.hook.client.with_priority(Priority.POLL)

    def execute(self, context: Context) -> Any:
        """Look, and wait where need be; deferred, if it is so set."""
        if not self.deferrable:
            return super().execute(context)
        if not self.poke(context):
            deadline = datetime.now(UTC) + timedelta(seconds=self.timeout)
            if self.execution_timeout is not None:
                started = context["ti"].start_date or datetime.now(UTC)
                deadline = min(deadline, started + self.execution_timeout)
            self.defer(trigger=self.trigger(context, deadline.isoformat()), method_name="execute_complete")
        return None

    def poke(self, context: Context) -> bool:
        """Look once; what cannot come right any more fails the task at once, and what may is forgiven for a while."""
        from airflow_provider_studio.client.watching import TRANSIENT, PollPolicy

        try:
            found = self._failing(lambda: self.look(context))
        except TRANSIENT as error:
            self._failed_looks += 1
            most = PollPolicy().failed_looks
            self.log.warning("Look %d of %d failed: %s", self._failed_looks, most, error)
            if self._failed_looks >= most or self.reschedule:  # a task that comes back cannot count; its retries do
                raise
            return False
        self._failed_looks = 0
        return found

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        """Go on after the trigger's event."""
        try:
            self._failing(lambda: self.after(context, event))
        except StudioRunTimeoutError as error:
            if self.soft_fail:
                raise AirflowSkipException(str(error)) from None
            raise AirflowSensorTimeout(str(error)) from None

    def _failing(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except StudioRunTimeoutError:
            raise
        except StudioError as error:
            if error.retry_helps and not isinstance(error, StudioRunError):
                raise
            raise AirflowFailException(f"{type(error).__name__}: {error}") from error
        finally:
            self.hook.log_spending()

    @abstractmethod
    def look(self, context: Context) -> bool:
        """Return whether what is waited for has come."""

    @abstractmethod
    def trigger(self, context: Context, deadline: str) -> BaseTrigger:
        """Return what waits while the task is deferred."""

    @abstractmethod
    def after(self, context: Context, event: dict[str, Any]) -> None:
        """Return if an event says that what was waited for has come."""


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
        from airflow_provider_studio.client.addresses import report_token
        from airflow_provider_studio.client.watching import raise_unless_good

        report = report_token(self.report, self.client.workspace)
        run = self.client.get_report_run(report, self._run_token)
        StudioReportRunLink.persist(context, run.link("web_external_url"))
        if not run.run_state.is_over:
            self.log.info("Report run %s is %s", run.token, run.state)
            return False
        raise_unless_good(self.client, report, run)
        return True

    def trigger(self, context: Context, deadline: str) -> BaseTrigger:  # noqa: ARG002
        """Return what waits for the run."""
        from airflow_provider_studio.client.addresses import report_token
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
        from airflow_provider_studio.client.watching import PollPolicy

        longest = max(self.poke_interval, 0.1)
        return {"shortest_seconds": min(PollPolicy().shortest_seconds, longest), "longest_seconds": longest}

    def after(self, context: Context, event: dict[str, Any]) -> None:  # noqa: ARG002
        """Return if the run is good."""
        from airflow_provider_studio.triggers.events import run_of

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
        from airflow_provider_studio.client.addresses import report_token

        wanted = self._wanted(context)
        report = self.client.get_report(report_token(self.report, self.client.workspace))
        StudioReportLink.persist(context, report.web_url)
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
        from airflow_provider_studio.client.addresses import report_token
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
        from airflow_provider_studio.triggers.events import TriggerError

        match (event or {}).get("event"):
            case "fresh":
                return
            case "timeout":
                raise StudioRunTimeoutError(f"Report {self.report} was not fresh within {self.timeout:.0f} s.")
            case "error":
                raise TriggerError(event)
            case other:
                raise StudioResponseError(f"The trigger fired an event that nobody knows: {other!r}.")
