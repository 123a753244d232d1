# SPDX-License-Identifier: Apache-2.0
"""Datasets, which are Reports of the type `DatasetReport` with endpoints of their own."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_studio.client import models
from airflow_provider_studio.client.auth import check_identifier
from airflow_provider_studio.client.base import StudioClientBase


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

    def list_dataset_schedules(self, dataset: str, *, counted: int | None = None) -> Iterator[models.Schedule]:
        """List a dataset's schedules; parameters as in `list_schedules`."""
        path = f"{self._dataset(dataset)}/schedules"
        return self._list(path, "report_schedules", models.Schedule, counted=counted)

    def _dataset(self, token: str) -> str:
        return f"/api/{self.workspace}/datasets/{check_identifier('dataset', token)}"
