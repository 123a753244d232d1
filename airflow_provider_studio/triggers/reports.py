# SPDX-License-Identifier: Apache-2.0
"""Triggers that wait for a Report run, for a fresh Report, or for the next run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

from airflow_provider_studio.client.errors import StudioError
from airflow_provider_studio.client.identifiers import report_token
from airflow_provider_studio.client.run_endpoints import Runnable
from airflow_provider_studio.triggers.events import described, failure

if TYPE_CHECKING:
    from airflow_provider_studio.client.client import StudioClient
    from airflow_provider_studio.client.models import Report, ReportRun

__all__ = ["StudioReportFreshnessTrigger", "StudioReportRanTrigger", "StudioReportRunTrigger"]

_PATH = "airflow_provider_studio.triggers.reports"
_CONTINUES = "%s run %s continues in Studio: its API cannot cancel a run"


class StudioReportRunTrigger(BaseTrigger):
    """Waits until a run of a Report or a dataset is over.

    Fires one event: `{"event": "over", …}` with the fields of `RunEvent` and the `reason` of a failure,
    `{"event": "timeout", "report", "run", "state"}`, or
    `{"event": "error", "kind", "message", "retry_helps", "retry_after_seconds"}`.

    :param studio_conn_id: the Airflow connection.
    :param report: the token of the Report or dataset.
    :param run: the run's token.
    :param deadline: when to give up, ISO 8601 with a zone.
    :param began: when the run began by Airflow's clocks, not Studio's, so that another triggerer can resume the wait;
        ISO 8601 with a zone.
    :param expected_seconds: the Report's expected runtime, where it is known.
    :param poll_policy: when to poll; see `client.run_polling.PollPolicy`.
    :param failure_detail: whether to read the reason from a failed run's queries.
    :param report_name: the Report's name, which the event repeats for messages.
    :param kind: what has the run, a value of `client.run_endpoints.Runnable`.
    """

    def __init__(
        self,
        *,
        studio_conn_id: str,
        report: str,
        run: str,
        deadline: str,
        began: str | None = None,
        expected_seconds: float | None = None,
        poll_policy: dict[str, Any] | None = None,
        failure_detail: bool = True,
        report_name: str | None = None,
        kind: str = Runnable.REPORT,
        **_of_later_versions: Any,
    ) -> None:
        super().__init__()
        self.studio_conn_id = studio_conn_id
        self.report = report
        self.kind = Runnable(kind)
        self.run_token = run
        self.deadline = deadline
        self.began = began
        self.expected_seconds = expected_seconds
        self.poll_policy = poll_policy
        self.failure_detail = failure_detail
        self.report_name = report_name

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path and the arguments, all plain JSON."""
        arguments = {
            "studio_conn_id": self.studio_conn_id,
            "report": self.report,
            "run": self.run_token,
            "deadline": self.deadline,
            "began": self.began,
            "expected_seconds": self.expected_seconds,
            "poll_policy": self.poll_policy,
            "failure_detail": self.failure_detail,
            "report_name": self.report_name,
            "kind": self.kind.value,
        }
        return f"{_PATH}.{type(self).__name__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then report how the run ended."""
        try:
            event = await self._wait()
        except StudioError as error:
            event = failure(error)
        yield TriggerEvent(event)

    async def _wait(self) -> dict[str, Any]:
        from airflow_provider_studio.client.run_polling import TRANSIENT, PollPolicy
        from airflow_provider_studio.triggers.run_poller import Workspace

        workspace = Workspace.of(self.studio_conn_id)
        policy = PollPolicy.restored(self.poll_policy or {})
        poller, failed_polls, state, url = workspace.poller(self.report, self.kind), 0, None, None
        deadline = datetime.fromisoformat(self.deadline)
        for interval in policy.intervals(self.expected_seconds, self._elapsed_seconds()):
            left = (deadline - datetime.now(UTC)).total_seconds()
            if left <= 0:
                return {**self._identity, "event": "timeout", "state": state, "url": url}
            try:
                run = await poller.poll(self.run_token, min(interval, left))
            except TRANSIENT as error:
                failed_polls += 1
                self.log.warning("Poll %d of %d failed: %s", failed_polls, policy.failed_looks, error)
                if failed_polls >= policy.failed_looks:
                    raise
                continue
            failed_polls, state, url = 0, run.state, run.link("web_external_url")
            if run.run_state.is_over:
                event: dict[str, Any] = {**self._identity, "event": "over", **described(self.report, run)}
                if run.run_state == "failed" and self.failure_detail:
                    event["reason"] = await workspace.request(partial(self._reason, run=run))
                return event
        raise AssertionError("unreachable: the intervals do not end")

    def _reason(self, client: StudioClient, run: ReportRun) -> str:
        from airflow_provider_studio.client.run_polling import reason_of

        return reason_of(self.kind.endpoints(client), self.report, run)

    @property
    def _identity(self) -> dict[str, Any]:
        return {"report": self.report, "run": self.run_token, "name": self.report_name, "kind": self.kind.value}

    def _elapsed_seconds(self) -> float:
        if self.began is None:
            return 0.0
        return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(self.began)).total_seconds())

    async def on_kill(self) -> None:
        """Log that the run continues, because the API cannot cancel it."""
        self.log.warning(_CONTINUES, self.kind.noun, self.run_token)


