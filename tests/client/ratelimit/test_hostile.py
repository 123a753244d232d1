# SPDX-License-Identifier: Apache-2.0
"""Servers that request absurd pauses, and stored ledgers that are damaged or of another version, stop no caller."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_studio.client.ratelimit import Budget, Priority, RateLimiter, RateLimitFeedback, store_from_url
from airflow_provider_studio.client.ratelimit.ledger import Ledger
from airflow_provider_studio.client.ratelimit.redis import RedisStore
from airflow_provider_studio.client.ratelimit.sqlite import SQLiteStore
from airflow_provider_studio.client.ratelimit.stores import LedgerStore, MemoryStore, StoreUnavailableError
from airflow_provider_studio.client.retry_policy import RetryPolicy
from tests.redis_server import RedisServer, needs_redis

CAP = RetryPolicy().longest_wait_seconds
BUDGET = Budget()
LONG = Budget(limit=1000, interval_seconds=3600.0)
ABSURD = [86_400.0, 1_764_500_000.0, 1e300, float("inf")]
STORES = ["memory", "sqlite", pytest.param("redis", marks=needs_redis)]
PERSISTENT = STORES[1:]


class Place:
    """Where a store keeps its ledgers, with a way to write anything there."""

    def __init__(self, kind: str, folder: Path, server: RedisServer | None) -> None:
        self.file = folder / "ratelimit.db"
        self.kind, self.server = kind, server

    def open(self) -> LedgerStore:
        """Return a store as a process that begins does."""
        if self.server is not None:
            return RedisStore(self.server.url)
        return SQLiteStore(self.file) if self.kind == "sqlite" else MemoryStore()

    def write(self, stored: str | bytes | int | None) -> None:
        """Let something else stand where the ledger of "token" stood."""
        self.open().reserve("token", BUDGET, Priority.CRAWL)
        if self.server is not None:
            self.server.client().set("studio:ratelimit:token", stored if stored is not None else "")
            return
        with sqlite3.connect(self.file) as connection:
            connection.execute("UPDATE ledgers SET ledger = ?", (stored,))
        connection.close()

    def read(self) -> Any:
        """Return the stored text."""
        if self.server is not None:
            return json.loads(str(self.server.client().get("studio:ratelimit:token")))
        with sqlite3.connect(self.file) as connection:
            (stored,) = connection.execute("SELECT ledger FROM ledgers").fetchone()
        connection.close()
        return json.loads(stored)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param != "redis":
        yield Place(request.param, tmp_path, None)
        return
    with RedisServer() as server:
        yield Place("redis", tmp_path, server)


@pytest.mark.parametrize("place", STORES, indirect=True)
@pytest.mark.parametrize("asked", ABSURD)
def test_one_429_never_pauses_longer_than_the_cap(place: Place, asked: float) -> None:
    store = place.open()
    RateLimiter(store, "token", BUDGET).observe(RateLimitFeedback(429, retry_after_seconds=asked))
    assert CAP - 5 < store.reserve("token", BUDGET, Priority.ACT)[1] <= CAP


@pytest.mark.parametrize("place", STORES, indirect=True)
@pytest.mark.parametrize("asked", ABSURD)
def test_a_pause_by_hand_is_capped_too_but_never_below_a_window(place: Place, asked: float) -> None:
    store = place.open()
    RateLimiter(store, "token", BUDGET).pause(asked)
    assert CAP - 5 < store.reserve("token", BUDGET, Priority.ACT)[1] <= CAP
    RateLimiter(store, "long", LONG).pause(asked)
    assert LONG.window_seconds - 5 < store.reserve("long", LONG, Priority.ACT)[1] <= LONG.window_seconds


@pytest.mark.parametrize("place", PERSISTENT, indirect=True)
def test_a_pause_that_an_earlier_version_wrote_is_cut_to_the_cap(place: Place) -> None:
    place.write(json.dumps({"paused_until": 1e12}))
    assert CAP - 5 < place.open().reserve("token", BUDGET, Priority.ACT)[1] <= CAP


def test_further_429s_extend_a_pause() -> None:
    ledger = Ledger()
    for now in (0.0, 50.0, 100.0):
        ledger.observe(now, BUDGET, RateLimitFeedback(429, retry_after_seconds=86_400.0))
        assert ledger.reserve(now, BUDGET, Priority.ACT)[1] == pytest.approx(CAP)


def test_a_refusal_without_a_retry_after_still_pauses() -> None:
    ledger = Ledger()
    ledger.observe(0.0, BUDGET, RateLimitFeedback(429, retry_after_seconds=0.0))
    assert ledger.reserve(0.0, BUDGET, Priority.ACT)[1] == pytest.approx(BUDGET.interval_seconds / 4)


def test_thousands_of_429s_in_a_row_are_still_counted() -> None:
    ledger = Ledger()
    for now in range(5000):
        ledger.observe(float(now), BUDGET, RateLimitFeedback(429))
    assert ledger.reserve(5000.0, BUDGET, Priority.ACT)[1] <= BUDGET.window_seconds


def test_a_pause_and_its_end_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    store = MemoryStore(lambda: now[0])
    caplog.set_level(logging.INFO)
    store.observe("token", BUDGET, RateLimitFeedback(429, retry_after_seconds=30.0))
    for now[0] in (1.0, 2.0):
        store.release("token", store.reserve("token", BUDGET, Priority.CRAWL)[0])
    store.observe("token", BUDGET, RateLimitFeedback(429, retry_after_seconds=86_400.0))
    now[0] = 63.0
    for _ in range(2):
        store.reserve("token", BUDGET, Priority.CRAWL)
    said = [record.getMessage() for record in caplog.records]
    assert ["paused until" in text for text in said] == [True, True, False]
    assert "(30.0 s)" in said[0]
    assert "(60.0 s)" in said[1]
    assert "resumed" in said[2]


UNREADABLE: dict[str, str | bytes | int] = {
    "nothing": "",
    "half": '{"sent":[1.0',
    "no object": "[]",
    "null": "null",
    "a number": 7,
    "deep": "[" * 100_000,
    "no utf-8": b'{"sent":[\xff\xfe]}',
    "bytes": bytes(range(256)),
    "a text for a list": '{"sent":"now"}',
    "a text for a time": '{"sent":["now"]}',
    "true for a time": '{"sent":[true]}',
    "no list": '{"sent":null}',
    "NaN": '{"paused_until":NaN}',
    "Infinity": '{"paused_until":Infinity}',
    "too large a time": '{"paused_until":1e999}',
    "half a place": '{"waiting":[[1]]}',
    "a place of texts": '{"waiting":[["1","2","3",4]]}',
    "a negative count": '{"strikes":-1,"others":-5}',
    "a number of 5000 digits": '{"last_number":' + "9" * 5000 + "}",
    "a limit of none": '{"smaller":{"reports":{"limit":0,"sent":[]}}}',
}


@pytest.mark.parametrize("place", PERSISTENT, indirect=True)
def test_a_ledger_that_is_unreadable_is_replaced_with_one_warning(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    for what, stored in UNREADABLE.items():
        place.write(stored)
        caplog.clear()
        store = place.open()
        assert store.reserve("token", BUDGET, Priority.CRAWL)[1] == 0.0, what
        assert place.read()["last_number"] == 1, what
        assert caplog.text.count("A new one replaces it") == 1, what
        store.reserve("token", BUDGET, Priority.CRAWL)
        assert place.read()["last_number"] == 2, f"{what}: and it is kept"


@needs_redis
@pytest.mark.parametrize("place", ["redis"], indirect=True)
def test_a_value_of_another_type_in_redis_is_replaced(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    assert place.server is not None
    place.server.client().rpush("studio:ratelimit:token", "one", "two")
    assert place.open().reserve("token", BUDGET, Priority.CRAWL)[1] == 0.0
    assert place.read()["last_number"] == 1
    assert "A new one replaces it" in caplog.text


@pytest.mark.parametrize("place", PERSISTENT, indirect=True)
def test_a_ledger_of_a_later_version_is_read(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    store = place.open()
    for _ in range(BUDGET.limit):
        store.with_ledger("token", lambda ledger, now: ledger.sent.append(now))
    stored = place.read()
    later = {"a_later_field": {"of": ["any kind"]}, "waiting": [[7, 1.0, 2, "", "more"]]}
    place.write(json.dumps({**stored, **later}))
    assert place.open().reserve("token", BUDGET, Priority.CRAWL)[1] > 5.0, "its sends count"
    assert "replaces" not in caplog.text


@pytest.mark.parametrize("place", PERSISTENT, indirect=True)
def test_a_ledger_of_an_earlier_version_is_read(place: Place) -> None:
    store = place.open()
    store.with_ledger("token", lambda ledger, now: ledger.sent.extend([now] * BUDGET.limit))
    place.write(json.dumps({"sent": place.read()["sent"]}))
    assert place.open().reserve("token", BUDGET, Priority.CRAWL)[1] > 5.0, "its sends count"


ABSURD_NUMBERS: list[dict[str, Any]] = [
    {"sent": [1e300] * 50},
    {"sent": [-1e300] * 50},
    {"waiting": [[1, 1e300, 0, ""]] * 50},
    {"paused_until": -1e300},
    {"heard_at": 1e300, "others": 39},
    {"others": 10**400},
    {"strikes": 10**400},
    {"last_number": 10**400},
]


@pytest.mark.parametrize("place", PERSISTENT, indirect=True)
def test_absurd_numbers_in_a_ledger_stop_nobody(place: Place) -> None:
    for numbers in ABSURD_NUMBERS:
        place.write(json.dumps(numbers))
        store = place.open()
        assert store.reserve("token", BUDGET, Priority.CRAWL)[1] == 0.0, numbers
        store.observe("token", BUDGET, RateLimitFeedback(429))
        assert store.reserve("token", BUDGET, Priority.CRAWL)[1] <= BUDGET.window_seconds + 1, numbers


def damaged(file: Path, damage: Callable[[Path], None]) -> None:
    store = SQLiteStore(file)
    store.reserve("token", BUDGET, Priority.CRAWL)
    store._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store._connection().close()
    damage(file)


def overwrite(offset: int) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        content = bytearray(file.read_bytes())
        content[offset : offset + 400] = b"?" * 400
        file.write_bytes(content)

    return damage


def test_a_damaged_database_is_moved_aside_and_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "ratelimit.db"
    damaged(file, overwrite(100))
    waits: list[float] = []

    def reserve() -> None:
        waits.append(SQLiteStore(file).reserve("token", BUDGET, Priority.CRAWL)[1])

    threads = [threading.Thread(target=reserve) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(waits) == 6
    assert SQLiteStore(file).with_ledger("token", lambda ledger, _now: ledger.last_number) == 6
    moved = [one.name for one in tmp_path.iterdir() if ".damaged-" in one.name]
    databases = {name.removesuffix("-wal").removesuffix("-shm") for name in moved}
    assert len(databases) == 1, "once, and with its log if a thread had it open"
    assert caplog.text.count("was damaged") == 1


@pytest.mark.parametrize("gone", [overwrite(100), Path.unlink], ids=["damaged", "deleted"])
def test_a_store_that_has_the_old_database_open_goes_over_to_the_new_one(
    tmp_path: Path, gone: Callable[[Path], None]
) -> None:
    file = tmp_path / "ratelimit.db"
    damaged(file, lambda _file: None)
    running = SQLiteStore(file)
    running.with_ledger("token", lambda ledger, _now: ledger.last_number)
    gone(file)
    SQLiteStore(file).reserve("token", BUDGET, Priority.CRAWL)
    running.reserve("token", BUDGET, Priority.CRAWL)
    assert SQLiteStore(file).with_ledger("token", lambda ledger, _now: ledger.last_number) == 2


def test_a_damaged_table_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "ratelimit.db"
    damaged(file, overwrite(4096))
    assert SQLiteStore(file).reserve("token", BUDGET, Priority.CRAWL)[1] == 0.0


@pytest.mark.parametrize(
    "content", [b"a text that is long enough to be read as one" * 20, bytes(99)], ids=["text", "zeros"]
)
def test_a_file_that_is_no_database_is_left_alone_and_a_private_share_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    file = tmp_path / "ratelimit.db"
    file.write_bytes(content)
    with pytest.raises(StoreUnavailableError):
        SQLiteStore(file).reserve("token", BUDGET, Priority.CRAWL)
    budget = Budget(limit=16, interval_seconds=0.2, margin_seconds=0.0)
    limiter = RateLimiter(store_from_url(f"sqlite:///{file}", local=file), "token", budget)
    for _ in range(3):
        limiter.acquire()
    assert file.read_bytes() == content
    assert caplog.text.count("cannot be used") == 2, "one warning, with the reason in it"


def test_a_table_of_a_later_version_with_more_columns_is_used(tmp_path: Path) -> None:
    file = tmp_path / "ratelimit.db"
    SQLiteStore(file).reserve("token", BUDGET, Priority.CRAWL)
    with sqlite3.connect(file) as connection:
        connection.execute("ALTER TABLE ledgers ADD COLUMN later TEXT")
    connection.close()
    store = SQLiteStore(file)
    store.reserve("token", BUDGET, Priority.CRAWL)
    assert store.with_ledger("token", lambda ledger, _now: ledger.last_number) == 2


def test_a_folder_in_place_of_the_file_is_named_with_the_option(tmp_path: Path) -> None:
    (tmp_path / "ratelimit.db").mkdir()
    with pytest.raises(StoreUnavailableError, match="rate_limit_url"):
        SQLiteStore(tmp_path / "ratelimit.db").reserve("token", BUDGET, Priority.CRAWL)
