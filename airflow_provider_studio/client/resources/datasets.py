# SPDX-License-Identifier: Apache-2.0
"""Datasets, which are Reports of the type `DatasetReport` with endpoints of their own."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_studio.client import models
from airflow_provider_studio.client.auth import check_identifier
from airflow_provider_studio.client.base import StudioClientBase
from airflow_provider_studio.client.identity import check_parent


class Datasets(StudioClientBase):
    """The methods for datasets."""

    def list_dataset_reports(self, dataset: str) -> Iterator[models.Report]:
        """List the Reports that a dataset feeds."""
        path = f"{self._dataset(dataset)}/reports"
        return self._list(path, "reports", models.Report)

    def list_collection_datasets(self, collection: str) -> Iterator[models.Report]:
        """List a Collection's datasets, which are Reports of the type `DatasetReport` with a listing of their own."""
        return self._list(f"{self._collection(collection)}/datasets", "reports", models.Report)

    def get_dataset(self, dataset: str) -> models.Report:
        """Read one dataset."""
        path = self._dataset(dataset)
        return self._read(models.Report, path, what=f"dataset {dataset}", token=dataset)

    def list_dataset_fields(self, dataset: str) -> list[models.DatasetField]:
        """List the columns of a dataset, with one request."""
        return self._whole_list(f"{self._dataset(dataset)}/fields", "fields", models.DatasetField)

    def list_dataset_runs(self, dataset: str) -> Iterator[models.ReportRun]:
        """List a dataset's runs, newest first."""
        return self._list(f"{self._dataset(dataset)}/runs", "report_runs", models.ReportRun)

    def newest_dataset_runs(self, dataset: str) -> list[models.ReportRun]:
        """Read the first page of a dataset's runs, with one request."""
        return self._first_page(f"{self._dataset(dataset)}/runs", "report_runs", models.ReportRun)

    def list_dataset_query_runs(self, dataset: str, run: str) -> Iterator[models.QueryRun]:
        """List the queries of a dataset's run; they hold the reason of a failed run.

        The path comes from the run's own link, because the API's description has none. If it leads out of the
        workspace's API or is missing, there are no rows.
        """
        path = self._own_path(self.get_dataset_run(dataset, run).link("query_runs"))
        return iter(()) if path is None else self._list(path, "query_runs", models.QueryRun)

    def get_dataset_run(self, dataset: str, run: str) -> models.ReportRun:
        """Read one run of a dataset."""
        path = f"{self._dataset(dataset)}/runs/{check_identifier('run', run)}"
        return self._read(models.ReportRun, path, what=f"dataset run {run}", token=run)

    def create_dataset_run(self, dataset: str) -> models.ReportRun:
        """Run a dataset. The request is never repeated once it may have arrived, because each run bills the warehouse.

        Reports that import the dataset use its newest run once they are refreshed: `create_report_run` with
        `dataset_tokens`.
        """
        what = f"the new run of dataset {dataset}"
        run = models.ReportRun.parse(self._send("POST", f"{self._dataset(dataset)}/runs", {}), what=what)
        check_parent(run, "dataset", dataset, what=what)
        return run

    def list_dataset_schedules(self, dataset: str, *, counted: int | None = None) -> Iterator[models.Schedule]:
        """List a dataset's schedules; parameters as in `list_schedules`."""
        path = f"{self._dataset(dataset)}/schedules"
        return self._list(path, "report_schedules", models.Schedule, counted=counted)

    def _dataset(self, token: str) -> str:
        return f"/api/{self.workspace}/datasets/{check_identifier('dataset', token)}"
