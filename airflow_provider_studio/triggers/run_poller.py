# SPDX-License-Identifier: Apache-2.0
"""Polls Report runs for all triggers of a process.

Triggers that wait for runs of one Report share a poll, because one page lists twenty runs. Requests are sent from the
threads of their connection, so waiting for a permit blocks neither the event loop nor other threads.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeVar

from airflow_provider_studio.client.errors import StudioAuthenticationError
from airflow_provider_studio.client.ratelimit import Priority
from airflow_provider_studio.client.run_endpoints import Runnable
from airflow_provider_studio.hooks.studio import StudioHook

if TYPE_CHECKING:
    from airflow_provider_studio.client.client import StudioClient
    from airflow_provider_studio.client.models import ReportRun

Result = TypeVar("Result")
_CONCURRENT_REQUESTS = 4


class Workspace:
    """One connection, shared by all triggers of an event loop."""

    _shared: ClassVar[weakref.WeakValueDictionary[tuple[int, str], Workspace]] = weakref.WeakValueDictionary()

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        self._opening = asyncio.Lock()
        self._client: StudioClient | None = None
        self._threads = ThreadPoolExecutor(_CONCURRENT_REQUESTS, thread_name_prefix=f"studio-poll-{conn_id}")
        self._pollers: dict[tuple[Runnable, str], RunPoller] = {}

    @classmethod
    def of(cls, conn_id: str) -> Workspace:
        """Return the connection's workspace in this event loop."""
        key = (id(asyncio.get_running_loop()), conn_id)
        workspace = cls._shared.get(key)
        if workspace is None:
            workspace = cls._shared[key] = cls(conn_id)
        return workspace

    async def request(self, call: Callable[[StudioClient], Result]) -> Result:
        """Send requests from a thread. If the token is refused, read the connection again, once: it may be new."""
        client = await self._open(None)
        try:
            return await self._in_thread(call, client)
        except StudioAuthenticationError:
            return await self._in_thread(call, await self._open(client))

    async def _in_thread(self, call: Callable[[StudioClient], Result], client: StudioClient) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, client)

    async def _open(self, refused: StudioClient | None) -> StudioClient:
        async with self._opening:
            if self._client is None or self._client is refused:
                client = await StudioHook(self.conn_id).aget_client()
                self._client = client.with_priority(Priority.POLL)
            return self._client

    def poller(self, report: str, kind: Runnable = Runnable.REPORT) -> RunPoller:
        """Return the poller of the runs of one Report or dataset."""
        return self._pollers.setdefault((kind, report), RunPoller(self, report, kind))


@dataclass(eq=False)
class _Subscription:
    """A subscription to one run's state at a time of the loop, or at its completion if that is earlier."""

    run: str
    due: float
    result: asyncio.Future[ReportRun] = field(repr=False)


class RunPoller:
    """Polls the runs of one Report or dataset.

    :param workspace: the connection.
    :param report: its token.
    :param kind: whether it is a Report or a dataset.
    """

    def __init__(self, workspace: Workspace, report: str, kind: Runnable = Runnable.REPORT) -> None:
        self._workspace = workspace
        self._report = report
        self._kind = kind
        self._subscriptions: set[_Subscription] = set()
        self._changed = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None

    async def poll(self, run: str, after_seconds: float) -> ReportRun:
        """Return a run's state after `after_seconds`; earlier, if the poll of another trigger shows that it is over.

        :raises StudioError: the poll failed.
        """
        loop = asyncio.get_running_loop()
        subscription = _Subscription(run, loop.time() + after_seconds, loop.create_future())
        self._subscriptions.add(subscription)
        self._changed.set()
        if self._polling is None or self._polling.done():
            self._polling = loop.create_task(self._poll_while_subscribed())
        try:
            return await subscription.result
        finally:
            self._subscriptions.discard(subscription)
            self._changed.set()  # the next subscription may be due later, or there may be none

    async def _poll_while_subscribed(self) -> None:
        loop = asyncio.get_running_loop()
        while self._subscriptions:
            self._changed.clear()
            seconds = min(subscription.due for subscription in self._subscriptions) - loop.time()
            if seconds > 0:
                try:
                    await asyncio.wait_for(self._changed.wait(), seconds)
                except TimeoutError:
                    pass
                else:
                    continue
            now = loop.time()
            await self._poll([subscription for subscription in self._subscriptions if subscription.due <= now])
            # Triggers with a result have not run yet; polling for them again would never let them run.
            self._subscriptions = {pending for pending in self._subscriptions if not pending.result.done()}

    async def _poll(self, due: list[_Subscription]) -> None:
        """Send one request for all, and one more for each run that is not among the newest."""
        listed: dict[str, ReportRun] = {}
        if len(self._subscriptions) > 1:
            try:
                newest = await self._workspace.request(
                    lambda client: self._kind.endpoints(client).newest_report_runs(self._report)
                )
            except Exception as error:  # noqa: BLE001  the subscribers handle it
                _fail(due, error)
                return
            listed = {run.token: run for run in newest}
        for subscription in list(self._subscriptions):
            run = listed.get(subscription.run)
            if run is None or subscription.result.done():
                continue
            if subscription in due or run.is_seen_over:
                subscription.result.set_result(run)
        for subscription in due:
            if subscription.run not in listed and not subscription.result.done():
                await self._poll_alone(subscription)

    async def _poll_alone(self, subscription: _Subscription) -> None:
        try:
            run = await self._workspace.request(
                lambda client: self._kind.endpoints(client).get_report_run(self._report, subscription.run)
            )
        except Exception as error:  # noqa: BLE001  the subscriber handles it
            _fail([subscription], error)
        else:
            if not subscription.result.done():
                subscription.result.set_result(run)


def _fail(subscriptions: list[_Subscription], error: Exception) -> None:
    for subscription in subscriptions:
        if not subscription.result.done():
            subscription.result.set_exception(error)
