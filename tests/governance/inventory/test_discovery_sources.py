# SPDX-License-Identifier: Apache-2.0
"""The Discovery API and the Discovery Database as sources, compared with the crawl."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from upath import UPath

from airflow_provider_studio.client.discovery import DiscoveryClient, SignatureToken
from airflow_provider_studio.client.errors import (
    StudioAuthenticationError,
    StudioConfigurationError,
    StudioResponseError,
)
from airflow_provider_studio.client.ratelimit import RateLimiter
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.errors import InventoryError
from airflow_provider_studio.governance.inventory.cross_check import compare
from airflow_provider_studio.governance.inventory.discovery_sources import QUERY, DiscoveryAPI, DiscoveryDatabase
from airflow_provider_studio.governance.inventory.inventory import take_inventory
from airflow_provider_studio.governance.snapshots.store import SnapshotStore, tokens_by_id
from airflow_provider_studio.hooks.discovery import AirflowDatabase, source_of
from airflow_provider_studio.hooks.studio import StudioHook
from tests.conftest import client_of
from tests.connections import connection_of
from tests.governance.conftest import NOW, ago
from tests.governance.inventory.test_inventory import table


def minted(emulator: StudioEmulator) -> SignatureToken:
    """A signature token, as an admin mints it."""
    body = {
        "signature_token": {
            "name": "airflow",
            "expires_at": (emulator.control.clock() + timedelta(days=30)).isoformat(),
            "auth_scope": {"authentication_for": "batch-api", "authorization_type": "read-only"},
        }
    }
    url = f"{emulator.url}/batch/{emulator.workspace}/signature_tokens"
    response = requests.post(url, json=body, auth=emulator.credentials(), timeout=30).json()
    return SignatureToken(response["token"], response["access_key"], response["access_secret"])


def discovery_client(emulator: StudioEmulator, signature: SignatureToken | None = None) -> DiscoveryClient:
    return DiscoveryClient(
        emulator.workspace,
        signature or minted(emulator),
        limiter=RateLimiter.unlimited(),
        host=emulator.url,
        sleep=lambda _seconds: None,
    )


@pytest.fixture
def workspace() -> Iterator[StudioEmulator]:
    with StudioEmulator("acme", reports=300, seed=3, now=NOW) as emulator:
        emulator.control.set_speed(0)
        yield emulator


def test_the_discovery_api_reports_what_the_crawl_does_and_dates_views(workspace: StudioEmulator, storage: Any) -> None:
    client = client_of(workspace)
    crawled = take_inventory(client, storage / "walk", now=lambda: NOW)
    workspace.control.clear_requests()
    read = take_inventory(
        client, storage / "api", source=DiscoveryAPI(discovery_client(workspace)), now=lambda: ago(-0.001)
    )
    ours, theirs = (SnapshotStore(storage / name, "acme").all()[0] for name in ("walk", "api"))
    found = compare(ours, theirs)
    assert found == {
        "sources": ["rest", "discovery_api"],
        "reports": crawled.reports,
        "only_in_one": {"count": 0, "examples": []},
        "only_in_other": {"count": 0, "examples": []},
        "differences": {},
    }
    rows = table(read.path, "reports")
    crawled_pages = {row["token"]: row["web_url"] for row in table(crawled.path, "reports") if row["type"] == "Report"}
    pages = {token: url.removeprefix("https://app.mode.com") for token, url in crawled_pages.items()}
    assert all(row["web_url"] == f"{workspace.url}{pages[row['token']]}" for row in rows), (
        "a page, not a path of the API"
    )
    assert all(row["last_viewed_at"] is not None for row in rows if row["view_count"])
    assert {row["source"] for row in rows} == {"discovery_api"}
    assert {row["archived"] for row in rows} == {None}
    datasets = {row["token"] for row in table(crawled.path, "reports") if row["type"] == "DatasetReport"}
    assert read.schedules == crawled.schedules - sum(
        row["report"] in datasets for row in table(crawled.path, "schedules")
    )
    paths = [request["path"] for request in workspace.control.requests_summary()["requests"]]
    assert len([path for path in paths if path.startswith("/batch/")]) == 4  # the signature token's minting, 3 batches
    assert not [path for path in paths if "/spaces/" in path]


def test_what_discovery_does_not_report_is_carried_over_from_the_crawl(workspace: StudioEmulator, storage: Any) -> None:
    client = client_of(workspace)
    crawled = take_inventory(client, storage, now=lambda: ago(1))
    read = take_inventory(client, storage, source=DiscoveryAPI(discovery_client(workspace)), now=lambda: NOW)
    before = {row["token"]: row for row in table(crawled.path, "reports")}
    for row in table(read.path, "reports"):
        if row["type"] == "DatasetReport":
            assert row["unknown"] is True
        else:
            assert (row["archived"], row["creator"]) == (
                before[row["token"]]["archived"],
                before[row["token"]]["creator"],
            )
    assert read.unknown == crawled.datasets > 0


def test_differences_between_sources_are_reported(workspace: StudioEmulator, storage: Any) -> None:
    client = client_of(workspace)
    first = take_inventory(client, storage / "a", now=lambda: NOW)
    token = next(row["token"] for row in table(first.path, "reports") if row["type"] == "Report")
    workspace.control.view(token, 3)
    workspace.control.add_report(name="New")
    source = DiscoveryAPI(discovery_client(workspace))
    take_inventory(client, storage / "b", source=source, now=lambda: ago(-0.001))
    found = compare(*(SnapshotStore(storage / name, "acme").all()[0] for name in "ab"))
    assert found["differences"] == {"view_count": {"count": 1, "examples": [token]}}
    assert (found["only_in_one"]["count"], found["only_in_other"]["count"]) == (0, 1)


def test_a_wrong_signature_is_refused_and_no_part_of_it_is_shown(workspace: StudioEmulator) -> None:
    wrong = discovery_client(workspace, SignatureToken("a-token", "the-access-key", "the-access-secret"))
    with pytest.raises(StudioAuthenticationError) as refused:
        list(wrong.batches("reports"))
    assert "the-access" not in str(refused.value) + repr(SignatureToken("a", "the-access-key", "the-access-secret"))


def test_a_batch_without_counters_is_no_end(workspace: StudioEmulator) -> None:
    client = discovery_client(workspace)
    workspace.control.add_fault("status", path="/batch/acme/reports", status=200, body={"reports": []}, times=None)
    with pytest.raises(StudioResponseError, match="no whole number pagination"):
        list(client.batches("reports"))


# The Discovery Database, in SQLite behind Airflow's own hook


def share(path: Path, emulator: StudioEmulator, *, urls: bool = True) -> None:
    """Make the database that Studio would share."""
    with tempfile.TemporaryDirectory() as folder:
        crawled = take_inventory(client_of(emulator), UPath(folder), now=lambda: NOW)
        ids = {row["token"]: row["id"] for row in table(crawled.path, "reports")}
    state = emulator.control.state()
    collections = {
        token: collection["name"]
        for token, collection in state["collections"].items()
        if collection["personal_of"] is None
    }
    reports = [
        {**report, "token": token, "id": int(ids[token])}
        for token, report in state["reports"].items()
        if report["collection"] in collections and report["type"] == "Report"
    ]
    with sqlite3.connect(path) as database:
        database.executescript("""
            CREATE TABLE REPORTS
                (id, name, description, collection_name, creator_id, created_at_utc, last_edited_at_utc);
            CREATE TABLE REPORT_VIEWS (id, report_id, viewer_id, viewed_at_utc);
            CREATE TABLE REPORT_SCHEDULES (report_id);
            CREATE TABLE QUERIES (id, name, url, report_id, creator_id);
            CREATE TABLE QUERY_RUNS (id, query_id, runner_id, state, started_at_utc, is_scheduled);
            CREATE TABLE USERS (id, name, email);
            INSERT INTO USERS VALUES (1, 'Ada', 'ada@example.com');
        """)
        for report in reports:
            identifier = report["id"]
            created = report["created_at"].replace("T", " ")[:19]
            values = (identifier, report["name"], None, collections[report["collection"]], 1, created, created)
            database.execute("INSERT INTO REPORTS VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            url = f"https://app.mode.com/acme/reports/{report['token']}/queries/q" if urls else None
            database.execute("INSERT INTO QUERIES VALUES (?, 'Query 1', ?, ?, 1)", (identifier * 10, url, identifier))
            views = [
                (identifier, f"2026-05-{1 + number % 28:02} 10:00:00") for number in range(report["view_count"] % 5)
            ]
            database.executemany("INSERT INTO REPORT_VIEWS VALUES (1, ?, 1, ?)", views)
            database.executemany("INSERT INTO REPORT_SCHEDULES VALUES (?)", [(identifier,)] * len(report["schedules"]))


@pytest.fixture
def database(workspace: StudioEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AirflowDatabase:
    share(tmp_path / "share.db", workspace)
    monkeypatch.setenv("AIRFLOW_CONN_SHARE", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "share.db")}))
    return AirflowDatabase("share")


def test_the_discovery_database_is_read_through_airflows_own_sql_hook(
    workspace: StudioEmulator, storage: Any, database: AirflowDatabase
) -> None:
    source = DiscoveryDatabase(database, {}, schema="main")
    read = take_inventory(client_of(workspace), storage, source=source, now=lambda: NOW)
    truth = workspace.control.state()
    rows = table(read.path, "reports")
    assert len(rows) == read.reports > 200
    for row in rows:
        report = truth["reports"][row["token"]]
        views = report["view_count"] % 5
        assert (row["name"], row["view_count"]) == (report["name"], views)
        assert (row["last_viewed_at"] is not None) == bool(views)
        assert row["schedules_count"] == len(report["schedules"])
        assert (row["creator_email"], row["source"]) == ("ada@example.com", "discovery_db")
    assert read.schedules == sum(len(truth["reports"][row["token"]]["schedules"]) for row in rows) > 0


def test_reports_are_known_by_their_ids_where_addresses_are_missing(
    workspace: StudioEmulator, storage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share(tmp_path / "other.db", workspace, urls=False)
    monkeypatch.setenv("AIRFLOW_CONN_SHARE", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "other.db")}))
    client = client_of(workspace)
    crawled = take_inventory(client, storage, now=lambda: ago(1))
    known = tokens_by_id(SnapshotStore(storage, "acme").all()[0])
    without = known.popitem()
    source = DiscoveryDatabase(AirflowDatabase("share"), known, schema="main")
    read = take_inventory(client, storage, source=source, now=lambda: NOW)
    assert source.without_token <= 1
    assert {row["token"] for row in table(read.path, "reports")} >= set(known.values())
    assert without[1] in {row["token"] for row in table(read.path, "reports")}, "it was asked for by itself"
    assert read.reports == crawled.reports


def test_schema_and_query_are_ones_own(workspace: StudioEmulator, storage: Any, database: AirflowDatabase) -> None:
    query = (
        "SELECT 'aaaaaaaaaaaa' AS token, name, 3 AS view_count, '2026-05-01' AS last_viewed_at, 0 AS schedules_count "
        "FROM {schema}.REPORTS LIMIT 1"
    )
    source = DiscoveryDatabase(database, {}, schema="main", query=query)
    (row,) = table(take_inventory(client_of(workspace), storage, source=source).path, "reports")
    assert (row["token"], row["view_count"], row["archived"]) == ("aaaaaaaaaaaa", 3, None)
    with pytest.raises(InventoryError, match="schema is 'x; DROP TABLE y'"):
        DiscoveryDatabase(database, {}, schema="x; DROP TABLE y")
    lacking = DiscoveryDatabase(database, {}, query="SELECT 1 AS id")
    with pytest.raises(
        InventoryError, match="returns no column view_count, last_viewed_at, schedules_count; it returns id"
    ):
        take_inventory(client_of(workspace), storage, source=lacking)
    nothing = DiscoveryDatabase(
        database, {}, schema="main", query=QUERY.replace("ORDER BY", "WHERE r.id IS NULL ORDER BY")
    )
    with pytest.raises(InventoryError, match="reports no Report"):
        take_inventory(client_of(workspace), storage, source=nothing)


def connected(monkeypatch: pytest.MonkeyPatch, emulator: StudioEmulator, **extra: Any) -> StudioHook:
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO_TEST", connection_of(emulator, **extra))
    monkeypatch.setenv("AIRFLOW__STUDIO__RATE_LIMIT_URL", "memory://")
    return StudioHook("studio_test")


def test_auto_takes_the_cheapest_that_the_connections_can_use(
    workspace: StudioEmulator, storage: Any, database: AirflowDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    signature = minted(workspace)
    parts = {
        "discovery_token": signature.token,
        "discovery_access_key": signature.access_key,
        "discovery_access_secret": signature.access_secret,
    }
    plain, able = connected(monkeypatch, workspace), None
    assert source_of(plain, "auto", storage) is None
    assert isinstance(source_of(plain, "auto", storage, sql_conn_id="share"), DiscoveryDatabase)
    able = connected(monkeypatch, workspace, **parts)
    assert isinstance(source_of(able, "auto", storage), DiscoveryAPI)
    assert source_of(able, "rest", storage) is None
    wrong = connected(monkeypatch, workspace, **{**parts, "discovery_access_secret": "wrong"})
    assert source_of(wrong, "auto", storage) is None, "the crawl is always possible"


@pytest.mark.parametrize(
    ("name", "extra", "match"),
    [
        ("discovery_api", {}, "'studio_test': discovery_token is empty"),
        ("discovery_api", {"discovery_token": "t"}, "'studio_test': discovery_access_key is empty"),
        ("discovery_db", {}, "discovery_sql_conn_id is missing"),
        ("snowflake", {}, "source is 'snowflake'; it must be one of auto, rest, discovery_api, discovery_db"),
    ],
)
def test_what_a_source_lacks_is_named(
    workspace: StudioEmulator,
    storage: Any,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    extra: dict[str, Any],
    match: str,
) -> None:
    with pytest.raises(StudioConfigurationError, match=match):
        source_of(connected(monkeypatch, workspace, **extra), name, storage)


def test_without_the_sql_provider_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "airflow.providers.common.sql.hooks.sql", None)
    with pytest.raises(StudioConfigurationError, match=r"pip install 'airflow-provider-studio\[discovery\]'"):
        AirflowDatabase("share")


def test_a_connection_of_another_kind_is_named(workspace: StudioEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    connected(monkeypatch, workspace)
    with pytest.raises(StudioConfigurationError, match="'studio_test' is no SQL connection"):
        AirflowDatabase("studio_test")
