# SPDX-License-Identifier: Apache-2.0
"""The pages are as closed as Airflow, show names as text, and say what to do when there is nothing to show."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from upath import UPath

from airflow_provider_studio.governance.errors import StorageError
from airflow_provider_studio.governance.lineage.table_rows import read_rows
from airflow_provider_studio.governance.plans.audit import Audit
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from airflow_provider_studio.plugin.airflow_plugin import PREFIX, StudioPlugin
from airflow_provider_studio.plugin.rendering import HERE, due
from airflow_provider_studio.plugin.repository import Repository, repository
from tests.plugin.conftest import bearer
from tests.plugin.workspace import ACTOR, ODD_NAMES, ODD_WORKSPACE


def urls(app: FastAPI, season: UPath) -> dict[str, str]:
    """Return a URL for each route of the pages, by its path."""
    plan_id = Audit(season, "acme").headers()[0].plan_id
    values = {
        "{token}": some_report(season),
        "{plan_id}": plan_id,
        "{dag_id}": ACTOR["dag"],
        "{task_id}": "apply",
        "{run_id:path}": ACTOR["run"],
        "{name:path}": "studio.css",
    }
    found = {}
    for route in app.state.pages.routes:
        path = route.path
        for placeholder, value in values.items():
            path = path.replace(placeholder, value)
        found[route.path] = f"{PREFIX}{path}" + ("" if "{name" in route.path or "dag" in path else "?workspace=acme")
    return found


def some_report(season: UPath, condition: str = "true", column: str = "token") -> Any:
    newest = SnapshotStore(season, "acme").all()[-1].folder / "reports.parquet"
    sql = f"SELECT {column} FROM read_parquet('{newest}') WHERE {condition} ORDER BY token LIMIT 1"
    with duckdb.connect() as connection:
        row = connection.execute(sql).fetchone()
    assert row is not None
    return row[0]


def test_every_route_refuses_the_anonymous_and_lets_a_viewer_read(app: FastAPI, season: UPath) -> None:
    with TestClient(app) as client:
        for path, url in urls(app, season).items():
            refused = client.get(url)
            assert refused.status_code == 401, path
            assert "acme" not in refused.text, path
            for role in ("viewer", "admin"):
                response = client.get(url, headers=bearer(role))
                assert response.status_code == 200, (path, role, response.text)


def test_the_page_of_a_report_shows_its_tables(app: FastAPI, season: UPath) -> None:
    snapshots = SnapshotStore(season, "acme").all()
    rows = read_rows(snapshots[-1])
    report = next(row["report"] for row in rows if row["table_name"] == "spend")
    unknown = next(row["report"] for row in rows if row["confidence"] == "unresolved")
    with TestClient(app, headers=bearer("viewer")) as client:
        page = client.get(f"{PREFIX}/reports/{report}?workspace=acme").text
        assert "marketing.spend</code>" in page
        page = client.get(f"{PREFIX}/reports/{unknown}?workspace=acme").text
        assert "unknown: the name of a table is a parameter" in page


def test_a_user_without_a_role_is_refused_everywhere(app: FastAPI, season: UPath) -> None:
    with TestClient(app, headers=bearer("")) as client:
        assert {client.get(url).status_code for url in urls(app, season).values()} == {403}


def test_there_are_only_ways_to_read(app: FastAPI, season: UPath) -> None:
    routes = app.state.pages.routes
    assert len(routes) >= 11
    for route in routes:
        assert isinstance(route, APIRoute), "nothing is mounted past the check, no /docs, no /openapi.json"
        assert route.methods == {"GET"}
    with TestClient(app, headers=bearer("admin")) as client:
        for url in urls(app, season).values():
            assert {client.request(method, url).status_code for method in ("POST", "PUT", "PATCH", "DELETE")} == {405}


def test_the_policy_of_every_response_allows_only_scripts_of_the_package(
    viewer: TestClient, app: FastAPI, season: UPath
) -> None:
    for url in [*urls(app, season).values(), f"{PREFIX}/nowhere"]:
        headers = viewer.get(url).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["img-src"] == "'self'"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_templates_hold_no_script_no_style_and_no_other_host() -> None:
    for template in (HERE / "templates").glob("*.html"):
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son\w+=|\|\s*safe", text), template.name
        assert not re.search(r"(src|href)=\"(https?:)?//", text), template.name
    for style in (HERE / "static").glob("*.css"):
        assert "url(" not in style.read_text(encoding="utf-8")


@pytest.mark.parametrize("token", ODD_NAMES)
def test_a_name_is_text_in_every_page(viewer: TestClient, token: str) -> None:
    for url in (f"/studio/reports?workspace={ODD_WORKSPACE}", f"/studio/reports/{token}?workspace={ODD_WORKSPACE}"):
        response = viewer.get(url)
        assert response.status_code == 200
        assert "<script>document" not in response.text
        assert "<img src=x" not in response.text
        assert "<b>Bold" not in response.text
        assert "javascript:" not in response.text
    assert "売上レポート" in viewer.get(f"/studio/reports?workspace={ODD_WORKSPACE}").text


def test_a_search_is_text_too(viewer: TestClient) -> None:
    response = viewer.get("/studio/reports", params={"workspace": "acme", "q": '"><script>alert(1)</script>'})
    assert "<script>alert" not in response.text
    assert "No Report matches" in response.text


def rows_of(viewer: TestClient, **query: Any) -> list[dict[str, str]]:
    response = viewer.get("/studio/reports.csv", params={"workspace": "acme", **query})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/csv")
    assert "attachment" in response.headers["content-disposition"]
    return list(csv.DictReader(io.StringIO(response.text.removeprefix("\ufeff"))))


def test_no_cell_of_the_export_is_a_formula(viewer: TestClient) -> None:
    rows = rows_of(viewer, workspace=ODD_WORKSPACE)
    names = {row["token"]: row["name"] for row in rows}
    assert names["0dd000000002"].startswith("'=HYPERLINK")
    assert names["0dd000000003"].startswith("'@SUM")
    assert names["0dd000000001"] == ODD_NAMES["0dd000000001"], "a script is text in a spreadsheet"
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "@"))]


def test_the_export_has_the_rows_that_the_filters_leave_in_their_order(viewer: TestClient, season: UPath) -> None:
    everything = rows_of(viewer)
    summary = SnapshotStore(season, "acme").all()[-1].summary()
    assert len(everything) == summary["reports"] + summary["datasets"]
    archived = rows_of(viewer, state="archived", sort="views", desc="1")
    assert 0 < len(archived) < len(everything)
    assert {row["archived"] for row in archived} == {"True"}
    views = [int(row["view_count"]) for row in archived]
    assert views == sorted(views, reverse=True)


def test_filters_hold_what_the_newest_plan_says(viewer: TestClient, season: UPath) -> None:
    plan = Audit(season, "acme").plan(Audit(season, "acme").headers()[0].plan_id)
    stale = {row["token"] for row in rows_of(viewer, verdict="stale")}
    assert stale == set(plan.reports)
    viewed = {row["token"] for row in rows_of(viewer, verdict="viewed")}
    assert viewed == {spared.report for spared in plan.spared if spared.reason.value == "viewed"}


@pytest.mark.parametrize("column", ["collection", "creator"])
def test_filters_by_collection_and_owner(viewer: TestClient, season: UPath, column: str) -> None:
    value = some_report(season, f"{column} IS NOT NULL", column)
    count = some_report(season, f"{column} = '{value}'", "count(*) OVER ()")
    found = rows_of(viewer, **{"owner" if column == "creator" else column: value})
    assert len(found) == count


def test_filters_by_schedule(viewer: TestClient, season: UPath) -> None:
    live = "NOT archived AND schedules_count > 0"
    assert len(rows_of(viewer, schedule="scheduled")) == some_report(season, live, "count(*) OVER ()")
    assert {row["schedules_count"] for row in rows_of(viewer, schedule="none")} & {"0"}


def test_search_finds_a_part_of_a_name_and_a_whole_token(viewer: TestClient, season: UPath) -> None:
    token, name = some_report(season), some_report(season, column="name")
    assert token in {row["token"] for row in rows_of(viewer, q=name[1:6].upper())}
    assert [row["token"] for row in rows_of(viewer, q=token)] == [token]
    assert rows_of(viewer, q="100%_sure") == [], "a wildcard is a letter like others"


@pytest.mark.parametrize("sort", ["name", "views", "last_run", "verdict", "nonsense; DROP TABLE"])
def test_pages_have_every_report_once_whatever_the_order(viewer: TestClient, sort: str) -> None:
    tokens: list[str] = []
    for number in (1, 2, 3):
        response = viewer.get("/studio/reports", params={"workspace": "acme", "sort": sort, "page": number})
        tokens += re.findall(r'<th scope="row" class="name"><a href="/studio/reports/(\w+)', response.text)
    assert len(tokens) == len(set(tokens)) == len(rows_of(viewer))


def test_a_page_beyond_the_last_is_the_last(viewer: TestClient) -> None:
    response = viewer.get("/studio/reports?workspace=acme&page=999")
    assert re.search(r"Page (\d+) of \1<", response.text)


def test_a_reports_page_shows_its_history_and_its_evidence(viewer: TestClient, season: UPath) -> None:
    plan = Audit(season, "acme").plan(Audit(season, "acme").headers()[0].plan_id)
    action = plan.actions[0]
    text = viewer.get(f"/studio/reports/{action.report}?workspace=acme").text
    for fact in action.evidence:
        assert fact.meaning.split(" (")[0] in text
    days = [f"{snapshot.taken_at:%Y-%m-%d}" for snapshot in SnapshotStore(season, "acme").all()]
    assert [day for day in days if day not in text] == []
    assert "Archived since this snapshot" in text


def test_a_plans_page_shows_each_status_and_who_approved(viewer: TestClient, season: UPath) -> None:
    audit = Audit(season, "acme")
    plan = audit.plan(audit.headers()[0].plan_id)
    text = viewer.get(f"/studio/plans/{plan.plan_id}?workspace=acme").text
    assert "approved by <strong>ada</strong>" in text
    assert "by the journal alone: Airflow has no record of this answer" in text
    assert "studio_undo" in text
    done = sum(state == "done" for state in audit.states(plan.plan_id).values())
    assert text.count('<span class="badge done">') == done > 0
    assert viewer.get(f"/studio/plans/{plan.plan_id}?workspace=acme&status=failed").status_code == 200


def test_the_overview_counts_as_the_snapshot_does(viewer: TestClient, season: UPath) -> None:
    text = viewer.get("/studio/?workspace=acme").text
    summary = SnapshotStore(season, "acme").all()[-1].summary()
    cells = re.findall(r'<th scope="row" data-time="[^"]+">[^<]+</th>(.*?)</tr>', text, flags=re.DOTALL)
    newest = re.findall(r'data-value="([^"]*)"', cells[-1])
    assert (int(newest[0]), int(newest[5])) == (summary["reports"], summary["archived"])
    first = re.findall(r'data-value="([^"]*)"', cells[0])
    assert first[1] == "", "without two snapshots far enough apart the number is unknown"
    assert int(newest[1]) > 0


@pytest.mark.parametrize(
    ("hours", "shown"), [(-2, "overdue by 2 hours"), (-0.5, "overdue by 30 minutes"), (0, "now"), (30, "in 1 day")]
)
def test_a_run_that_did_not_start_in_time_is_overdue(hours: float, shown: str) -> None:
    now = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)
    assert due(now + timedelta(hours=hours), now) == shown


def test_the_budget_page_names_connections_and_tasks_and_no_token(viewer: TestClient, season: UPath) -> None:
    text = viewer.get("/studio/budget?workspace=acme&hours=336", headers=bearer("op")).text
    assert "acme · studio_default" in text
    assert "studio_nightly_governance" in text
    assert "<td>apply</td>" in text
    records = [json.loads(path.read_text()) for path in season.glob("usage/workspace=acme/*/*.json")]
    recent = sum(record["requests"] for record in records if record["task_id"] == "apply")
    assert f'<td class="num">{recent:,}</td>' in text
    for page in ("", "budget", "plans"):
        assert "emulator-workspace" not in viewer.get(f"/studio/{page}?workspace=acme").text


def test_a_dag_that_may_not_be_read_is_not_named(viewer: TestClient, app: FastAPI) -> None:
    from airflow_provider_studio.plugin import access

    app.state.pages.dependency_overrides[access._readable_dags] = lambda: {"another_dag"}
    text = viewer.get("/studio/budget?workspace=acme&hours=336").text
    assert "studio_nightly_governance" not in text
    assert "that you may not see" in text


def test_a_run_and_a_task_show_what_belongs_to_them(viewer: TestClient, season: UPath) -> None:
    plan_id = Audit(season, "acme").headers()[0].plan_id
    run = viewer.get(f"/studio/dag-runs/{ACTOR['dag']}/{ACTOR['run']}").text
    assert plan_id in run
    assert "apply" in run
    task = viewer.get(f"/studio/task-instances/{ACTOR['dag']}/apply/{ACTOR['run']}").text
    assert "GET reports" in task
    assert plan_id not in task
    assert "No request to Studio is recorded here" in viewer.get(f"/studio/dag-runs/{ACTOR['dag']}/another").text


def test_the_switcher_offers_every_workspace_and_links_keep_the_selected_one(viewer: TestClient) -> None:
    text = viewer.get(f"/studio/?workspace={ODD_WORKSPACE}").text
    assert re.findall(r'<option value="([^"]+)"', text) == ["acme", ODD_WORKSPACE]
    assert f"/studio/reports?workspace={ODD_WORKSPACE}" in text
    assert viewer.get("/studio/?workspace=unheard-of").status_code == 404


def test_below_a_base_path_every_url_begins_with_it(app: FastAPI) -> None:
    with TestClient(app, headers=bearer("viewer"), root_path="/airflow/prod") as client:
        text = client.get("/airflow/prod/studio/reports?workspace=acme").text
    found = re.findall(r'(?:href|src|action)="([^"#]+)"', text)
    assert len(found) > 20
    assert [url for url in found if not url.startswith(("/airflow/prod/studio/", "/airflow/prod/dags/"))] == []


def with_storage(app: FastAPI, storage: Any, cache: Path, patience: float = 30.0) -> None:
    pages = Repository(storage, cache, patience_seconds=patience)
    app.state.pages.dependency_overrides[repository] = lambda: pages


def test_without_a_snapshot_the_pages_say_how_to_begin(viewer: TestClient, app: FastAPI, tmp_path: Path) -> None:
    with_storage(app, lambda: UPath(tmp_path / "nothing"), tmp_path / "c")
    for path in ("", "reports"):
        response = viewer.get(f"/studio/{path}")
        assert response.status_code == 200
        assert "No snapshot yet" in response.text
        assert "studio_nightly_governance" in response.text
    assert "No plan yet" in viewer.get("/studio/plans").text
    assert "No request was recorded" in viewer.get("/studio/budget").text


def test_storage_that_is_gone_gives_a_page_that_says_so(viewer: TestClient, app: FastAPI, tmp_path: Path) -> None:
    def gone() -> UPath:
        raise StorageError("Cannot list s3://bucket/studio: no such bucket.")

    with_storage(app, gone, tmp_path / "c")
    response = viewer.get("/studio/")
    assert response.status_code == 503
    assert "Storage cannot be read" in response.text
    assert "no such bucket" in response.text


def test_storage_that_is_slow_gives_a_page_that_says_so(viewer: TestClient, app: FastAPI, tmp_path: Path) -> None:
    first = iter([True])

    def slow() -> UPath:
        if next(first, False):
            time.sleep(2.0)
        return UPath(tmp_path / "nothing")

    with_storage(app, slow, tmp_path / "c", patience=0.05)
    response = viewer.get("/studio/")
    assert response.status_code == 503
    assert "has not responded yet" in response.text


def test_a_plan_that_was_changed_is_not_shown(viewer: TestClient, app: FastAPI, season: UPath, tmp_path: Path) -> None:
    import shutil

    copy = UPath(tmp_path / "studio")
    shutil.copytree(season.path, copy.path)
    plan_id = Audit(copy, "acme").headers()[0].plan_id
    path = copy / "plans" / "workspace=acme" / f"{plan_id}.jsonl"
    path.write_text(path.read_text().replace("archive_report", "delete_schedule", 1))
    with_storage(app, lambda: copy, tmp_path / "c")
    response = viewer.get(f"/studio/plans/{plan_id}?workspace=acme")
    assert response.status_code == 409
    assert "was changed" in response.text


def test_airflow_gets_the_urls_of_the_pages_relative_to_its_base() -> None:
    (app,) = StudioPlugin.fastapi_apps
    assert app["url_prefix"] == PREFIX
    views = StudioPlugin.external_views
    assert {view["destination"] for view in views} == {"nav", "dag", "dag_run", "task_instance"}
    assert len({view["url_route"] for view in views}) == len(views)
    for view in views:
        assert view["href"].startswith("studio/")
        assert (HERE / "static" / view["icon"].rpartition("/")[2]).exists()


@pytest.fixture
def late_dag(users: None) -> Iterator[str]:
    """A DAG with the tag of the nightly jobs in Airflow's database, whose next run is two hours late."""
    from airflow.models.dag import DagModel, DagTag
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    from airflow_provider_studio.plugin.studio_dags import TAG

    dag_id = "studio_nightly_governance"
    due_at = datetime.now(UTC) - timedelta(hours=2)
    with create_session() as session:
        session.merge(DagBundleModel(name="pages"))
        session.flush()
        session.add(
            DagModel(
                dag_id=dag_id,
                bundle_name="pages",
                is_stale=False,
                is_paused=False,
                timetable_description="At 03:00",
                next_dagrun_create_after=due_at,
            )
        )
        session.add(DagTag(name=TAG, dag_id=dag_id))
    yield dag_id
    with create_session() as session:
        session.delete(session.get(DagModel, dag_id))


def test_the_overview_shows_that_a_nightly_run_is_overdue(viewer: TestClient, late_dag: str) -> None:
    text = viewer.get("/studio/?workspace=acme").text
    assert late_dag in text
    assert "Next run" in text
    assert "(overdue by 2 hours)" in text
