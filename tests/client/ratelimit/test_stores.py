# SPDX-License-Identifier: Apache-2.0
"""The stores: one ledger for all threads and processes of a host, whatever happens to them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.ratelimit import Budget, Priority, RateLimiter, RateLimitFeedback, store_from_url
from airflow_provider_studio.client.ratelimit import sqlite as sqlite_module
from airflow_provider_studio.client.ratelimit.ledger import Ledger
from airflow_provider_studio.client.ratelimit.sqlite import SQLiteStore
from airflow_provider_studio.client.ratelimit.stores import MemoryStore
from airflow_provider_studio.emulator.limits import SlidingWindow
from tests.hand_clock import Seconds

SHORT = Budget(limit=5, interval_seconds=0.5, margin_seconds=0.05)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "ratelimit.db"


def legal(stamps: list[float], budget: Budget) -> bool:
    """Whether a server with a sliding window would refuse none of these."""
    now = [0.0]
    server = SlidingWindow(budget.limit, budget.interval_seconds, lambda: now[0])
    return all(server.take() for now[0] in sorted(stamps))


def stamps_noted(patch: pytest.MonkeyPatch) -> list[float]:
    """Return a list of the times at which sends are stamped; a busy machine resumes later, which proves nothing."""
    noted: list[float] = []
    stamp = Ledger._stamp

    def noting(ledger: Ledger, now: float, resource: str) -> None:
        noted.append(now)
        stamp(ledger, now, resource)

    patch.setattr(Ledger, "_stamp", noting)
    return noted


def use_permits(path: Path, count: int, stamps: multiprocessing.Queue[float]) -> None:
    limiter, noted = RateLimiter(SQLiteStore(path), "token", SHORT), stamps_noted(pytest.MonkeyPatch())
    for _ in range(count):
        limiter.acquire()
        stamps.put(noted[-1])


def used_by_processes(target: Callable[..., None], arguments: Sequence[tuple[Any, ...]], each: int) -> list[float]:
    """Return when each permit was given to processes that take `each` permits."""
    context = multiprocessing.get_context("spawn")
    stamps: multiprocessing.Queue[float] = context.Queue()
    workers = [context.Process(target=target, args=(*given, each, stamps)) for given in arguments]
    for worker in workers:
        worker.start()
    taken = [stamps.get(timeout=60) for _ in range(each * len(workers))]
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    return taken


@pytest.mark.slow
def test_processes_share_one_budget(file: Path) -> None:
    assert legal(used_by_processes(use_permits, [(file,)] * 4, each=6), SHORT)


def test_threads_share_one_budget_through_a_forked_child_too(file: Path) -> None:
    context = multiprocessing.get_context("fork")
    clock = context.Value("d", 100.0)

    def sleep(seconds: float) -> None:
        clock.value += seconds

    limiter = RateLimiter(SQLiteStore(file, now=lambda: clock.value), "token", SHORT, sleep=sleep)
    limiter.acquire()
    child = context.Process(target=lambda: [limiter.acquire() for _ in range(3)])
    child.start()
    child.join(30)
    assert child.exitcode == 0
    limiter.acquire()
    assert clock.value < 100.0 + SHORT.interval_seconds, "five at the pace of those who heard nothing of the server yet"
    limiter.acquire()
    assert clock.value == pytest.approx(100.0 + SHORT.window_seconds), "the sixth waits until the first counts no more"


def hold(path: Path, ready: multiprocessing.synchronize.Event) -> None:
    SQLiteStore(path).with_ledger("token", lambda _ledger, _now: (ready.set(), time.sleep(60)))


def test_a_holder_that_is_killed_holds_nobody_up(file: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=hold, args=(file, ready))
    holder.start()
    assert ready.wait(30)
    os.kill(holder.pid or 0, signal.SIGKILL)
    holder.join(30)
    before = time.monotonic()
    RateLimiter(SQLiteStore(file), "token", SHORT).acquire()
    assert time.monotonic() - before < 5


def test_tokens_have_budgets_of_their_own(file: Path) -> None:
    store = SQLiteStore(file)
    for _ in range(SHORT.limit):
        RateLimiter(store, "one", SHORT).acquire()
    assert store.reserve("one", SHORT, Priority.CRAWL)[1] > 0
    assert store.reserve("two", SHORT, Priority.CRAWL)[1] == 0.0


@pytest.mark.parametrize("url", ["sqlite", "memory"])
def test_what_the_server_says_reaches_everyone(file: Path, url: str) -> None:
    store = SQLiteStore(file) if url == "sqlite" else MemoryStore()
    other = SQLiteStore(file) if url == "sqlite" else store
    clock = Seconds()
    for one in (store, other):
        one._now = clock
    RateLimiter(store, "token", SHORT).observe(RateLimitFeedback(429, retry_after_seconds=7.0))
    assert RateLimiter(other, "token", SHORT, sleep=clock.sleep).acquire().waited_seconds == pytest.approx(7.0)
    RateLimiter(store, "token", SHORT).pause(3.0)
    assert RateLimiter(other, "token", SHORT, sleep=clock.sleep).acquire().waited_seconds == pytest.approx(3.0)


def test_a_reboot_starts_a_new_ledger(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SQLiteStore(file).pause("token", 3600.0)
    monkeypatch.setattr(sqlite_module, "_boot_id", lambda: "the next boot")
    assert SQLiteStore(file).reserve("token", SHORT, Priority.CRAWL)[1] == 0.0


def test_a_jump_of_the_wall_clock_moves_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SQLiteStore(file)
    store.pause("token", 60.0)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 30.0 < store.reserve("token", SHORT, Priority.CRAWL)[1] <= 60.0


def test_no_token_stands_in_the_file(file: Path) -> None:
    from airflow_provider_studio.client.auth import Credentials

    credentials = Credentials("acme", "a-very-visible-token", "hush")
    RateLimiter(SQLiteStore(file), credentials.budget_key, SHORT).acquire()
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT count(*) FROM ledgers").fetchone() == (1,)
    assert not any(b"visible" in one.read_bytes() for one in file.parent.iterdir())


def test_a_caller_that_is_interrupted_gives_its_place_back() -> None:
    store = MemoryStore()

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    limiter = RateLimiter(store, "token", Budget(limit=1, interval_seconds=60), sleep=interrupted)
    limiter.acquire()
    with pytest.raises(KeyboardInterrupt):
        limiter.acquire()
    assert store.with_ledger("token", lambda ledger, _now: ledger.waiting) == []


def in_threads(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_of_one_process(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = RateLimiter(SQLiteStore(file), "token", SHORT)
    stamps = stamps_noted(monkeypatch)

    def use_some() -> None:
        for _ in range(3):
            limiter.acquire()

    in_threads(5, use_some)
    assert len(stamps) == 15
    assert legal(stamps, SHORT)


def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    for number in range(40):
        store = SQLiteStore(tmp_path / f"{number}.db")
        ready = threading.Barrier(8)
        taken: list[float] = []

        def take(store: SQLiteStore = store, ready: threading.Barrier = ready, taken: list[float] = taken) -> None:
            ready.wait()
            taken.append(store.reserve("token", SHORT, Priority.CRAWL)[1])

        in_threads(8, take)
        assert len(taken) == 8


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("sqlite:///relative.db", "four slashes"),
        ("sqlite://host/x.db", "four slashes"),
        ("mysql://x", "of no known kind"),
        ("", "of no known kind"),
    ],
)
def test_a_url_that_names_no_store(url: str, match: str) -> None:
    with pytest.raises(StudioConfigurationError, match=match):
        store_from_url(url, local=Path("/unused")).reserve("token", SHORT, Priority.CRAWL)


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    file = tmp_path / "ratelimit.db"
    file.write_bytes(b"not a database at all, but long enough to be read as one" * 20)
    with pytest.raises(StudioConfigurationError, match="cannot be used"):
        SQLiteStore(file).reserve("token", SHORT, Priority.CRAWL)


def test_a_network_file_system_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = f"/dev/sda1 / ext4 rw 0 0\nfiler:/vol {file.parent} nfs4 rw 0 0\n"
    monkeypatch.setattr(sqlite_module.Path, "read_text", lambda *_, **__: mounts)
    with pytest.raises(StudioConfigurationError, match="on nfs4"):
        SQLiteStore(file)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"limit": 0}, "requests is 0"),
        ({"interval_seconds": 0.0}, "seconds is 0"),
        ({"margin_seconds": -1.0}, "margin is -1"),
    ],
)
def test_a_budget_that_makes_no_sense(values: dict[str, float], match: str) -> None:
    with pytest.raises(StudioConfigurationError, match=match):
        Budget(**values)  # type: ignore[arg-type]
