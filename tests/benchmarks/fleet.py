# SPDX-License-Identifier: Apache-2.0
"""Many processes that share a token, with an emulator that enforces the limit: the base of the limiter's benchmarks.

A worker takes a permit, waits up to 200 ms to simulate the network, and sends; the emulator counts the requests. All
variants of a benchmark run at the same time, so that other load on the machine affects them equally.
"""

from __future__ import annotations

import logging
import multiprocessing
import queue
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow_provider_studio.client.auth import Credentials, TokenKind
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioError
from airflow_provider_studio.client.ratelimit import (
    Budget,
    Permit,
    Priority,
    RateLimiter,
    RateLimitFeedback,
    store_from_url,
)
from airflow_provider_studio.emulator import StudioEmulator
from tests.redis_server import RedisServer

NETWORK_JITTER_SECONDS = 0.2
BEFORE_SECONDS = 12.0
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.benchmarks.fleet"])


def network_delay() -> None:
    """Wait as long as a request can take on the network."""
    time.sleep(random.random() * NETWORK_JITTER_SECONDS)


class MeasuredLimiter(RateLimiter):
    """Measures the CPU time of permits, and simulates the network's delay."""

    cpu_seconds = 0.0
    longest_wait = 0.0
    permits = 0

    @classmethod
    def of(cls, store: str, key: str, budget: Budget) -> MeasuredLimiter:
        """Return a limiter with the store of a URL; the limiters of other libraries read the URL themselves."""
        return cls(store_from_url(store, local=Path("/nonexistent")), key, budget)

    def acquire(self, priority: Priority = Priority.CRAWL, resource: str = "") -> Permit:
        """Take a permit."""
        before = time.process_time()
        permit = super().acquire(priority, resource)
        self.cpu_seconds += time.process_time() - before
        self.longest_wait = max(self.longest_wait, permit.waited_seconds)
        self.permits += 1
        network_delay()
        return permit

    def observe(self, feedback: RateLimitFeedback) -> None:
        """Process the server's feedback."""
        before = time.process_time()
        super().observe(feedback)
        self.cpu_seconds += time.process_time() - before


class NoLimit(MeasuredLimiter):
    """Never waits: retries are the only reaction to the limit."""

    def acquire(self, priority: Priority = Priority.CRAWL, resource: str = "") -> Permit:
        """Permit immediately."""
        network_delay()
        return Permit(0.0)

    def observe(self, feedback: RateLimitFeedback) -> None:
        """Ignore the feedback."""


class FixedLimiter(MeasuredLimiter):
    """Uses a fixed budget without the server's feedback, like most clients."""

    def observe(self, feedback: RateLimitFeedback) -> None:
        """Ignore the feedback."""


@dataclass(frozen=True)
class Variant:
    """One row of a table.

    :param store: a store's URL.
    :param limiter: the class of the limiter.
    :param budget: the budget that the limiter allows.
    :param outside_per_second: requests of another client with the same token.
    :param clock_off_by: the offset of the wall clock of every second process, as on another host.
    """

    name: str
    processes: int
    store: str
    budget: Budget = field(default_factory=Budget)
    limiter: type[MeasuredLimiter] = MeasuredLimiter
    outside_per_second: float = 0.0
    clock_off_by: float = 0.0


@dataclass(frozen=True)
class Worked:
    """The result of one worker."""

    requests: int
    throttled: int
    failures: int
    cpu_seconds: float
    permits: int
    longest_wait: float


def work(variant: Variant, number: int, url: str, seconds: float, results: Any) -> None:
    """Send for this many seconds, and put the result into a queue."""
    logging.disable(logging.WARNING)
    if number % 2 and variant.clock_off_by:
        real = time.time
        time.time = lambda: real() + variant.clock_off_by
    credentials = Credentials("acme", *StudioEmulator.credentials(), url, TokenKind.WORKSPACE)
    limiter = variant.limiter.of(variant.store, credentials.budget_key, variant.budget)
    done = failures = 0
    until = time.monotonic() + seconds
    with StudioClient(credentials, limiter=limiter) as client:
        while time.monotonic() < until:
            try:
                client.verify()
                done += 1
            except StudioError:
                failures += 1
    results.put(
        Worked(done, client.spending.rate_limited, failures, limiter.cpu_seconds, limiter.permits, limiter.longest_wait)
    )


def send_outside(variant: Variant, url: str, seconds: float) -> None:
    """Send like a colleague's script: at a fixed rate with the same token, without a limiter."""
    import requests

    session = requests.Session()
    session.trust_env = False
    session.auth = StudioEmulator.credentials()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        session.get(f"{url}/api/verify?outside=1", timeout=10)
        time.sleep(1 / variant.outside_per_second)


