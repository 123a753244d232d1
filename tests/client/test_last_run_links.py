# SPDX-License-Identifier: Apache-2.0
"""A lost run is found, and no old one adopted, whatever a Report links as its last run and however runs are listed."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioConnectionError,
    StudioNotFoundError,
    StudioResponseError,
)
from airflow_provider_studio.emulator import StudioEmulator
from tests.client.starts import LINKS, Record, listed, report, runs, start
from tests.conftest import Killed

__all__ = ["report"]


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("without_times", [False, True])
def test_no_old_run_is_adopted_whatever_the_report_links_as_its_last(
    client: StudioClient, emulator: StudioEmulator, report: str, link: str, without_times: bool
) -> None:
    emulator.control.set_quirks(last_run_link=link, missing_keys=["last_run_at"] if without_times else [])
    record = Record()
    emulator.control.add_fault("reset", method="POST")
    with pytest.raises(StudioConnectionError):
        start(client, report, record)
    mine = start(client, report, record)
    assert [one["token"] for one in runs(emulator, report)] == [mine]


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("without_times", [False, True])
def test_the_lost_run_is_adopted_whatever_the_report_links_as_its_last(
    client: StudioClient, emulator: StudioEmulator, report: str, link: str, without_times: bool
) -> None:
    emulator.control.set_quirks(last_run_link=link, missing_keys=["last_run_at"] if without_times else [])
    emulator.control.add_fault("lose_response", method="POST")
    mine = start(client, report, Record())
    assert [one["token"] for one in runs(emulator, report)] == [mine]


@pytest.mark.parametrize("link", ["newest", "absent"])
def test_no_old_run_is_adopted_when_the_newest_is_deleted_meanwhile(
    client: StudioClient, emulator: StudioEmulator, report: str, link: str
) -> None:
    newest = client.create_report_run(report).token
    emulator.control.set_quirks(last_run_link=link)
    record = Record("after the intent")
    with pytest.raises(Killed):
        start(client, report, record)
    emulator.control.remove_run(report, newest)
    mine = start(client, report, record)
    assert [one["token"] for one in runs(emulator, report)] == [mine]


NO_RUNS = {"status": 200, "body": {"_links": {}, "_embedded": {"report_runs": []}}}


@pytest.mark.parametrize("listing", [NO_RUNS, {"status": 404}], ids=["empty", "404"])
def test_a_list_that_lags_behind_before_a_start_is_no_proof_that_the_report_never_ran(
    client: StudioClient, emulator: StudioEmulator, report: str, listing: dict[str, Any]
) -> None:
    emulator.control.set_quirks(last_run_link="absent", missing_keys=["last_run_at", "runs_count"])
    emulator.control.add_fault("status", path=f"{report}/runs$", method="GET", **listing)
    emulator.control.add_fault("reset", method="POST")
    record = Record()
    with pytest.raises(StudioConnectionError):
        start(client, report, record)
    mine = start(client, report, record)
    assert [one["token"] for one in runs(emulator, report)] == [mine]


@pytest.mark.parametrize("listing", [NO_RUNS, {"status": 404}], ids=["empty", "404"])
def test_while_the_runs_cannot_be_listed_nothing_is_started_again(
    client: StudioClient, emulator: StudioEmulator, report: str, listing: dict[str, Any]
) -> None:
    record = Record("before the token is written")
    with pytest.raises(Killed):
        start(client, report, record)
    emulator.control.add_fault("status", path=f"{report}/runs$", method="GET", times=None, **listing)
    with pytest.raises((StudioNotFoundError, StudioResponseError), match=rf"{report}.* (none is listed now|404)"):
        start(client, report, record)
    emulator.control.clear_faults()
    assert start(client, report, record) == runs(emulator, report)[0]["token"]
    assert len(runs(emulator, report)) == 1


def test_the_first_run_of_a_report_is_adopted(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report()
    emulator.control.add_fault("lose_response", method="POST")
    mine = start(client, report, Record())
    assert [one["token"] for one in runs(emulator, report)] == [mine]


def test_the_order_of_the_list_proves_nothing_where_runs_have_times(
    client: StudioClient, emulator: StudioEmulator, report: str
) -> None:
    record = Record("after the intent")
    with pytest.raises(Killed):
        start(client, report, record)
    upside_down = {"_links": {}, "_embedded": {"report_runs": listed(client, report)[::-1]}}
    emulator.control.add_fault("status", status=200, body=upside_down, path=f"{report}/runs$", method="GET", times=3)
    mine = start(client, report, record)
    assert [one["token"] for one in runs(emulator, report)] == [mine]


def test_a_lost_run_is_found_below_older_ones(client: StudioClient, emulator: StudioEmulator, report: str) -> None:
    record = Record("before the token is written")
    with pytest.raises(Killed):
        start(client, report, record)
    rows = listed(client, report)
    moved = {"_links": {}, "_embedded": {"report_runs": [*rows[1:5], rows[0]]}}
    emulator.control.add_fault("status", status=200, body=moved, path=f"{report}/runs$", method="GET", times=None)
    assert start(client, report, record) == runs(emulator, report)[0]["token"]
    assert len(runs(emulator, report)) == 1


def test_without_times_the_order_of_the_list_has_to_do(
    client: StudioClient, emulator: StudioEmulator, report: str
) -> None:
    record = Record("before the token is written")
    with pytest.raises(Killed):
        start(client, report, record)
    rows = [{key: value for key, value in row.items() if key != "created_at"} for row in listed(client, report)]
    timeless = {"_links": {}, "_embedded": {"report_runs": rows}}
    emulator.control.add_fault("status", status=200, body=timeless, path=f"{report}/runs$", method="GET", times=None)
    assert start(client, report, record) == runs(emulator, report)[0]["token"]
    assert len(runs(emulator, report)) == 1
