# SPDX-License-Identifier: Apache-2.0
"""Slow loads block neither Airflow's threads nor each other, and tables are prepared once."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest
from upath import UPath

from airflow_provider_studio.plugin import repository as repository_module
from airflow_provider_studio.plugin.cache import AsyncCache, TooSlowError
from airflow_provider_studio.plugin.materialize import prepare_snapshot
from airflow_provider_studio.plugin.queries import ReportQuery
from airflow_provider_studio.plugin.repository import Repository
from tests.plugin.serving import DEADLINE_SECONDS
from tests.plugin.workspace import ODD_NAMES, ODD_WORKSPACE, write_odd_names


class Slow:
    """A load that waits until a test lets it end."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.loaded: list[str] = []

    def __call__(self, key: str) -> str:
        self.may_end.wait(DEADLINE_SECONDS)
        self.loaded.append(key)
        return f"value of {key}"

    def cached(self, patience_seconds: float) -> AsyncCache[str]:
        return AsyncCache(
            self,
            good_for_seconds=None,
            patience_seconds=patience_seconds,
            too_slow=lambda: TooSlowError("too slow"),
        )


@pytest.fixture
def slow() -> Iterator[Slow]:
    load = Slow()
    yield load
    load.may_end.set()


def test_any_number_of_urls_queues_a_limited_number_of_loads(slow: Slow) -> None:
    cache = slow.cached(patience_seconds=0)
    for number in range(200):
        with pytest.raises(TooSlowError):
            cache.get(f"hours={number}")
    slow.may_end.set()
    cache._pool.shutdown(wait=True)
    assert 0 < len(slow.loaded) < 50


def test_most_requests_do_not_wait_for_slow_storage_with_airflows_threads(slow: Slow) -> None:
    cache = slow.cached(patience_seconds=DEADLINE_SECONDS)
    with ThreadPoolExecutor(40) as airflows_threads:
        requests = [airflows_threads.submit(cache.get, "key") for _ in range(40)]
        refused = as_completed(requests, timeout=DEADLINE_SECONDS / 4)
        assert all(isinstance(next(refused).exception(), TooSlowError) for _ in range(20))
        slow.may_end.set()
    assert {future.result() for future in requests if future.exception() is None} == {"value of key"}


@pytest.fixture
def storage(tmp_path: Path) -> UPath:
    root = UPath(tmp_path / "studio")
    write_odd_names(root)
    return root


def test_tables_that_were_deleted_are_made_again(storage: UPath, tmp_path: Path) -> None:
    pages = Repository(lambda: storage, tmp_path / "cache", patience_seconds=DEADLINE_SECONDS)
    before = pages.snapshot_tables(ODD_WORKSPACE)
    assert before is not None
    shutil.rmtree(tmp_path / "cache")
    assert pages.snapshot_tables(ODD_WORKSPACE) == before
    assert before.exists()
    tables = pages.tables(ODD_WORKSPACE, None)
    assert tables is not None
    assert tables.page(ReportQuery(), 1)[1] == len(ODD_NAMES)


def test_two_api_servers_prepare_the_tables_of_a_snapshot_once(
    storage: UPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Event()
    calls: list[tuple[object, ...]] = []

    def counted(*arguments: object) -> Path:
        calls.append(arguments)
        if len(calls) == len(servers):
            both.set()
        both.wait(0.5)  # time for the other server to begin as well, if it does
        return prepare_snapshot(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(repository_module, "prepare_snapshot", counted)
    servers = [Repository(lambda: storage, tmp_path / "cache", patience_seconds=DEADLINE_SECONDS) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(lambda server: server.snapshot_tables(ODD_WORKSPACE), servers))
    assert folders[0] == folders[1]
    assert len(calls) == 1


def test_what_a_killed_preparation_left_is_removed(storage: UPath, tmp_path: Path) -> None:
    leftover = tmp_path / "cache" / f"workspace={ODD_WORKSPACE}" / ".making-killed"
    leftover.mkdir(parents=True)
    pages = Repository(lambda: storage, tmp_path / "cache", patience_seconds=DEADLINE_SECONDS)
    assert pages.snapshot_tables(ODD_WORKSPACE) is not None
    assert not leftover.exists()
