# SPDX-License-Identifier: Apache-2.0
"""The base of all sensors: modes, tolerance of failed pokes, and immediate failure where waiting does not help."""

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
_FAILED_POKES = "studio_failed_looks"
"""The key in Airflow's store of the task; the name is stored in running Airflows."""


class StudioSensor(BaseSensorOperator):
    """A sensor with a Studio connection, in poke, reschedule or deferrable mode.

    A poke may fail with an error that can pass (no connection, 5xx, 429, 404). Five consecutive failed pokes fail the
    try; a retry counts from zero. Before Airflow 3.3 reschedule mode cannot count them, so the first fails the try.
    A non-retryable error, and `timeout`, fail the task at once; with `soft_fail` they skip it.

    :param deferrable: whether to wait in the triggerer; by default `[operators] default_deferrable`.
    :param studio_conn_id: the Airflow connection.
    """

    template_fields: Sequence[str] = ("studio_conn_id",)
    ui_color = "#e8f1fb"

    def __init__(
        self, *, deferrable: bool | None = None, studio_conn_id: str = StudioHook.default_conn_name, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.studio_conn_id = studio_conn_id
        self.deferrable = conf.getboolean("operators", "default_deferrable") if deferrable is None else deferrable
        self._consecutive_failures = 0
        self._linked = False

    @cached_property
    def hook(self) -> StudioHook:
        """The hook of the connection."""
        return StudioHook(self.studio_conn_id)

    @cached_property
    def client(self) -> StudioClient:
        """The client of the connection; its requests have a lower priority than changes."""
        return self.hook.client.with_priority(Priority.POLL)

    def execute(self, context: Context) -> Any:
        """Poke, and wait if needed."""
        return self._skip_instead_of_failing(lambda: self._wait(context))

    def _wait(self, context: Context) -> Any:
        if not self.deferrable:
            return super().execute(context)
        if not self._first_poke(context):
            deadline = datetime.now(UTC) + timedelta(seconds=self.timeout)
            if self.execution_timeout is not None:
                started = context["ti"].start_date or datetime.now(UTC)
                deadline = min(deadline, started + self.execution_timeout)
            self.defer(trigger=self.trigger(context, deadline.isoformat()), method_name="execute_complete")
        return None

    def _first_poke(self, context: Context) -> bool:
        """Poke before a deferral, where Airflow's own loop does not apply `soft_fail` and `never_fail`."""
        try:
            return self.poke(context)
        except AirflowFailException as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise

    def poke(self, context: Context) -> bool:
        """Check once; a non-retryable error fails the task at once, other errors are tolerated for a while."""
        from airflow_provider_studio.client.run_polling import TRANSIENT, PollPolicy

        failures = self._failed_pokes(context)
        try:
            is_met = self._fail_fast(lambda: self.check(context))
        except TRANSIENT as error:
            most = PollPolicy().failed_looks
            self.log.warning("Poke %d of %d failed: %s", failures + 1, most, error)
            if failures + 1 >= most or not self._store_failed_pokes(context, failures + 1):
                raise
            return False
        if failures:
            self._store_failed_pokes(context, 0)
        return is_met

    def _failed_pokes(self, context: Context) -> int:
        """Return the number of consecutive failed pokes of this try."""
        if not self.reschedule:
            return self._consecutive_failures
        store: Any = context.get("task_state_store")
        stored = store.get(_FAILED_POKES) if store is not None else None
        return int(stored["looks"]) if stored and stored["try"] == context["ti"].try_number else 0

    def _store_failed_pokes(self, context: Context, failures: int) -> bool:
        """Store the number for the next poke; False in reschedule mode before Airflow 3.3, which has no store."""
        self._consecutive_failures = failures
        if not self.reschedule:
            return True
        store: Any = context.get("task_state_store")
        if store is None:
            return False
        store.set(_FAILED_POKES, {"try": context["ti"].try_number, "looks": failures})
        return True

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        """Finish after the trigger's event."""
        self._skip_instead_of_failing(lambda: self._check_event(context, event))

    def _check_event(self, context: Context, event: dict[str, Any]) -> None:
        try:
            self._fail_fast(lambda: self.check_event(context, event))
        except StudioRunTimeoutError as error:
            if self.soft_fail:
                raise AirflowSkipException(str(error)) from None
            raise AirflowSensorTimeout(str(error)) from None

    def _skip_instead_of_failing(self, work: Callable[[], Result]) -> Result:
        """Do the work, and log the requests used. With `never_fail` an error of Studio skips the task, in every mode.

        Airflow applies `never_fail` to its own exceptions only when a deferred task resumes.
        """
        try:
            return work()
        except StudioError as error:
            if self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise
        finally:
            self.hook.log_spending()

    def _fail_fast(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except StudioRunTimeoutError:
            raise
        except StudioError as error:
            if error.retry_helps and not isinstance(error, StudioRunError):
                raise
            self.log.error("%s", error)  # noqa: TRY400  the reason, before Airflow's traceback
            raise AirflowFailException(f"{type(error).__name__}: {error}") from error

    def first_start(self, context: Context) -> datetime:
        """Return when the task first started to wait."""
        ti = context["ti"]
        first = ti.get_first_reschedule_date(context) if self.reschedule else None
        return first or ti.start_date or datetime.now(UTC)

    def show_link(self, link: type[StudioReportLink | StudioReportRunLink], context: Context, url: str | None) -> None:
        """Push a URL for the UI at the first poke only, because each push is a request to Airflow."""
        if not self._linked:
            link.persist(context, url)
            self._linked = True

    @abstractmethod
    def check(self, context: Context) -> bool:
        """Return whether the condition is met."""

    @abstractmethod
    def trigger(self, context: Context, deadline: str) -> BaseTrigger:
        """Return the trigger that waits while the task is deferred."""

    @abstractmethod
    def check_event(self, context: Context, event: dict[str, Any]) -> None:
        """Return if an event reports that the condition is met, and raise otherwise."""
