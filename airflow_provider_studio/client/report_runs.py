# SPDX-License-Identifier: Apache-2.0
"""The endpoints of Report runs: start them, look at them, learn why they failed, fetch their results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from airflow_provider_studio.client import models
from airflow_provider_studio.client.auth import Operation, check_identifier, require
from airflow_provider_studio.client.base import Endpoints
from airflow_provider_studio.client.pagination import rows_of


class ReportRunEndpoints(Endpoints):
    """What `StudioClient` can do with Report runs."""

    def list_report_runs(self, report: str) -> Iterator[models.ReportRun]:
        """List a Report's runs, newest first."""
        return self._list(f"{self._report(report)}/runs", "report_runs", models.ReportRun)

    def newest_report_runs(self, report: str) -> list[models.ReportRun]:
        """Read the first page of a Report's runs: the newest 20, with one request."""
        path = f"{self._report(report)}/runs"
        rows = rows_of(self._get(path), "report_runs", what=f"GET {path}")
        return [models.ReportRun.parse(row, what=f"Report run {row.get('token')}") for row in rows]

    def get_report_run(self, report: str, run: str) -> models.ReportRun:
        """Read one Report run."""
        return models.ReportRun.parse(self._get(self._run(report, run)), what=f"Report run {run}")

    def create_report_run(self, report: str, parameters: Mapping[str, Any] | None = None) -> models.ReportRun:
        """Start a run. Never repeated by itself once it may have arrived: each run bills the warehouse."""
        answer = self._send("POST", f"{self._report(report)}/runs", {"parameters": dict(parameters or {})})
        return models.ReportRun.parse(answer, what=f"the new run of Report {report}")

    def clone_report_run(self, report: str, run: str) -> models.Report:
        """Copy a Report run into a new Report; personal tokens only.

        :raises StudioCapabilityError: before any request, for a Workspace or Member token.
        """
        path = f"{self._run(report, run)}/clone"
        require(self.token_kind, Operation.CLONE_REPORT_RUN)
        return models.Report.parse(self._send("POST", path), what=f"the clone of Report run {run}")

    def list_query_runs(self, report: str, run: str) -> Iterator[models.QueryRun]:
        """List the queries of a run; a failed run's reason is here."""
        return self._list(f"{self._run(report, run)}/query_runs", "query_runs", models.QueryRun)

    @contextmanager
    def download_run_results(
        self, report: str, run: str, *, chunk_bytes: int = 1 << 18
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Open the results of a run and yield their content type and their bytes in chunks.

        The CSV endpoint answers `text/csv`, or `application/zip` with one file a query.
        """
        with self._download(f"{self._run(report, run)}/results/content.csv", chunk_bytes) as answer:
            yield answer

    @contextmanager
    def download_query_run_results(
        self, report: str, run: str, query_run: str, ending: Literal["csv", "json"], *, chunk_bytes: int = 1 << 18
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Open the results of one query of a run. The run's own JSON endpoint tells of its first query alone."""
        path = f"{self._run(report, run)}/query_runs/{check_identifier('query run', query_run)}"
        with self._download(f"{path}/results/content.{ending}", chunk_bytes) as answer:
            yield answer

    def request_pdf(self, report: str, run: str) -> str | None:
        """Ask for a run's PDF; asking again tells how far it is: `new`, `requested`, `completed`."""
        answer = self._get(f"{self._report(report)}/exports/runs/{check_identifier('run', run)}/pdf.pdf")
        state = answer.get("state")
        return None if state is None else str(state)

    @contextmanager
    def download_pdf(
        self, report: str, run: str, *, chunk_bytes: int = 1 << 18
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Open a run's PDF, which `request_pdf` must have told to be completed."""
        path = f"{self._report(report)}/exports/runs/{check_identifier('run', run)}/pdf/download"
        with self._download(path, chunk_bytes) as answer:
            yield answer

    @contextmanager
    def _download(self, path: str, chunk_bytes: int) -> Iterator[tuple[str, Iterator[bytes]]]:
        with self._transport.stream(path, chunk_bytes, priority=self._priority) as answer:
            yield answer
