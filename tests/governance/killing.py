# SPDX-License-Identifier: Apache-2.0
"""Real processes that apply or undo a plan and are killed with SIGKILL at a boundary of their journal.

A boundary lies before, within and after each event that is written, and before and after each request that changes
Studio. They are numbered in the order in which one process passes them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upath import UPath

from airflow_provider_studio.client.auth import Credentials, TokenKind
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.ratelimit import RateLimiter
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.execution import apply, undo
from airflow_provider_studio.governance.execution.guard_rails import GuardRails
from airflow_provider_studio.governance.layout import journal_folder
from airflow_provider_studio.governance.plans import journal
from airflow_provider_studio.governance.plans.plan import Plan

_GENEROUS = GuardRails(max_actions=1000, max_share=1.0, max_failures_in_a_row=1000, max_age_days=3650)
_CHANGES = ("archive_report", "unarchive_report", "delete_schedule", "create_schedule", "create_subscription")
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Work:
    """What a process is to do; plain, for it crosses to another process.

    :param doing: `apply` or `undo`.
    :param kill_at: the boundary at which it is killed; 0 never.
    :param break_at: the boundary at which its journal's folder is put away, and a file is in its place.
    :param passed: a file that gets a line for each boundary.
    """

    doing: str
    url: str
    credentials: tuple[str, str]
    storage: str
    plan: str
    passed: str
    kill_at: int = 0
    break_at: int = 0
    concurrency: int = 1


def work_of(emulator: StudioEmulator, storage: UPath, plan: Path, passed: Path, doing: str) -> Work:
    """Return undisturbed work on a plan."""
    return Work(doing, emulator.url, emulator.credentials(), str(storage), str(plan), str(passed))


def start(work: Work) -> Any:
    """Start a process that does the work, with the environment as it is now: the server that forks has an older one."""
    process = _FORKS.Process(target=_do, args=(work, dict(os.environ)))
    process.start()
    return process


def finish(process: Any) -> int:
    """Wait for the end of a process and return its exit code; -9 is a kill."""
    process.join(120)
    assert process.exitcode is not None, "the process did not end within 2 minutes"
    return int(process.exitcode)


def _do(work: Work, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    boundary = _Boundaries(work)
    journal.write_once = boundary.wrap(journal.write_once, lambda path, _content: path.name)  # type: ignore[assignment]
    Path.hardlink_to = boundary.before(Path.hardlink_to, lambda self, _target: f"within {self.name}")  # type: ignore[method-assign]
    for name in _CHANGES:
        send = getattr(StudioClient, name)
        setattr(StudioClient, name, boundary.wrap(send, lambda _self, *args, name=name: f"{name} {args[0]}"))
    token, secret = work.credentials
    credentials = Credentials("acme", token, secret, work.url, TokenKind.WORKSPACE)
    client = StudioClient(credentials, limiter=RateLimiter.unlimited(), sleep=lambda _seconds: None)
    storage, actor = UPath(work.storage), {"dag": "killed", "try": str(os.getpid())}
    plan = Plan.read(UPath(work.plan), workspace="acme")
    options: dict[str, Any] = {"actor": actor, "concurrency": work.concurrency}
    if work.doing == "apply":
        apply.apply_plan(client, plan, storage, guard_rails=_GENEROUS, **options)
    else:
        undo.undo_plan(client, storage, plan.plan_id, **options)


def put_away(folder: UPath) -> None:
    """Break the storage of a journal."""
    here = Path(str(folder))
    here.rename(here.with_suffix(".away"))
    here.write_text("in the way")


def put_back(folder: UPath) -> None:
    """Repair it."""
    here = Path(str(folder))
    here.unlink()
    here.with_suffix(".away").rename(here)


class _Boundaries:
    """Counts the boundaries, and ends this process at one of them as the kernel would."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._count = 0

    def _pass(self, name: str) -> None:
        self._count += 1
        with Path(self._work.passed).open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
        if self._count == self._work.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._count == self._work.break_at:
            put_away(journal_folder(UPath(self._work.storage), "acme", Path(self._work.plan).stem))

    def before(self, work: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        def disturbed(*args: Any, **kwargs: Any) -> Any:
            self._pass(name(*args, **kwargs))
            return work(*args, **kwargs)

        return disturbed

    def wrap(self, work: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        def disturbed(*args: Any, **kwargs: Any) -> Any:
            self._pass(f"before {name(*args, **kwargs)}")
            result = work(*args, **kwargs)
            self._pass(f"after {name(*args, **kwargs)}")
            return result

        return disturbed
