# SPDX-License-Identifier: Apache-2.0
"""Looks at Report runs for all triggers of a process.

Those that wait for runs of one Report share a look: one page of its runs tells of twenty. Looks are sent from a
connection's own threads, so that waiting for its permits holds up neither the event loop nor anybody else's threads.
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
from airflow_provider_studio.hooks.studio import StudioHook

if TYPE_CHECKING:
    from airflow_provider_studio.client.client import StudioClient
    from airflow_provider_studio.client.models import ReportRun

Answer = TypeVar("Answer")
_LOOKS_AT_ONCE = 4


class Workspace:
    """One connection as all triggers of an event loop share it."""

    _shared: ClassVar[weakref.WeakValueDictionary[tuple[int, str], Workspace]] = weakref.WeakValueDictionary()

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        self._opening = asyncio.Lock()
        self._client: StudioClient | None = None
        self._threads = ThreadPoolExecutor(_LOOKS_AT_ONCE, thread_name_prefix=f"studio-look-{conn_id}")
        self._lookouts: dict[str, RunPoller] = {}

    @classmethod
    def of(cls, conn_id: str) -> Workspace:
        """Return the one of this event loop."""
        key = (id(asyncio.get_running_loop()), conn_id)
        found = cls._shared.get(key)
        if found is None:
            found = cls._shared[key] = cls(conn_id)
        return found

    async def ask(self, question: Callable[[StudioClient], Answer]) -> Answer:
        """Send requests from a thread. A refused token is looked up again, once: somebody may have replaced it."""
        client = await self._opened(None)
        try:
            return await self._asked(question, client)
        except StudioAuthenticationError:
            return await self._asked(question, await self._opened(client))

    async def _asked(self, question: Callable[[StudioClient], Answer], client: StudioClient) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, question, client)

    async def _opened(self, refused: StudioClient | None) -> StudioClient:
        async with self._opening:
            if self._client is None or self._client is refused:
                client = await StudioHook(self.conn_id).aget_client()
                self._client = client.with_priority(Priority.POLL)
            return self._client

    def lookout(self, report: str) -> RunPoller:
        """Return who looks at one Report's runs."""
        return self._lookouts.setdefault(report, RunPoller(self, report))


@dataclass(eq=False)
class _Subscription:
    """One trigger's wish: to hear of a run at this time of the loop, or sooner if it is over."""

    run: str
    due: float
    answer: asyncio.Future[ReportRun] = field(repr=False)


class RunPoller:
    """Looks at the runs of one Report.

    :param workspace: the connection.
    :param report: the Report's token.
    """

    def __init__(self, workspace: Workspace, report: str) -> None:
        self._workspace = workspace
        self._report = report
        self._waits: set[_Subscription] = set()
        self._sooner = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def look(self, run: str, after_seconds: float) -> ReportRun:
        """Return a run as it is after so many seconds; sooner, if another's look shows that it is over.

        :raises StudioError: the look failed.
        """
        loop = asyncio.get_running_loop()
        wait = _Subscription(run, loop.time() + after_seconds, loop.create_future())
        self._waits.add(wait)
        self._sooner.set()
        if self._looking is None or self._looking.done():
            self._looking = loop.create_task(self._look_while_awaited())
        try:
            return await wait.answer
        finally:
            self._waits.discard(wait)
            self._sooner.set()  # what is awaited now may be due later, or nobody may wait any more

    async def _look_while_awaited(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waits:
            self._sooner.clear()
            seconds = min(wait.due for wait in self._waits) - loop.time()
            if seconds > 0:
                try:
                    await asyncio.wait_for(self._sooner.wait(), seconds)
                except TimeoutError:
                    pass
                else:
                    continue
            now = loop.time()
            await self._look_at([wait for wait in self._waits if wait.due <= now])
            # Those who were told have not woken yet; looking for them again would never let them.
            self._waits = {wait for wait in self._waits if not wait.answer.done()}

    async def _look_at(self, due: list[_Subscription]) -> None:
        """One request for all, and one more for each run that is not among the newest."""
        seen: dict[str, ReportRun] = {}
        if len(self._waits) > 1:
            try:
                newest = await self._workspace.ask(lambda client: client.newest_report_runs(self._report))
            except Exception as error:  # noqa: BLE001  it is the waiters' to judge
                _tell(due, error)
                return
            seen = {run.token: run for run in newest}
        for wait in list(self._waits):
            run = seen.get(wait.run)
            if run is not None and not wait.answer.done() and (wait in due or run.is_seen_over):
                wait.answer.set_result(run)
        for wait in due:
            if wait.run not in seen and not wait.answer.done():
                await self._look_alone(wait)

    async def _look_alone(self, wait: _Subscription) -> None:
        try:
            run = await self._workspace.ask(lambda client: client.get_report_run(self._report, wait.run))
        except Exception as error:  # noqa: BLE001  it is the waiter's to judge
            _tell([wait], error)
        else:
            if not wait.answer.done():
                wait.answer.set_result(run)


def _tell(waits: list[_Subscription], error: Exception) -> None:
    for wait in waits:
        if not wait.answer.done():
            wait.answer.set_exception(error)
