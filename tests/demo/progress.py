# SPDX-License-Identifier: Apache-2.0
"""What the demo prints: sentences with the time, and how far the current step is.

On a terminal a step is a bar with an estimate, which moves at the lower edge. In a file or a pipe it is a line now and
then.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_LINE_SECONDS = 15.0
"""A step without a terminal prints a line this often."""


class DemoOutput:
    """Prints sentences, and the progress of one step at a time.

    :param console: where it prints; tests pass their own.
    :param clock: a monotonic clock.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._clock = clock
        self._began = clock()
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._bar: TaskID | None = None
        self._title, self._step_began, self._line_at = "", self._began, self._began

    def say(self, sentence: str) -> None:
        """Print a sentence with the time since the start."""
        self._print(f"[{self._clock() - self._began:5.1f} s] {sentence}")

    def show(self, title: str, done: int = 0, total: int | None = None, unit: str = "") -> None:
        """Show how far a step is; a new title begins a new step.

        :param total: how much there is to do; None if that is unknown.
        :param unit: what is counted, such as `requests`.
        """
        if title != self._title:
            self.end()
            self._title, self._step_began, self._line_at = title, self._clock(), self._clock()
        count = "" if total is None else f"{min(done, total):,} of {total:,} {unit}".rstrip()
        if self._console.is_terminal:
            self._move_bar(title, done, total, count)
        elif self._clock() - self._line_at >= _LINE_SECONDS:
            self._line_at = self._clock()
            self.say(": ".join(filter(None, [title, count])) + self._left(done, total))

    def end(self) -> None:
        """Remove the bar."""
        self._title = ""
        if self._bar is not None:
            self._bars.remove_task(self._bar)
            self._bars.stop()
            self._bar = None

    def _move_bar(self, title: str, done: int, total: int | None, count: str) -> None:
        values: dict[str, Any] = {"total": total, "completed": done if total is None else min(done, total)}
        if self._bar is None:
            self._bars.start()
            self._bar = self._bars.add_task(title, count=count, **values)
        else:
            self._bars.update(self._bar, count=count, **values)

    def _left(self, done: int, total: int | None) -> str:
        """Return how long the step has taken, or an estimate of the time that is left."""
        seconds = self._clock() - self._step_began
        if total is None or done <= 0:
            return f", {_rounded(seconds)} so far"
        return f", about {_rounded(seconds / done * max(0, total - done))} left"

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False)


def _rounded(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds))) if seconds >= 60 else f"{seconds:.0f} s"
