# SPDX-License-Identifier: Apache-2.0
"""Oddities of the real service, one test each."""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.routes import NOT_EMULATED
from tests.emulator.conftest import NOW, Caller


def test_the_audit_log_refuses_hal_and_member_tokens(emulator: StudioEmulator, ask: Caller) -> None:
    times = "?start_timestamp=1&end_timestamp=2"
    assert ask("GET", f"/audit_logs{times}", headers={"Accept": "application/hal+json"}).status_code == 406
    assert Caller(emulator, "member")("GET", f"/audit_logs{times}").status_code == 401
    assert ask("GET", "/audit_logs").json()["id"] == "param_missing"


def test_a_numeric_id_does_not_route(ask: Caller, report: str) -> None:
    number = ask("GET", f"/reports/{report}").json()["id"]
    assert ask("GET", f"/reports/{number}").json()["message"] == "report not found"


def test_times_end_in_z_but_planned_runs_in_an_offset(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    schedule = emulator.control.add_schedule(report)
    body = ask("GET", f"/reports/{report}/schedules/{schedule}").json()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["created_at"])
    assert body["next_scheduled_run"].endswith("+00:00")


def test_links_are_relative_but_web_is_not_and_some_are_templates(ask: Caller, report: str) -> None:
    links = ask("GET", f"/reports/{report}").json()["_links"]
    assert links["self"]["href"].startswith("/api/acme/")
    assert links["web"]["href"].startswith("https://")
    assert links["report_run"]["templated"] is True


def test_the_key_names_its_member_and_a_workspaces_key_names_nobody(emulator: StudioEmulator) -> None:
    links = {}
    for kind in ("member", "workspace"):
        caller = Caller(emulator, kind)
        own = caller("GET", f"{emulator.url}/api/verify").json()["_links"]["self"]["href"]
        links[kind] = caller("GET", f"{emulator.url}{own}").json()["_links"]
    assert links["member"]["member"]["href"] == "/api/member1"
    assert "member" not in links["workspace"]


def test_the_workspace_is_public_and_counts_no_collection(emulator: StudioEmulator) -> None:
    response = requests.get(f"{emulator.url}/api/acme", timeout=10)
    assert response.status_code == 200
    assert response.json()["space_count"] == 0
    assert requests.get(f"{emulator.url}/api/member1", timeout=10).json()["email"] is None
    assert requests.get(f"{emulator.url}/api/nobody", timeout=10).json()["message"] == "account not found"


def test_memberships_are_missing_for_member_tokens_but_the_short_list_is_there(emulator: StudioEmulator) -> None:
    member = Caller(emulator, "member")
    assert member("GET", "/memberships").status_code == 404
    assert member.rows("/memberships/lite", "memberships")


def test_groups_come_twenty_a_page_with_counters(ask: Caller) -> None:
    for number in range(21):
        ask("POST", "/groups", json={"user_group": {"name": f"Group {number}"}})
    assert len(ask.rows("/groups", "groups")) == 20
    body = ask("GET", "/groups?page=2").json()
    assert len(body["_embedded"]["groups"]) == body["pagination"]["total_count"] - 20 > 0


@pytest.mark.parametrize("filter_name", ["ALL", "nonsense"])
def test_an_unknown_filter_is_the_unfiltered_list_without_a_word(emulator: StudioEmulator, filter_name: str) -> None:
    member = Caller(emulator, "member")
    assert member.rows(f"/spaces?filter={filter_name}", "spaces") == member.rows("/spaces", "spaces")


def test_a_collection_is_updated_by_patch_and_not_by_post(ask: Caller, busy: str) -> None:
    body = {"space": {"name": "Money"}}
    assert ask("POST", f"/spaces/{busy}", json=body).status_code == 404
    assert ask("PATCH", f"/collections/{busy}", json=body).json()["name"] == "Money"


def test_memberships_of_a_private_collection_are_an_invalid_space(emulator: StudioEmulator, ask: Caller) -> None:
    private = next(
        token for token, collection in emulator.control.state()["collections"].items() if collection["personal_of"]
    )
    response = ask("GET", f"/spaces/{private}/memberships")
    assert (response.status_code, response.json()["message"]) == (400, "Invalid space")
    assert ask("DELETE", f"/spaces/{private}").status_code == 400, "only custom ones can be deleted"


def test_a_data_source_lists_a_report_once_for_each_of_its_queries(ask: Caller, report: str) -> None:
    run = f"/reports/{report}/runs/{ask.newest_run(report)}"
    source = ask.rows(f"{run}/query_runs", "query_runs")[0]["data_source_token"]
    rows = []
    for page in range(1, 50):
        shown = ask.rows(f"/data_sources/{source}/reports?page={page}", "reports")
        rows += [row["token"] for row in shown]
        if not shown:
            break
    assert rows.count(report) == 3


def test_posting_a_report_makes_an_empty_one_without_a_name(emulator: StudioEmulator) -> None:
    member = Caller(emulator, "member")
    response = member("POST", "/reports", json={"report": {"name": "Ignored"}})
    (own,) = [space["token"] for space in member.rows("/spaces", "spaces") if space["space_type"] == "private"]
    report = response.json()
    assert (response.status_code, report["name"], report["space_token"], report["query_count"]) == (201, None, own, 0)


