# SPDX-License-Identifier: Apache-2.0
"""Several people use the pages at the same time: exports are complete or visibly broken, and pages still respond."""

from __future__ import annotations

import csv
import io
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from fastapi import FastAPI
from upath import UPath

from airflow_provider_studio.plugin import queries
from airflow_provider_studio.plugin.csv_export import Exports
from airflow_provider_studio.plugin.materialize import prepare_plan, prepare_snapshot
from airflow_provider_studio.plugin.queries import SnapshotTables
from airflow_provider_studio.plugin.query_limits import BusyError, Lane
from airflow_provider_studio.plugin.repository import Repository, repository
from airflow_provider_studio.plugin.routes import reports
from tests.benchmarks.large_workspace import WORKSPACE, write_workspace
from tests.plugin.conftest import bearer
from tests.plugin.serving import DEADLINE_SECONDS, served, wait_until

REPORTS = 10_000
"""An export of them is larger than what two sockets buffer."""
EXPORT = f"/studio/reports.csv?workspace={WORKSPACE}"
PAGE = f"/studio/reports?workspace={WORKSPACE}&sort=views&desc=1&page=150"
POLICY = "content-security-policy"


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[UPath, Path]:
    """Storage with a workspace of many Reports, and a page cache with its tables. Tests only read them."""
    storage, cache = UPath(tmp_path_factory.mktemp("large") / "studio"), tmp_path_factory.mktemp("page-cache")
    plan = write_workspace(storage, reports=REPORTS, nights=1)
    prepare_snapshot(storage, WORKSPACE, cache)
    prepare_plan(storage, WORKSPACE, plan.plan_id, cache)
    return storage, cache


@pytest.fixture
def crowded(app: FastAPI, large: tuple[UPath, Path]) -> FastAPI:
    """The pages of the large workspace."""
    storage, cache = large
    pages = Repository(lambda: storage, cache, patience_seconds=DEADLINE_SECONDS)
    app.state.pages.dependency_overrides[repository] = lambda: pages
    return app


@pytest.fixture
def url(crowded: FastAPI) -> Iterator[str]:
    with served(crowded) as address:
        wait_until(lambda: get(address, PAGE).status_code == 200)
        yield address


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Limits DuckDB's memory for the pages."""

    def limit(text: str) -> None:
        monkeypatch.setattr(queries, "_MEMORY", text)
        queries._database.cache_clear()

    yield limit
    queries._database.cache_clear()


def with_exports(app: FastAPI, **bounds: Any) -> Exports:
    exports = Exports(**bounds)
    app.state.pages.dependency_overrides[reports._exports] = lambda: exports
    return exports


def get(url: str, path: str, **options: Any) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(f"{url}{path}", headers=bearer("viewer"), timeout=DEADLINE_SECONDS, **options)


def rows_of(response: requests.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))


