# SPDX-License-Identifier: Apache-2.0
"""Run datasets, which Reports import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.client.identifiers import dataset_token
from airflow_provider_studio.client.ratelimit import Priority
from airflow_provider_studio.client.run_endpoints import Runnable
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.links import StudioReportRunLink
from airflow_provider_studio.operators.base import StudioOperator
from airflow_provider_studio.operators.run_operator import StudioRunOperator
from airflow_provider_studio.operators.run_record import epoch_of
from airflow_provider_studio.triggers.events import DatasetRunEvent, RunEvent, dataset_run_of, success_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_studio.client.models import Report
    from airflow_provider_studio.client.run_polling import PollPolicy
    from airflow_provider_studio.client.run_start import StartedRun

__all__ = ["StudioRunDatasetOperator"]


class StudioRunDatasetOperator(StudioRunOperator):
    """Run a dataset once, and wait until the run is over.

    A retry never starts a second run while the first is alive or successful, as with `StudioRunReportOperator`. Reports
    that import the dataset use its new run once they are run with its token in `dataset_tokens`.

    Returns `{"dataset", "run", "state", "created_at", "completed_at", "url"}`, times in ISO 8601. A failed run fails
    the task with the query, the error code and the message; a cancelled run fails it without a retry.

    :param dataset: the dataset's token, or the URL of its page.
    :param wait_for_completion: whether to wait; if not, the task ends when the run has been started.
    :param poll_interval: the time between two polls, as seconds or a timedelta; by default it grows with the time that
        the run has taken.
    :param poll_policy: instead of `poll_interval`, how the time between two polls is adapted; a mapping with fields of
        `client.run_polling.PollPolicy`.
    :param timeout: how long to wait at most, as seconds or a timedelta; the run itself continues in Studio. The task's
        `execution_timeout` applies as well, deferred or not.
    :param deferrable: whether to wait in the triggerer; by default `[operators] default_deferrable`.
    :param durable: whether a retry resumes the run that an earlier try started.
    :param failure_detail: whether to read from a failed run's queries why it failed; two requests.
    :param studio_conn_id: the Airflow connection.
    """

    kind = Runnable.DATASET
    template_fields: Sequence[str] = (*StudioOperator.template_fields, "dataset")
    operator_extra_links = (StudioReportRunLink(),)

    def __init__(
        self,
        *,
        dataset: str,
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
        self.dataset = dataset

    def launch(self, context: Context) -> tuple[Report, StartedRun]:
        """Start the run, or find that of an earlier try."""
        from airflow_provider_studio.client.run_start import NoRecord, launch

        client = self.hook.client.with_priority(Priority.ACT)
        dataset = client.get_dataset(dataset_token(self.dataset, client.workspace))
        record = self.record(context) or NoRecord()
        return dataset, launch(self.endpoints(Priority.ACT), dataset, None, record, epoch=epoch_of(context))

    def started(self, run: RunEvent) -> DatasetRunEvent:
        """Return the XCom of a task that does not wait."""
        return dataset_run_of(run)

    def finish(self, context: Context, run: RunEvent, name: str | None) -> DatasetRunEvent:  # noqa: ARG002
        """Log the run, and return it."""
        self.log.info("%s", success_of(run, name, self.kind))
        return dataset_run_of(run)
