# SPDX-License-Identifier: Apache-2.0
"""`make demo` ends all its processes, however it ends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.airflow_in_process import SHARED
from tests.system.browser import DESKTOP, chromium, needs_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.system

REPOSITORY = Path(__file__).parents[2]
MOST_MEMORY = 3 * 2**30
_END_SECONDS = 120
"""A busy machine needs longer than the keeper's grace period to end Airflow's processes."""
_PAGE_SECONDS = 240
"""A busy machine needs minutes to load Airflow's UI for the first time."""
_PROCESSES = 3 + 1 + 4
"""At least the demo, its keeper and its emulator; `airflow standalone` and its four components."""


class Demo:
    """A demo in a separate temporary folder, which identifies its processes.

    :param alone: whether Airflow creates its database itself, as for a user.
    """

    def __init__(self, folder: Path, *options: str, alone: bool = False) -> None:
        self.folder = folder
        environment = {**os.environ, "TMPDIR": str(folder)}
        if alone:
            del environment[SHARED]
        argv = [sys.executable, "-m", "tests.demo", "--reports", "60", *options]
        self.output = (folder / "output").open("w+b")
        self.process = subprocess.Popen(argv, cwd=REPOSITORY, env=environment, stdout=self.output, stderr=self.output)

    def text(self) -> str:
        return (self.folder / "output").read_text(encoding="utf-8")

    def wait_for(self, words: str, seconds: float = 900.0) -> None:
        deadline = time.monotonic() + seconds
        while words not in self.text():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.2)

    def processes(self) -> list[psutil.Process]:
        return processes_of(self.folder)

    def processes_of_all(self, number: int = _PROCESSES) -> list[psutil.Process]:
        """Wait until the demo, its keeper, its emulator and all of Airflow run, and return them.

        :param number: how many of them are enough.
        """
        deadline = time.monotonic() + 600
        while len(running := self.processes()) < number:
            assert time.monotonic() < deadline, command_lines(running)
            time.sleep(0.2)
        return running

    def standalone(self) -> psutil.Process:
        """Return `airflow standalone`, not a child that was forked and has the same name until it calls exec."""
        found = [process for process in self.processes_of_all() if command_lines([process])[0].endswith(" standalone")]
        pids = {process.pid for process in found}
        (first,) = [process for process in found if process.ppid() not in pids]
        return first

    def left_after(self, seconds: float) -> list[str]:
        """Return the command lines of the processes that still run after this many seconds."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.2)
        return command_lines(left)


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return every process with this folder in its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def command_lines(processes: list[psutil.Process]) -> list[str]:
    """Return the command lines of processes; empty for those that ended."""
    lines = []
    for process in processes:
        try:
            lines.append(" ".join(process.cmdline()))
        except psutil.NoSuchProcess:
            lines.append("")
    return lines


def memory_of(processes: list[psutil.Process]) -> int:
    """Return the unshared memory of processes in bytes, without those that ended."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().uss
    return total


@pytest.fixture
def folder() -> Iterator[Path]:
    """A separate temporary folder. No process of a demo outlives its test, however that ends.

    Another Airflow would take half of the processors from the tests that follow.
    """
    with tempfile.TemporaryDirectory(prefix="demo-test-") as name:
        yield Path(name)
        running = processes_of(Path(name))
        for process in running:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(running, timeout=60)


def test_a_demo_that_is_interrupted_leaves_no_process(folder: Path) -> None:
    demo = Demo(folder)
    demo.wait_for("6 past nights")
    running = demo.processes_of_all()
    assert memory_of(running) < MOST_MEMORY
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(_END_SECONDS) == 130
    assert demo.left_after(_END_SECONDS) == []
    assert not list(folder.glob("studio-demo-*")), "its files are deleted too"


@pytest.mark.slow
def test_a_demo_that_is_terminated_while_it_starts_leaves_no_process(folder: Path) -> None:
    demo = Demo(folder)
    demo.processes_of_all(_PROCESSES - 3)
    demo.process.send_signal(signal.SIGTERM)
    assert demo.process.wait(_END_SECONDS) == 143
    assert demo.left_after(_END_SECONDS) == []
    assert not list(folder.glob("studio-demo-*")), "its files are deleted too"