class Held:
    """Exports that stop in the middle until a test lets them continue."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started = threading.Semaphore(0)
        self.resume = threading.Event()
        self.closed = threading.Semaphore(0)
        whole = SnapshotTables.export

        def export(tables: SnapshotTables, query: queries.ReportQuery) -> Iterator[Any]:
            try:
                for number, row in enumerate(whole(tables, query)):
                    if number == 10:
                        self.started.release()
                        self.resume.wait(DEADLINE_SECONDS)
                    yield row
            finally:
                self.closed.release()

        monkeypatch.setattr(SnapshotTables, "export", export)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    exports = Held(monkeypatch)
    yield exports
    exports.resume.set()


def test_exports_and_pages_at_the_same_time_are_all_whole(url: str, memory: Callable[[str], None]) -> None:
    memory("64MB")
    with ThreadPoolExecutor(14) as pool:
        exports = [pool.submit(get, url, EXPORT) for _ in range(5)]
        pages = [pool.submit(get, url, PAGE) for _ in range(15)]
    assert [future.result().status_code for future in (*exports, *pages)] == [200] * 20
    for future in exports:
        names = [row["name"].lower() for row in rows_of(future.result())]
        assert len(names) == REPORTS
        assert names == sorted(names)


def test_an_export_states_its_length_compressed_or_not(url: str) -> None:
    plain = get(url, EXPORT, stream=True)
    assert int(plain.headers["Content-Length"]) == len(plain.raw.read())
    with requests.Session() as session:
        session.trust_env = False
        session.headers = {**bearer("viewer"), "Accept-Encoding": "identity"}
        identity = session.get(f"{url}{EXPORT}", timeout=DEADLINE_SECONDS)
    assert "Content-Encoding" not in identity.headers
    assert int(identity.headers["Content-Length"]) == len(identity.content)
    assert len(rows_of(identity)) == REPORTS


def test_an_export_that_fails_in_the_middle_never_looks_whole(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = SnapshotTables.export

    def failing(tables: SnapshotTables, query: queries.ReportQuery) -> Iterator[Any]:
        for number, row in enumerate(whole(tables, query)):
            if number == REPORTS - 100:
                raise RuntimeError("the disk failed")
            yield row

    monkeypatch.setattr(SnapshotTables, "export", failing)
    response = get(url, EXPORT)
    assert response.status_code == 500
    assert response.headers["content-type"].startswith("text/plain")
    assert POLICY in response.headers


def test_a_disk_without_room_is_an_error_before_the_download(
    url: str, crowded: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_options: FileIO("/dev/full", "w"))
    response = get(url, EXPORT)
    assert response.status_code == 503
    assert "No space left" in response.text


def test_exports_beyond_the_queue_get_a_time_to_retry(url: str, crowded: FastAPI, held: Held) -> None:
    exports = with_exports(crowded, at_once=1, queue=1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(get, url, EXPORT)
        assert held.started.acquire(timeout=DEADLINE_SECONDS)
        second = pool.submit(get, url, EXPORT)
        wait_until(lambda: exports._waiting == 2)
        refusal = get(url, EXPORT)
        assert get(url, PAGE).status_code == 200, "pages respond while exports wait"
        held.resume.set()
    assert [len(rows_of(future.result())) for future in (first, second)] == [REPORTS] * 2
    assert refusal.status_code == 503
    assert int(refusal.headers["Retry-After"]) > 0
    assert refusal.headers["content-type"].startswith("text/plain")
    assert POLICY in refusal.headers
    assert "Content-Disposition" not in refusal.headers


def test_a_client_that_disconnects_frees_its_place(url: str, crowded: FastAPI, held: Held) -> None:
    with_exports(crowded, at_once=1, queue=0)
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        lines = [f"GET {EXPORT} HTTP/1.1", f"Host: {parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in bearer("viewer").items()]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        assert held.started.acquire(timeout=DEADLINE_SECONDS)
        assert get(url, EXPORT).status_code == 503
    held.resume.set()
    assert held.closed.acquire(timeout=DEADLINE_SECONDS), "its query has ended"
    wait_until(lambda: get(url, EXPORT).status_code == 200)


def test_a_slow_reader_holds_no_query(url: str, crowded: FastAPI) -> None:
    with_exports(crowded, at_once=1, queue=0)
    readers = [get(url, EXPORT, stream=True) for _ in range(3)]
    assert [reader.status_code for reader in readers] == [200] * 3, "only the headers of each were read"
    assert len(rows_of(get(url, EXPORT))) == REPORTS
    assert [len(rows_of(reader)) for reader in readers] == [REPORTS] * 3


def test_a_client_that_reads_nothing_is_disconnected(url: str, crowded: FastAPI) -> None:
    with_exports(crowded, most_open=1, stall_seconds=0.3)
    parts = urlsplit(url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((parts.hostname, parts.port))
        lines = [f"GET {EXPORT} HTTP/1.1", f"Host: {parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in bearer("viewer").items()]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        wait_until(lambda: get(url, EXPORT).status_code == 200)


def test_a_query_without_enough_memory_is_a_page_that_reloads(url: str, memory: Callable[[str], None]) -> None:
    memory("1MB")
    for path in (f"{PAGE}&q=draft", EXPORT):
        response = get(url, path)
        assert response.status_code == 503, path
        assert int(response.headers["Retry-After"]) > 0
        assert POLICY in response.headers
        assert "memory" in response.text


def test_a_page_beyond_the_lane_reloads_itself(
    url: str, memory: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = Lane(at_once=1, queue=0, wait_seconds=5, query_seconds=60)
    monkeypatch.setattr(queries, "PAGES", lane)
    with lane.turn():
        response = get(url, f"{PAGE}&q=weekly")
        assert get(url, EXPORT).status_code == 200, "exports have a lane of their own"
    assert response.status_code == 503
    assert f'data-reload="{response.headers["Retry-After"]}"' in response.text
    assert POLICY in response.headers
    assert get(url, f"{PAGE}&q=weekly").status_code == 200


def test_an_unexpected_error_is_a_page_with_the_headers(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(SnapshotTables, "page", broken)
    response = get(url, PAGE)
    assert response.status_code == 500
    assert POLICY in response.headers
    assert "This page failed" in response.text
    assert "secret" not in response.text


def test_a_query_that_takes_too_long_is_interrupted(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "workspace=acme" / "snapshot=1" / "reports.parquet"
    lane = Lane(at_once=1, queue=0, wait_seconds=1, query_seconds=0.05)
    with pytest.raises(BusyError, match="was stopped"), queries._cursor(file, lane) as cursor:
        cursor.execute("SELECT sum(a.range * b.range) FROM range(1000000) AS a, range(1000000) AS b").fetchall()
    with queries._cursor(file, lane) as cursor:
        assert cursor.execute("SELECT 1").fetchall() == [(1,)], "its turn is free again"


def test_a_query_that_waits_too_long_for_its_turn_is_refused() -> None:
    lane = Lane(at_once=1, queue=1, wait_seconds=0.01, query_seconds=60)
    with lane.turn():
        for _ in range(3):
            with pytest.raises(BusyError, match="take long"), lane.turn():
                pytest.fail("it is not its turn")
