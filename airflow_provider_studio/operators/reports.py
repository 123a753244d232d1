# SPDX-License-Identifier: Apache-2.0
"""Run Reports and export what they found."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_studio import settings
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.links import StudioReportLink, StudioReportRunLink
from airflow_provider_studio.operators.base import StudioOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_studio.client.models import ReportRun


class StudioRunReportOperator(StudioOperator):
    """Start a run of a Report, and wait until it is over.

    Returns `{"report", "run", "state", "created_at", "completed_at", "url"}`. A failed run fails the task with the
    query, the error code and the message; a cancelled one without a retry.

    :param report: the Report's token, or the address of its page.
    :param parameters: values for the Report's form.
    :param wait: whether to wait; without, the task ends when the run has been started.
    :param timeout_seconds: how long to wait at most; the run itself goes on in Studio.
    :param poll_interval_seconds: the longest time between two looks; the first comes when the run should be over.
    """

    template_fields: Sequence[str] = (*StudioOperator.template_fields, "report", "parameters")
    template_fields_renderers = {"parameters": "json"}  # noqa: RUF012  Airflow's own form
    operator_extra_links = (StudioReportLink(), StudioReportRunLink())

    def __init__(
        self,
        *,
        report: str,
        parameters: Mapping[str, Any] | None = None,
        wait: bool = True,
        timeout_seconds: float = 3600.0,
        poll_interval_seconds: float = 60.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.report = report
        self.parameters = parameters
        self.wait = wait
        self.timeout_seconds = timeout_seconds
        self.poll_interval_seconds = poll_interval_seconds

    def run_with_studio(self, context: Context) -> dict[str, Any]:
        """Run the Report."""
        from airflow_provider_studio.client.addresses import report_token
        from airflow_provider_studio.client.ratelimit import Priority
        from airflow_provider_studio.client.watching import raise_unless_good, wait_for_run

        if not self.timeout_seconds > 0 or not self.poll_interval_seconds > 0:
            raise StudioConfigurationError(
                f"timeout_seconds is {self.timeout_seconds}, poll_interval_seconds is {self.poll_interval_seconds}; "
                "both must be above 0."
            )
        token = report_token(self.report)
        client = self.hook.client.with_priority(Priority.ACT)
        report = client.get_report(token)
        StudioReportLink.persist(context, report.web_url)
        run = client.create_report_run(token, self.parameters)
        context["ti"].xcom_push(key="run", value=run.token)
        StudioReportRunLink.persist(context, run.link("web_external_url"))
        self.log.info("Report %s (%s): run %s started", token, report.name, run.token)
        if not self.wait:
            return _described(token, run)
        watcher = client.with_priority(Priority.POLL)
        run = wait_for_run(
            watcher,
            token,
            run,
            expected_seconds=report.expected_runtime,
            timeout_seconds=self.timeout_seconds,
            longest_interval_seconds=self.poll_interval_seconds,
        )
        raise_unless_good(watcher, token, run)
        return _described(token, run)

    def on_kill(self) -> None:
        """Say what a kill cannot do: the API has no way to cancel a run."""
        self.log.warning("A run that was started goes on in Studio: its API has no way to cancel it")


def _described(report: str, run: ReportRun) -> dict[str, Any]:
    times = {name: getattr(run, name) for name in ("created_at", "completed_at")}
    return {
        "report": report,
        "run": run.token,
        "state": run.state,
        **{name: time and time.isoformat() for name, time in times.items()},
        "url": run.link("web_external_url"),
    }


class StudioExportReportRunOperator(StudioOperator):
    """Write the results of a Report run to a file: CSV, or a zip with one CSV a query where Studio answers so.

    The file appears whole or not at all. Returns `{"path", "bytes", "sha256", "content_type"}`.

    :param report: the Report's token, or the address of its page.
    :param run: the run's token, or what `StudioRunReportOperator` returned.
    :param path: where to write, as Airflow's object storage names it, or relative to the storage root. Without an
        ending it gets `.csv` or `.zip`, as Studio answered. A retry replaces the file.
    """

    template_fields: Sequence[str] = (*StudioOperator.template_fields, "report", "run", "path")

    def __init__(self, *, report: str, run: str | Mapping[str, Any], path: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.report = report
        self.run = run
        self.path = path

    def run_with_studio(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Export the results."""
        from airflow_provider_studio.client.addresses import report_token
        from airflow_provider_studio.governance.storage import write_stream

        run = self.run["run"] if isinstance(self.run, Mapping) else self.run
        digest, size = hashlib.sha256(), 0

        def measured(chunks: Iterator[bytes]) -> Iterator[bytes]:
            nonlocal size
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                yield chunk

        with self.hook.client.download_run_results(report_token(self.report), run) as (content_type, chunks):
            path = settings.in_storage(self.path)
            if not path.suffix:
                path = path.with_suffix(".zip" if content_type == "application/zip" else ".csv")
            write_stream(path, measured(chunks))
        self.log.info("Wrote %d bytes to %s", size, path)
        return {"path": str(path), "bytes": size, "sha256": digest.hexdigest(), "content_type": content_type}
