# SPDX-License-Identifier: Apache-2.0
"""The base of the operators that start one run and wait for it: started exactly once, deferrable, with a deadline."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import conf

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.ratelimit import Priority
from airflow_provider_studio.client.run_endpoints import RunEndpoints, Runnable
from airflow_provider_studio.durations import seconds_of
from airflow_provider_studio.governance.text import plain
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.links import StudioReportRunLink
from airflow_provider_studio.operators.base import StudioOperator
from airflow_provider_studio.operators.run_record import TaskRecord
from airflow_provider_studio.triggers.events import RunEvent, described, run_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_studio.client.models import Report, ReportRun
    from airflow_provider_studio.client.run_polling import PollPolicy
    from airflow_provider_studio.client.run_start import StartedRun


class StudioRunOperator(StudioOperator):
    """Start a run once, and wait until it is over; a subclass says what is run, and what follows."""

    kind: ClassVar[Runnable]

    def __init__(
        self,
        *,
        wait_for_completion: bool = True,
        poll_interval: float | timedelta | None = None,
        poll_policy: PollPolicy | Mapping[str, Any] | None = None,
        timeout: float | timedelta = 3600.0,
        deferrable: bool | None = None,
        durable: bool = True,
        failure_detail: bool = True,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(studio_conn_id=studio_conn_id, **kwargs)
        self.wait_for_completion = wait_for_completion
        self.poll_interval = None if poll_interval is None else seconds_of("poll_interval", poll_interval)
        self.poll_policy = poll_policy
        self.timeout = timeout
        self.deferrable = conf.getboolean("operators", "default_deferrable") if deferrable is None else deferrable
        self.durable = durable
        self.failure_detail = failure_detail
        self._record: TaskRecord | None = None
        self._run: str | None = None
        if poll_interval is not None and poll_policy is not None:
            raise StudioConfigurationError(
                f"poll_interval is {poll_interval!r} and poll_policy is {poll_policy!r}; give one of them."
            )

    @abstractmethod
    def launch(self, context: Context) -> tuple[Report, StartedRun]:
        """Start the run, or find that of an earlier try; return it with what was run."""

    @abstractmethod
    def finish(self, context: Context, run: RunEvent, name: str | None) -> Any:
        """Do what follows a successful run, and return the task's XCom.

        :param name: the name of what was run, where it is known.
        """

    def started(self, run: RunEvent) -> Any:
        """Return the XCom of a task that does not wait."""
        return run

    def run_with_studio(self, context: Context) -> Any:
        """Start the run, or find that of an earlier try; then wait."""
        from airflow_provider_studio.client.run_polling import raise_unless_good, wait_for_run

        deadline, policy = self._deadline(context), self._policy()
        report, start = self.launch(context)
        run = start.run
        self._show(context, report, run)
        if not self.wait_for_completion:
            return self.started(described(report.token, run))
        began = start.began or datetime.now(UTC)
        if self.deferrable and not run.run_state.is_over:
            self._defer(report, run, began, deadline, policy)
        endpoints, name, noun = self.endpoints(Priority.POLL), name_of(report), self.kind.noun
        run = wait_for_run(
            endpoints,
            report.token,
            run,
            expected_seconds=report.expected_runtime,
            elapsed_seconds=max(0.0, (datetime.now(UTC) - began).total_seconds()),
            timeout_seconds=(deadline - datetime.now(UTC)).total_seconds(),
            policy=policy,
            name=name,
            noun=noun,
        )
        raise_unless_good(endpoints, report.token, run, detail=self.failure_detail, name=name, noun=noun)
        return self.finish(context, described(report.token, run), name)

    def endpoints(self, priority: Priority) -> RunEndpoints:
        """Return where the runs are read and started."""
        return self.kind.endpoints(self.hook.client.with_priority(priority))

    def record(self, context: Context) -> TaskRecord | None:
        """Return the record of the start that the tries of this task share; None if it is not durable."""
        if self.durable:
            self._record = TaskRecord(context, self.hook.client.workspace)
        return self._record

    def _show(self, context: Context, report: Report, run: ReportRun) -> None:
        """Let the task show its run, while it waits and if it is killed."""
        self._run = run.token
        context["ti"].xcom_push(key="run", value=run.token)
        StudioReportRunLink.persist(context, run.link("web_external_url"))
        url = run.link("web_external_url") or report.web_url
        noun, name = self.kind.noun, name_of(report)
        self.log.info('%s "%s" (%s): run %s is %s: %s', noun, name, report.token, run.token, run.state, url)

    def _defer(self, report: Report, run: ReportRun, began: datetime, deadline: datetime, policy: PollPolicy) -> None:
        from airflow_provider_studio.triggers.reports import StudioReportRunTrigger

        trigger = StudioReportRunTrigger(
            studio_conn_id=self.studio_conn_id,
            report=report.token,
            run=run.token,
            deadline=deadline.isoformat(),
            began=began.isoformat(),
            expected_seconds=report.expected_runtime,
            poll_policy=asdict(policy),
            failure_detail=self.failure_detail,
            report_name=name_of(report),
            kind=self.kind.value,
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Finish after the trigger's event."""
        return self.fail_fast(lambda: self._after(context, event))

    def _after(self, context: Context, event: dict[str, Any]) -> Any:
        return self.finish(context, run_of(event, seconds_of("timeout", self.timeout)), event.get("name"))

    def _policy(self) -> PollPolicy:
        from airflow_provider_studio.client.run_polling import PollPolicy

        if self.poll_interval is not None:
            return PollPolicy.fixed(self.poll_interval)
        return PollPolicy.of(self.poll_policy)

    def _deadline(self, context: Context) -> datetime:
        """Return the end of this try: `timeout` from now or `execution_timeout` from its start, whichever is first."""
        now = datetime.now(UTC)
        ends = [now + timedelta(seconds=seconds_of("timeout", self.timeout))]
        if self.execution_timeout is not None:
            ends.append((context["ti"].start_date or now) + self.execution_timeout)
        return min(ends)

    def on_kill(self) -> None:
        """Log that the run continues, because the API cannot cancel it; note the kill for the next try."""
        if self._run is not None:
            self.log.warning("%s run %s continues in Studio: its API cannot cancel a run", self.kind.noun, self._run)
        if self._record is not None:
            self._record.note_kill()


def name_of(report: Report) -> str:
    """Return a name for messages."""
    return plain(report.name or "untitled")
