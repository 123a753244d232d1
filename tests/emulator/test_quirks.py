# SPDX-License-Identifier: Apache-2.0
"""The oddities of the real service, one test each, named after what is odd."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.firing import firings_before, firings_between
from airflow_provider_studio.emulator.time_zones import ZONES
from tests.emulator.conftest import NOW, Caller


@pytest.fixture
def report(emulator: StudioEmulator) -> str:
    """A Report of three queries that people view and run."""
    return emulator.control.add_report(
        name="Revenue",
        created_at=(NOW - timedelta(days=10)).isoformat(),
        edited_at=(NOW - timedelta(days=9)).isoformat(),
        habit={"views_per_day": 2.0, "run_every_days": 3.0},
        query_count=3,
        expected_runtime=1.5,
    )


def test_the_audit_log_refuses_hal_and_member_tokens(emulator: StudioEmulator, ask: Caller) -> None:
    times = "?start_timestamp=1&end_timestamp=2"
    assert ask("GET", f"/audit_logs{times}", headers={"Accept": "application/hal+json"}).status_code == 406
    assert Caller(emulator, "member")("GET", f"/audit_logs{times}").status_code == 401
    assert ask("GET", "/audit_logs").json()["id"] == "param_missing"


def test_a_numeric_id_does_not_route(ask: Caller, report: str) -> None:
    number = ask("GET", f"/reports/{report}").json()["id"]
    assert ask("GET", f"/reports/{number}").json()["message"] == "report not found"


@pytest.mark.parametrize(("as_text", "kind"), [(False, int), (True, str)])
def test_ids_are_numbers_or_decimal_text(
    emulator: StudioEmulator, ask: Caller, report: str, as_text: bool, kind: type
) -> None:
    emulator.control.set_quirks(ids_as_text=as_text)
    body = ask("GET", f"/reports/{report}").json()
    assert isinstance(body["id"], kind)
    assert isinstance(body["view_count"], int)


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


def test_the_workspace_answers_anybody_and_counts_no_collection(emulator: StudioEmulator) -> None:
    answer = requests.get(f"{emulator.url}/api/acme", timeout=10)
    assert answer.status_code == 200
    assert answer.json()["space_count"] == 0
    assert requests.get(f"{emulator.url}/api/member1", timeout=10).json()["email"] is None
    assert requests.get(f"{emulator.url}/api/nobody", timeout=10).json()["message"] == "account not found"


def test_memberships_are_missing_for_keys_but_the_short_list_is_there(ask: Caller) -> None:
    assert ask("GET", "/memberships").status_code == 404
    assert ask.rows("/memberships/lite", "memberships")


def test_groups_come_twenty_a_page_with_counters(ask: Caller) -> None:
    for number in range(21):
        ask("POST", "/groups", json={"user_group": {"name": f"Group {number}"}})
    body = ask("GET", "/groups?page=2").json()
    assert (len(body["_embedded"]["groups"]), body["pagination"]["total_count"]) == (1, 21)


@pytest.mark.parametrize("wanted", ["ALL", "nonsense"])
def test_an_unknown_filter_is_the_unfiltered_list_without_a_word(emulator: StudioEmulator, wanted: str) -> None:
    member = Caller(emulator, "member")
    assert member.rows(f"/spaces?filter={wanted}", "spaces") == member.rows("/spaces", "spaces")


def test_a_collection_is_updated_by_patch_and_not_by_post(ask: Caller, busy: str) -> None:
    body = {"space": {"name": "Money"}}
    assert ask("POST", f"/spaces/{busy}", json=body).status_code == 404
    assert ask("PATCH", f"/collections/{busy}", json=body).json()["name"] == "Money"


def test_memberships_of_a_private_collection_are_an_invalid_space(emulator: StudioEmulator, ask: Caller) -> None:
    private = next(token for token, one in emulator.control.state()["collections"].items() if one["personal_of"])
    answer = ask("GET", f"/spaces/{private}/memberships")
    assert (answer.status_code, answer.json()["message"]) == (400, "Invalid space")
    assert ask("DELETE", f"/spaces/{private}").status_code == 400, "only custom ones can be deleted"


def test_a_data_source_lists_a_report_once_for_each_of_its_queries(ask: Caller, report: str) -> None:
    run = f"/reports/{report}/runs/{_newest_run(ask, report)}"
    source = ask.rows(f"{run}/query_runs", "query_runs")[0]["data_source_token"]
    rows = []
    for page in range(1, 50):
        shown = ask.rows(f"/data_sources/{source}/reports?page={page}", "reports")
        rows += [one["token"] for one in shown]
        if not shown:
            break
    assert rows.count(report) == 3


def _newest_run(ask: Caller, report: str) -> str:
    return str(ask.rows(f"/reports/{report}/runs", "report_runs")[0]["token"])


def test_posting_a_report_makes_an_empty_one_without_a_name(emulator: StudioEmulator) -> None:
    member = Caller(emulator, "member")
    answer = member("POST", "/reports", json={"report": {"name": "Ignored"}})
    own = member.rows("/spaces", "spaces")[0]["token"]
    made = answer.json()
    assert (answer.status_code, made["name"], made["space_token"], made["query_count"]) == (201, None, own, 0)


@pytest.mark.parametrize(("length", "status"), [(64, 202), (65, 400)])
def test_a_name_has_at_most_64_characters(ask: Caller, report: str, length: int, status: int) -> None:
    assert ask("PATCH", f"/reports/{report}", json={"report": {"name": "x" * length}}).status_code == status


def test_purging_reports_purges_results_and_no_report(ask: Caller, report: str) -> None:
    content = f"/reports/{report}/runs/{_newest_run(ask, report)}/results/content.csv"
    assert ask("GET", content).status_code == 200
    assert ask("POST", "/reports/purge").json()["id"] == "param_missing"
    assert ask("POST", "/reports/purge?time=2026-06-01").status_code == 202
    assert ask("GET", content).json()["message"] == "run results not found"
    assert ask("GET", f"/reports/{report}").status_code == 200


def test_some_listings_ignore_the_page_and_repeat(ask: Caller, report: str) -> None:
    for path, key in ((f"/reports/{report}/queries", "queries"), ("/data_sources", "data_sources")):
        assert ask.rows(f"{path}?page=1", key) == ask.rows(f"{path}?page=9", key) != []


def test_definitions_are_chosen_by_filter_and_tokens_together(ask: Caller) -> None:
    tokens = [
        ask("POST", "/definitions", json={"definition": {"name": name, "source": "SELECT 1"}}).json()["token"]
        for name in ("a", "b")
    ]
    assert len(ask.rows(f"/definitions?tokens={tokens[0]}", "definitions")) == 2
    assert len(ask.rows("/definitions?filter=by_tokens", "definitions")) == 2
    chosen = ask.rows(f"/definitions?filter=by_tokens&tokens={tokens[0]}", "definitions")
    assert [one["token"] for one in chosen] == tokens[:1]


def test_datasets_are_listed_apart_and_have_schedules(emulator: StudioEmulator, ask: Caller, busy: str) -> None:
    dataset = emulator.control.add_report(collection=busy, type="DatasetReport")
    emulator.control.add_schedule(dataset)
    listed = ask.rows(f"/spaces/{busy}/datasets", "reports")
    assert [one["token"] for one in listed if one["token"] == dataset] == [dataset]
    assert "archived" not in listed[-1]
    assert all(one["type"] == "Report" for one in ask.rows(f"/spaces/{busy}/reports", "reports"))
    assert len(ask.rows(f"/datasets/{dataset}/schedules", "report_schedules")) == 1


def test_runs_come_twenty_a_page_newest_first(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    emulator.control.add_schedule(report, cron={"freq": "hourly"})
    body = ask("GET", f"/reports/{report}/runs").json()
    times = [one["created_at"] for one in body["_embedded"]["report_runs"]]
    assert len(times) == 20
    assert times == sorted(times, reverse=True)
    assert body["_links"]["next_page"]


def test_the_next_page_is_linked_past_the_end(ask: Caller) -> None:
    body = ask("GET", "/spaces?filter=all&page=99").json()
    assert body["_embedded"]["spaces"] == []
    assert body["_links"]["next_page"]["href"].endswith("page=100")


@pytest.mark.parametrize("kind", ["workspace", "member"])
@pytest.mark.parametrize("path", ["/invites", "/reports/{report}/runs/{run}/clone"])
def test_keys_may_neither_clone_nor_invite(
    emulator: StudioEmulator, ask: Caller, report: str, kind: str, path: str
) -> None:
    path = path.format(report=report, run=_newest_run(ask, report))
    answer = Caller(emulator, kind)("POST", path, json={"invite": {"invitee": {"email": "a@example.com"}}})
    assert answer.status_code == 400
    assert "unsupported" in answer.json()["message"]


def test_a_csv_may_be_a_zip_archive(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    content = f"/reports/{report}/runs/{_newest_run(ask, report)}/results/content.csv"
    assert ask("GET", content).headers["content-type"].startswith("text/csv")
    emulator.control.set_quirks(results_as_zip=True)
    answer = ask("GET", content)
    assert answer.headers["content-type"] == "application/zip"
    assert len(zipfile.ZipFile(io.BytesIO(answer.content)).namelist()) == 3


def test_json_results_are_the_first_querys_alone(ask: Caller, report: str) -> None:
    run = f"/reports/{report}/runs/{_newest_run(ask, report)}"
    each = [
        ask("GET", f"{run}/query_runs/{one['token']}/results/content.json").json()
        for one in ask.rows(f"{run}/query_runs", "query_runs")
    ]
    assert ask("GET", f"{run}/results/content.json").json() == each[0]
    assert each[0] != each[1]


def test_a_pdf_is_asked_for_then_made_then_fetched(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    pdf = f"/reports/{report}/exports/runs/{_newest_run(ask, report)}/pdf"
    assert ask("GET", f"{pdf}/download").json()["message"] == "export not yet generated"
    states = []
    for _ in range(3):
        states.append(ask("GET", f"{pdf}.pdf").json()["state"])
        emulator.control.advance(timedelta(seconds=1))
    assert states == ["new", "requested", "completed"]
    assert ask("GET", f"{pdf}/download").content.startswith(b"%PDF-1.4")


def test_a_failed_runs_reason_is_on_its_query_run(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    emulator.control.change_report(report, next_outcome="failed", next_runtime_seconds=0.0)
    run = ask("POST", f"/reports/{report}/runs", json={}).json()
    assert not any("error" in key for key in run)
    failed, good, _ = ask.rows(f"/reports/{report}/runs/{run['token']}/query_runs", "query_runs")
    assert (failed["state"], failed["error_type"], good["state"]) == ("failed", "generic", "succeeded")
    assert failed["error_code"]


def test_a_deleted_schedule_is_gone_for_good(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    path = f"/reports/{report}/schedules/{emulator.control.add_schedule(report)}"
    assert ask("DELETE", path).status_code == 204
    again = ask("DELETE", path)
    assert (again.status_code, again.json()["message"]) == (404, "ReportSchedule not found")


def test_a_weekly_schedule_names_its_days(ask: Caller, report: str) -> None:
    cron = {"freq": "weekly", "hour": 14, "minute": 0, "day_of_week": "1,5", "time_zone": "Tokyo"}
    made = ask("POST", f"/reports/{report}/schedules", json={"report_schedule": {"cron": cron}}).json()
    assert (made["day_of_week"], made["hour"], made["minute"]) == ("Monday,Friday", "2:00 pm", "the top of the hour")


@pytest.mark.parametrize(
    "change", [{"time_zone": "Europe/Berlin"}, {"hour": 24}, {"minute": "x"}, {"day_of_month": 0}, {"day_of_week": [9]}]
)
def test_a_schedule_takes_rails_names_and_real_times(ask: Caller, report: str, change: dict[str, Any]) -> None:
    cron = {"freq": "daily", "hour": 6, "minute": 0, "time_zone": "Berlin"} | change
    answer = ask("POST", f"/reports/{report}/schedules", json={"report_schedule": {"cron": cron}})
    assert answer.status_code == 400
    assert next(iter(change)) in answer.json()["message"]


def test_discovery_is_for_admins_keys_and_expires(emulator: StudioEmulator) -> None:
    wanted = {
        "name": "nightly",
        "expires_at": (NOW + timedelta(days=1)).isoformat(),
        "auth_scope": {"authentication_for": "batch-api", "authorization_type": "read-only"},
    }
    mint = f"{emulator.url}/batch/acme/signature_tokens"
    assert Caller(emulator, "member")("POST", mint, json={"signature_token": wanted}).status_code == 401
    assert Caller(emulator)("POST", mint, json={"signature_token": wanted | {"name": "x"}}).status_code == 400
    minted = Caller(emulator)("POST", mint, json={"signature_token": wanted}).json()
    headers = {"Authorization": f"Bearer {_bearer(minted)}"}
    rows = f"{emulator.url}/batch/acme/reports"
    body = requests.get(rows, headers=headers, timeout=10).json()
    assert body["pagination"]["per_page"] == 1000
    assert "page=1" in body["_links"]["prev_page"]["href"], "nonsense, as documented"
    everybody = requests.get(f"{rows}?include_spaces=all", headers=headers, timeout=10).json()
    assert everybody["pagination"]["total_count"] > body["pagination"]["total_count"]
    assert requests.get(f"{rows}?per_page=1001", headers=headers, timeout=10).status_code == 400
    assert Caller(emulator)("GET", rows).status_code == 401, "basic credentials do not open it"
    emulator.control.advance(timedelta(days=2))
    assert requests.get(rows, headers=headers, timeout=10).status_code == 401


def _bearer(minted: dict[str, Any]) -> str:
    parts = (minted["token"], minted["access_key"], minted["access_secret"])
    return base64.b64encode(":".join(parts).encode()).decode()


def test_discovery_alone_says_when_a_report_was_last_viewed(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    assert "last_viewed_at" not in ask("GET", f"/reports/{report}").json()
    before = emulator.control.clock()
    emulator.control.view(report)
    assert datetime.fromisoformat(emulator.control.state()["reports"][report]["last_viewed_at"]) >= before


def test_last_run_at_is_a_start_and_last_successfully_run_at_an_end(ask: Caller, report: str) -> None:
    body = ask("GET", f"/reports/{report}").json()
    assert body["last_run_at"] == "2026-05-31T12:00:00.000Z"
    assert body["last_successfully_run_at"] == "2026-05-31T12:00:01.500Z"
    assert body["updated_at"] > body["last_successfully_run_at"] > body["edited_at"], "moved by no human"


def test_a_failed_last_run_is_not_the_last_successful_one(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    good = ask("GET", f"/reports/{report}").json()["last_successful_run_token"]
    emulator.control.change_report(report, next_outcome="failed", next_runtime_seconds=0.0)
    run = ask("POST", f"/reports/{report}/runs", json={}).json()["token"]
    body = ask("GET", f"/reports/{report}").json()
    assert body["last_successful_run_token"] == good != run
    assert body["last_run_at"] > body["last_successfully_run_at"]


def test_listed_and_read_alone_a_report_tells_its_datasets_differently(ask: Caller, busy: str) -> None:
    listed = ask.rows(f"/spaces/{busy}/reports", "reports")[0]
    alone = ask("GET", f"/reports/{listed['token']}").json()
    assert listed["has_imported_datasets"] is False
    assert alone["imported_datasets"] == []
    assert alone.keys() ^ listed.keys() == {"has_imported_datasets", "imported_datasets"}


@pytest.mark.parametrize("how", ["keep", "stop"])
def test_archiving_may_or_may_not_stop_schedules(emulator: StudioEmulator, ask: Caller, report: str, how: str) -> None:
    emulator.control.set_quirks(archived_schedules=how)
    emulator.control.change_report(report, habit={})
    emulator.control.add_schedule(report)
    ask("PATCH", f"/reports/{report}/archive")
    before = ask("GET", f"/reports/{report}").json()["runs_count"]
    emulator.control.advance(timedelta(days=5))
    body = ask("GET", f"/reports/{report}").json()
    assert body["runs_count"] - before == {"keep": 5, "stop": 0}[how]
    assert body["schedules_count"] == 1


@pytest.mark.parametrize("status", [200, 400])
def test_archiving_twice_may_or_may_not_be_refused(
    emulator: StudioEmulator, ask: Caller, report: str, status: int
) -> None:
    emulator.control.set_quirks(second_archive=status)
    assert ask("PATCH", f"/reports/{report}/archive").status_code == 200
    assert ask("PATCH", f"/reports/{report}/archive").status_code == status


@pytest.mark.parametrize("freq", ["every_15_minutes", "every_30_minutes", "hourly", "daily", "weekly", "monthly"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific Time (US & Canada)", "Kathmandu"])
def test_as_many_firings_are_counted_as_there_are(freq: str, zone: str) -> None:
    for day_of_month in (1, 31):
        cron = {
            "freq": freq,
            "hour": 2,
            "minute": 30,
            "time_zone": zone,
            "day_of_week": "0,3,6" if freq == "weekly" else None,
            "day_of_month": day_of_month if freq == "monthly" else None,
        }
        since = NOW - timedelta(days=400, hours=5, minutes=7)
        assert firings_between(cron, since, NOW) == sum(1 for _ in firings_before(cron, NOW, since=since)) > 0
    assert len(ZONES) == 151
