# SPDX-License-Identifier: Apache-2.0
"""Run Reports, export their results, and update them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.identifiers import dataset_token, report_token, run_token
from airflow_provider_studio.client.ratelimit import Priority
from airflow_provider_studio.client.run_endpoints import Runnable
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.links import StudioReportLink, StudioReportRunLink
from airflow_provider_studio.operators.asset_events import REPORTS, add_outlet, emit_run_event
from airflow_provider_studio.operators.base import StudioOperator
from airflow_provider_studio.operators.exports import check_may_export, checked_exports, export_run
from airflow_provider_studio.operators.run_operator import StudioRunOperator
from airflow_provider_studio.operators.run_record import epoch_of
from airflow_provider_studio.triggers.events import RunEvent, success_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_studio.client.models import Report
    from airflow_provider_studio.client.run_polling import PollPolicy
    from airflow_provider_studio.client.run_start import StartedRun

__all__ = ["StudioExportReportRunOperator", "StudioRunReportOperator", "StudioUpdateReportOperator"]


class StudioRunReportOperator(StudioRunOperator):
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
    :param dataset_tokens: imported datasets whose newest run the Report is to use, as a list of tokens. They are not
        run again, which `StudioRunDatasetOperator` does. Whether parameters hold beside them is unknown.
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
    kind = Runnable.REPORT
    template_fields: Sequence[str] = (
        *StudioOperator.template_fields,
        "report",
        "parameters",
        "dataset_tokens",
        "export",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"parameters": "json", "export": "json"}
    operator_extra_links = (StudioReportLink(), StudioReportRunLink())

    def __init__(
        self,
        *,
        report: str,
        parameters: Mapping[str, Any] | str | None = None,
        dataset_tokens: Sequence[str] = (),
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
        super().__init__(
            wait_for_completion=wait_for_completion,
            poll_interval=poll_interval,
            poll_policy=poll_policy,
            timeout=timeout,
            deferrable=deferrable,
            durable=durable,
            failure_detail=failure_detail,
            studio_conn_id=studio_conn_id,
            **kwargs,
        )
        add_outlet(self, REPORTS)
        self.report = report
        self.parameters = parameters
        self.dataset_tokens = dataset_tokens
        self.check_parameters = check_parameters
        self.export = export

    def launch(self, context: Context) -> tuple[Report, StartedRun]:
        """Check what can be checked before a start, then start the run or find that of an earlier try."""
        from airflow_provider_studio.client.run_start import NoRecord, check_parameters, launch

        checked_exports(self.export)
        parameters, datasets = self._parameters(), self._dataset_tokens()
        client = self.hook.client.with_priority(Priority.ACT)
        report = client.get_report(report_token(self.report, client.workspace))
        StudioReportLink.persist(context, report.web_url)
        if self.export:
            check_may_export(client, report, self.hook.limits)
        if self.check_parameters:
            check_parameters(client, report, parameters)
        record, epoch = self.record(context) or NoRecord(), epoch_of(context)
        return report, launch(client, report, parameters, record, dataset_tokens=datasets, epoch=epoch)

    def finish(self, context: Context, run: RunEvent, name: str | None) -> RunEvent:
        """Export a successful run's results, and emit the asset's event."""
        self.log.info("%s", success_of(run, name))
        exports = checked_exports(self.export)
        if exports:
            client = self.hook.client.with_priority(Priority.POLL)
            run["exports"] = export_run(client, run["report"], run["run"], exports)
            for file in run["exports"]:
                self.log.info("Wrote %d bytes to %s", file["bytes"], file["path"])
        emit_run_event(self, context, self.hook.client.workspace, run)
        return run

    def _dataset_tokens(self) -> list[str]:
        """Return the tokens of the datasets.

        :raises StudioConfigurationError: they are no list, or one of them is no token.
        """
        tokens = self.dataset_tokens or ()
        if not isinstance(tokens, list | tuple):
            raise StudioConfigurationError(f"dataset_tokens is {tokens!r}; give a list of datasets' tokens.")
        return [dataset_token(token, self.hook.client.workspace) for token in tokens]

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
