# SPDX-License-Identifier: Apache-2.0
"""A ledger's file that cannot be used for now: the disk is full, or a process that holds it was stopped."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_studio.client.ratelimit import Budget, Priority, RateLimiter, RateLimitFeedback, store_from_url
from airflow_provider_studio.client.ratelimit.sqlite import SQLiteStore
from airflow_provider_studio.client.ratelimit.stores import StoreUnavailableError
from tests.client.ratelimit.test_stores import hold

BUDGET = Budget(limit=16, interval_seconds=0.3, margin_seconds=0.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ratelimit.db"


def test_a_holder_that_is_stopped_holds_nobody_up_for_long(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("airflow_provider_studio.client.ratelimit.sqlite._BUSY_SECONDS", 0.2)
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=hold, args=(file, ready))
    holder.start()
    try:
        assert ready.wait(120)
        os.kill(holder.pid or 0, signal.SIGSTOP)
        limiter = RateLimiter(store_from_url(f"sqlite:///{file}", local=file), "token", BUDGET)
        permits = [limiter.acquire() for _ in range(3)]
        assert permits[0].waited_seconds >= 0.29
        assert permits[2].waited_seconds >= 0.2, "an eighth of 16 is 2"
        assert caplog.text.count("cannot be used") == 1
    finally:
        os.kill(holder.pid or 0, signal.SIGKILL)
        holder.join(30)


def test_a_full_disk_stops_nobody(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SQLiteStore(file)
    store.reserve("token", BUDGET, Priority.CRAWL)
    pages = sqlite3.connect(file).execute("PRAGMA page_count").fetchone()[0]
    store._connection().execute(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        for number in range(100):
            store.pause(f"another token with a long name {number}" * 20, 1.0)

    with pytest.raises(StoreUnavailableError, match="full"):
        fill()
    assert store.reserve("token", BUDGET, Priority.CRAWL)[1] < 0.05, "what fits is still counted"


def _acquire_as_nobody(file: Path, results: Any) -> None:
    """Acquire permits as the user `nobody`, and put their number and what was logged."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("airflow_provider_studio").addHandler(handler)
    limiter = RateLimiter(store_from_url(f"sqlite:///{file}", local=file), "token", BUDGET)
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    results.put((sum(1 for _ in range(3) if limiter.acquire()), lines))


@pytest.mark.parametrize("kind", ["file", "folder", "missing folder"])
def test_a_ledger_that_this_user_may_not_write_is_named_once_and_work_continues(kind: str) -> None:
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "studio"
        file = folder / "ratelimit.db"
        if kind != "missing folder":
            folder.mkdir(mode=0o755)
        if kind == "file":
            SQLiteStore(file).reserve("token", BUDGET, Priority.CRAWL)
            for path in folder.iterdir():
                path.chmod(0o444)
        Path(root).chmod(0o555)
        if folder.exists():
            folder.chmod(0o555)
        child = context.Process(target=_acquire_as_nobody, args=(file, results))
        child.start()
        permits, lines = results.get(timeout=60)
        child.join(30)
        for path in (Path(root), folder):
            if path.exists():
                path.chmod(0o755)
    assert permits == 3
    (line,) = [line for line in lines if "The rate limit's shared ledger cannot be used" in line]
    assert (f"{folder} {file}*`" if kind == "file" else "sudo install -d -o ") in line
    assert f"This process runs as {'nobody' if os.geteuid() == 0 else ''}" in line
    assert "set [studio] rate_limit_url" in line


def test_a_ledger_that_became_read_only_is_used_again_when_it_can_be_written(file: Path) -> None:
    SQLiteStore(file).reserve("token", BUDGET, Priority.CRAWL)
    store = SQLiteStore(file)
    store._connection().execute("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailableError, match=r"readonly database.*sudo chown"):
        store.reserve("token", BUDGET, Priority.CRAWL)
    store._connection().execute("PRAGMA query_only = OFF")
    assert store.reserve("token", BUDGET, Priority.CRAWL)[1] < 0.05


class Broken(SQLiteStore):
    """A store that cannot be used for as long as a test says so."""

    down = True

    def with_ledger(self, key, change):  # type: ignore[no-untyped-def]
        if self.down:
            raise StoreUnavailableError("broken")
        return super().with_ledger(key, change)


def test_what_the_server_says_is_heard_by_the_private_share_too(file: Path) -> None:
    from airflow_provider_studio.client.ratelimit.fallback import FallbackStore
    from airflow_provider_studio.client.ratelimit.stores import MemoryStore

    now = [0.0]
    private = MemoryStore(lambda: now[0])
    store = FallbackStore(Broken(file), private, parts=2, now=lambda: now[0])
    store.observe("token", BUDGET, RateLimitFeedback(429, retry_after_seconds=7.0))
    assert store.reserve("token", BUDGET, Priority.ACT)[1] == pytest.approx(7.0)
    store.pause("token", 9.0)
    number, wait = store.reserve("token", BUDGET, Priority.ACT)
    assert number < 0
    assert wait == pytest.approx(9.0)
    store.release("token", number)


def test_coming_back_waits_until_private_sends_count_no_more(file: Path) -> None:
    from airflow_provider_studio.client.ratelimit.fallback import FallbackStore
    from airflow_provider_studio.client.ratelimit.stores import MemoryStore

    now = [100.0]
    broken = Broken(file, now=lambda: now[0])
    store = FallbackStore(broken, MemoryStore(lambda: now[0]), parts=2, now=lambda: now[0])
    assert store.reserve("token", BUDGET, Priority.ACT)[0] < 0
    broken.down = False
    now[0] += 1.0
    assert store.reserve("token", BUDGET, Priority.ACT)[0] < 0, "not asked again at once"
    now[0] += 5.0
    number, wait = store.reserve("token", BUDGET, Priority.ACT)
    assert number > 0
    assert wait == pytest.approx(BUDGET.window_seconds)
