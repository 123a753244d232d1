# SPDX-License-Identifier: Apache-2.0
"""Run the Reports that read a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import conf

from airflow_provider_studio import settings
from airflow_provider_studio.client.errors import (
    StudioAPIError,
    StudioAuthenticationError,
    StudioConfigurationError,
    StudioRateLimitedError,
    StudioRunError,
    StudioRunFailedError,
    StudioRunTimeoutError,
)
from airflow_provider_studio.client.plain_text import shorten
from airflow_provider_studio.client.ratelimit import Priority
from airflow_provider_studio.durations import seconds_of
from airflow_provider_studio.governance.text import plain
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.operators.asset_events import REPORTS, add_outlet, emit_run_event
from airflow_provider_studio.operators.base import StudioOperator
from airflow_provider_studio.operators.run_record import TaskRecord, epoch_of
from airflow_provider_studio.telemetry import log_folded
from airflow_provider_studio.triggers.events import RunEvent, described, run_of, success_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_studio.governance.lineage.readers import Reader
    from airflow_provider_studio.governance.lineage.table_names import TableName

__all__ = ["StudioRefreshReportsOperator"]

CONFIDENCES = ("likely", "certain")
_MOST_NAMED = 5
_LONGEST_NAME = 200


@dataclass
class _Progress:
    """The Reports of one task; plain JSON, because it outlives the worker while the task is deferred.

    :param waiting: the Reports that were not started.
    :param running: the run of each Report that was started, and when that was.
    :param succeeded: the runs that were successful. Their asset events are emitted at the end, because Airflow keeps
        none of a task that is deferred.
    :param failed: why a Report has no successful run.
    """

    tables: list[str]
    waiting: list[str]
    running: dict[str, tuple[str, str]] = field(default_factory=dict)
    succeeded: list[RunEvent] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


class StudioRefreshReportsOperator(StudioOperator):
    """Run each Report that reads any of these tables, once.

    `StudioReportTablesOperator` finds out which these are. A retry continues with the runs that were started, and
    starts only those again that failed. Reports that were archived meanwhile, or that only their schedules may run, are
    left out. A Report that fails does not stop the others; it fails the task when all are over.

    Returns `{"tables", "reports", "succeeded"}`: the tables, how many Reports read them, and how many were run. Each
    successful run emits an event of the asset `studio://<workspace>/reports/<token>`.

    :param tables: names of tables, `schema.table` or `database.schema.table`, or URIs of assets, such as
        `snowflake://account/sales/public/orders`; by default the assets whose events started the DAG run.
    :param confidence: `likely` runs Reports that read a table for some parameters, or that may mean another table of
        this name; `certain` does not.
    :param max_reports: if more Reports read the tables, the task fails before the first run.
    :param max_running: how many Reports run at once.
    :param timeout: how long one run may take, as seconds or a timedelta; the run itself continues in Studio.
    :param deferrable: whether to wait in the triggerer; by default `[operators] default_deferrable`.
    :param storage_path: a storage root other than `[studio] storage_path`.
    :param studio_conn_id: the Airflow connection.
    """

    template_fields: Sequence[str] = (*StudioOperator.template_fields, "tables", "storage_path")
    template_fields_renderers: ClassVar[dict[str, str]] = {"tables": "json"}

    def __init__(
        self,
        *,
        tables: Sequence[str] | None = None,
        confidence: str = "likely",
        max_reports: int = 100,
        max_running: int = 10,
        timeout: float | timedelta = 3600.0,
        deferrable: bool | None = None,
        storage_path: str | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(studio_conn_id=studio_conn_id, **kwargs)
        add_outlet(self, REPORTS)
        self.tables = tables
        self.confidence = confidence
        self.max_reports = max_reports
        self.max_running = max_running
        self.timeout = timeout
        self.deferrable = conf.getboolean("operators", "default_deferrable") if deferrable is None else deferrable
        self.storage_path = storage_path
        self._records: list[TaskRecord] = []
        if confidence not in CONFIDENCES:
            raise StudioConfigurationError(f"confidence is {confidence!r}; it must be one of {', '.join(CONFIDENCES)}.")
        for name, value in (("max_reports", max_reports), ("max_running", max_running)):
            if value < 1:
                raise StudioConfigurationError(f"{name} is {value!r}; it must be at least 1.")

    def run_with_studio(self, context: Context) -> dict[str, Any]:
        """Find the Reports, and run them."""
        tables = self._tables(context)
        reports = self._reports(tables)
        return self._run(context, _Progress([str(table) for table in tables], reports))

    def execute_complete(self, context: Context, event: dict[str, Any], progress: dict[str, Any]) -> dict[str, Any]:
        """Continue after the trigger's event about one run."""
        return self.fail_fast(lambda: self._after(context, event, _Progress(**progress)))

    def _after(self, context: Context, event: dict[str, Any], progress: _Progress) -> dict[str, Any]:
        report = event.get("report") or next(iter(progress.running))
        progress.running.pop(report, None)
        with _failures(progress, report):
            self._note_success(progress, run_of(event, seconds_of("timeout", self.timeout)))
        self._collect(progress)
        return self._run(context, progress)

    def _tables(self, context: Context) -> list[TableName]:
        """Return the tables, each once.

        :raises StudioConfigurationError: a name is not that of a table, or there is none.
        """
        from airflow_provider_studio.governance.lineage.readers import table_of

        texts, named = self.tables, self.tables is not None
        if texts is None:
            texts = [uri for key in context.get("triggering_asset_events") or {} if (uri := getattr(key, "uri", None))]
        if isinstance(texts, str):
            raise StudioConfigurationError(f"tables is {texts!r}; give a list of names.")
        tables = []
        for text in texts:
            try:
                tables.append(table_of(text))
            except ValueError as error:
                if named:
                    raise StudioConfigurationError(f"tables: {error}") from None
                self.log.info("An event that started this DAG run is of no table: %s", text)
        if not tables:
            raise StudioConfigurationError(
                "There is no table to refresh for: give tables, or schedule the DAG by the assets of tables."
            )
        return list(dict.fromkeys(tables))

    def _reports(self, tables: list[TableName]) -> list[str]:
        """Return the tokens of the Reports that read the tables, and log why each is run."""
        from airflow_provider_studio.governance.lineage.readers import readers_of, unresolved_queries
        from airflow_provider_studio.governance.snapshots.store import SnapshotStore

        snapshots = SnapshotStore(settings.storage(self.storage_path), self.hook.client.workspace).all()
        readers = [
            reader for reader in readers_of(snapshots, tables) if self.confidence in {"likely", reader.confidence}
        ]
        reports = list(dict.fromkeys(reader.report for reader in readers))
        names = ", ".join(shorten(str(table), _LONGEST_NAME) for table in tables)
        log_folded(self.log, f"{len(reports)} Reports read {names}", [_reason_of(reader) for reader in readers])
        unknown = len({row["report"] for row in unresolved_queries(snapshots)} - set(reports))
        if unknown:
            self.log.warning("%d other Reports have queries whose tables are unknown; they are not run", unknown)
        if len(reports) > self.max_reports:
            raise StudioConfigurationError(
                f"max_reports is {self.max_reports}, and {len(reports)} Reports read {names}. Nothing was run."
            )
        return reports

    def _run(self, context: Context, progress: _Progress) -> dict[str, Any]:
        """Start runs while there is room, and wait for the oldest, until all are over."""
        while True:
            while progress.waiting and len(progress.running) < self.max_running:
                self._start(context, progress, progress.waiting.pop(0))
            if not progress.running:
                return self._finish(context, progress)
            report, (run, began) = next(iter(progress.running.items()))
            if self.deferrable:
                self._defer(report, run, began, progress)
            self._wait(progress, report)
            self._collect(progress)

    def _start(self, context: Context, progress: _Progress, token: str) -> None:
        from airflow_provider_studio.client.run_start import launch

        client = self.hook.client.with_priority(Priority.ACT)
        record = TaskRecord(context, client.workspace, part=token)
        self._records.append(record)
        with _failures(progress, token):
            report = client.get_report(token)
            if report.archived or report.manual_run_disabled:
                self.log.warning("Report %s is archived, or only its schedules may run it: it is left out", token)
                return
            started = launch(client, report, None, record, epoch=epoch_of(context))
            self.log.info("Report %s: run %s is %s", token, started.run.token, started.run.state)
            began = (started.began or datetime.now(UTC)).isoformat()
            if started.run.run_state.is_over:
                self._note_end(progress, described(token, started.run))
            else:
                progress.running[token] = (started.run.token, began)

    def _defer(self, report: str, run: str, began: str, progress: _Progress) -> None:
        from airflow_provider_studio.triggers.reports import StudioReportRunTrigger

        trigger = StudioReportRunTrigger(
            studio_conn_id=self.studio_conn_id, report=report, run=run, deadline=self._deadline(began), began=began
        )
        self.defer(trigger=trigger, method_name="execute_complete", kwargs={"progress": asdict(progress)})

    def _deadline(self, began: str) -> str:
        return (datetime.fromisoformat(began) + timedelta(seconds=seconds_of("timeout", self.timeout))).isoformat()

    def _wait(self, progress: _Progress, report: str) -> None:
        from airflow_provider_studio.client.run_polling import raise_unless_good, wait_for_run

        client = self.hook.client.with_priority(Priority.POLL)
        token, began = progress.running.pop(report)
        left = (datetime.fromisoformat(self._deadline(began)) - datetime.now(UTC)).total_seconds()
        with _failures(progress, report):
            run = wait_for_run(client, report, client.get_report_run(report, token), timeout_seconds=left)
            raise_unless_good(client, report, run)
            self._note_success(progress, described(report, run))

    def _collect(self, progress: _Progress) -> None:
        """Note the other runs that are over by now; one request for each run."""
        client = self.hook.client.with_priority(Priority.POLL)
        for report, (token, _) in list(progress.running.items()):
            with _failures(progress, report):
                run = client.get_report_run(report, token)
                if run.run_state.is_over:
                    del progress.running[report]
                    self._note_end(progress, described(report, run))

    def _note_end(self, progress: _Progress, run: RunEvent) -> None:
        self._note_success(progress, run_of({**run, "event": "over"}, 0.0))

    def _note_success(self, progress: _Progress, run: RunEvent) -> None:
        self.log.info("%s", success_of(run))
        progress.succeeded.append(run)

    def _finish(self, context: Context, progress: _Progress) -> dict[str, Any]:
        total = len(progress.succeeded) + len(progress.failed)
        if progress.failed:
            log_folded(self.log, f"{len(progress.failed)} Reports failed", list(progress.failed.values()))
            named = "; ".join(list(progress.failed.values())[:_MOST_NAMED])
            raise StudioRunFailedError(f"{len(progress.failed)} of {total} Reports were not refreshed: {named}")
        for run in progress.succeeded:
            emit_run_event(self, context, self.hook.client.workspace, run)
        return {"tables": progress.tables, "reports": total, "succeeded": len(progress.succeeded)}

    def on_kill(self) -> None:
        """Note the kill for the next try; the runs continue, because the API cannot cancel them."""
        for record in self._records:
            record.note_kill()


@contextmanager
def _failures(progress: _Progress, report: str) -> Iterator[None]:
    """Note an error that concerns one Report, and continue with the others."""
    try:
        yield
    except (StudioAuthenticationError, StudioRateLimitedError, StudioRunTimeoutError):
        raise
    except (StudioAPIError, StudioRunError) as error:
        progress.running.pop(report, None)
        progress.failed[report] = f"Report {report}: {error}"


def _reason_of(reader: Reader) -> str:
    name, table = plain(reader.name or "untitled"), shorten(reader.table, _LONGEST_NAME)
    return f"{reader.report} ({name}) reads {table}, {reader.confidence}"
