# SPDX-License-Identifier: Apache-2.0
"""Names and files that anyone with access to storage may put there are data, whatever they contain."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from upath import UPath

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.governance.errors import GovernanceError, StorageError
from airflow_provider_studio.governance.inventory.cross_check import compare
from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.audit import workspace_of, workspaces
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.snapshots.csv_export import listed, write_csv
from airflow_provider_studio.governance.snapshots.retention import Retention, retain
from airflow_provider_studio.governance.snapshots.store import SnapshotStore, tokens_by_id
from tests.conftest import slow
from tests.governance.nights import NOW, ago, rows, write_night

ROW = {
    "name": "Old",
    "view_count": 5,
    "created_at": ago(700),
    "edited_at": ago(400),
    "archived": False,
    "collection": "c0",
    "schedules_count": 0,
}
WORKSPACES = (
    "!';COPY(SELECT 42)TO('written.csv');--",
    "o'brien",
    "a b",
    'a"b',
    "..",
    ".hidden",
    "",
    "a\nb",
    "été",
    "acme;",
    "*",
    "-rf",
)
COLUMNS = (
    "x'); COPY (SELECT 42) TO 'written.csv'; --",
    "x\"; COPY (SELECT 42) TO 'written.csv'; --",
    "first_seen_at",
    "views_90d",
    "views_gained_90",
    "by_person",
    "schedules",
    "unviewed",
    "SELECT",
    "a b",
)


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory, which stays empty."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    assert list(folder.iterdir()) == []


def two_nights(storage: UPath) -> None:
    for days in (100, 0):
        write_night(storage, days, {"aaaaaaaaaaaa": ROW}, remembered=True)


@pytest.mark.parametrize("kind", ["plans"])
@pytest.mark.parametrize("name", WORKSPACES)
def test_a_workspace_that_cannot_be_one_is_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, name: str
) -> None:
    for workspace in ("acme", name):
        (tmp_path / kind / f"workspace={workspace}").mkdir(parents=True)
    with caplog.at_level(logging.WARNING):
        assert workspaces(UPath(tmp_path)) == ["acme"]
        assert workspaces(UPath(tmp_path)) == ["acme"]
        assert workspace_of(UPath(tmp_path), None) == "acme"
    assert len([record for record in caplog.records if "no workspace can have this name" in record.message]) == 1


@pytest.mark.parametrize("name", WORKSPACES)
def test_a_workspace_that_cannot_be_one_is_not_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(StudioConfigurationError, match="workspace is"):
        SnapshotStore(UPath(tmp_path), name)


@pytest.mark.parametrize(
    "name",
    [
        "x'; COPY (SELECT 42) TO 'written.csv'; --",
        "20260101T000000000000Z'",
        "20260101T000000000000Z.old",
        "20260101T0000000000Z",
        "2026-01-01",
        "20261301T000000000000Z",
        "",
        " 20260101T000000000000Z",
    ],
)
def test_a_snapshot_whose_name_is_no_time_is_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    storage = UPath(tmp_path / "storage")
    two_nights(storage)
    store = SnapshotStore(storage, "acme")
    good = [night.folder.name for night in store.all()]
    shutil.copytree(Path(store.root / good[0]), Path(store.root / f"taken_at={name}"))
    with caplog.at_level(logging.WARNING):
        assert [night.folder.name for night in store.all()] == good
        assert store.newest() == store.all()[-1]
        assert retain(storage, "acme", Retention(), dry_run=True).kept == 2
    assert len([record for record in caplog.records if "not the time of a snapshot" in record.message]) == 1


@pytest.mark.parametrize(
    "name", ["a'; COPY (SELECT 42) TO 'written.csv'; --", *slow("o'brien", "st*r", "[ab]", "token=x", "what?")]
)
def test_storage_of_any_name_is_worked_with(tmp_path: Path, name: str) -> None:
    storage = UPath(tmp_path / name)
    two_nights(storage)
    for night in SnapshotStore(storage, "acme").all():
        (night.folder / "summary.json").write_text('{"source": "rest"}')
    assert rows(storage)["aaaaaaaaaaaa"]["views_90d"] == 0
    nights = SnapshotStore(storage, "acme").all()
    policy = StalenessPolicy(where="views_90d = 0", unrun_days=None)
    assert make_plan(storage, "acme", policy, now=lambda: NOW).reports == ("aaaaaaaaaaaa",)
    assert listed(nights, where="views_90d = 0", columns=["token"])[1] == [("aaaaaaaaaaaa",)]
    write_csv(nights, storage / "reports.csv")
    assert "aaaaaaaaaaaa" in (storage / "reports.csv").read_text()
    assert compare(nights[0], nights[1])["sources"] == ["rest", "rest"]
    assert tokens_by_id(nights[-1]) == {}
    assert retain(storage, "acme", Retention(1, 1, 1)).dropped == [nights[0].folder.name]


@pytest.mark.parametrize("table", ["reports", *slow("schedules", "history", "schedule_history")])
def test_columns_that_we_did_not_write_are_not_read(tmp_path: Path, table: str) -> None:
    storage = UPath(tmp_path / "storage")
    two_nights(storage)
    nights = SnapshotStore(storage, "acme").all()
    for night in nights:
        path = str(night.folder / f"{table}.parquet")
        with duckdb.connect() as connection:
            rows_read = "read_parquet(?, hive_partitioning = false)"
            present = {
                name for name, *_ in connection.execute(f"DESCRIBE SELECT * FROM {rows_read}", [path]).fetchall()
            }
            quoted = [name.replace('"', '""') for name in COLUMNS if name not in present]
            columns = ", ".join(f"'evil' AS \"{name}\"" for name in quoted)
            connection.execute(f"CREATE TABLE t AS SELECT *, {columns} FROM {rows_read}", [path])
            connection.table("t").write_parquet(path)
    found = rows(storage)["aaaaaaaaaaaa"]
    assert found["views_90d"] == 0
    assert found["first_seen_at"] == ago(100).replace(tzinfo=None)
    assert "evil" not in found.values()
    write_csv(nights, storage / "reports.csv")
    assert "evil" not in (storage / "reports.csv").read_text()
    assert listed(nights, columns=["*"])[1][0][0] == "aaaaaaaaaaaa"


def test_a_column_of_another_type_fails_without_showing_data(tmp_path: Path) -> None:
    storage = UPath(tmp_path / "storage")
    two_nights(storage)
    path = str(SnapshotStore(storage, "acme").all()[-1].folder / "reports.parquet")
    with duckdb.connect() as connection:
        rows_read = "read_parquet(?, hive_partitioning = false)"
        connection.execute(f"CREATE TABLE t AS SELECT * REPLACE ('classified' AS view_count) FROM {rows_read}", [path])
        connection.table("t").write_parquet(path)
    with pytest.raises(StorageError, match="cannot be read") as raised:
        rows(storage)
    assert "classified" not in str(raised.value)


def test_a_file_that_is_no_table_fails_by_name_of_its_folder(tmp_path: Path) -> None:
    storage = UPath(tmp_path / "storage")
    two_nights(storage)
    (SnapshotStore(storage, "acme").all()[-1].folder / "reports.parquet").write_bytes(b"classified")
    with pytest.raises(StorageError, match="workspace=acme cannot be read") as raised:
        make_plan(storage, "acme", StalenessPolicy(), now=lambda: NOW)
    assert "classified" not in str(raised.value)


def test_a_file_that_remembers_nothing_whole_is_made_up_for(tmp_path: Path) -> None:
    storage = UPath(tmp_path / "storage")
    two_nights(storage)
    damaged = [json.dumps({"version": 1, key: value}) for key in ("snapshots", "nights") for value in (3, [[]])]
    for text in ("", "[]", "{}", '{"version": 1}', *damaged):
        (SnapshotStore(storage, "acme").all()[-1].folder / "history.json").write_text(text)
        assert rows(storage)["aaaaaaaaaaaa"]["views_90d"] == 0


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("where", "true; COPY inventory TO 'written.csv'"),
        ("columns", "name::INTEGER"),
        ("order_by", "(SELECT content FROM read_text('{file}'))"),
        *slow(
            ("where", "true) OR (true"),
            ("where", "error(name)::BOOLEAN"),
            ("where", "EXISTS (FROM read_text('{file}'))"),
            ("where", "view_count"),
            ("columns", "token FROM inventory; COPY inventory TO 'written.csv'; SELECT token"),
            ("columns", "(SELECT content FROM read_text('{file}'))"),
            ("columns", "error(name)"),
            ("columns", "getenv('HOME')"),
            ("columns", ""),
            ("order_by", "token; COPY inventory TO 'written.csv'"),
            ("order_by", "error(name)"),
            ("order_by", "token LIMIT (SELECT"),
        ),
    ],
)
def test_a_listing_is_one_select_that_reads_its_tables(tmp_path: Path, part: str, text: str) -> None:
    storage = UPath(tmp_path / "storage")
    write_night(storage, 0, {"aaaaaaaaaaaa": {**ROW, "name": "classified"}})
    (tmp_path / "theirs.txt").write_text("classified")
    given = text.format(file=tmp_path / "theirs.txt")
    with pytest.raises(GovernanceError, match="The inventory cannot be filtered") as raised:
        listed(SnapshotStore(storage, "acme").all(), **{part: [given] if part == "columns" else given})
    assert "classified" not in str(raised.value)
