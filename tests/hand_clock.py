# SPDX-License-Identifier: Apache-2.0
"""Time that passes while somebody waits, and then at once: for operators, sensors, triggers and the emulator alike."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from airflow_provider_studio.emulator import StudioEmulator

Result = TypeVar("Result")
_TELL_THE_TIME = ("operators.reports", "sensors.base", "sensors.reports", "triggers.reports")


class Seconds:
    """A monotonic clock that passes when told to."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Pass."""
        self.now += seconds


def datetime_of(now: Callable[[], datetime]) -> type[datetime]:
    """Return a `datetime` whose `now` is another's, for a module that asks it."""
    return type("datetime", (datetime,), {"now": staticmethod(lambda _zone=None: now())})


class HandClock:
    """A time for a test and its emulator; it begins at the emulator's, which stands still from then on."""

    def __init__(self, emulator: StudioEmulator) -> None:
        self._emulated = emulator._state.clock
        self._emulated.speed = 0
        self._began, self._passed = self._emulated.now(), 0.0

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return self._began + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        """How many seconds have passed."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        """Let seconds pass."""
        self._passed += max(0.0, seconds)
        self._emulated.set(self.now())

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine as `asyncio.run` does, on a loop of this time."""
        with asyncio.Runner(loop_factory=lambda: _Loop(self)) as runner:
            return runner.run(work)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let everything of ours that waits or asks for the time use this one, and Airflow's own loop of a sensor."""
        from airflow_provider_studio.client import run_polling, run_start

        for module in _TELL_THE_TIME:
            monkeypatch.setattr(f"airflow_provider_studio.{module}.datetime", datetime_of(self.now))
        for waits in (run_start.launch, run_polling.wait_for_run):
            monkeypatch.setitem(waits.__kwdefaults__, "sleep", self.sleep)
        monkeypatch.setitem(run_polling.wait_for_run.__kwdefaults__, "monotonic", self.monotonic)
        airflows = "airflow.sdk.bases.sensor"
        monkeypatch.setattr(f"{airflows}.time", SimpleNamespace(sleep=self.sleep, monotonic=self.monotonic))
        monkeypatch.setattr(f"{airflows}.timezone", SimpleNamespace(utcnow=self.now))


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that skips the time in which nothing happens; requests, which threads send, take none of it."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self._in_threads = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self._clock.monotonic()

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *arguments: Any
    ) -> asyncio.Future[Any]:
        def ended(_future: Any) -> None:
            self._in_threads -= 1

        self._in_threads += 1
        future = super().run_in_executor(executor, func, *arguments)
        future.add_done_callback(ended)
        return future

    def pause(self, seconds: float) -> bool:
        """Let seconds pass, unless a thread is about to bring something; returns whether they passed."""
        if self._in_threads:
            return False
        self._clock.sleep(seconds)
        return True


class _Selector(selectors.DefaultSelector):
    """Waits for what threads bring, and for nothing else."""

    def __init__(self, loop: _Loop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if found or timeout == 0:
            return found
        if timeout is not None and self._loop.pause(timeout):
            return []
        return super().select(None)
