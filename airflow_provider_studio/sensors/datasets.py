# SPDX-License-Identifier: Apache-2.0
"""Wait for the run of a dataset that something else started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.client.identifiers import dataset_token
from airflow_provider_studio.client.run_endpoints import Runnable
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.sensors.run_sensor import StudioRunSensor

if TYPE_CHECKING:
    from airflow_provider_studio.client.models import Report

__all__ = ["StudioDatasetRunSensor"]


class StudioDatasetRunSensor(StudioRunSensor):
    """Wait until the run of a dataset has results; a run that ended otherwise fails the task at once, with the reason.

    :param dataset: the dataset's token, or the URL of its page.
    :param run: the run's token, or what `StudioRunDatasetOperator(wait_for_completion=False)` returned.
    :param deferrable: whether to wait in the triggerer; by default `[operators] default_deferrable`.
    :param studio_conn_id: the Airflow connection.
    """

    kind = Runnable.DATASET
    template_fields: Sequence[str] = (*StudioRunSensor.template_fields, "dataset")

    def __init__(
        self,
        *,
        dataset: str,
        run: str | Mapping[str, Any],
        deferrable: bool | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(run=run, deferrable=deferrable, studio_conn_id=studio_conn_id, **kwargs)
        self.dataset = dataset

    def token(self) -> str:
        """Return the dataset's token."""
        return dataset_token(self.dataset, self.client.workspace)

    def read(self) -> Report:
        """Read the dataset."""
        return self.client.get_dataset(self.token())
