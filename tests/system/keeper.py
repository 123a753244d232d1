# SPDX-License-Identifier: Apache-2.0
"""A process that outlives its parent for the few seconds in which it ends all processes of the parent.

`airflow standalone` starts components, which start executors, which fork workers; killing the first leaves the last
running. The keeper adopts all of them (as Linux' child subreaper) and ends when its standard input closes. The kernel
closes it whenever the parent ends: by return, exception, Ctrl-C or SIGKILL.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

import psutil

_PR_SET_CHILD_SUBREAPER = 36
_REPOSITORY = Path(__file__).resolve().parents[2]


class ProcessKeeper:
    """The parent's side: starts processes, reads their status, ends all of them.

    :param remove: a folder that the keeper deletes after the last process ended.
    """

    def __init__(self, *, remove: Path | None = None) -> None:
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.system.keeper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_REPOSITORY,
            text=True,
            start_new_session=True,  # Ctrl-C in the terminal reaches only the parent, which then closes the pipe
        )
        if remove is not None:
            self.remove_at_end(remove)

    def start(self, argv: list[str], *, env: dict[str, str], log: Path) -> int:
        """Start one process with its output in `log`, and return its pid."""
        return int(self._send({"do": "start", "argv": argv, "env": env, "log": str(log)})["pid"])

    def exit_status(self, pid: int) -> int | None:
        """Return the exit status of a started process (negative: a signal), or None while it runs."""
        status = self._send({"do": "status", "pid": pid})["status"]
        return None if status is None else int(status)

    def remove_at_end(self, folder: Path | None) -> None:
        """Delete `folder` after the last process ended; None deletes nothing."""
        self._send({"do": "remove", "folder": None if folder is None else str(folder)})

    @property
    def pid(self) -> int:
        """The keeper's process id."""
        return self._keeper.pid

    def close(self) -> None:
        """End every process and wait for its end."""
        if self._keeper.stdin is not None and not self._keeper.stdin.closed:
            self._keeper.stdin.close()
        self._keeper.wait()
        if self._keeper.stdout is not None:
            self._keeper.stdout.close()

    def __enter__(self) -> ProcessKeeper:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _send(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.write(json.dumps(request) + "\n")
        self._keeper.stdin.flush()
        response = json.loads(self._keeper.stdout.readline() or '{"error": "the process keeper is gone"}')
        if "error" in response:
            raise RuntimeError(response["error"])
        return dict(response)


def end_all(root: psutil.Process, *, grace_seconds: float = 6.0) -> None:
    """Terminate every descendant of `root`, and kill those that did not end after `grace_seconds`."""
    deadline = time.monotonic() + grace_seconds
    terminated: set[int] = set()
    while descendants := root.children(recursive=True):
        overdue = time.monotonic() > deadline
        for process in descendants:
            if overdue or process.pid not in terminated:
                terminated.add(process.pid)
                _signal(process, signal.SIGKILL if overdue else signal.SIGTERM)
        _reap()
        time.sleep(0.05)


def _signal(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _reap() -> dict[int, int]:
    """Return the exit status by pid of every child that ended, including adopted ones."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)


class _Keeper:
    """The keeper's side of the pipe: one JSON request and one JSON response per line."""

    def __init__(self) -> None:
        self._ended: dict[int, int] = {}
        self._remove: Path | None = None

    def serve(self, requests: IO[str]) -> None:
        while True:
            readable, _, _ = select.select([requests], [], [], 0.5)
            self._ended.update(_reap())
            if readable:
                line = requests.readline()
                if not line:
                    return
                print(json.dumps(self._respond(json.loads(line))), flush=True)

    def finish(self) -> None:
        end_all(psutil.Process())
        if self._remove is not None:
            shutil.rmtree(self._remove, ignore_errors=True)

    def _respond(self, request: dict[str, Any]) -> dict[str, Any]:
        match request["do"]:
            case "start":
                return self._start(request)
            case "status":
                return {"status": self._ended.get(request["pid"])}
            case "remove":
                self._remove = None if request["folder"] is None else Path(request["folder"])
                return {}
        return {"error": f"unknown request {request['do']!r}"}

    def _start(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            with Path(request["log"]).open("ab") as log:
                process = subprocess.Popen(
                    request["argv"],
                    env=request["env"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
        except OSError as error:
            return {"error": f"cannot start {request['argv'][0]}: {error.strerror}"}
        return {"pid": process.pid}


def main() -> None:
    """Serve the parent until it closes the pipe, then end all started processes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keeper = _Keeper()
    try:
        keeper.serve(sys.stdin)
    finally:
        keeper.finish()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
