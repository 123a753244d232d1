# SPDX-License-Identifier: Apache-2.0
"""The emulator has the shapes of the vendor's public reference, and what clients report about live responses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_studio.emulator import StudioEmulator
from tests.conftest import client_of
from tests.emulator.conftest import Caller
from tests.emulator.sample import Sample

YEARS = {"start_timestamp": "2020-01-01T00:00:00Z", "end_timestamp": "2026-06-01"}


def test_the_next_page_of_discovery_is_of_the_same_collections(sample: Sample) -> None:
    minted = sample.mint()
    seen, path = [], "spaces?include_spaces=all&per_page=2"
    while path:
        body = sample.discover(path, minted)
        seen += [row["token"] for row in body["spaces"]]
        path = body["_links"].get("next_page", {"href": ""})["href"].removeprefix("/batch/acme/")
    assert sorted(seen) == sorted(sample.emulator.control.state()["collections"])


def test_a_discovered_chart_is_of_the_query_and_the_report_that_the_api_says(sample: Sample) -> None:
    charts = sample.discover("charts?include_spaces=all", sample.mint())["charts"]
    (chart,) = [row for row in charts if row["token"] == sample.names["chart"]]
    assert (chart["query_token"], chart["report_token"], chart["space_token"]) == (
        sample.names["query"],
        sample.names["report"],
        sample.names["space"],
    )


@pytest.mark.parametrize("path", ["/{ws}/", "/{ws}/reports/{report}/", "/{ws}/collections/{space}/reports/"])
def test_a_path_may_end_in_a_slash(sample: Sample, path: str) -> None:
    assert sample.ask("GET", path).json() == sample.ask("GET", path.rstrip("/")).json()
    assert sample.ask("POST", "/{ws}/reports/{report}/runs/", {}).status_code == 202


def test_a_run_links_its_content_as_csv(ask: Caller, report: str) -> None:
    content = ask("GET", f"/reports/{report}/runs/{ask.newest_run(report)}").json()["_links"]["content"]["href"]
    response = ask("GET", content.removeprefix("/api/acme"))
    assert (response.status_code, response.headers["Content-Type"].partition(";")[0]) == (200, "text/csv")


@pytest.mark.parametrize(
    ("end", "disposition"),
    [("results/content.csv", '"Query 1.csv"'), ("results/content.json", '"Query 1.json"')],
)
def test_a_download_has_a_file_name(ask: Caller, report: str, end: str, disposition: str) -> None:
    response = ask("GET", f"/reports/{report}/runs/{ask.newest_run(report)}/{end}")
    assert response.headers["Content-Disposition"] == f"attachment; filename={disposition}"


def test_a_zip_archive_has_a_file_name(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    emulator.control.set_quirks(results_as_zip=True)
    response = ask("GET", f"/reports/{report}/runs/{ask.newest_run(report)}/results/content.csv")
    assert response.headers["Content-Disposition"] == f'attachment; filename="{report}.zip"'


@pytest.mark.parametrize(("way", "end"), [("file", "/pdf/download.pdf"), ("plain", "/pdf/download"), ("absent", None)])
def test_the_job_of_a_pdf_links_its_file_when_it_is_finished(
    emulator: StudioEmulator, ask: Caller, report: str, way: str, end: str | None
) -> None:
    emulator.control.set_quirks(pdf_download_link=way)
    path = f"/reports/{report}/exports/runs/{ask.newest_run(report)}/pdf.pdf"
    before = ask("GET", path).json()
    assert (before["state"], before.keys()) == ("new", {"state", "_links", "_forms"})
    assert "download" not in before["_links"]
    emulator.control.advance(timedelta(seconds=3))
    job = ask("GET", path).json()
    assert (job["state"], job["stale"], job["filename"]) == ("completed", False, f"{report}.pdf")
    assert job["created_at"].endswith("Z")
    href = job["_links"].get("download", {"href": None})["href"]
    assert (href and href[href.index("/pdf/") :]) == end
    if href:
        response = ask("GET", href.removeprefix("/api/acme"))
        assert (response.content[:5], response.headers["Content-Disposition"][:11]) == (b"%PDF-", "attachment;")


@pytest.mark.parametrize("way", ["listed", "not_found"])
def test_memberships_respond_to_a_workspace_token_or_not(emulator: StudioEmulator, ask: Caller, way: str) -> None:
    emulator.control.set_quirks(memberships=way)
    response = ask("GET", "/memberships")
    if way == "not_found":
        assert (response.status_code, response.json()["id"]) == (404, "not_found")
    else:
        rows = response.json()["_embedded"]["memberships"]
        assert {row["member_username"] for row in rows} >= {"member1", "member2"}


@pytest.mark.parametrize("way", ["projected", "whole"])
def test_the_reports_of_a_dataset_are_a_projection_or_whole(emulator: StudioEmulator, ask: Caller, way: str) -> None:
    emulator.control.set_quirks(dataset_reports=way)
    dataset = emulator.control.add_report(type="DatasetReport")
    report = emulator.control.add_report(name="Sales", imported_datasets=[dataset])
    (row,) = ask.rows(f"/datasets/{dataset}/reports", "reports")
    assert (row["token"], row["name"], "archived" in row) == (report, "Sales", way == "whole")
    if way == "projected":
        assert row.keys() == {"token", "name", "creator", "_links"}
        creator = ask("GET", f"{emulator.url}{row['_links']['creator']['href']}").json()
        assert row["creator"] == creator["name"]


@pytest.mark.parametrize(("way", "status"), [("ignored", 200), ("checked", 404)])
def test_a_query_under_another_report_is_found_or_not(
    emulator: StudioEmulator, ask: Caller, report: str, way: str, status: int
) -> None:
    emulator.control.set_quirks(query_parents=way)
    other = emulator.control.add_report(query_count=2)
    query = ask.rows(f"/reports/{other}/queries", "queries")[0]["token"]
    response = ask("GET", f"/reports/{report}/queries/{query}")
    assert response.status_code == status
    charts = ask("GET", f"/reports/{report}/queries/{query}/charts")
    assert charts.status_code == status
    if status == 200:
        assert response.json()["_links"]["report"]["href"].endswith(other), "its links name its own Report"
        assert charts.json()["_embedded"]["charts"][0]["_links"]["self"]["href"].count(other) == 1


@pytest.mark.parametrize("status", [404, 400])
def test_the_id_of_an_error_may_come_with_another_status(emulator: StudioEmulator, ask: Caller, status: int) -> None:
    emulator.control.set_quirks(not_found_status=status)
    response = ask("GET", "/reports/0123456789ab")
    assert (response.status_code, response.json()["id"]) == (status, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        (
            "POST",
            "/reports/{report}/queries",
            {"query": {"raw_query": "x", "data_source_id": 1}},
            404,
            "data source not",
        ),
        (
            "POST",
            "/reports/{report}/filters",
            {"report_filter": {"name": "A", "formula": "[region]"}},
            400,
            "Formula has",
        ),
        ("GET", "/groups?data_source={data_source}", None, 400, "must send user"),
    ],
)
def test_a_refusal_is_the_one_that_clients_report(
    sample: Sample, method: str, path: str, body: dict[str, Any] | None, status: int, message: str
) -> None:
    response = sample.ask(method, "/{ws}" + path, body)
    assert (response.status_code, message in response.json()["message"]) == (status, True)


def test_a_filter_may_be_changed_and_keep_its_formula(sample: Sample) -> None:
    body = {"report_filter": {"name": "Country", "formula": "[region]"}}
    assert sample.ask("PATCH", "/{ws}/reports/{report}/filters/{filter}", body).status_code == 202


def test_groups_of_a_member_may_be_those_of_a_data_source(sample: Sample) -> None:
    assert sample.ask("GET", "/{ws}/groups?member=member1&data_source={data_source}").status_code == 200


def test_a_collection_is_viewable_alone_and_not_in_a_list(ask: Caller, busy: str) -> None:
    assert ask("GET", f"/spaces/{busy}").json()["viewable?"] is True
    assert {row["viewable?"] for row in ask.rows("/spaces?filter=all", "spaces")} == {False}


@pytest.mark.parametrize(
    ("level", "restricted"), [(None, True), ("none", True), ("restricted", True), ("view", False), ("edit", False)]
)
def test_the_access_to_a_collection_is_as_it_was_set(
    emulator: StudioEmulator, ask: Caller, level: str | None, restricted: bool
) -> None:
    values = {"name": "Board"} if level is None else {"name": "Board", "default_access_level": level}
    made = ask("POST", "/spaces", json={"space": values}).json()
    assert (made["default_access_level"], made["restricted"]) == (level or "none", restricted)
    assert Caller(emulator, "member")("GET", f"/spaces/{made['token']}").status_code == (404 if restricted else 200)
    changed = ask("PATCH", f"/spaces/{made['token']}", json={"space": {"default_access_level": "view"}}).json()
    assert (changed["default_access_level"], changed["name"]) == ("view", "Board")
    assert ask("PATCH", f"/spaces/{made['token']}", json={"space": {"default_access_level": "x"}}).status_code == 400


def test_a_definition_links_its_creator(emulator: StudioEmulator) -> None:
    member = Caller(emulator, "member")
    made = member("POST", "/definitions", json={"definition": {"name": "x", "source": "SELECT 1"}}).json()
    assert made["_links"]["creator"]["href"] == "/api/member1"


def test_the_descriptions_of_a_datasets_fields_are_written_without_a_wrapper(sample: Sample) -> None:
    path = "/{ws}/datasets/{dataset}/field_descriptions"
    fields = sample.ask("GET", "/{ws}/datasets/{dataset}/fields").json()["_embedded"]["fields"]
    made = sample.ask("POST", path, {"name": fields[1]["name"], "desc": "<p>How many</p>"}).json()
    assert made.keys() == {"token", "name", "desc", "created_at", "updated_at", "_links", "_forms"}
    assert sample.ask("PATCH", f"{path}/{made['token']}", {"desc": "More"}).json()["desc"] == "More"
    assert sample.ask("POST", path, {"field_description": {"name": "x", "desc": "y"}}).json()["id"] == "param_missing"
    assert sample.ask("DELETE", f"{path}/{made['token']}").status_code == 200
    rows = sample.ask("GET", path).json()["_embedded"]["field_descriptions"]
    assert [row["token"] for row in rows] == [sample.names["field_description"]]


# The audit log


def _entries(ask: Caller, **query: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    token: str | None = ""
    while token is not None:
        more = {"next_token": token} if token else {}
        body = ask("GET", "/audit_logs", params={**YEARS, **query, **more}).json()
        assert body.keys() == {"audit_logs", "next_token"}
        entries, token = entries + body["audit_logs"], body["next_token"]
    return entries


def test_the_audit_log_has_the_shape_of_the_reference(ask: Caller) -> None:
    entries = _entries(ask)
    assert {entry["action"] for entry in entries} == {"connection_group_added_with_role"}
    groups = {group["token"]: group["data_sources_count"] for group in ask.rows("/groups", "groups")}
    assert len(entries) == sum(groups.values()) > 0
    assert {entry["context"]["group_id"] for entry in entries} == set(groups)
    assert {entry["entity"]["entity_id"] for entry in entries} <= {
        source["token"] for source in ask.rows("/data_sources", "data_sources")
    }
    first = entries[0]
    assert first["actor"].keys() == {"ip", "user_agent", "user_id", "username"}
    assert first["entity"].keys() == {"entity_name", "entity_type", "entity_id"}
    assert (len(first["id"]), first["workspace_username"], len(first["timestamp"])) == (36, "acme", 27)
    assert [entry["timestamp"] for entry in entries] == sorted((entry["timestamp"] for entry in entries), reverse=True)


def test_the_audit_log_is_filtered_and_paged(emulator: StudioEmulator, ask: Caller) -> None:
    entries = _entries(ask)
    source = entries[0]["entity"]["entity_id"]
    expected = [entry for entry in entries if entry["entity"]["entity_id"] == source]
    assert _entries(ask, entity_id=source) == expected
    assert _entries(ask, username="nobody") == _entries(ask, action="report_viewed") == []
    assert _entries(ask, start_timestamp="2026-05-31T00:00:00Z") == []
    assert ask("GET", "/audit_logs", params={**YEARS, "next_token": "?"}).status_code == 400


def test_the_audit_log_refuses_hal_before_it_looks_at_the_credentials(emulator: StudioEmulator) -> None:
    nobody = Caller(emulator)
    nobody._session.auth = ("nobody", "nothing")
    assert nobody("GET", "/audit_logs", headers={"Accept": "application/hal+json"}).status_code == 406
    assert nobody("GET", "/audit_logs").status_code == 401


# The seed


def test_a_seeded_workspace_has_what_surrounds_reports() -> None:
    with StudioEmulator("acme", reports=400, seed=5) as emulator:
        state, ask = emulator.control.state(), Caller(emulator)
        datasets = [token for token, report in state["reports"].items() if report["type"] == "DatasetReport"]
        schedules = [ask.rows(f"/datasets/{dataset}/schedules", "report_schedules") for dataset in datasets]
        users = [ask.rows(f"/datasets/{dataset}/reports", "reports") for dataset in datasets]
        assert any(schedules)
        assert not all(schedules)
        assert any(users)
        assert len(ask.rows(f"/datasets/{datasets[0]}/field_descriptions", "field_descriptions")) == 2
        with client_of(emulator) as client:
            filtered = [token for token in state["reports"] if list(client.list_report_filters(token))]
        assert len(filtered) == 20
        for group in ask.rows("/groups", "groups"):
            assert len(ask.rows(f"/groups/{group['token']}/memberships", "group_memberships")) == 2
        assert len(ask.rows("/definitions", "definitions")) == 3
        spaces = ask.rows("/spaces?filter=custom", "spaces")
        restricted = [space["token"] for space in spaces if space["restricted"]]
        assert restricted
        for space in restricted:
            assert len(ask.rows(f"/spaces/{space}/memberships", "space_memberships")) == 2
