# SPDX-License-Identifier: Apache-2.0
"""What the demo prints of its progress: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tests.demo.progress import DemoOutput


class Printed:
    """An output with a manual clock.

    :param terminal: whether it is one.
    """

    def __init__(self, *, terminal: bool) -> None:
        self.now = 0.0
        self.file = io.StringIO()
        console = Console(file=self.file, force_terminal=terminal, width=200, soft_wrap=True)
        self.output = DemoOutput(console, clock=lambda: self.now)

    @property
    def lines(self) -> list[str]:
        return self.file.getvalue().splitlines()


def test_without_a_terminal_a_step_is_a_line_now_and_then_with_an_estimate() -> None:
    printed = Printed(terminal=False)
    for second in range(60):
        printed.now = float(second)
        printed.output.show("apply", done=second, total=100, unit="actions")
    assert printed.lines == [
        "[ 15.0 s] apply: 15 of 100 actions, about 0:01:25 left",
        "[ 30.0 s] apply: 30 of 100 actions, about 0:01:10 left",
        "[ 45.0 s] apply: 45 of 100 actions, about 55 s left",
    ]


def test_a_step_of_unknown_length_says_how_long_it_takes_so_far() -> None:
    printed = Printed(terminal=False)
    for second in range(0, 130, 40):
        printed.now = float(second)
        printed.output.show("waiting for the API server")
    printed.output.show("another step")
    assert printed.lines == [
        f"[{at:5.1f} s] waiting for the API server, {taken} so far"
        for at, taken in ((40.0, "40 s"), (80.0, "0:01:20"), (120.0, "0:02:00"))
    ]


@pytest.mark.parametrize("sentence", ["[bold]x[/bold]", "a" * 500, "http://127.0.0.1:1/dags/x/runs/y%3A"])
def test_a_sentence_is_printed_as_it_is_in_one_line(sentence: str) -> None:
    printed = Printed(terminal=False)
    printed.output.say(sentence)
    assert printed.lines == [f"[  0.0 s] {sentence}"]


def test_on_a_terminal_a_step_is_a_bar_that_is_gone_when_it_ends() -> None:
    printed = Printed(terminal=True)
    printed.output.show("apply", done=50, total=100, unit="actions")
    printed.output.say("inventory success")
    printed.output.show("apply", done=60, total=100, unit="actions")
    printed.output.end()
    printed.output.end()
    text = printed.file.getvalue()
    assert "━" in text
    assert "50 of 100 actions" in text
    assert "inventory success" in text
