# SPDX-License-Identifier: Apache-2.0
"""Oddities of the real service in runs, schedules and subscriptions, one test each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_studio.emulator import StudioEmulator
from tests.emulator.conftest import Caller


def test_runs_come_twenty_a_page_newest_first(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    emulator.control.add_schedule(report, cron={"freq": "hourly"})
    body = ask("GET", f"/reports/{report}/runs").json()
    times = [run["created_at"] for run in body["_embedded"]["report_runs"]]
    assert len(times) == 20
    assert times == sorted(times, reverse=True)
    assert body["_links"]["next_page"]


def test_json_results_are_the_first_querys_alone(ask: Caller, report: str) -> None:
    run = f"/reports/{report}/runs/{ask.newest_run(report)}"
    results = [
        ask("GET", f"{run}/query_runs/{query_run['token']}/results/content.json").json()
        for query_run in ask.rows(f"{run}/query_runs", "query_runs")
    ]
    assert ask("GET", f"{run}/results/content.json").json() == results[0]
    assert results[0] != results[1]


def test_a_pdf_is_requested_then_created_then_downloaded(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    pdf = f"/reports/{report}/exports/runs/{ask.newest_run(report)}/pdf"
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
    schedule = ask("POST", f"/reports/{report}/schedules", json={"report_schedule": {"cron": cron}}).json()
    assert (schedule["day_of_week"], schedule["hour"], schedule["minute"]) == (
        "Monday,Friday",
        "2:00 pm",
        "the top of the hour",
    )


@pytest.mark.parametrize(
    "change", [{"time_zone": "Europe/Berlin"}, {"hour": 24}, {"minute": "x"}, {"day_of_month": 0}, {"day_of_week": [9]}]
)
def test_a_schedule_takes_rails_names_and_real_times(ask: Caller, report: str, change: dict[str, Any]) -> None:
    cron = {"freq": "daily", "hour": 6, "minute": 0, "time_zone": "Berlin"} | change
    response = ask("POST", f"/reports/{report}/schedules", json={"report_schedule": {"cron": cron}})
    assert response.status_code == 400
    assert next(iter(change)) in response.json()["message"]


def test_runs_cannot_be_filtered_by_state(ask: Caller, report: str) -> None:
    assert ask.rows(f"/reports/{report}/runs?state=failed", "report_runs") == ask.rows(
        f"/reports/{report}/runs", "report_runs"
    )


def test_a_run_may_refresh_the_datasets_of_its_report(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    dataset, other = (emulator.control.add_report(type="DatasetReport") for _ in range(2))
    emulator.control.change_report(report, imported_datasets=[dataset])
    runs = f"/reports/{report}/runs"
    assert ask("POST", runs, json={"report": {"dataset_tokens": [{"token": other}]}}).status_code == 404
    assert ask("POST", runs, json={"report": {"dataset_tokens": "x"}}).status_code == 400
    assert ask("POST", runs, json={"report": {"dataset_tokens": [{"token": dataset}]}}).status_code == 202
    reports = emulator.control.state()["reports"]
    assert [len(reports[token]["runs_started"]) for token in (report, dataset, other)] == [1, 0, 0]
    emulator.control.set_quirks(dataset_refresh="rerun")
    ask("POST", runs, json={"report": {"dataset_tokens": [{"token": dataset}]}})
    assert len(emulator.control.state()["reports"][dataset]["runs_started"]) == 1


def test_a_notebook_runs_after_its_queries(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    emulator.control.set_speed(0)
    emulator.control.change_report(report, notebook=True, next_runtime_seconds=100.0)
    run = ask("POST", f"/reports/{report}/runs", json={}).json()["token"]
    seen = []
    for _ in range(3):
        body = ask("GET", f"/reports/{report}/runs/{run}").json()
        seen.append((body["state"], body["python_state"]))
        emulator.control.advance(timedelta(seconds=75))
    assert seen == [("enqueued", "pending"), ("running_notebook", "submitted"), ("completed", "succeeded")]
    queries = ask.rows(f"/reports/{report}/runs/{run}/query_runs", "query_runs")
    assert {query["state"] for query in queries} == {"succeeded"}


def test_a_clone_is_a_copy_in_ones_own_collection(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    person = Caller(emulator, "personal")
    copy = person("POST", f"/reports/{report}/runs/{ask.newest_run(report)}/clone").json()
    assert copy["name"] == "Copy of Revenue"
    assert emulator.control.state()["reports"][copy["token"]]["personal_of"] == "member1"


def test_schedules_come_thirty_a_page_without_counters(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    for _ in range(31):
        emulator.control.add_schedule(report)
    assert "pagination" not in ask("GET", f"/reports/{report}/schedules").json()
    pages = [ask.rows(f"/reports/{report}/schedules?page={page}", "report_schedules") for page in (1, 2, 3)]
    assert [len(page) for page in pages] == [30, 1, 0]


def test_a_schedule_has_no_state_to_pause_it_by(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    path = f"/reports/{report}/schedules/{emulator.control.add_schedule(report)}"
    ask("PATCH", path, json={"report_schedule": {"state": "paused"}})
    assert "state" not in ask("GET", path).json()


def test_a_datasets_schedules_are_only_listed(emulator: StudioEmulator, ask: Caller) -> None:
    dataset = emulator.control.add_report(type="DatasetReport")
    body = {"report_schedule": {"cron": {"freq": "daily"}}}
    assert ask("POST", f"/datasets/{dataset}/schedules", json=body).status_code == 404


def test_schedules_are_not_deleted_in_bulk(ask: Caller) -> None:
    response = ask("DELETE", "/reports/schedules/v1/bulk_delete")
    assert (response.status_code, response.json()["id"]) == (501, "not_implemented")


def test_subscribers_are_behind_the_links_of_a_subscription(emulator: StudioEmulator, ask: Caller) -> None:
    subscription = next(iter(emulator.control.state()["subscriptions"].values()))
    report = emulator.control.state()["schedules"][subscription["schedule"]]["report"]
    (row,) = ask.rows(f"/reports/{report}/subscriptions", "report_subscriptions")
    assert "emails" not in row
    members = ask("GET", f"{emulator.url}{row['_links']['email_subscription_memberships']['href']}").json()
    assert [member["email"] for member in members["_embedded"]["memberships"]] == subscription["emails"]