@pytest.mark.parametrize(("length", "status"), [(64, 202), (65, 400)])
def test_a_name_has_at_most_64_characters(ask: Caller, report: str, length: int, status: int) -> None:
    assert ask("PATCH", f"/reports/{report}", json={"report": {"name": "x" * length}}).status_code == status


def test_purging_reports_purges_results_and_no_report(ask: Caller, report: str) -> None:
    content = f"/reports/{report}/runs/{ask.newest_run(report)}/results/content.csv"
    assert ask("GET", content).status_code == 200
    assert ask("POST", "/reports/purge").json()["id"] == "param_missing"
    assert ask("POST", "/reports/purge?time=2026-06-01").status_code == 202
    assert ask("GET", content).json()["message"] == "run results not found"
    assert ask("GET", f"/reports/{report}").status_code == 200


def test_some_listings_ignore_the_page_and_repeat(ask: Caller, report: str) -> None:
    for path, key in (
        (f"/reports/{report}/queries", "queries"),
        ("/data_sources", "data_sources"),
        ("/memberships/lite", "memberships"),
    ):
        assert ask.rows(f"{path}?page=1", key) == ask.rows(f"{path}?page=9", key) != []


def test_definitions_are_selected_by_filter_and_tokens_together(ask: Caller) -> None:
    tokens = [
        ask("POST", "/definitions", json={"definition": {"name": name, "source": "SELECT 1"}}).json()["token"]
        for name in ("a", "b")
    ]
    library = ask.rows("/definitions", "definitions")
    assert ask.rows(f"/definitions?tokens={tokens[0]}", "definitions") == library
    assert ask.rows("/definitions?filter=by_tokens", "definitions") == library
    selected = ask.rows(f"/definitions?filter=by_tokens&tokens={tokens[0]}", "definitions")
    assert [definition["token"] for definition in selected] == tokens[:1]


def test_datasets_are_listed_apart_and_have_schedules(emulator: StudioEmulator, ask: Caller, busy: str) -> None:
    dataset = emulator.control.add_report(collection=busy, type="DatasetReport")
    emulator.control.add_schedule(dataset)
    listed = ask.rows(f"/spaces/{busy}/datasets", "reports")
    assert [dataset_row["token"] for dataset_row in listed if dataset_row["token"] == dataset] == [dataset]
    assert "archived" not in listed[-1]
    assert all(report["type"] == "Report" for report in ask.rows(f"/spaces/{busy}/reports", "reports"))
    assert len(ask.rows(f"/datasets/{dataset}/schedules", "report_schedules")) == 1


def test_the_next_page_is_linked_past_the_end(ask: Caller) -> None:
    body = ask("GET", "/spaces?filter=all&page=99").json()
    assert body["_embedded"]["spaces"] == []
    assert body["_links"]["next_page"]["href"].endswith("page=100")


@pytest.mark.parametrize("kind", ["workspace", "member"])
@pytest.mark.parametrize("path", ["/invites", "/reports/{report}/runs/{run}/clone"])
def test_keys_may_neither_clone_nor_invite(
    emulator: StudioEmulator, ask: Caller, report: str, kind: str, path: str
) -> None:
    path = path.format(report=report, run=ask.newest_run(report))
    response = Caller(emulator, kind)("POST", path, json={"invite": {"invitee": {"email": "a@example.com"}}})
    assert response.status_code == 400
    assert "unsupported" in response.json()["message"]


def test_discovery_is_for_admins_keys_and_expires(emulator: StudioEmulator) -> None:
    values = {
        "name": "nightly",
        "expires_at": (NOW + timedelta(days=1)).isoformat(),
        "auth_scope": {"authentication_for": "batch-api", "authorization_type": "read-only"},
    }
    mint = f"{emulator.url}/batch/acme/signature_tokens"
    assert Caller(emulator, "member")("POST", mint, json={"signature_token": values}).status_code == 401
    assert Caller(emulator)("POST", mint, json={"signature_token": values | {"name": "x"}}).status_code == 400
    minted = Caller(emulator)("POST", mint, json={"signature_token": values}).json()
    headers = {"Authorization": f"Bearer {_bearer(minted)}"}
    rows = f"{emulator.url}/batch/acme/reports"
    body = requests.get(rows, headers=headers, timeout=10).json()
    assert body["pagination"]["per_page"] == 1000
    assert "page=1" in body["_links"]["prev_page"]["href"], "the first page precedes itself, as documented"
    everybody = requests.get(f"{rows}?include_spaces=all", headers=headers, timeout=10).json()
    assert everybody["pagination"]["total_count"] > body["pagination"]["total_count"]
    assert requests.get(f"{rows}?per_page=1001", headers=headers, timeout=10).status_code == 400
    assert Caller(emulator)("GET", rows).status_code == 401, "basic credentials are not accepted"
    emulator.control.advance(timedelta(days=2))
    assert requests.get(rows, headers=headers, timeout=10).status_code == 401