class StudioReportFreshnessTrigger(BaseTrigger):
    """Waits until a Report has a successful run that ended after `newer_than`.

    Fires `{"event": "fresh", "last_successfully_run_at", "run"}`, `{"event": "timeout", "newer_than"}`, or an error as
    `StudioReportRunTrigger` does.

    :param newer_than: a time in ISO 8601 with a zone.
    :param interval_seconds: the time between two polls.
    :param deadline: when to give up, ISO 8601 with a zone.
    """

    def __init__(
        self,
        *,
        studio_conn_id: str,
        report: str,
        newer_than: str,
        interval_seconds: float,
        deadline: str,
        **_of_later_versions: Any,
    ) -> None:
        super().__init__()
        self.studio_conn_id = studio_conn_id
        self.report = report
        self.newer_than = newer_than
        self.interval_seconds = interval_seconds
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path and the arguments, all plain JSON."""
        names = ("studio_conn_id", "report", "newer_than", "interval_seconds", "deadline")
        return f"{_PATH}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the Report is fresh."""
        newer_than, deadline = datetime.fromisoformat(self.newer_than), datetime.fromisoformat(self.deadline)
        event: dict[str, Any] = {"event": "timeout", "newer_than": self.newer_than}
        try:
            async for report, clock_offset in _polls(self, until=deadline):
                at = report.last_successfully_run_at
                if at is not None and at - clock_offset > newer_than:
                    run = report.last_successful_run_token
                    event = {"event": "fresh", "last_successfully_run_at": at.isoformat(), "run": run}
                    break
        except StudioError as error:
            event = failure(error)
        yield TriggerEvent(event)


class StudioReportRanTrigger(BaseEventTrigger):
    """Fires for each new successful run of a Report, for an `AssetWatcher` that schedules DAGs.

    The event: `{"report", "run", "last_successfully_run_at"}`. The newest run at the start of the watcher fires no
    event. On Airflow 3.3 and later the last run is stored, so that a restart of the triggerer misses none.

    :param report: the Report's token, the URL of its page, or its asset.
    :param studio_conn_id: the Airflow connection.
    :param interval_seconds: the time between two polls; each sends one request.
    """

    def __init__(self, *, report: str, studio_conn_id: str = "studio_default", interval_seconds: float = 60.0) -> None:
        super().__init__()
        self.report = report
        self.studio_conn_id = studio_conn_id
        self.interval_seconds = interval_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path and the arguments, all plain JSON."""
        names = ("report", "studio_conn_id", "interval_seconds")
        return f"{_PATH}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll without an end."""
        last, last_at = await self._stored_run(), None
        async for report, _ in _polls(self):
            newest, at = report.last_successful_run_token, report.last_successfully_run_at
            if newest is None:
                if "last_successful_run_token" in report.model_fields_set:
                    last = last or ""  # it never had a successful run; where the key is absent, that is unknown
                continue
            if newest == last or (at is not None and last_at is not None and at < last_at):
                last_at = _latest(at, last_at)  # an older run than the last one comes from a response that lags
                continue
            is_first, last, last_at = last is None, newest, _latest(at, last_at)
            await self._store_run(newest)
            if not is_first:
                event = {"report": report.token, "run": newest, "last_successfully_run_at": at and at.isoformat()}
                yield TriggerEvent(event)

    async def _stored_run(self) -> str | None:
        run = await self._call_store("aget", "seen")
        return None if run is None else str(run)

    async def _store_run(self, run: str) -> None:
        await self._call_store("aset", "seen", run)

    async def _call_store(self, method: str, *arguments: str) -> Any:
        """Call the asset's store. It does not exist before Airflow 3.3, nor if several assets share this trigger."""
        store = getattr(self, "asset_state_store", None)
        if store is None:
            return None
        with suppress(ValueError):
            return await getattr(store, method)(*arguments)
        return None


def _latest(*times: datetime | None) -> datetime | None:
    return max((time for time in times if time is not None), default=None)


async def _polls(
    trigger: StudioReportFreshnessTrigger | StudioReportRanTrigger,
    *,
    until: datetime | None = None,
) -> AsyncIterator[tuple[Report, timedelta]]:
    """Yield a trigger's Report now, and after each interval; with how far Studio's clock is ahead of ours.

    :param until: the time of the last poll; too many consecutive failed polls raise earlier. Without it no error ends
        the iteration, because nothing restarts a watcher that an outage has ended.
    """
    from airflow_provider_studio.client.run_polling import TRANSIENT, PollPolicy
    from airflow_provider_studio.triggers.run_poller import Workspace

    workspace, failed_polls, most = Workspace.of(trigger.studio_conn_id), 0, PollPolicy().failed_looks

    def read(client: StudioClient) -> tuple[Report, timedelta]:
        report = client.get_report(report_token(trigger.report, client.workspace))
        return report, client.clock_offset(datetime.now(UTC))  # in the thread of the request

    while True:
        try:
            polled = await workspace.request(read)
        except StudioError as error:
            failed_polls += 1
            trigger.log.warning("Consecutive failed poll %d: %s", failed_polls, error)
            if until is not None and (failed_polls >= most or not isinstance(error, TRANSIENT)):
                raise
        else:
            failed_polls = 0
            yield polled
        pause = trigger.interval_seconds
        if until is not None:
            pause = min(pause, (until - datetime.now(UTC)).total_seconds())
            if pause <= 0:
                return
        await asyncio.sleep(pause)
