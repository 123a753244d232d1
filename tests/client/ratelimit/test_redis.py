# SPDX-License-Identifier: Apache-2.0
"""One budget for many hosts, in a real Redis, through everything that happens to a Redis."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.ratelimit import Budget, Priority, RateLimiter, RateLimitFeedback, store_from_url
from airflow_provider_studio.client.ratelimit.redis import RedisStore
from airflow_provider_studio.client.ratelimit.stores import StoreUnavailableError
from tests.client.ratelimit.test_stores import SHORT, legal, stamps_noted, used_by_processes
from tests.redis_server import RedisServer, needs_redis

pytestmark = needs_redis


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


def use_permits(url: str, clock_off_by: float, count: int, stamps: multiprocessing.Queue[float]) -> None:
    real = time.time
    time.time = lambda: real() + clock_off_by  # a host whose wall clock is off
    limiter, noted = RateLimiter(RedisStore(url), "token", SHORT), stamps_noted(pytest.MonkeyPatch())
    for _ in range(count):
        limiter.acquire()
        stamps.put(noted[-1])


def test_processes_share_one_budget_however_far_their_clocks_are_off(server: RedisServer) -> None:
    hosts = [(server.url, off) for off in (0.0, 3600.0, -3600.0, 0.3)]
    assert legal(used_by_processes(use_permits, hosts, each=6), SHORT)


def test_what_one_host_hears_reaches_all(server: RedisServer) -> None:
    RateLimiter(RedisStore(server.url), "token", SHORT).observe(RateLimitFeedback(429, retry_after_seconds=60.0))
    assert 30.0 < RedisStore(server.url).reserve("token", SHORT, Priority.CRAWL)[1] <= 60.0


def test_an_answer_that_says_nothing_new_writes_nothing(server: RedisServer) -> None:
    store, client = RedisStore(server.url), server.client()
    store.reserve("token", SHORT, Priority.CRAWL)
    store.observe("token", SHORT, RateLimitFeedback(200, limit=5, remaining=4))
    before = client.info("commandstats").get("cmdstat_set", {}).get("calls", 0)
    store.observe("token", SHORT, RateLimitFeedback(200, limit=5, remaining=4))
    assert client.info("commandstats")["cmdstat_set"]["calls"] == before


def test_a_flush_of_scripts_and_data_does_no_harm(server: RedisServer) -> None:
    store = RedisStore(server.url)
    store.reserve("token", SHORT, Priority.CRAWL)
    server.client().script_flush()
    store.reserve("token", SHORT, Priority.CRAWL)
    server.client().flushall()
    assert store.reserve("token", SHORT, Priority.CRAWL)[1] == 0.0


def test_no_token_and_no_secret_stand_in_it_and_nothing_stays_for_ever(server: RedisServer) -> None:
    from airflow_provider_studio.client.auth import Credentials

    key = Credentials("acme", "a-very-visible-token", "hush").budget_key
    RedisStore(server.url).reserve(key, SHORT, Priority.CRAWL)
    client = server.client()
    (name,) = client.keys()
    assert name == f"studio:ratelimit:{key}"
    assert "visible" not in name + str(client.get(name))
    assert 0 < client.ttl(name) <= 3600


def test_a_writer_that_was_stopped_in_between_reads_again(server: RedisServer) -> None:
    store, calls = RedisStore(server.url), []

    def slow_once(_ledger: object, now: float) -> float:
        calls.append(now)
        _ledger.sent.append(now)  # type: ignore[attr-defined]
        if len(calls) == 1:
            time.sleep(0.2)
        return now

    assert store.with_ledger("token", slow_once) == calls[1] > calls[0] + 0.1
    assert store.with_ledger("token", lambda ledger, _now: len(ledger.sent)) == 1


def test_two_writers_at_once_lose_nothing(server: RedisServer) -> None:
    first, second = RedisStore(server.url), RedisStore(server.url)
    met: list[int] = []

    def meet(ledger: object, now: float) -> None:
        if not met:
            met.append(1)
            second.reserve("token", SHORT, Priority.CRAWL)
        ledger.sent.append(now)  # type: ignore[attr-defined]

    first.with_ledger("token", meet)
    assert first.with_ledger("token", lambda ledger, _now: len(ledger.sent)) == 2


def test_a_redis_that_is_gone_leaves_a_private_share_warns_once_and_is_used_again_when_back(
    server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_studio.client.ratelimit.fallback._RETRY_SECONDS", 0.3)
    budget = Budget(limit=8, interval_seconds=0.4, margin_seconds=0.0)
    limiter = RateLimiter(store_from_url(server.url, local=tmp_path / "ratelimit.db"), "token", budget)
    assert limiter.acquire().waited_seconds == 0.0
    server.stop()
    begun = time.monotonic()
    assert limiter.acquire().waited_seconds > 0.3, "what was sent through Redis counts no more before its share is used"
    for _ in range(5):
        limiter.acquire()
    assert time.monotonic() - begun > 3 * 0.4, "a quarter of 8 is 2 in a window"
    assert caplog.text.count("cannot be used") == 1
    server.start()
    time.sleep(0.4)
    limiter.acquire()
    assert "available again" in caplog.text
    assert server.client().keys(), "it is used again"
    waits = [limiter.acquire().waited_seconds for _ in range(7)]
    assert sum(waits) < 0.3, "with the whole budget"


def test_a_wait_that_began_in_redis_ends_in_the_private_share(server: RedisServer, tmp_path: Path) -> None:
    budget = Budget(limit=4, interval_seconds=0.5, margin_seconds=0.0)
    store = store_from_url(server.url, local=tmp_path / "ratelimit.db")
    for _ in range(4):
        store.reserve("token", budget, Priority.CRAWL)
    number, wait = store.reserve("token", budget, Priority.CRAWL)
    assert wait > 0
    server.stop()
    waited = 0.0
    while wait > 0 and waited < 5:
        time.sleep(wait)
        waited += wait
        wait = store.stamp("token", budget, number)
    assert 0.5 <= waited < 5
    store.release("token", number)


def test_a_connection_that_hangs_is_given_up(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_studio.client.ratelimit.redis._TIMEOUT_SECONDS", 0.1)
    store = RedisStore(server.url)
    server.client().client_pause(5000)
    with pytest.raises(StoreUnavailableError, match="TimeoutError"):
        store.reserve("token", SHORT, Priority.CRAWL)


def test_wrong_credentials_are_reported_and_never_shown() -> None:
    with RedisServer(password="hush-hush") as guarded:
        assert RedisStore(guarded.url).reserve("token", SHORT, Priority.CRAWL)[1] == 0.0
        wrong = guarded.url.replace("hush-hush", "not-it")
        with pytest.raises(StudioConfigurationError, match="refuses the credentials") as caught:
            RedisStore(wrong).reserve("token", SHORT, Priority.CRAWL)
    assert "not-it" not in str(caught.value)
    with pytest.raises(StoreUnavailableError) as gone:
        RedisStore(guarded.url).reserve("token", SHORT, Priority.CRAWL)
    assert "hush-hush" not in str(gone.value)


def test_a_url_that_is_none() -> None:
    with pytest.raises(StudioConfigurationError, match="that redis-py does not accept"):
        RedisStore("redis://localhost:port/0")
