# SPDX-License-Identifier: Apache-2.0
"""The emulator over plain HTTP: known quirks of the real API, and consistent data otherwise."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
import requests

from airflow_provider_studio.emulator import StudioEmulator
from tests.emulator.conftest import NOW, Caller
from tests.hand_clock import Seconds


def test_the_same_seed_is_the_same_workspace_to_the_byte() -> None:
    states = []
    for seed in (7, 7, 8):
        with StudioEmulator("acme", reports=200, seed=seed, now=NOW) as emulator:
            emulator.control.set_clock(NOW)
            states.append(emulator.control.state() | {"now": None})
    assert states[0] == states[1] != states[2]


def test_a_workspace_is_as_large_as_asked_and_looks_like_one(emulator: StudioEmulator) -> None:
    state = emulator.control.state()
    names = " ".join(report["name"] or "" for report in state["reports"].values())
    assert len(state["reports"]) == 120
    assert any(report["archived"] for report in state["reports"].values())
    assert any(collection["personal_of"] for collection in state["collections"].values())
    assert any("\u0400" <= letter <= "\u04ff" or "\u4e00" <= letter <= "\u9fff" for letter in names)
    assert state["schedules"]
    assert state["subscriptions"]


def test_pages_are_fixed_and_per_page_is_ignored(ask: Caller, busy: str) -> None:
    pages = [ask.rows(f"/spaces/{busy}/reports?page={number}&per_page=100", "reports") for number in (1, 2, 3, 9)]
    assert [len(pages[0]), len(pages[1]), len(pages[3])] == [30, 30, 0]
    assert "pagination" not in ask("GET", f"/spaces/{busy}/reports").json()


def test_collections_have_counters_and_links_of_reports_say_collections(ask: Caller) -> None:
    body = ask("GET", "/spaces?filter=all").json()
    assert {"page", "per_page", "count", "total_pages", "total_count"} == set(body["pagination"])
    assert body["_embedded"]["spaces"][0]["_links"]["self"]["href"].startswith("/api/acme/collections/")
    assert ask("GET", "/collections?filter=all").json() == body


def test_a_workspace_token_has_no_collections_of_its_own(ask: Caller) -> None:
    assert ask.rows("/spaces?filter=mine", "spaces") == []


def test_personal_collections_of_others_are_seen_by_a_workspace_token_alone(
    emulator: StudioEmulator, ask: Caller
) -> None:
    personal = {
        token for token, collection in emulator.control.state()["collections"].items() if collection["personal_of"]
    }
    seen: set[str] = set()
    for page in (1, 2, 3):
        seen |= {collection["token"] for collection in ask.rows(f"/spaces?filter=all&page={page}", "spaces")}
    assert personal <= seen
    member = Caller(emulator, "member")
    visible = {collection["token"] for collection in member.rows("/spaces?filter=all", "spaces")}
    assert len(personal & visible) == 1
    hidden = next(iter(personal - visible))
    assert member("GET", f"/spaces/{hidden}/reports").status_code == 404


def test_an_archived_report_is_still_listed(emulator: StudioEmulator, ask: Caller, busy: str) -> None:
    report = emulator.control.add_report(collection=busy)
    assert ask("PATCH", f"/reports/{report}/archive").json()["archived"] is True
    rows = [row for page in (1, 2, 3, 4) for row in ask.rows(f"/spaces/{busy}/reports?page={page}", "reports")]
    assert [row["archived"] for row in rows if row["token"] == report] == [True]
    assert ask("PATCH", f"/reports/{report}/unarchive").json()["archived"] is False


def test_views_grow_with_time_and_moving_back_gives_the_earlier_count(emulator: StudioEmulator, ask: Caller) -> None:
    until = (NOW + timedelta(days=20)).isoformat()
    report = emulator.control.add_report(created_at=NOW.isoformat(), habit={"views_per_day": 2.0, "until": until})

    def views(days: int) -> int:
        emulator.control.set_clock(NOW + timedelta(days=days))
        return int(ask("GET", f"/reports/{report}").json()["view_count"])

    assert views(10) == 20
    assert views(20) == views(400) == 40
    assert views(10) == 20


@pytest.mark.parametrize("outcome", ["succeeded", "completed", "failed", "cancelled"])
def test_a_run_takes_its_time_and_ends_as_it_does(emulator: StudioEmulator, ask: Caller, outcome: str) -> None:
    report = emulator.control.add_report(next_runtime_seconds=100.0, next_outcome=outcome)
    response = ask("POST", f"/reports/{report}/runs", json={"parameters": {"a": 1}})
    assert response.status_code == 202
    run = response.json()["token"]
    states = []
    for _ in range(3):
        states.append(ask("GET", f"/reports/{report}/runs/{run}").json()["state"])
        emulator.control.advance(timedelta(seconds=50))
    assert states[0] == "enqueued"
    assert states[1] == "pending"
    assert states[2] == outcome
    failed = ask.rows(f"/reports/{report}/runs/{run}/query_runs", "query_runs")
    assert (outcome == "failed") == bool(failed[0].get("error_message"))


def test_of_two_runs_at_one_time_the_one_that_was_started_last_is_the_newest(
    emulator: StudioEmulator, ask: Caller
) -> None:
    emulator.control.set_speed(0)
    report = emulator.control.add_report()
    _, newest = [ask("POST", f"/reports/{report}/runs", json={}).json()["token"] for _ in range(2)]
    assert ask.newest_run(report) == newest
    assert ask("GET", f"/reports/{report}").json()["_links"]["last_run"]["href"].endswith(newest)


def test_a_schedule_fires_with_the_clock(emulator: StudioEmulator, ask: Caller) -> None:
    report = emulator.control.add_report(created_at=(NOW - timedelta(days=30)).isoformat())
    emulator.control.add_schedule(report, cron={"hour": 6})
    assert ask("GET", f"/reports/{report}").json()["last_run_at"].startswith("2026-06-01T06:00")
    emulator.control.advance(timedelta(days=3))
    assert ask("GET", f"/reports/{report}").json()["last_run_at"].startswith("2026-06-04T06:00")


def test_a_schedules_prose_and_its_machine_values(ask: Caller, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report()
    schedule = emulator.control.add_schedule(report, cron={"hour": 17, "minute": 5})
    body = ask("GET", f"/reports/{report}/schedules/{schedule}").json()
    assert not isinstance(body["hour"], int)
    assert body["_forms"]["edit"]["input"]["report_schedule"]["cron"]["hour"]["value"] == 17


@pytest.mark.parametrize("body", [{}, {"cron": {"freq": "daily"}}, {"report_schedule": {"cron": {"freq": "often"}}}])
def test_a_schedule_needs_its_wrapper_and_a_known_frequency(
    ask: Caller, emulator: StudioEmulator, body: dict[str, Any]
) -> None:
    response = ask("POST", f"/reports/{emulator.control.add_report()}/schedules", json=body)
    assert response.status_code == 400
    assert {"id", "message"} <= set(response.json())


def test_runs_with_a_filter_break_the_server_and_unknown_paths_are_not_recognized(
    ask: Caller, emulator: StudioEmulator
) -> None:
    report = emulator.control.add_report()
    assert ask("GET", f"/reports/{report}/runs?filter=x").status_code == 500
    unknown = ask("GET", "/nonsense/x")
    assert (unknown.status_code, unknown.json()["message"]) == (404, "request path not recognized")


@pytest.mark.parametrize(
    "header", [None, "Basic !!!", "Bearer abc", "Basic ZW11bGF0b3Itd29ya3NwYWNlOndyb25n", "Basic eDp5"]
)
def test_nobody_gets_in_without_the_right_secret(emulator: StudioEmulator, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = requests.get(f"{emulator.url}/api/verify", headers=headers, timeout=10)
    assert (response.status_code, response.json()["id"]) == (401, "unauthorized")


@pytest.mark.parametrize(("kind", "status"), [("workspace", 400), ("member", 400), ("personal", 200)])
def test_the_account_is_for_personal_tokens(emulator: StudioEmulator, kind: str, status: int) -> None:
    caller = Caller(emulator, kind)
    response = caller("GET", f"{emulator.url}/api/account")
    assert response.status_code == status
    if status == 400:
        assert response.json()["message"] == "This endpoint is unsupported for use with Api Keys"


def test_verify_returns_the_kind_of_the_token(emulator: StudioEmulator) -> None:
    bodies = {
        kind: Caller(emulator, kind)("GET", f"{emulator.url}/api/verify").json() for kind in ("member", "personal")
    }
    assert bodies["member"]["api_key_scope"] == "member"
    assert "api_key_scope" not in bodies["personal"]


def test_the_rate_limit_is_the_tokens_with_both_headers_and_429(
    emulator: StudioEmulator, ask: Caller, budget_clock: Seconds
) -> None:
    emulator.control.set_rate_limit(limit=3, interval_seconds=1.0)
    responses = [ask("GET", "/spaces?filter=custom") for _ in range(5)]
    assert [response.status_code for response in responses] == [200, 200, 200, 429, 429]
    assert [response.headers["X-RateLimit-Remaining"] for response in responses] == ["2", "1", "0", "0", "0"]
    assert responses[0].headers["X-RateLimit-Limit"] == "3"
    assert Caller(emulator, "member")("GET", "/spaces?filter=custom").status_code == 200, "another token's budget"
    budget_clock.now += 1.1
    assert ask("GET", "/spaces?filter=custom").status_code == 200


@pytest.mark.parametrize("model", ["sliding", "fixed", "token_bucket"])
def test_the_true_limit_under_every_model(
    emulator: StudioEmulator, ask: Caller, budget_clock: Seconds, model: str
) -> None:
    emulator.control.set_rate_limit(model=model)
    responses = [ask("GET", "/spaces?filter=custom").status_code for _ in range(42)]
    assert responses == [200] * 40 + [429] * 2
    budget_clock.now += 10.0
    assert ask("GET", "/spaces?filter=custom").status_code == 200


def test_what_the_control_endpoints_refuse(emulator: StudioEmulator) -> None:
    for call in (
        lambda: emulator.control.add_fault("earthquake"),
        lambda: emulator.control.set_rate_limit(model="guess"),
        lambda: emulator.control.add_report(colour="red"),
        lambda: emulator.control.remove_report("0123456789ab"),
    ):
        with pytest.raises(ValueError, match="The emulator refused"):
            call()


def test_the_request_log_holds_no_secret_no_query_and_no_body(emulator: StudioEmulator, ask: Caller) -> None:
    ask("POST", f"/reports/{emulator.control.add_report()}/runs?page=7", json={"parameters": {"hidden": "value"}})
    summary = emulator.control.requests_summary()
    assert summary["by_status"] == {"202": 1}
    assert set(summary["requests"][0]) == {"n", "at", "method", "path", "status", "token"}
    assert not any(word in json.dumps(summary) for word in ("emulator-secret", "page=7", "hidden"))


def test_it_runs_as_a_program_and_says_where() -> None:
    argv = [sys.executable, "-m", "airflow_provider_studio.emulator", "--workspace", "acme", "--reports", "2000"]
    argv += ["--seed", "7", "--port", "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            said = program.stdout.readline()
            assert said.startswith("Workspace 'acme', 2,000 Reports: http://127.0.0.1:")
            address = said.split(": ", 1)[1].strip()
            auth = ("emulator-workspace", "emulator-secret")
            assert requests.get(f"{address}/verify", auth=auth, timeout=10).json()["workspace"] == "acme"
            strange = ("a1b2c3d4e5f6", "9f8e7d6c5b4a3f2e1d0c")
            assert requests.get(f"{address}/verify", auth=strange, timeout=10).status_code == 401
        finally:
            program.terminate()
        said = program.stdout.read() + (program.stderr.read() if program.stderr else "")
        assert "points at an emulator" in said
        assert not any(part in said for part in strange)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], "--allow-remote"),
        (["--now", "2026-01-01T00:00:00"], "has no time zone"),
        (["--reports", "-1"], "is negative"),
        (["--port", "99999"], "cannot be used"),
    ],
)
def test_as_a_program_it_refuses_what_makes_no_sense(options: list[str], message: str) -> None:
    argv = [sys.executable, "-m", "airflow_provider_studio.emulator", *options]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode != 0
    assert message in ended.stderr
