# SPDX-License-Identifier: Apache-2.0
"""Where runs are read and started, so that one piece of code starts and polls those of Reports and of datasets.

A dataset is a Report of the type `DatasetReport` in this API, and its runs are described like Report runs, but they
have endpoints of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_studio.client.errors import StudioConfigurationError

if TYPE_CHECKING:
    from airflow_provider_studio.client.client import StudioClient
    from airflow_provider_studio.client.models import QueryRun, ReportRun


class Runnable(StrEnum):
    """What has runs. The values are stored in running triggers."""

    REPORT = "report"
    DATASET = "dataset"

    @property
    def noun(self) -> str:
        """The name in messages."""
        return "Report" if self is Runnable.REPORT else "Dataset"

    def endpoints(self, client: StudioClient) -> RunEndpoints:
        """Return where the runs of this kind are read and started."""
        return client if self is Runnable.REPORT else DatasetRuns(client)


class RunEndpoints(Protocol):
    """The endpoints of runs, under the names that the client has for Report runs."""

    def get_report_run(self, report: str, run: str) -> ReportRun:
        """Read one run."""

    def list_report_runs(self, report: str) -> Iterator[ReportRun]:
        """List the runs, newest first."""

    def newest_report_runs(self, report: str) -> list[ReportRun]:
        """Read the first page of the runs."""

    def create_report_run(
        self, report: str, parameters: Mapping[str, Any] | None = None, *, dataset_tokens: Sequence[str] = ()
    ) -> ReportRun:
        """Start a run; never sent again once it may have arrived."""

    def list_query_runs(self, report: str, run: str) -> Iterator[QueryRun]:
        """List the queries of a run, with the reason of a failure."""


class DatasetRuns:
    """The endpoints of the runs of datasets."""

    def __init__(self, client: StudioClient) -> None:
        self._client = client

    def get_report_run(self, report: str, run: str) -> ReportRun:
        """Read one run of a dataset."""
        return self._client.get_dataset_run(report, run)

    def list_report_runs(self, report: str) -> Iterator[ReportRun]:
        """List a dataset's runs, newest first."""
        return self._client.list_dataset_runs(report)

    def newest_report_runs(self, report: str) -> list[ReportRun]:
        """Read the first page of a dataset's runs."""
        return self._client.newest_dataset_runs(report)

    def create_report_run(
        self, report: str, parameters: Mapping[str, Any] | None = None, *, dataset_tokens: Sequence[str] = ()
    ) -> ReportRun:
        """Run a dataset, which takes no parameters and imports no datasets.

        :raises StudioConfigurationError: there are some.
        """
        if parameters or dataset_tokens:
            raise StudioConfigurationError(f"parameters is {parameters!r}; the run of a dataset takes none.")
        return self._client.create_dataset_run(report)

    def list_query_runs(self, report: str, run: str) -> Iterator[QueryRun]:
        """List the queries of a dataset's run."""
        return self._client.list_dataset_query_runs(report, run)