def _bearer(minted: dict[str, Any]) -> str:
    parts = (minted["token"], minted["access_key"], minted["access_secret"])
    return base64.b64encode(":".join(parts).encode()).decode()


def test_only_discovery_reports_when_a_report_was_last_viewed(
    emulator: StudioEmulator, ask: Caller, report: str
) -> None:
    assert "last_viewed_at" not in ask("GET", f"/reports/{report}").json()
    before = emulator.control.clock()
    emulator.control.view(report)
    assert datetime.fromisoformat(emulator.control.state()["reports"][report]["last_viewed_at"]) >= before


def test_last_run_at_is_a_start_and_last_successfully_run_at_an_end(ask: Caller, report: str) -> None:
    body = ask("GET", f"/reports/{report}").json()
    assert body["last_run_at"] == "2026-05-31T12:00:00.000Z"
    assert body["last_successfully_run_at"] == "2026-05-31T12:00:01.500Z"
    assert body["updated_at"] > body["last_successfully_run_at"] > body["edited_at"], "no person changed it"


def test_a_failed_last_run_is_not_the_last_successful_one(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    good = ask("GET", f"/reports/{report}").json()["last_successful_run_token"]
    emulator.control.change_report(report, next_outcome="failed", next_runtime_seconds=0.0)
    run = ask("POST", f"/reports/{report}/runs", json={}).json()["token"]
    body = ask("GET", f"/reports/{report}").json()
    assert body["last_successful_run_token"] == good != run
    assert body["last_run_at"] > body["last_successfully_run_at"]


def test_a_report_has_its_datasets_under_other_keys_in_a_list(ask: Caller, busy: str) -> None:
    listed = ask.rows(f"/spaces/{busy}/reports", "reports")[0]
    alone = ask("GET", f"/reports/{listed['token']}").json()
    assert listed["has_imported_datasets"] is False
    assert alone["imported_datasets"] == []
    assert alone.keys() ^ listed.keys() == {"has_imported_datasets", "imported_datasets"}


def test_a_listing_of_reports_has_neither_counters_nor_a_next_page(ask: Caller, busy: str) -> None:
    body = ask("GET", f"/spaces/{busy}/reports").json()
    assert "pagination" not in body
    assert set(body["_links"]) == {"self"}
    assert len(ask.rows(f"/spaces/{busy}/reports?page=2", "reports")) == 30


def test_a_report_is_not_made_in_a_collection(ask: Caller, busy: str) -> None:
    response = ask("POST", f"/collections/{busy}/reports", json={"report": {"name": "Revenue"}})
    assert (response.status_code, response.json()["message"]) == (404, "request path not recognized")


def test_both_forms_of_the_archive_are_there_whatever_the_state(ask: Caller, report: str) -> None:
    for how in ("archive", "unarchive"):
        body = ask("PATCH", f"/reports/{report}/{how}").json()
        assert {"archive", "unarchive"} <= set(body["_forms"])
        assert "archive" in body["_forms"]["archive"]["action"]


def test_an_untitled_report_has_no_name_and_one_that_never_ran_no_run(emulator: StudioEmulator, ask: Caller) -> None:
    body = ask("GET", f"/reports/{emulator.control.add_report(name=None)}").json()
    never = ("name", "last_run_at", "last_successfully_run_at", "last_successful_run_token")
    assert [body[key] for key in never] == [None] * 4
    assert not {"last_run", "last_successful_run", "csv_export"} & set(body["_links"])


def test_no_permission_shows_as_403_or_as_404(emulator: StudioEmulator, ask: Caller, busy: str) -> None:
    emulator.control.forbid_collection(busy)
    assert ask("GET", f"/spaces/{busy}/reports").json()["id"] == "forbidden"
    hidden = [
        token
        for token, collection in emulator.control.state()["collections"].items()
        if collection["personal_of"] not in (None, "member1")
    ]
    assert Caller(emulator, "member")("GET", f"/spaces/{hidden[0]}/reports").json()["message"] == "space not found"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/reports/0123456789ab", "report not found"),
        ("/data_sources/0123456789ab", "data source not found"),
        ("/no/such/path", "request path not recognized"),
    ],
)
def test_a_404_names_what_is_missing(ask: Caller, path: str, message: str) -> None:
    body = ask("GET", path).json()
    assert (body["id"], body["message"]) == ("not_found", message)
    assert body["_links"]["help"]["href"]


def test_a_422_may_carry_a_dict_for_a_message(emulator: StudioEmulator, ask: Caller) -> None:
    emulator.control.add_fault("status", status=422)
    assert isinstance(ask("GET", "/spaces?filter=custom").json()["message"], dict)


@pytest.mark.parametrize(("method", "path"), NOT_EMULATED, ids=str)
def test_an_endpoint_that_is_only_linked_responds_501_with_the_reason(ask: Caller, method: str, path: str) -> None:
    response = ask(method, re.sub(r"\{\w+\}", "0123456789ab", path))
    assert (response.status_code, response.json()["id"]) == (501, "not_implemented")
    assert NOT_EMULATED[method, path] in response.json()["message"]
