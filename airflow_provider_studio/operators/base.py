# SPDX-License-Identifier: Apache-2.0
"""The base of all operators: the hook, the log of requests used, and immediate failure where no retry helps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_studio.client.errors import StudioError
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.telemetry import span

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

Result = TypeVar("Result")


class StudioOperator(BaseOperator):
    """An operator with a Studio connection.

    :param studio_conn_id: the Airflow connection.
    """

    lineage: ClassVar[str | None] = None
    """The kind of work for OpenLineage; see `openlineage.lineage_of`."""

    template_fields: Sequence[str] = ("studio_conn_id",)
    storage_path: str | None = None
    """A storage root other than `[studio] storage_path`, for operators that have the parameter."""
    ui_color = "#e8f1fb"

    def __init__(self, *, studio_conn_id: str = StudioHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.studio_conn_id = studio_conn_id
        self._done: Any = None

    @cached_property
    def hook(self) -> StudioHook:
        """The hook of the connection."""
        return StudioHook(self.studio_conn_id, storage_path=self.storage_path)

    def execute(self, context: Context) -> Any:
        """Run the operator; a non-retryable error fails the task at once."""
        return self.fail_fast(lambda: self.run_with_studio(context))

    def fail_fast(self, work: Callable[[], Result]) -> Result:
        """Do the work and log the requests used; a non-retryable error fails the task at once."""
        try:
            with span(f"studio.{type(self).__name__}"):
                return self._run_and_log_usage(work)
        except StudioError as error:
            self.log.error("%s", error)  # noqa: TRY400  the reason, before Airflow's traceback
            if error.retry_helps:
                raise
            raise AirflowFailException(f"{type(error).__name__}: {error}") from error

    def _run_and_log_usage(self, work: Callable[[], Result]) -> Result:
        try:
            self._done = result = work()
        finally:
            self.hook.log_spending()
        return result

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002
        """Return what the task read and wrote, for OpenLineage's provider where it is installed."""
        from airflow_provider_studio.openlineage import lineage_of

        if self.lineage is None or not self._done:
            return None
        report = getattr(self, "report", None)
        return lineage_of(self.lineage, self.hook.client, self._done, report, storage_path=self.storage_path)

    @abstractmethod
    def run_with_studio(self, context: Context) -> Any:
        """Do the operator's work and return its XCom."""


def actor_of(context: Context) -> dict[str, str]:
    """Return the task that acts, for the journal."""
    ti = context["ti"]
    actor = {"dag": ti.dag_id, "run": ti.run_id, "task": ti.task_id, "try": str(ti.try_number)}
    mapped = getattr(ti, "map_index", -1)
    return actor if mapped is None or mapped < 0 else {**actor, "map_index": str(mapped)}
