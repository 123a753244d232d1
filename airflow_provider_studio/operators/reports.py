# SPDX-License-Identifier: Apache-2.0
"""Run Reports, export their results, and update them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import conf

from airflow_provider_studio.assets import create_asset
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.identifiers import report_token, run_token
from airflow_provider_studio.client.ratelimit import Priority
from airflow_provider_studio.durations import seconds_of
from airflow_provider_studio.governance.text import plain
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.links import StudioReportLink, StudioReportRunLink
from airflow_provider_studio.operators.asset_events import REPORTS, add_outlet, emit_event
from airflow_provider_studio.operators.base import StudioOperator
from airflow_provider_studio.operators.exports import check_may_export, checked_exports, export_run
from airflow_provider_studio.operators.run_record import TaskRecord, epoch_of
from airflow_provider_studio.triggers.events import RunEvent, described, run_of, success_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_studio.client.client import StudioClient
    from airflow_provider_studio.client.models import Report, ReportRun
    from airflow_provider_studio.client.run_polling import PollPolicy
    from airflow_provider_studio.client.run_start import StartedRun

__all__ = ["StudioExportReportRunOperator", "StudioRunReportOperator", "StudioUpdateReportOperator"]


class StudioRunReportOperator(StudioOperator):
    """Run a Report once, and wait until the run is over.

    A retry never starts a second run while the first is alive or successful: it waits for the first, also after a lost
    response or a killed worker. A task that a person clears starts a new run.

    Returns `{"report", "run", "state", "created_at", "completed_at", "url", "exports"}`, times in ISO 8601. A failed
    run fails the task with the query, the error code and the message; a cancelled run fails it without a retry. A
    successful run emits an event of the asset `studio://<workspace>/reports/<token>`, with run, state, times and URL as
    its extra; so does an asset with this URI among the task's outlets.

    :param report: the Report's token, the URL of its page, or its `studio://` asset.
    :param parameters: values for the Report's form, which are checked against it before anything is started; a mapping,
        or a template that renders to a JSON object.
    :param wait_for_completion: whether to wait; if not, the task ends when the run has been started.
    :param poll_interval: the time between two polls, as seconds or a timedelta; by default it is adapted to the
        Report's usual runtime.
    :param poll_policy: instead of `poll_interval`, how the time between two polls is adapted; a mapping with fields of
        `client.run_polling.PollPolicy`.
    :param timeout: how long to wait at most, as seconds or a timedelta; the run itself continues in Studio. The task's
        `execution_timeout` applies as well, deferred or not.
    :param deferrable: whether to wait in the triggerer; by default `[operators] default_deferrable`.
    :param durable: whether a retry resumes the run that an earlier try started.
    :param check_parameters: whether to check `parameters`; one request.
    :param failure_detail: whether to read from a failed run's queries why it failed; one request.
    :param export: where to write the results: a path for the CSV, or a mapping from `csv`, `json`, `pdf` to paths, as
        `StudioExportReportRunOperator` takes them.
    :param studio_conn_id: the Airflow connection.
    """

    lineage = "report_run"
    template_fields: Sequence[str] = (*StudioOperator.template_fields, "report", "parameters", "export")
    template_fields_renderers: ClassVar[dict[str, str]] = {"parameters": "json", "export": "json"}
    operator_extra_links = (StudioReportLink(), StudioReportRunLink())

    def __init__(
        self,
        *,
        report: str,
        parameters: Mapping[str, Any] | str | None = None,
        wait_for_completion: bool = True,
        poll_interval: float | timedelta | None = None,
        poll_policy: PollPolicy | Mapping[str, Any] | None = None,
        timeout: float | timedelta = 3600.0,
        deferrable: bool | None = None,
        durable: bool = True,
        check_parameters: bool = True,
        failure_detail: bool = True,
        export: str | Mapping[str, str] | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(studio_conn_id=studio_conn_id, **kwargs)
        add_outlet(self, REPORTS)
        self.report = report
        self.parameters = parameters
        self.wait_for_completion = wait_for_completion
        self.poll_interval = None if poll_interval is None else seconds_of("poll_interval", poll_interval)
        self.poll_policy = poll_policy
        self.timeout = timeout
        self.deferrable = conf.getboolean("operators", "default_deferrable") if deferrable is None else deferrable
        self.durable = durable
        self.check_parameters = check_parameters
        self.failure_detail = failure_detail
        self.export = export
        self._record: TaskRecord | None = None
        self._run: str | None = None
        if poll_interval is not None and poll_policy is not None:
            raise StudioConfigurationError(
                f"poll_interval is {poll_interval!r} and poll_policy is {poll_policy!r}; give one of them."
            )

    def run_with_studio(self, context: Context) -> RunEvent:
        """Start the run, or find that of an earlier try; then wait."""
        from airflow_provider_studio.client.run_polling import raise_unless_good, wait_for_run

        deadline, policy, _ = self._deadline(context), self._policy(), checked_exports(self.export)
        report, started = self._start(context)
        run = started.run
        if not self.wait_for_completion:
            return described(report.token, run)
        began = started.began or datetime.now(UTC)
        if self.deferrable and not run.run_state.is_over:
            self._defer(report, run, began, deadline, policy)
        client = self._poll_client
        run = wait_for_run(
            client,
            report.token,
            run,
            expected_seconds=report.expected_runtime,
            elapsed_seconds=max(0.0, (datetime.now(UTC) - began).total_seconds()),
            timeout_seconds=(deadline - datetime.now(UTC)).total_seconds(),
            policy=policy,
            name=_name_of(report),
        )
        raise_unless_good(client, report.token, run, detail=self.failure_detail, name=_name_of(report))
        return self._finish(context, described(report.token, run), _name_of(report))

    def _start(self, context: Context) -> tuple[Report, StartedRun]:
        from airflow_provider_studio.client.run_start import NoRecord, check_parameters, launch

        parameters = self._parameters()
        client = self.hook.client.with_priority(Priority.ACT)
        report = client.get_report(report_token(self.report, client.workspace))
        StudioReportLink.persist(context, report.web_url)
        if self.export:
            check_may_export(client, report, self.hook.limits)
        if self.check_parameters:
            check_parameters(client, report, parameters)
        if self.durable:
            self._record = TaskRecord(context, client.workspace)
        started = launch(client, report, parameters, self._record or NoRecord(), epoch=epoch_of(context))
        run = started.run
        self._run = run.token
        context["ti"].xcom_push(key="run", value=run.token)
        StudioReportRunLink.persist(context, run.link("web_external_url"))
        url = run.link("web_external_url") or report.web_url
        self.log.info('Report "%s" (%s): run %s is %s: %s', _name_of(report), report.token, run.token, run.state, url)
        return report, started

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
            report_name=_name_of(report),
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> RunEvent:
        """Finish after the trigger's event."""
        return self.fail_fast(lambda: self._after(context, event))

    def _after(self, context: Context, event: dict[str, Any]) -> RunEvent:
        return self._finish(context, run_of(event, seconds_of("timeout", self.timeout)), event.get("name"))

    def _finish(self, context: Context, result: RunEvent, name: str | None) -> RunEvent:
        """Export a successful run's results, and emit the asset's event."""
        self.log.info("%s", success_of(result, name))
        exports = checked_exports(self.export)
        if exports:
            result["exports"] = export_run(self._poll_client, result["report"], result["run"], exports)
            for file in result["exports"]:
                self.log.info("Wrote %d bytes to %s", file["bytes"], file["path"])
        asset = create_asset(workspace=self.hook.client.workspace, report=result["report"])
        extra: dict[str, Any] = {name: value for name, value in result.items() if name not in {"report", "exports"}}
        emit_event(self, context, REPORTS, asset, extra)
        return result

    @property
    def _poll_client(self) -> StudioClient:
        return self.hook.client.with_priority(Priority.POLL)

    def _policy(self) -> PollPolicy:
        from airflow_provider_studio.client.run_polling import PollPolicy

        if self.poll_interval is not None:
            return PollPolicy.fixed(self.poll_interval)
        return PollPolicy.of(self.poll_policy)

    def _parameters(self) -> dict[str, Any]:
        """Return the parameters as JSON values.

        :raises StudioConfigurationError: they are no JSON object.
        """
        values = self.parameters or {}
        try:
            text = values if isinstance(values, str) else json.dumps(values, allow_nan=False)
            parameters = json.loads(text, parse_constant=_refuse_constant)
            json.dumps(parameters, ensure_ascii=False).encode()  # half a surrogate pair cannot be sent
        except (TypeError, ValueError) as error:
            raise StudioConfigurationError(f"parameters: {error}; give values that JSON can hold.") from None
        if not isinstance(parameters, dict):
            raise StudioConfigurationError(
                f"parameters is a {type(parameters).__name__}; give a mapping from the form's names to values."
            )
        return parameters

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
            self.log.warning("Report run %s continues in Studio: its API cannot cancel a run", self._run)
        if self._record is not None:
            self._record.note_kill()


