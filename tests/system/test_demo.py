# SPDX-License-Identifier: Apache-2.0
"""`make demo` ends everything it started, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.system.live_airflow import free_ports

pytestmark = pytest.mark.system

REPOSITORY = Path(__file__).parents[2]
MOST_MEMORY = 3 * 2**30


class Demo:
    """A demo in a temporary folder of its own, by which every process of it is known."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        environment = {**os.environ, "TMPDIR": str(folder)}
        argv = [sys.executable, "-m", "tests.demo", "--reports", "60", *options]
        self.output = (folder / "output").open("w+b")
        self.process = subprocess.Popen(argv, cwd=REPOSITORY, env=environment, stdout=self.output, stderr=self.output)

    def text(self) -> str:
        return (self.folder / "output").read_text(encoding="utf-8")

    def wait_for(self, words: str, seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while words not in self.text():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.2)

    def processes(self) -> list[psutil.Process]:
        """Return every process that was started with this folder in its environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("TMPDIR") == str(self.folder) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def left_after(self, seconds: float) -> list[str]:
        """Return the command lines of what is still there after so long."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.2)
        return [" ".join(one.cmdline()) for one in left]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="demo-test-") as name:
        yield Path(name)


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGINT, "past night 6 of 6"),
        pytest.param(signal.SIGTERM, "past night 6 of 6", marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, "inventory running", marks=pytest.mark.slow),
    ],
)
def test_a_demo_that_is_stopped_leaves_no_process(folder: Path, number: signal.Signals, moment: str) -> None:
    demo = Demo(folder)
    demo.wait_for(moment)
    time.sleep(3)
    running = demo.processes()
    assert len(running) > 3, "the demo, its keeper, the emulator and Airflow at least"
    assert sum(one.memory_full_info().uss for one in running) < MOST_MEMORY
    demo.process.send_signal(number)
    demo.process.wait(30)
    assert demo.left_after(20) == []
    assert not list(folder.glob("studio-demo-*")), "its files are gone too"


def test_a_demo_to_the_end_prints_its_summary_and_leaves_nothing(folder: Path) -> None:
    demo = Demo(folder, "--once")
    assert demo.process.wait(240) == 0, demo.text()
    text = demo.text()
    for row in ("Reports seen", "of them stale", "Reports archived", "schedules deleted", "requests spent", "seconds"):
        assert row in text
    assert "answered 429       0" in text
    assert demo.left_after(20) == []


@pytest.mark.slow
def test_a_demo_whose_airflow_breaks_says_so_and_leaves_no_process(folder: Path) -> None:
    demo = Demo(folder)
    demo.wait_for("past night 6 of 6")
    time.sleep(3)
    (standalone,) = [one for one in demo.processes() if one.cmdline()[-1:] == ["standalone"]]
    standalone.kill()
    assert demo.process.wait(60) == 1
    assert "The demo failed: `airflow standalone` ended with" in demo.text()
    assert demo.left_after(20) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "99999"], "--port 99999 cannot be used"),
        (["--reports", "0"], "a workspace needs at least 1"),
    ],
)
def test_what_is_missing_is_said_at_once(folder: Path, options: list[str], message: str) -> None:
    demo = Demo(folder, *options)
    assert demo.process.wait(30) == 1
    assert message in demo.text()


def test_a_taken_port_is_said_at_once(folder: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = Demo(folder, "--emulator-port", str(port))
        assert demo.process.wait(30) == 1
    assert f"--emulator-port {port} cannot be used" in demo.text()
    assert free_ports(1)
