# SPDX-License-Identifier: Apache-2.0
"""What all sensors share: the ways to wait, looks that fail, and failing at once where waiting longer is no use."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    conf,
)

from airflow_provider_studio.client.errors import StudioError, StudioRunError, StudioRunTimeoutError
from airflow_provider_studio.client.ratelimit import Priority
from airflow_provider_studio.hooks.studio import StudioHook

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_studio.client.client import StudioClient
    from airflow_provider_studio.links import StudioReportLink, StudioReportRunLink

Result = TypeVar("Result")
_FAILED_LOOKS = "studio_failed_looks"


class StudioSensor(BaseSensorOperator):
    """Waits with a Studio connection, holding its worker (`mode="poke"`), coming back (`reschedule`), or deferred.

    Looks may fail for what can pass (no connection, 5xx, 429, 404); five in a row fail the try, and its retry counts
    anew. Before Airflow 3.3 nobody remembers the looks of a task that comes back, so there the first fails the try.
    What no retry can mend, and `timeout`, fail the task at once; with `soft_fail` they skip it.

    :param studio_conn_id: the Airflow connection.
    :param deferrable: whether to give the worker free; by default `[operators] default_deferrable`.
    """

    template_fields: Sequence[str] = ("studio_conn_id",)
    ui_color = "#e8f1fb"

    def __init__(
        self, *, studio_conn_id: str = StudioHook.default_conn_name, deferrable: bool | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.studio_conn_id = studio_conn_id
        self.deferrable = conf.getboolean("operators", "default_deferrable") if deferrable is None else deferrable
        self._failed_in_a_row = 0
        self._linked = False

    @cached_property
    def hook(self) -> StudioHook:
        """The hook of the connection."""
        return StudioHook(self.studio_conn_id)

    @cached_property
    def client(self) -> StudioClient:
        """The client of the connection, whose looks go after others' changes."""
        return self.hook.client.with_priority(Priority.POLL)

    def execute(self, context: Context) -> Any:
        """Look, and wait where need be; deferred, if it is so set."""
        try:
            return self._wait(context)
        finally:
            self.hook.log_spending()

    def _wait(self, context: Context) -> Any:
        if not self.deferrable:
            return super().execute(context)
        if not self._first_look(context):
            deadline = datetime.now(UTC) + timedelta(seconds=self.timeout)
            if self.execution_timeout is not None:
                started = context["ti"].start_date or datetime.now(UTC)
                deadline = min(deadline, started + self.execution_timeout)
            self.defer(trigger=self.trigger(context, deadline.isoformat()), method_name="execute_complete")
        return None

    def _first_look(self, context: Context) -> bool:
        """Look before a deferral, where Airflow's own loop, which knows `soft_fail` and `never_fail`, does not run."""
        try:
            return self.poke(context)
        except AirflowFailException as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise

    def poke(self, context: Context) -> bool:
        """Look once; what cannot come right any more fails the task at once, and what may is forgiven for a while."""
        from airflow_provider_studio.client.run_polling import TRANSIENT, PollPolicy

        failed = self._failed_looks(context)
        try:
            found = self._failing(lambda: self.look(context))
        except TRANSIENT as error:
            most = PollPolicy().failed_looks
            self.log.warning("Look %d of %d failed: %s", failed + 1, most, error)
            if failed + 1 >= most or not self._note_failed_looks(context, failed + 1):
                raise
            return False
        if failed:
            self._note_failed_looks(context, 0)
        return found

    def _failed_looks(self, context: Context) -> int:
        """How many looks of this try failed, one after the other, up to now."""
        if not self.reschedule:
            return self._failed_in_a_row
        store: Any = context.get("task_state_store")
        noted = store.get(_FAILED_LOOKS) if store is not None else None
        return int(noted["looks"]) if noted and noted["try"] == context["ti"].try_number else 0

    def _note_failed_looks(self, context: Context, looks: int) -> bool:
        """Remember it for the next look; False where a task that comes back has nowhere to (before Airflow 3.3)."""
        self._failed_in_a_row = looks
        if not self.reschedule:
            return True
        store: Any = context.get("task_state_store")
        if store is None:
            return False
        store.set(_FAILED_LOOKS, {"try": context["ti"].try_number, "looks": looks})
        return True

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        """Go on after the trigger's event."""
        try:
            self._failing(lambda: self.after(context, event))
        except StudioRunTimeoutError as error:
            if self.soft_fail:
                raise AirflowSkipException(str(error)) from None
            raise AirflowSensorTimeout(str(error)) from None
        finally:
            self.hook.log_spending()

    def _failing(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except StudioRunTimeoutError:
            raise
        except StudioError as error:
            if error.retry_helps and not isinstance(error, StudioRunError):
                raise
            raise AirflowFailException(f"{type(error).__name__}: {error}") from error

    def show_link(self, link: type[StudioReportLink | StudioReportRunLink], context: Context, url: str | None) -> None:
        """Leave an address for the UI at the first look: each time asks Airflow."""
        if not self._linked:
            link.persist(context, url)
            self._linked = True

    @abstractmethod
    def look(self, context: Context) -> bool:
        """Return whether what is waited for has come."""

    @abstractmethod
    def trigger(self, context: Context, deadline: str) -> BaseTrigger:
        """Return what waits while the task is deferred."""

    @abstractmethod
    def after(self, context: Context, event: dict[str, Any]) -> None:
        """Return if an event says that what was waited for has come."""
