# SPDX-License-Identifier: Apache-2.0
"""A start that meets hidden runs, undocumented states, late effects, another clock or mixed-up responses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioConnectionError, StudioNotFoundError
from airflow_provider_studio.client.run_start import launch
from airflow_provider_studio.emulator import StudioEmulator
from tests.client.starts import Record, runs, start
from tests.conftest import Killed, client_of

RUNS = "report_runs"


@pytest.fixture
def report(emulator: StudioEmulator) -> str:
    """A Report that ran before, whose next runs take long."""
    return emulator.control.add_report(
        created_at="2024-01-01T00:00:00+00:00", habit={"run_every_days": 30.0}, expected_runtime=600.0
    )


def changed_rows(client: StudioClient, emulator: StudioEmulator, report: str, **changes: dict[str, Any]) -> None:
    """Let the Report's list of runs have other values in the runs with these tokens."""
    rows = [run.to_json() | changes.get(run.token, {}) for run in client.list_report_runs(report)]
    body = {"_links": {}, "_embedded": {RUNS: rows}}
    emulator.control.add_fault("status", status=200, body=body, path=f"{report}/runs$", method="GET", times=None)


def test_a_recorded_run_that_is_hidden_but_listed_is_resumed(
    client: StudioClient, emulator: StudioEmulator, report: str
) -> None:
    record = Record()
    first = start(client, report, record)
    emulator.control.add_fault("status", method="GET", path=f"{report}/runs/", status=404, times=None)
    assert start(client, report, record) == first
    assert len(runs(emulator, report)) == 1


def test_a_recorded_run_of_a_report_whose_runs_are_hidden_is_unknown_and_nothing_is_started(
    client: StudioClient, emulator: StudioEmulator, report: str
) -> None:
    record = Record()
    start(client, report, record)
    emulator.control.add_fault("status", method="GET", path=f"{report}/runs", status=404, times=None)
    with pytest.raises(StudioNotFoundError):
        start(client, report, record)
    assert len(runs(emulator, report)) == 1


@pytest.mark.parametrize("state", ["limbo", None])
def test_a_run_of_others_in_an_unknown_state_does_not_block_the_search_for_ours(
    client: StudioClient, emulator: StudioEmulator, report: str, state: str | None
) -> None:
    record = Record("before the token is written")
    with pytest.raises(Killed):
        start(client, report, record)
    (mine,) = (run["token"] for run in runs(emulator, report))
    theirs = client.create_report_run(report).token
    changed_rows(client, emulator, report, **{theirs: {"state": state}})
    assert start(client, report, record) == mine, "of two that fit, the one whose state is known"


def test_a_lost_run_in_an_unknown_state_is_not_started_again(
    client: StudioClient, emulator: StudioEmulator, report: str
) -> None:
    record = Record("before the token is written")
    with pytest.raises(Killed):
        start(client, report, record)
    (mine,) = (run["token"] for run in runs(emulator, report))
    changed_rows(client, emulator, report, **{mine: {"state": "limbo"}})
    assert start(client, report, record) == mine
    assert len(runs(emulator, report)) == 1


def test_a_recorded_run_that_is_visible_late_is_resumed(emulator: StudioEmulator, report: str) -> None:
    emulator.control.set_speed(0)
    emulator.control.set_quirks(read_lag_seconds=3.0)
    record = Record()

    def sleep(seconds: float) -> None:
        emulator.control.advance(timedelta(seconds=seconds))

    with client_of(emulator) as client:
        found = [launch(client, client.get_report(report), None, record, sleep=sleep).run.token for _try in range(2)]
    assert [run["token"] for run in runs(emulator, report)] == found[:1]
    assert found[0] == found[1]


def test_a_lost_run_that_is_visible_late_is_found(emulator: StudioEmulator, report: str) -> None:
    emulator.control.set_speed(0)
    emulator.control.set_quirks(read_lag_seconds=6.0)
    emulator.control.add_fault("lose_response", method="POST")

    def sleep(seconds: float) -> None:
        emulator.control.advance(timedelta(seconds=seconds))

    with client_of(emulator) as client:
        found = launch(client, client.get_report(report), None, Record(), sleep=sleep)
    assert [run["token"] for run in runs(emulator, report)] == [found.run.token]


def test_a_response_with_an_earlier_run_is_not_taken_for_the_started_one(
    client: StudioClient, emulator: StudioEmulator, report: str
) -> None:
    earlier = client.create_report_run(report).token
    path = f"/api/acme/reports/{report}/runs/{earlier}"
    emulator.control.add_fault("mix_up", method="POST", other_path=path)
    mine = start(client, report, Record())
    assert [run["token"] for run in runs(emulator, report)] == [earlier, mine]


def test_a_response_with_a_run_of_another_report_is_not_taken_for_the_started_one(
    client: StudioClient, emulator: StudioEmulator, report: str
) -> None:
    other = emulator.control.add_report()
    theirs = client.create_report_run(other).token
    emulator.control.add_fault("mix_up", method="POST", other_path=f"/api/acme/reports/{other}/runs/{theirs}")
    mine = start(client, report, Record())
    assert [run["token"] for run in runs(emulator, report)] == [mine]


@pytest.mark.parametrize("hours", [-6, 6])
def test_when_a_run_began_is_not_read_from_studios_clock(
    client: StudioClient, emulator: StudioEmulator, report: str, hours: int
) -> None:
    emulator.control.set_clock(datetime.now(UTC) + timedelta(hours=hours))
    began = datetime(2026, 1, 31, 6, 0, tzinfo=UTC)
    record = Record()
    emulator.control.add_fault("reset", method="POST")
    with pytest.raises(StudioConnectionError):
        launch(client, client.get_report(report), None, record, sleep=lambda _s: None, now=lambda: began)
    later = began + timedelta(minutes=10)
    first = launch(client, client.get_report(report), None, record, sleep=lambda _s: None, now=lambda: later)
    assert first.began == later, "the first try started nothing"
    again = launch(client, client.get_report(report), None, record, sleep=lambda _s: None)
    assert (again.run.token, again.began) == (first.run.token, later), "a retry knows when the run began"
