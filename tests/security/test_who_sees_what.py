# SPDX-License-Identifier: Apache-2.0
"""Who sees what: a page names no DAG, run, task, connection or workspace that Airflow would not show to its reader."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from upath import UPath

from airflow_provider_studio.governance.plans.journal import Event, Journal
from airflow_provider_studio.hooks.usage import UsageRecord
from tests.governance.nights import write_night
from tests.governance.small_plans import action, plan_of
from tests.plugin.conftest import users
from tests.security.pages import pages_of

__all__ = ["users"]

SECRET_DAG, SECRET_RUN, SECRET_TASK = "merger_preparation", "manual__codename", "leak_task"
PUBLIC_DAG = "studio_nightly_governance"
CONNECTION = "studio_of_the_board"
PLAN = plan_of(action("000000000001"))


@pytest.fixture
def storage(users: None, tmp_path: Path) -> UPath:
    """Workspaces `acme` and `board`; a DAG that not everyone may read applied the plan of `acme`."""
    storage = UPath(tmp_path / "studio")
    for workspace in ("acme", "board"):
        write_night(storage, 0, {"000000000001": {"name": f"Numbers of {workspace}"}}, workspace=workspace)
    PLAN.write(storage)
    actor = {"dag": SECRET_DAG, "run": SECRET_RUN, "task": SECRET_TASK, "try": "1"}
    Journal(storage, "acme", PLAN.plan_id, actor=actor, sha256=PLAN.sha256).write(
        PLAN.actions[0], Event.FAILED, error="refused"
    )
    return storage


@pytest.fixture
def usage(storage: UPath) -> None:
    """Usage records of two DAGs with a connection."""
    from airflow_provider_studio.governance.layout import usage_day_folder

    now = datetime.now(UTC)
    folder = Path(usage_day_folder(storage, "acme", now.date()))
    folder.mkdir(parents=True)
    for number, dag in enumerate((SECRET_DAG, PUBLIC_DAG)):
        record = UsageRecord(
            budget="b",
            workspace="acme",
            connection=CONNECTION,
            begun=now.isoformat(),
            ended=now.isoformat(),
            requests=7,
            rate_limited=0,
            seconds_waited=0.0,
            endpoints={"list_reports": 7},
            dag_id=dag,
            run_id=SECRET_RUN,
            task_id=SECRET_TASK,
            map_index=-1,
            try_number=1,
        )
        write_record(folder, number, record)


def write_record(folder: Path, number: int, record: UsageRecord) -> None:
    import json
    from dataclasses import asdict

    (folder / f"{datetime.now(UTC):%H%M%S}-{number:012x}.json").write_text(json.dumps(asdict(record)), encoding="utf-8")


@pytest.fixture(autouse=True)
def nobody_took_an_inventory(users: None) -> None:
    """Earlier tests of the process ran DAGs, whose events remain in Airflow's database."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        session.query(AssetEvent).delete()


@pytest.fixture
def reader(storage: UPath, tmp_path: Path) -> Iterator[TestClient]:
    """A viewer who may read one DAG only."""
    with pages_of(storage, tmp_path / "cache", dags={PUBLIC_DAG}) as client:
        yield client


@pytest.fixture
def taken_by(users: None) -> Iterator[None]:
    """Airflow's record that the public DAG took the inventory of `acme`, and the other one that of `board`."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session

    with create_session() as session:
        for workspace, dag in (("acme", PUBLIC_DAG), ("board", SECRET_DAG)):
            uri = f"studio://{workspace}/inventory"
            asset = session.query(AssetModel).filter_by(uri=uri).first() or AssetModel(name=uri, uri=uri, group="asset")
            session.add(asset)
            session.flush()
            session.add(AssetEvent(asset_id=asset.id, source_dag_id=dag, source_task_id="inventory", extra={}))
    yield
    with create_session() as session:
        session.query(AssetEvent).delete()


def test_a_plans_page_names_no_dag_run_or_task_that_the_user_may_not_read(taken_by: None, reader: TestClient) -> None:
    for page in ("/", "/plans", f"/plans/{PLAN.plan_id}", "/reports/000000000001"):
        answer = reader.get(f"{page}?workspace=acme")
        assert answer.status_code == 200
        assert [name for name in (SECRET_DAG, SECRET_RUN, SECRET_TASK) if name in answer.text] == [], page


def test_a_user_who_may_read_the_dag_sees_it_there(taken_by: None, storage: UPath, tmp_path: Path) -> None:
    with pages_of(storage, tmp_path / "cache", dags={PUBLIC_DAG, SECRET_DAG}) as client:
        text = client.get(f"/plans/{PLAN.plan_id}?workspace=acme").text
    assert SECRET_RUN in text
    assert SECRET_TASK in text


def test_a_workspace_is_shown_to_those_who_may_read_a_dag_that_takes_its_inventory(
    taken_by: None, reader: TestClient
) -> None:
    for page in ("/", "/reports", "/plans", "/budget"):
        assert "board" not in reader.get(page).text, page
        assert reader.get(page, params={"workspace": "board"}).status_code == 404, page
    assert "Numbers of acme" in reader.get("/reports").text
    same = reader.get("/reports?workspace=nowhere").text.replace("nowhere", "board")
    assert reader.get("/reports?workspace=board").text == same, "nobody learns that it exists"


def test_without_a_record_a_workspace_is_for_those_who_may_read_every_dag(
    storage: UPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_studio.plugin.access.all_dags", lambda: {PUBLIC_DAG, SECRET_DAG})
    with pages_of(storage, tmp_path / "cache", dags={PUBLIC_DAG}) as client:
        assert "Numbers" not in client.get("/reports").text
    with pages_of(storage, tmp_path / "cache", dags={PUBLIC_DAG, SECRET_DAG}) as client:
        assert "Numbers of acme" in client.get("/reports").text


def test_the_deployments_teams_decide_alone(
    taken_by: None, reader: TestClient, storage: UPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__STUDIO__WORKSPACE_TEAMS", '{"acme": ["growth"], "board": []}')
    assert "Numbers" not in reader.get("/reports").text, "whichever DAGs a user may read"
    with pages_of(
        storage, tmp_path / "cache", role="admin"
    ) as admin:  # the simple auth manager's admin is in all teams
        assert "Numbers of acme" in admin.get("/reports").text
        assert admin.get("/reports?workspace=board").status_code == 404


@pytest.mark.parametrize(("role", "is_shown"), [("viewer", False), ("user", False), ("op", True), ("admin", True)])
def test_a_connection_is_named_to_those_who_may_see_connections(
    storage: UPath, usage: None, tmp_path: Path, role: str, is_shown: bool
) -> None:
    with pages_of(storage, tmp_path / "cache", role=role) as client:
        for page in ("/budget?workspace=acme", f"/dags/{PUBLIC_DAG}", f"/dag-runs/{PUBLIC_DAG}/{SECRET_RUN}"):
            answer = client.get(page)
            assert answer.status_code == 200, page
            assert "7" in answer.text
            assert (CONNECTION in answer.text) is is_shown, page
