# SPDX-License-Identifier: Apache-2.0
"""Wait for a Report run that something else started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseSensorOperator

from airflow_provider_studio.client.errors import StudioError, StudioRunError
from airflow_provider_studio.hooks.studio import StudioHook

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class StudioReportRunSensor(BaseSensorOperator):
    """Wait until a Report run has results; a run that ended otherwise fails the task at once.

    :param report: the Report's token, or the address of its page.
    :param run: the run's token, or what `StudioRunReportOperator(wait=False)` returned.
    :param studio_conn_id: the Airflow connection.
    """

    template_fields: Sequence[str] = ("studio_conn_id", "report", "run")

    def __init__(
        self,
        *,
        report: str,
        run: str | Mapping[str, Any],
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.report = report
        self.run = run
        self.studio_conn_id = studio_conn_id

    @cached_property
    def hook(self) -> StudioHook:
        """The hook of the connection."""
        return StudioHook(self.studio_conn_id)

    def poke(self, context: Context) -> bool:  # noqa: ARG002
        """Look once."""
        from airflow_provider_studio.client.addresses import report_token
        from airflow_provider_studio.client.ratelimit import Priority
        from airflow_provider_studio.client.watching import raise_unless_good

        try:
            report = report_token(self.report)
            token = self.run["run"] if isinstance(self.run, Mapping) else self.run
            client = self.hook.client.with_priority(Priority.POLL)
            run = client.get_report_run(report, token)
            if not run.run_state.is_over:
                self.log.info("Report run %s is %s", token, run.state)
                return False
            raise_unless_good(client, report, run)
        except StudioError as error:
            if error.retry_helps and not isinstance(error, StudioRunError):
                raise
            raise AirflowFailException(f"{type(error).__name__}: {error}") from error
        return True