def test_a_demo_to_the_end_prints_its_summary_and_leaves_nothing(folder: Path) -> None:
    demo = Demo(folder, "--once")
    demo.wait_for("The night: success")
    assert demo.process.wait(_END_SECONDS) == 0, demo.text()
    text = demo.text()
    for row in ("Reports", "stale Reports", "Reports archived", "schedules deleted", "requests used", "seconds"):
        assert row in text
    assert "429 responses      0" in text
    assert re.search(r"Archived, and why\n  .+ \(\w+\), owner .+\n      .+", text), "a Report with its evidence"
    assert re.search(r"/plugin/studio\n", text)
    assert re.search(r"AIRFLOW_HOME=\S+ AIRFLOW__STUDIO__STORAGE_PATH=\S+ \S+/airflow studio undo \w+\n", text)
    assert demo.left_after(_END_SECONDS) == []


@needs_chromium
@pytest.mark.slow
def test_a_person_approves_and_sees_the_pages_with_nothing_but_what_the_demo_printed(folder: Path) -> None:
    demo = Demo(folder, "--approve", alone=True)
    demo.wait_for("Ctrl-C ends it immediately")
    printed = demo.text()
    assert "The night:" not in printed, "all of it is printed before the approval"
    login, link = printed_login(printed), printed_link(printed)
    assert re.search(r"until \d\d:\d\d", printed), "the deadline is printed"
    (pages,) = set(re.findall(r"http://\S+/plugin/studio\b\S*", printed))
    with chromium() as browser:
        page = opened(browser, link, login)
        page.get_by_role("button", name=re.compile("^Approve")).first.click()
        demo.wait_for("Running until Ctrl-C")
        page.goto(pages)
        page.frame_locator("iframe[title=Studio]").get_by_role("heading", name="acme").wait_for()
    text = demo.text()
    assert "The night: success" in text
    assert re.search(r"Reports archived +[1-9]", text)
    assert text.index(link) < text.index("approve success")
    assert_undone_by_what_is_printed(text)
    demo.process.kill()
    demo.process.wait(_END_SECONDS)
    assert demo.left_after(_END_SECONDS) == [], "not even after a kill, of which the demo learns nothing"
    assert not list(folder.glob("studio-demo-*"))


def assert_undone_by_what_is_printed(text: str) -> None:
    """Run the printed command in a shell that has no settings of an Airflow."""
    (command,) = re.findall(r"AIRFLOW_HOME=.* studio undo \w+", text)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    shell = ["/bin/sh", "-c", f"{command} --yes --output json"]
    undone = subprocess.run(shell, check=False, env=environment, capture_output=True, text=True)
    assert undone.returncode == 0, undone.stderr
    states = {action["state"] for action in json.loads(undone.stdout)}
    assert "undone" in states
    assert "done" not in states


def opened(browser: Browser, address: str, login: tuple[str, str]) -> Page:
    """Open a URL, log in on Airflow's login page, and return the page at that URL."""
    page = browser.new_page(viewport=DESKTOP, reduced_motion="reduce")
    page.set_default_timeout(_PAGE_SECONDS * 1000)
    page.goto(address)
    page.locator("input[name=username]").fill(login[0])
    page.locator("input[name=password]").fill(login[1])
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto(address)
    return page


def printed_login(text: str) -> tuple[str, str]:
    """Return the user and the password that the demo printed."""
    found = re.search(r"[Ll]ogin:? +(\S+) / (\S+)", text)
    assert found, text
    return found[1], found[2]


def printed_link(text: str) -> str:
    """Return the link to the required action."""
    links = set(re.findall(r"http://\S+/required_actions\b", text))
    assert len(links) == 1, text
    return str(links.pop())


@pytest.mark.slow
def test_a_demo_whose_airflow_breaks_says_so_and_leaves_no_process(folder: Path) -> None:
    demo = Demo(folder)
    demo.wait_for("6 past nights")
    demo.standalone().kill()
    assert demo.process.wait(_END_SECONDS) == 1
    assert "The demo failed: `airflow standalone` ended with" in demo.text()
    assert demo.left_after(_END_SECONDS) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "99999"], "--port 99999 cannot be used"),
        (["--reports", "0"], "a workspace needs at least 1"),
    ],
)
def test_what_is_missing_is_said_at_once(folder: Path, options: list[str], message: str) -> None:
    demo = Demo(folder, *options)
    assert demo.process.wait(_END_SECONDS) == 1
    assert message in demo.text()


def test_a_taken_port_is_said_at_once(folder: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = Demo(folder, "--emulator-port", str(port))
        assert demo.process.wait(_END_SECONDS) == 1
    assert f"--emulator-port {port} cannot be used" in demo.text()
    assert demo.left_after(_END_SECONDS) == []
    assert not list(folder.glob("studio-demo-*")), "the error comes before any file is created"
