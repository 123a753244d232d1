# SPDX-License-Identifier: Apache-2.0
"""Folders and plans from anyone with access to storage cannot harm the API server when a page is opened."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from upath import UPath

from airflow_provider_studio.governance.errors import PlanError
from airflow_provider_studio.governance.layout import prepared_plan
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from airflow_provider_studio.plugin.materialize import prepare_snapshot
from airflow_provider_studio.plugin.queries import ReportQuery, SnapshotTables
from airflow_provider_studio.plugin.repository import Repository, repository
from tests.conftest import slow
from tests.plugin.conftest import bearer
from tests.plugin.workspace import write_odd_names

PAGES = ("/", "/reports", "/reports.csv", "/plans", "/budget")
HOSTILE = (
    "!';COPY(SELECT 42)TO('written.csv');--",
    "o'brien",
    '0"quoted',
    " space",
    "#",
)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory, which stays empty."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    assert list(folder.iterdir()) == []


def browser(app: FastAPI, storage: UPath, cache: Path) -> TestClient:
    pages = Repository(lambda: storage, cache, patience_seconds=60, preparation_seconds=60)
    app.state.pages.dependency_overrides[repository] = lambda: pages
    return TestClient(app, headers=bearer("viewer"))


@pytest.mark.parametrize("name", [HOSTILE[0], *slow(*HOSTILE[1:])])
def test_a_folder_that_cannot_be_a_workspace_is_not_shown_and_runs_nothing(
    app: FastAPI, tmp_path: Path, work: Path, name: str
) -> None:
    storage = UPath(tmp_path / "storage")
    write_odd_names(storage, "acme")
    for kind in ("snapshots", "plans", "journals", "usage"):
        (tmp_path / "storage" / kind).mkdir(exist_ok=True)
        shutil.copytree(
            tmp_path / "storage" / "snapshots" / "workspace=acme", tmp_path / "storage" / kind / f"workspace={name}"
        )
    viewer = browser(app, storage, tmp_path / "cache")
    for page in PAGES:
        assert viewer.get(f"/studio{page}").status_code == 200, page
        assert viewer.get(f"/studio{page}", params={"workspace": name}).status_code == 404, page
    assert viewer.get("/studio/reports").text.count("acme") > 0
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"exports", "workspace=acme"}


def test_a_snapshot_whose_name_is_no_time_breaks_no_page(app: FastAPI, tmp_path: Path, work: Path) -> None:
    storage = UPath(tmp_path / "storage")
    write_odd_names(storage, "acme")
    (snapshot,) = SnapshotStore(storage, "acme").all()
    for name in ("x", "zz'; COPY (SELECT 42) TO 'written.csv'; --"):
        shutil.copytree(Path(snapshot.folder), Path(snapshot.folder.parent / f"taken_at={name}"))
    viewer = browser(app, storage, tmp_path / "cache")
    assert {viewer.get(f"/studio{page}").status_code for page in PAGES} == {200}


@pytest.mark.parametrize(
    "name", ["a'; COPY (SELECT 42) TO 'written.csv'; --", *slow("o'brien", "st*r", "[ab]", "token=x", "what?")]
)
def test_airflow_may_live_in_a_folder_of_any_name(app: FastAPI, tmp_path: Path, work: Path, name: str) -> None:
    storage = UPath(tmp_path / name / "storage")
    write_odd_names(storage, "acme")
    viewer = browser(app, storage, tmp_path / name / "cache")
    for page in (*PAGES, "/reports/0dd000000001"):
        answer = viewer.get(f"/studio{page}")
        assert answer.status_code == 200, (page, answer.text)
    assert "売上レポート" in viewer.get("/studio/reports").text


def test_a_damaged_snapshot_is_a_page_that_says_so(app: FastAPI, tmp_path: Path, work: Path) -> None:
    storage = UPath(tmp_path / "storage")
    write_odd_names(storage, "acme")
    (SnapshotStore(storage, "acme").all()[-1].folder / "reports.parquet").write_bytes(b"classified")
    viewer = browser(app, storage, tmp_path / "cache")
    answer = viewer.get("/studio/reports")
    assert answer.status_code == 503
    assert "cannot be read" in answer.text
    assert "classified" not in answer.text


@pytest.mark.parametrize(
    ("field", "value"),
    [("plan_id", "../../../../escaped"), ("plan_id", "x'y"), ("plan_id", "0" * 12), ("workspace", "../other")],
)
def test_a_plan_that_is_not_where_it_says_is_not_shown(
    app: FastAPI, season: UPath, tmp_path: Path, work: Path, field: str, value: str
) -> None:
    shutil.copytree(Path(season), tmp_path / "storage")
    plans = tmp_path / "storage" / "plans" / "workspace=acme"
    viewer = browser(app, UPath(tmp_path / "storage"), tmp_path / "one" / "cache")
    before = viewer.get("/studio/plans?workspace=acme").text
    lines = next(plans.glob("*.jsonl")).read_text(encoding="utf-8").splitlines()
    header = {**json.loads(lines[0]), field: value, "created_at": "2999-01-01T00:00:00Z"}
    (plans / "ffffffffffff.jsonl").write_text("\n".join([json.dumps(header), *lines[1:]]), encoding="utf-8")
    viewer = browser(app, UPath(tmp_path / "storage"), tmp_path / "one" / "cache")
    assert viewer.get("/studio/plans?workspace=acme").text == before
    for page in PAGES:
        assert viewer.get(f"/studio{page}?workspace=acme").status_code == 200, page
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize("plan_id", ["", "../x", "a" * 65, "A" * 12, "a'b", "a" * 12 + "\n"])
def test_only_a_plans_id_names_a_folder(tmp_path: Path, plan_id: str) -> None:
    with pytest.raises(PlanError, match="plan_id is"):
        prepared_plan(tmp_path, "acme", plan_id)


def test_the_pages_database_reads_the_cache_alone(tmp_path: Path, work: Path) -> None:
    storage = UPath(tmp_path / "storage")
    write_odd_names(storage, "acme")
    tables = SnapshotTables(prepare_snapshot(storage, "acme", tmp_path / "cache"))
    assert tables.page(ReportQuery(), 1)[1] == 6
    (tmp_path / "cache" / "workspace=acme" / tables.folder.name / "history.parquet").unlink()
    outside = SnapshotStore(storage, "acme").all()[-1].folder
    from airflow_provider_studio.governance.errors import StorageError
    from airflow_provider_studio.plugin import queries as module

    with pytest.raises(StorageError, match="PermissionException"):
        module._read(tables.folder / "reports.parquet", f"FROM read_parquet(?), '{outside}/reports.parquet'")
    with pytest.raises(StorageError, match="IOException"):
        tables.history("0dd000000001")
