# SPDX-License-Identifier: Apache-2.0
"""The base of the sensors that wait for one run, of a Report or of a dataset."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_studio.client.errors import StudioError
from airflow_provider_studio.client.identifiers import run_token
from airflow_provider_studio.client.run_endpoints import Runnable
from airflow_provider_studio.governance.text import plain
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.links import StudioReportRunLink
from airflow_provider_studio.sensors.base import StudioSensor
from airflow_provider_studio.triggers.events import described, run_of, success_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_studio.client.models import Report


class StudioRunSensor(StudioSensor):
    """Wait until a run has results; a subclass says of what."""

    kind: ClassVar[Runnable]
    template_fields: Sequence[str] = (*StudioSensor.template_fields, "run")
    template_fields_renderers: ClassVar[dict[str, str]] = {"run": "json"}
    operator_extra_links = (StudioReportRunLink(),)

    def __init__(
        self,
        *,
        run: str | Mapping[str, Any],
        deferrable: bool | None = None,
        studio_conn_id: str = StudioHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(deferrable=deferrable, studio_conn_id=studio_conn_id, **kwargs)
        self.run = run

    @abstractmethod
    def token(self) -> str:
        """Return the token of what has the run."""

    @abstractmethod
    def read(self) -> Report:
        """Read what has the run."""

    def check(self, context: Context) -> bool:
        """Return whether the run has results."""
        from airflow_provider_studio.client.run_polling import raise_unless_good

        token, endpoints, noun = self.token(), self.kind.endpoints(self.client), self.kind.noun
        run = endpoints.get_report_run(token, run_token(self.run))
        self.show_link(StudioReportRunLink, context, run.link("web_external_url"))
        if not run.run_state.is_over:
            self.log.info("%s run %s is %s", noun, run.token, run.state)
            return False
        raise_unless_good(endpoints, token, run, name=None if run.run_state.is_good else self._name(), noun=noun)
        self.log.info("%s", success_of(described(token, run), kind=self.kind))
        return True

    def _name(self) -> str | None:
        """Return a name for the message of a failure; None if it cannot be read."""
        try:
            return plain(self.read().name or "untitled")
        except StudioError:
            return None

    def trigger(self, context: Context, deadline: str) -> BaseTrigger:  # noqa: ARG002
        """Return the trigger that waits for the run."""
        from airflow_provider_studio.triggers.reports import StudioReportRunTrigger

        return StudioReportRunTrigger(
            studio_conn_id=self.studio_conn_id,
            report=self.token(),
            run=run_token(self.run),
            deadline=deadline,
            poll_policy=self._poll_policy(),
            kind=self.kind.value,
        )

    def _poll_policy(self) -> dict[str, float]:
        """Return a policy whose intervals never exceed `poke_interval`."""
        from airflow_provider_studio.client.run_polling import PollPolicy

        longest = max(self.poke_interval, 0.1)
        return {"shortest_seconds": min(PollPolicy().shortest_seconds, longest), "longest_seconds": longest}

    def check_event(self, context: Context, event: dict[str, Any]) -> None:  # noqa: ARG002
        """Return if the run is successful."""
        event = event or {}
        if "run" in event and event.get("state") not in {"succeeded", "completed"}:
            event = {**event, "name": self._name()}
        run = run_of(event, self.timeout)
        self.log.info("%s", success_of(run, kind=self.kind))