@dataclass
class Measured:
    """The measurements of one row.

    :param used: the share of the allowed requests that were sent: the interval divided by the mean time of 40 requests.
    """

    variant: Variant
    requests: int
    requests_ours: int
    throttled: int
    throttled_ours: int
    used: float
    fairness: float
    failures: int
    cpu_ms: float
    longest_wait: float


@contextmanager
def stores(folder: Path) -> Iterator[Callable[[str, str], str]]:
    """Yield a function that returns the URL of a new store of a kind: sqlite, redis or memory."""
    with ExitStack() as running:

        def url(kind: str, name: str) -> str:
            if kind == "redis":
                return running.enter_context(RedisServer()).url
            return f"sqlite:///{folder / name}.db" if kind == "sqlite" else "memory://"

        yield url


Start = Callable[[str, float], Any]


def measure(
    variants: Sequence[Variant],
    seconds: float,
    meddle: Callable[[dict[str, list[Any]], Start, float], None] | None = None,
) -> list[Measured]:
    """Run all variants at the same time and return a row for each. Outside clients start earlier.

    :param meddle: called with the processes by variant, a function that starts another one, and the end time.
    """
    by_name = {variant.name: variant for variant in variants}
    with ExitStack() as running:
        emulators = {
            variant.name: running.enter_context(StudioEmulator("acme", reports=1, rate_limit=True))
            for variant in variants
        }
        results = {variant.name: CONTEXT.Queue() for variant in variants}
        processes: dict[str, list[Any]] = {variant.name: [] for variant in variants}

        def start(name: str, for_seconds: float) -> Any:
            number = len(processes[name])
            process = CONTEXT.Process(
                target=work, args=(by_name[name], number, emulators[name].url, for_seconds, results[name])
            )
            process.start()
            processes[name].append(process)
            return process

        outside = [variant for variant in variants if variant.outside_per_second]
        others = [
            CONTEXT.Process(target=send_outside, args=(variant, emulators[variant.name].url, seconds + BEFORE_SECONDS))
            for variant in outside
        ]
        for process in others:
            process.start()
        if others:
            time.sleep(BEFORE_SECONDS)
        for variant in variants:
            for _ in range(variant.processes):
                start(variant.name, seconds)
        if meddle is not None:
            meddle(processes, start, time.monotonic() + seconds)
        worked = {name: _collected(results[name], group, seconds) for name, group in processes.items()}
        for process in others:
            process.join()
        return [_row(variant, emulators[variant.name], worked[variant.name]) for variant in variants]


def _collected(results: Any, group: list[Any], seconds: float) -> list[Worked]:
    """Return the results of the workers; a killed worker has none."""
    worked = []
    deadline = time.monotonic() + seconds + 120
    while len(worked) < len(group) and time.monotonic() < deadline:
        try:
            worked.append(results.get(timeout=1.0))
        except queue.Empty:
            if not any(process.is_alive() for process in group):
                break
    for process in group:
        process.join(10)
        if process.is_alive():
            raise RuntimeError("a worker did not end: a deadlock")
    return worked


def _row(variant: Variant, emulator: StudioEmulator, worked: list[Worked]) -> Measured:
    summary = emulator.control.requests_summary()
    arrivals = [
        datetime.fromisoformat(request["at"]).timestamp() for request in summary["requests"] if request["status"] == 200
    ]
    limit = Budget().limit
    spans = [later - earlier for earlier, later in zip(arrivals, arrivals[limit:], strict=False)]
    shares = [worker.requests for worker in worked] or [0]
    permits = max(1, sum(worker.permits for worker in worked))
    return Measured(
        variant,
        requests=summary["by_status"].get("200", 0),
        requests_ours=sum(worker.requests for worker in worked),
        throttled=summary["by_status"].get("429", 0),
        throttled_ours=sum(worker.throttled for worker in worked),
        used=10.0 * len(spans) / sum(spans) if spans else 0.0,
        fairness=sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares)) if any(shares) else 0.0,
        failures=sum(worker.failures for worker in worked),
        cpu_ms=1000 * sum(worker.cpu_seconds for worker in worked) / permits,
        longest_wait=max((worker.longest_wait for worker in worked), default=0.0),
    )


def table(rows: Sequence[Measured]) -> str:
    """Return the rows as text."""
    head = f"{'variant':<26}{'processes':>10}{'requests':>10}{'429':>6}{'ours':>6}{'used':>8}{'Jain':>7}"
    head += f"{'failures':>10}{'CPU ms/permit':>15}{'longest wait s':>16}"
    lines = [
        f"{row.variant.name:<26}{row.variant.processes:>10}{row.requests:>10}{row.throttled:>6}{row.throttled_ours:>6}{row.used:>8.3f}"
        f"{row.fairness:>7.3f}{row.failures:>10}{row.cpu_ms:>15.2f}{row.longest_wait:>16.1f}"
        for row in rows
    ]
    return "\n".join([head, *lines])
