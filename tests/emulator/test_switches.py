# SPDX-License-Identifier: Apache-2.0
"""Quirks: where sources disagree or the behaviour is unknown, the emulator can behave either way."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.quirks import PERSONAL_TOKENS_END
from tests.conftest import client_of
from tests.emulator.conftest import NOW, Caller


@pytest.mark.parametrize(("as_text", "kind"), [(False, int), (True, str)])
def test_ids_are_numbers_or_decimal_text(
    emulator: StudioEmulator, ask: Caller, report: str, as_text: bool, kind: type
) -> None:
    emulator.control.set_quirks(ids_as_text=as_text)
    body = ask("GET", f"/reports/{report}").json()
    assert isinstance(body["id"], kind)
    assert isinstance(body["view_count"], int)


def test_a_csv_may_be_a_zip_archive(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    content = f"/reports/{report}/runs/{ask.newest_run(report)}/results/content.csv"
    assert ask("GET", content).headers["content-type"].startswith("text/csv")
    emulator.control.set_quirks(results_as_zip=True)
    response = ask("GET", content)
    assert response.headers["content-type"] == "application/zip"
    assert len(zipfile.ZipFile(io.BytesIO(response.content)).namelist()) == 3


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


def test_counters_are_numbers_or_decimal_text(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    before = ask("GET", f"/reports/{report}").json()
    emulator.control.set_quirks(counters_as_text=True)
    body = ask("GET", f"/reports/{report}").json()
    assert (before["query_count"], body["query_count"], body["schedules_count"]) == (3, "3", "0")
    with client_of(emulator) as client:
        assert client.get_report(report).query_count == 3


def test_any_key_may_be_missing_and_another_be_there(emulator: StudioEmulator, ask: Caller, busy: str) -> None:
    emulator.control.set_quirks(missing_keys=["view_count", "schedules_count", "_forms"], alien_key=True)
    for body in ask.rows(f"/spaces/{busy}/reports", "reports"):
        assert not {"view_count", "schedules_count", "_forms"} & set(body)
        assert "alien_key" in body
        assert "runs_count" in body


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [("seen", [201, 202, 204, 202]), ("documented", [200, 200, 200, 202])],
)
def test_statuses_are_the_documented_ones_or_those_seen(
    emulator: StudioEmulator, ask: Caller, report: str, statuses: str, expected: list[int]
) -> None:
    emulator.control.set_quirks(statuses=statuses)
    created = ask("POST", f"/reports/{report}/schedules", json={"report_schedule": {"cron": {"freq": "daily"}}})
    changed = ask("PATCH", f"/reports/{report}", json={"report": {"name": "Other"}})
    gone = ask("DELETE", f"/reports/{report}/schedules/{created.json()['token']}")
    run = ask("POST", f"/reports/{report}/runs", json={})
    assert [response.status_code for response in (created, changed, gone, run)] == expected
    assert gone.content == b""


@pytest.mark.parametrize(("way", "personal"), [("own", {"member1"}), ("but_others", {None, "member1"})])
def test_without_a_filter_collections_are_ones_own_or_all_but_others_personal_ones(
    emulator: StudioEmulator, ask: Caller, way: str, personal: set[str | None]
) -> None:
    emulator.control.set_quirks(unfiltered_collections=way)
    collections = emulator.control.state()["collections"]
    listed = Caller(emulator, "member").rows("/spaces", "spaces")
    assert {collections[collection["token"]]["personal_of"] for collection in listed} == personal
    assert {collections[row["token"]]["personal_of"] for row in ask.rows("/spaces", "spaces")} == personal - {"member1"}
    assert bool(ask.rows("/spaces", "spaces")) == (way == "but_others")


def test_listings_use_filters_and_order_or_ignore_them(emulator: StudioEmulator, ask: Caller, busy: str) -> None:
    old = emulator.control.add_report(collection=busy, created_at=(NOW - timedelta(days=3000)).isoformat())
    old_reports = f"/spaces/{busy}/reports?filter=created_at.lt.{(NOW - timedelta(days=2000)).isoformat()[:-6]}Z"
    newest = f"/spaces/{busy}/reports?order_by=created_at&order=desc"
    assert len(ask.rows(old_reports, "reports")) == 30
    emulator.control.set_quirks(listing_filters="documented")
    assert [report["token"] for report in ask.rows(old_reports, "reports")] == [old]
    times = [report["created_at"] for report in ask.rows(newest, "reports")]
    assert times == sorted(times, reverse=True)
    assert ask("GET", f"/spaces/{busy}/reports?filter=updated_at.gt.yesterday").status_code == 400


@pytest.mark.parametrize("order", ["oldest_first", "newest_first"])
def test_a_new_report_shifts_the_pages_or_not(emulator: StudioEmulator, ask: Caller, busy: str, order: str) -> None:
    emulator.control.set_quirks(listing_order=order)
    first = [report["token"] for report in ask.rows(f"/spaces/{busy}/reports?page=1", "reports")]
    emulator.control.add_report(collection=busy)
    second = [report["token"] for report in ask.rows(f"/spaces/{busy}/reports?page=2", "reports")]
    assert (first[-1] == second[0]) == (order == "newest_first")


@pytest.mark.parametrize(("way", "count"), [("kept", 1), ("zero", 0)])
def test_an_archived_report_counts_its_schedules_or_not(
    emulator: StudioEmulator, ask: Caller, report: str, way: str, count: int
) -> None:
    emulator.control.set_quirks(archived_schedules_count=way)
    emulator.control.add_schedule(report)
    assert ask("PATCH", f"/reports/{report}/archive").json()["schedules_count"] == count
    assert len(ask.rows(f"/reports/{report}/schedules", "report_schedules")) == 1


@pytest.mark.parametrize(("way", "statuses"), [("wrapped", [201, 400]), ("flat", [400, 201])])
def test_a_schedule_is_written_inside_a_wrapper_or_flat(
    emulator: StudioEmulator, ask: Caller, report: str, way: str, statuses: list[int]
) -> None:
    emulator.control.set_quirks(schedule_body=way)
    flat = {"cron": {"freq": "daily", "hour": 6}, "name": "Mornings"}
    responses = [ask("POST", f"/reports/{report}/schedules", json=body) for body in ({"report_schedule": flat}, flat)]
    assert [response.status_code for response in responses] == statuses
    assert [schedule["name"] for schedule in ask.rows(f"/reports/{report}/schedules", "report_schedules")] == [
        "Mornings"
    ]


def test_a_schedule_policy_refuses_edits_and_lets_old_schedules_run(
    emulator: StudioEmulator, ask: Caller, report: str
) -> None:
    old = emulator.control.add_schedule(report, cron={"freq": "hourly"})
    emulator.control.set_quirks(fastest_schedule="daily")
    for method, path in (("POST", ""), ("PATCH", f"/{old}")):
        body = {"report_schedule": {"cron": {"freq": "hourly"}}}
        response = ask(method, f"/reports/{report}/schedules{path}", json=body)
        assert (response.status_code, "schedule policy" in response.json()["message"]) == (400, True)
    before = ask("GET", f"/reports/{report}").json()
    assert before["has_schedules_with_invalid_intervals"] is True
    emulator.control.advance(timedelta(hours=10))
    assert ask("GET", f"/reports/{report}").json()["runs_count"] - before["runs_count"] == 10
    changed = ask("PATCH", f"/reports/{report}/schedules/{old}", json={"report_schedule": {"cron": {"freq": "daily"}}})
    assert changed.status_code == 202


@pytest.mark.parametrize(
    ("plan", "statuses"),
    [("enterprise", [200, 201]), ("business", [200, 403]), ("free", [403, 403])],
)
def test_what_a_plan_does_not_include_is_forbidden(
    emulator: StudioEmulator, ask: Caller, plan: str, statuses: list[int]
) -> None:
    emulator.control.set_quirks(plan=plan)
    scope = {"authentication_for": "batch-api", "authorization_type": "read-only"}
    values = {"name": "nightly", "expires_at": "2027-01-01T00:00:00Z", "auth_scope": scope}
    mint = f"{emulator.url}/batch/acme/signature_tokens"
    responses = [ask("GET", f"{emulator.url}/api/verify"), ask("POST", mint, json={"signature_token": values})]
    assert [response.status_code for response in responses] == statuses


def test_personal_tokens_are_accepted_or_came_to_their_end(emulator: StudioEmulator) -> None:
    personal = Caller(emulator, "personal")
    assert personal("GET", "/spaces?filter=all").status_code == 200
    emulator.control.set_quirks(personal_tokens="ended")
    refused = personal("GET", "/spaces?filter=all")
    assert (refused.status_code, refused.json()["message"]) == (401, "Not authorized: the token is expired")
    assert Caller(emulator, "member")("GET", "/spaces?filter=all").status_code == 200
    emulator.control.set_clock(PERSONAL_TOKENS_END - timedelta(days=1))
    assert personal("GET", "/spaces?filter=all").status_code == 200


@pytest.mark.parametrize("change", [{"colour": "red"}, {"plan": "gold"}, {"second_archive": 418}, {"missing_keys": 3}])
def test_a_quirk_that_makes_no_sense_is_refused(emulator: StudioEmulator, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="The emulator refused"):
        emulator.control.set_quirks(**change)


def test_a_report_may_link_another_last_run_or_none(emulator: StudioEmulator, ask: Caller) -> None:
    report = emulator.control.add_report()
    before, newest = (ask("POST", f"/reports/{report}/runs").json()["token"] for _ in range(2))

    def linked(way: str) -> str | None:
        emulator.control.set_quirks(last_run_link=way)
        link = ask("GET", f"/reports/{report}").json()["_links"].get("last_run")
        return None if link is None else link["href"].rsplit("/", 1)[-1]

    assert (linked("newest"), linked("stale"), linked("absent")) == (newest, before, None)
    assert linked("templated") == "{run}"
    assert ask("GET", f"/reports/{report}/runs/{linked('purged')}").status_code == 404
    emulator.control.remove_run(report, newest)
    assert linked("newest") == before
