# SPDX-License-Identifier: Apache-2.0
"""A clock that advances immediately when code waits, for operators, sensors, triggers and the emulator."""

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
_MODULES_WITH_DATETIME = (
    "operators.run_operator",
    "sensors.base",
    "sensors.on_time",
    "sensors.reports",
    "triggers.reports",
)


class Seconds:
    """A monotonic clock that advances only with `sleep`."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += seconds


def datetime_of(now: Callable[[], datetime]) -> type[datetime]:
    """Return a `datetime` class with another `now`, to replace that of a module."""
    return type("datetime", (datetime,), {"now": staticmethod(lambda _zone=None: now())})


class HandClock:
    """One clock for a test and its emulator; it starts at the emulator's time and stops that clock."""

    def __init__(self, emulator: StudioEmulator) -> None:
        self._emulated = emulator._state.clock
        self._emulated.speed = 0
        self._start, self._passed = self._emulated.now(), 0.0
        self._studio_ahead = timedelta(0)

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        """The seconds since the start."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self._passed += max(0.0, seconds)
        self._emulated.set(self.now() + self._studio_ahead)

    def set_studio_ahead(self, by: timedelta) -> None:
        """Let Studio's clock be ahead of this one."""
        self._studio_ahead = by
        self.sleep(0)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine like `asyncio.run`, on a loop with this clock."""
        with asyncio.Runner(loop_factory=lambda: _Loop(self)) as runner:
            return runner.run(work)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replace the clocks of the provider's modules and of Airflow's sensor loop with this one."""
        from airflow_provider_studio.client import run_polling, run_start

        for module in _MODULES_WITH_DATETIME:
            monkeypatch.setattr(f"airflow_provider_studio.{module}.datetime", datetime_of(self.now))
        for waits in (run_start.launch, run_polling.wait_for_run):
            monkeypatch.setitem(waits.__kwdefaults__, "sleep", self.sleep)
        monkeypatch.setitem(run_start.launch.__kwdefaults__, "now", self.now)
        monkeypatch.setitem(run_polling.wait_for_run.__kwdefaults__, "monotonic", self.monotonic)
        airflows = "airflow.sdk.bases.sensor"
        monkeypatch.setattr(f"{airflows}.time", SimpleNamespace(sleep=self.sleep, monotonic=self.monotonic))
        monkeypatch.setattr(f"{airflows}.timezone", SimpleNamespace(utcnow=self.now))


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that skips idle time; requests, which threads send, take no time."""

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
        """Advance the clock unless a thread is running; return whether it advanced."""
        if self._in_threads:
            return False
        self._clock.sleep(seconds)
        return True


class _Selector(selectors.DefaultSelector):
    """Waits only for results of threads."""

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
