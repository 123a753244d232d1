# SPDX-License-Identifier: Apache-2.0
"""Limiters of other libraries with our interface, so that the same workers and server measure all of them.

Each has the configuration that its documentation recommends for several processes. None of them can use the server's
feedback, so `observe` does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from airflow_provider_studio.client.ratelimit import Budget, Permit, Priority, RateLimitFeedback
from tests.benchmarks.fleet import NETWORK_JITTER_SECONDS, MeasuredLimiter, NoLimit, network_delay


class OtherLimiter(NoLimit):
    """Waits for another library's permit.

    :param wait: blocks until one request may be sent.
    """

    def __init__(self, wait: Callable[[], None]) -> None:
        super().__init__(None, "")  # type: ignore[arg-type]
        self._wait = wait

    def acquire(self, priority: Priority = Priority.CRAWL, resource: str = "") -> Permit:
        """Take a permit."""
        began, cpu = time.monotonic(), time.process_time()
        self._wait()
        self.cpu_seconds += time.process_time() - cpu
        waited = time.monotonic() - began
        self.longest_wait = max(self.longest_wait, waited)
        self.permits += 1
        network_delay()
        return Permit(waited)

    def observe(self, feedback: RateLimitFeedback) -> None:
        """Ignore the feedback, which no library can use."""


class PyrateLimiter(OtherLimiter):
    """pyrate-limiter: a SQLite file with a file lock, or a sorted set in Redis."""

    @classmethod
    def of(cls, store: str, key: str, budget: Budget) -> MeasuredLimiter:
        """Return a limiter with the margin in its interval, because it has no setting for one."""
        from pyrate_limiter import Limiter, Rate, RedisBucket, SQLiteBucket
        from redis import Redis

        rates = [Rate(budget.limit, round(budget.window_seconds * 1000))]
        if store.startswith("redis"):
            bucket = RedisBucket.init(rates, Redis.from_url(store), key)
        else:
            path = urlsplit(store).path.removeprefix("/")
            bucket = SQLiteBucket.init_from_file(rates, db_path=path, use_file_lock=True)
        limiter = Limiter(bucket, buffer_ms=10)
        return cls(lambda: _until(lambda: bool(limiter.try_acquire(key))))


class LimitsMovingWindow(OtherLimiter):
    """limits: a moving window in Redis, which counts in whole seconds; a caller polls until it has room."""

    @classmethod
    def of(cls, store: str, key: str, budget: Budget) -> MeasuredLimiter:
        """Return a limiter; the margin is a whole second, the smallest increase of its interval."""
        from limits import RateLimitItemPerSecond
        from limits.storage import RedisStorage
        from limits.strategies import MovingWindowRateLimiter

        item = RateLimitItemPerSecond(budget.limit, int(budget.interval_seconds) + (budget.margin_seconds > 0))
        strategy = MovingWindowRateLimiter(RedisStorage(store))

        def wait() -> None:
            while not strategy.hit(item, key):
                time.sleep(max(0.01, strategy.get_window_stats(item, key).reset_time - time.time()))

        return cls(wait)


def _until(acquired: Callable[[], bool]) -> None:
    while not acquired():
        time.sleep(NETWORK_JITTER_SECONDS)