def _name_of(report: Report) -> str:
    return plain(report.name or "untitled")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


class StudioExportReportRunOperator(StudioOperator):
    """Write the results of a Report run to files, streamed and atomically.

    Returns `{"path", "bytes", "sha256", "content_type"}`; for `json`, a list of these, one for each query.

    With a Workspace token, a Report of a private Collection is refused, unless the deployment allows it.

    :param run: the run's token, or what `StudioRunReportOperator` returned.
    :param path: where to write, as Airflow's object storage names it, or relative to the storage root. The file gets
        the extension of Studio's response: `.csv`, or `.zip` for an archive with one CSV per query. For `json` it is a
        folder. A retry replaces the files.
    :param report: the Report's token, the URL of its page, or its asset; not needed if `run` names it.
    :param format: `csv`, `json` or `pdf`.
    :param studio_conn_id: the Airflow connection.
    """

    lineage = "export"
    template_fields: Sequence[str] = (*StudioOperator.template_fields, "report", "run", "path", "format")
    template_fields_renderers: ClassVar[dict[str, str]] = {"run": "json"}

    def __init__(
        self,
        *,
        run: str | Mapping[str, Any],
        path: str,
        report: str | None = None,
        format: str = "csv",  # noqa: A002  the usual name
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(studio_conn_id=studio_conn_id, **kwargs)
        self.report = report
        self.run = run
        self.path = path
        self.format = format

    def run_with_studio(self, context: Context) -> dict[str, Any] | list[dict[str, Any]]:  # noqa: ARG002
        """Export the results."""
        exports = checked_exports({self.format: self.path})
        run = run_token(self.run)
        report = self.report or (self.run.get("report") if isinstance(self.run, Mapping) else None)
        if report is None:
            raise StudioConfigurationError(
                f"run is {self.run!r}; give what StudioRunReportOperator returned, or the run's token and its report."
            )
        client = self.hook.client
        token = report_token(report, client.workspace)
        check_may_export(client, client.get_report(token), self.hook.limits)
        files = export_run(client, token, run, exports)
        for file in files:
            self.log.info("Wrote %d bytes to %s", file["bytes"], file["path"])
        return files if self.format == "json" else files[0]


class StudioUpdateReportOperator(StudioOperator):
    """Change a Report's name, its description, or its Collection. Omitted values stay unchanged.

    Returns `{"report", "name", "description", "collection"}`.

    A Member token may change what its member may edit; any other change fails with the permission that is missing.

    :param report: the Report's token, the URL of its page, or its asset.
    :param name: the new name, 1 to 64 characters.
    :param description: the new description.
    :param collection: the token of the Collection to move the Report to.
    :param studio_conn_id: the Airflow connection.
    """

    template_fields: Sequence[str] = (*StudioOperator.template_fields, "report", "name", "description", "collection")
    operator_extra_links = (StudioReportLink(),)

    def __init__(
        self,
        *,
        report: str,
        name: str | None = None,
        description: str | None = None,
        collection: str | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(studio_conn_id=studio_conn_id, **kwargs)
        self.report = report
        self.name = name
        self.description = description
        self.collection = collection

    def run_with_studio(self, context: Context) -> dict[str, Any]:
        """Update the Report."""
        client = self.hook.client.with_priority(Priority.ACT)
        token = report_token(self.report, client.workspace)
        updated = client.update_report(token, name=self.name, description=self.description, collection=self.collection)
        StudioReportLink.persist(context, updated.web_url)
        return {
            "report": token,
            "name": updated.name,
            "description": updated.description,
            "collection": updated.space_token,
        }
