# SPDX-License-Identifier: Apache-2.0
"""The past of a Report never changes, and every count equals the length of its list."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from airflow_provider_studio.client.time_zones import ZONES
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.firing import firings_before, firings_between
from tests.emulator.conftest import NOW, Caller


def _runs(ask: Caller, report: str) -> list[dict[str, Any]]:
    """Return all runs, from all pages."""
    runs: list[dict[str, Any]] = []
    for page in count(1):
        rows = ask.rows(f"/reports/{report}/runs?page={page}", "report_runs")
        runs += rows
        if not rows:
            break
    return runs


def test_every_run_is_listed_once_however_it_was_started(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    emulator.control.set_speed(0)
    daily = [emulator.control.add_schedule(report, cron={"freq": "daily", "hour": 6}) for _ in range(2)]
    emulator.control.add_schedule(report, cron={"freq": "hourly"})
    started = ask("POST", f"/reports/{report}/runs", json={}).json()["token"]
    runs = _runs(ask, report)
    body = ask("GET", f"/reports/{report}/runs?page=99").json()
    total = ask("GET", f"/reports/{report}").json()["runs_count"]
    assert total == len(runs) == body["pagination"]["total_count"] == 240 + 2 * 10 + 3 + 1
    assert len({run["token"] for run in runs}) == total
    times = [run["created_at"] for run in runs]
    assert times == sorted(times, reverse=True)
    assert runs[0]["token"] == started
    named = [run["_links"].get("report_schedule", {}).get("href", "").rsplit("/", 1)[-1] for run in runs]
    assert [named.count(schedule) for schedule in daily] == [10, 10]
    oldest = runs[-1]["token"]
    assert ask("GET", f"/reports/{report}/runs/{oldest}").json()["token"] == oldest


@pytest.mark.parametrize("how", ["changed", "deleted"])
def test_a_schedules_runs_stay_when_it_is(emulator: StudioEmulator, ask: Caller, report: str, how: str) -> None:
    emulator.control.set_speed(0)
    path = f"/reports/{report}/schedules/{emulator.control.add_schedule(report)}"
    before = _runs(ask, report)
    if how == "changed":
        ask("PATCH", path, json={"report_schedule": {"cron": {"freq": "hourly"}}})
    else:
        ask("DELETE", path)
    after = _runs(ask, report)
    assert [run["token"] for run in after] == [run["token"] for run in before]
    emulator.control.advance(timedelta(hours=10))
    assert ask("GET", f"/reports/{report}").json()["runs_count"] - len(before) == {"changed": 10, "deleted": 0}[how]
    emulator.control.set_clock(NOW)
    assert len(_runs(ask, report)) == len(before)


def test_the_archive_interrupts_views_and_runs_and_is_not_made_up_for(
    emulator: StudioEmulator, ask: Caller, report: str
) -> None:
    emulator.control.set_speed(0)
    emulator.control.set_quirks(archived_schedules="stop")
    emulator.control.add_schedule(report)
    emulator.control.set_clock(NOW)

    def counted() -> tuple[int, int]:
        body = ask("GET", f"/reports/{report}").json()
        return body["view_count"], body["runs_count"]

    assert counted() == (20, 3 + 10)
    ask("PATCH", f"/reports/{report}/archive")
    emulator.control.advance(timedelta(days=100))
    ask("PATCH", f"/reports/{report}/unarchive")
    assert counted() == (20, 3 + 10)
    emulator.control.advance(timedelta(days=5))
    assert counted() == (30, 5 + 15)
    views = emulator.control.views(report, NOW - timedelta(days=30))
    assert len(views) == 30
    assert not [at for at, _ in views if NOW < at <= NOW + timedelta(days=100)]
    assert len(_runs(ask, report)) == 20


def test_purging_a_data_source_leaves_the_results_of_others(emulator: StudioEmulator, ask: Caller) -> None:
    sources = [source["token"] for source in ask.rows("/data_sources", "data_sources")]
    reports = {}
    while len(reports) < 2:
        report = emulator.control.add_report(
            created_at=(NOW - timedelta(days=10)).isoformat(), habit={"run_every_days": 3.0}
        )
        reports[_source(ask, report)] = report
    purged, other = reports
    assert purged in sources
    ask("POST", f"/data_sources/{purged}/purge")
    for source, status in ((purged, 404), (other, 200)):
        run = ask.newest_run(reports[source])
        content = ask("GET", f"/reports/{reports[source]}/runs/{run}/results/content.csv")
        assert content.status_code == status
        purged_at = ask("GET", f"/reports/{reports[source]}/runs/{run}").json()["purge_completed_at"]
        assert (purged_at is not None) == (status == 404)


def _source(ask: Caller, report: str) -> str:
    run = f"/reports/{report}/runs/{ask.newest_run(report)}"
    return str(ask.rows(f"{run}/query_runs", "query_runs")[0]["data_source_token"])


def test_viewers_have_favourites_and_habits_end(emulator: StudioEmulator) -> None:
    left = NOW - timedelta(days=20)
    habit = {"views_per_day": 3.0, "until": left.isoformat()}
    report = emulator.control.add_report(created_at=(NOW - timedelta(days=60)).isoformat(), habit=habit)
    views = emulator.control.views(report, NOW - timedelta(days=60))
    truth = emulator.control.state()["reports"][report]
    assert len(views) == truth["view_count"] == 120
    assert max(at for at, _ in views) == datetime.fromisoformat(truth["last_viewed_at"]) <= left
    by_viewer = [sum(viewer == person for _, viewer in views) for person in {viewer for _, viewer in views}]
    assert max(by_viewer) > 10


@pytest.mark.parametrize("freq", ["every_15_minutes", "every_30_minutes", "hourly", "daily", "weekly", "monthly"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific Time (US & Canada)", "Kathmandu"])
def test_counted_firings_equal_listed_firings(freq: str, zone: str) -> None:
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
