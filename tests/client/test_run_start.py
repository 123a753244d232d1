# SPDX-License-Identifier: Apache-2.0
"""A run is started once, wherever the caller dies and whatever answer is lost."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioConnectionError,
    StudioServerError,
)
from airflow_provider_studio.client.run_start import NoRecord, launch
from airflow_provider_studio.emulator import StudioEmulator
from tests.client.starts import Record, listed, report, runs, start
from tests.conftest import Killed, over_http_and_https

__all__ = ["report"]

KILLS = ("before the intent", "after the intent", "before the token is written", "after the token is written")


@pytest.mark.parametrize("emulator", ["https"], indirect=True)
@pytest.mark.parametrize("fault", ["tls_alert", "tls_plain_text", "tls_no_close_notify"])
def test_a_run_whose_answer_was_lost_to_tls_is_found(
    client: StudioClient, emulator: StudioEmulator, report: str, fault: str
) -> None:
    emulator.control.add_fault(fault, method="POST", times=None)
    found = start(client, report, Record(), day="monday")
    assert [one["token"] for one in runs(emulator, report)] == [found]


@pytest.mark.parametrize("kill", KILLS)
def test_a_try_after_a_kill_at_any_instant_starts_no_second_run(
    client: StudioClient, emulator: StudioEmulator, report: str, kill: str
) -> None:
    record = Record(kill)
    with pytest.raises(Killed):
        start(client, report, record, day="monday")
    first = start(client, report, record, day="monday")
    assert start(client, report, record, day="monday") == first, "and the next try resumes it"
    assert [one["token"] for one in runs(emulator, report)] == [first]


@over_http_and_https
@pytest.mark.parametrize("fault", ["lose_response", "truncate"])
def test_a_run_whose_answer_was_lost_is_found(
    client: StudioClient, emulator: StudioEmulator, report: str, fault: str
) -> None:
    emulator.control.add_fault(fault, method="POST")
    found = start(client, report, Record(), day="monday")
    assert [one["token"] for one in runs(emulator, report)] == [found]


@over_http_and_https
def test_a_start_that_never_arrived_is_an_error_and_the_next_try_starts_it(
    client: StudioClient, emulator: StudioEmulator, report: str
) -> None:
    record = Record()
    emulator.control.add_fault("reset", method="POST")
    with pytest.raises(StudioConnectionError):
        start(client, report, record)
    assert runs(emulator, report) == []
    found = start(client, report, record)
    assert [one["token"] for one in runs(emulator, report)] == [found]


def test_a_server_error_to_a_start_is_no_proof_that_nothing_started(
    client: StudioClient, emulator: StudioEmulator, report: str
) -> None:
    emulator.control.add_fault("status", method="POST", status=504)
    with pytest.raises(StudioServerError):
        start(client, report, Record())
    assert runs(emulator, report) == []


def test_a_run_that_is_visible_late_is_waited_for(client: StudioClient, emulator: StudioEmulator, report: str) -> None:
    record = Record("before the token is written")
    with pytest.raises(Killed):
        start(client, report, record)
    # The first request still returns the listing from before.
    emulator.control.add_fault(
        "status",
        method="GET",
        path=f"{report}/runs$",
        status=200,
        body={"_links": {}, "_embedded": {"report_runs": []}},
    )
    waits: list[float] = []
    found = launch(client, client.get_report(report), {}, record, sleep=waits.append)
    assert [one["token"] for one in runs(emulator, report)] == [found.run.token]
    assert waits == [1.0]


def test_runs_of_others_are_not_adopted(
    client: StudioClient, emulator: StudioEmulator, report: str, caplog: pytest.LogCaptureFixture
) -> None:
    record = Record("after the intent")
    with pytest.raises(Killed):
        start(client, report, record, day="monday")
    other = client.create_report_run(report, {"day": "tuesday"}).token
    mine = start(client, report, record, day="monday")
    assert mine != other
    assert [one["token"] for one in runs(emulator, report)] == [other, mine]
    assert "not adopted" not in caplog.text, "the other run needs no proof of its time"


def test_a_run_of_a_schedule_is_not_adopted(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report()
    schedule = emulator.control.add_schedule(report)
    record = Record("after the intent")
    with pytest.raises(Killed):
        start(client, report, record)
    emulator.control.advance(timedelta(days=8))
    fired = [run.link("report_schedule") for run in client.list_report_runs(report)]
    assert fired
    assert all(link is not None and link.endswith(schedule) for link in fired)
    mine = start(client, report, record)
    assert [one["token"] for one in runs(emulator, report)] == [mine]


def test_a_run_that_another_task_started_and_heard_of_is_not_adopted(
    client: StudioClient, emulator: StudioEmulator, report: str
) -> None:
    claims: dict[str, object] = {}
    lost = Record("after the intent", claims)
    with pytest.raises(Killed):
        start(client, report, lost, day="monday")
    theirs = start(client, report, Record(claims=claims), day="monday")
    mine = start(client, report, lost, day="monday")
    assert [one["token"] for one in runs(emulator, report)] == [theirs, mine]


@pytest.mark.parametrize("taken", [False, True])
def test_a_start_whose_run_another_task_adopted_meanwhile_is_logged(
    client: StudioClient, report: str, taken: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class Taken(Record):
        def claim(self, run: str) -> bool:
            return not taken

    mine = start(client, report, Taken())
    assert (f"{mine} was adopted by another task" in caplog.text) is taken


def test_without_times_a_lost_run_is_found_although_the_newest_before_it_was_deleted(
    client: StudioClient, emulator: StudioEmulator, report: str
) -> None:
    emulator.control.set_quirks(last_run_link="absent")
    newest = client.create_report_run(report).token
    record = Record("before the token is written")
    with pytest.raises(Killed):
        start(client, report, record)
    rewritten(record, after_time=None)
    emulator.control.remove_run(report, newest)
    rows = [{key: value for key, value in row.items() if key != "created_at"} for row in listed(client, report)]
    timeless = {"_links": {}, "_embedded": {"report_runs": rows}}
    emulator.control.add_fault("status", status=200, body=timeless, path=f"{report}/runs$", method="GET", times=None)
    mine = start(client, report, record)
    assert [one["token"] for one in runs(emulator, report)] == [mine]


def test_an_adopted_run_stays_the_one_of_this_task_although_a_newer_one_fits(
    client: StudioClient, emulator: StudioEmulator, report: str
) -> None:
    record = Record("before the token is written")
    with pytest.raises(Killed):
        start(client, report, record)
    mine = start(client, report, record)
    client.create_report_run(report)
    assert start(client, report, record) == mine


def test_of_two_that_fit_the_newest_unclaimed_one_is_adopted_and_it_is_said(
    client: StudioClient, emulator: StudioEmulator, report: str, caplog: pytest.LogCaptureFixture
) -> None:
    claims: dict[str, object] = {}
    records = [Record("after the intent", claims) for _ in range(2)]
    for record in records:
        with pytest.raises(Killed):
            start(client, report, record, day="monday")
    for _ in records:  # both were on their way, and nobody heard the answers
        client.create_report_run(report, {"day": "monday"})
    adopted = [start(client, report, record, day="monday") for record in records]
    tokens = [one["token"] for one in runs(emulator, report)]
    assert adopted == tokens[::-1], "the newest first, and each run once"
    assert "the newest of 2 that this task may have started" in caplog.text


@pytest.mark.parametrize(("outcome", "started"), [("succeeded", 1), ("failed", 2), ("cancelled", 2)])
def test_a_retry_resumes_a_good_run_and_starts_another_after_a_bad_one(
    client: StudioClient, emulator: StudioEmulator, report: str, outcome: str, started: int
) -> None:
    record = Record()
    emulator.control.change_report(report, next_outcome=outcome, next_runtime_seconds=0.0)
    start(client, report, record)
    start(client, report, record)
    assert len(runs(emulator, report)) == started


def test_a_cleared_task_starts_a_new_run(client: StudioClient, emulator: StudioEmulator, report: str) -> None:
    record = Record()
    first = start(client, report, record, epoch=1)
    second = start(client, report, record, epoch=3)
    assert first != second
    assert len(runs(emulator, report)) == 2


def test_a_recorded_run_that_is_gone_is_started_again(
    client: StudioClient, emulator: StudioEmulator, report: str
) -> None:
    record = Record()
    first = start(client, report, record)
    emulator.control.remove_run(report, first)
    second = start(client, report, record)
    assert [one["token"] for one in runs(emulator, report)] == [second]


def test_without_a_record_each_try_starts_a_run(client: StudioClient, emulator: StudioEmulator, report: str) -> None:
    for _ in range(2):
        launch(client, client.get_report(report), None, NoRecord())
    assert len(runs(emulator, report)) == 2


def test_without_a_record_a_lost_response_still_finds_its_run(
    client: StudioClient, emulator: StudioEmulator, report: str
) -> None:
    emulator.control.add_fault("lose_response", method="POST")
    found = launch(client, client.get_report(report), None, NoRecord())
    assert [one["token"] for one in runs(emulator, report)] == [found.run.token]


def test_a_search_for_a_lost_run_ends_with_the_page_that_reaches_the_marker(
    client: StudioClient, emulator: StudioEmulator
) -> None:
    report = emulator.control.add_report(
        created_at="2024-01-01T00:00:00+00:00", habit={"run_every_days": 1.0}, expected_runtime=600.0
    )
    emulator.control.add_fault("lose_response", method="POST")
    start(client, report, Record())
    assert emulator.control.requests_sent() == 3, "the Report, the start, one page of its runs"


def test_a_search_reads_the_newest_hundred_runs_at_most(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report(
        created_at="2024-01-01T00:00:00+00:00", habit={"run_every_days": 1.0}, expected_runtime=600.0
    )
    record = Record("after the intent")
    with pytest.raises(Killed):
        start(client, report, record)
    rewritten(record, **UNKNOWN_MARKER)
    emulator.control.clear_requests()
    start(client, report, record)
    assert emulator.control.requests_sent() == 1 + 4 * 5 + 1, "the Report, four times five pages of runs, the start"


def test_a_start_costs_two_requests(client: StudioClient, emulator: StudioEmulator, report: str) -> None:
    start(client, report, Record())
    assert emulator.control.requests_sent() == 2


@pytest.mark.parametrize("link", ["absent", "templated"])
def test_a_start_without_a_usable_link_costs_one_more(
    client: StudioClient, emulator: StudioEmulator, report: str, link: str
) -> None:
    emulator.control.set_quirks(last_run_link=link)
    start(client, report, Record())
    assert emulator.control.requests_sent() == 3


def rewritten(record: Record, **changes: Any) -> None:
    """Let a record be as another version writes it; None removes a field."""
    values = {**json.loads(record.written or "{}"), **changes}
    record.written = json.dumps({name: value for name, value in values.items() if value is not None})


UNKNOWN_MARKER = {"after_run": None, "after_time": None, "known_runs": None, "never_ran": None}
EARLIER_VERSION = {"after_time": None, "known_runs": None, "never_ran": None}


def test_an_intent_of_an_earlier_version_still_finds_its_run(
    client: StudioClient, emulator: StudioEmulator, report: str
) -> None:
    record = Record("before the token is written")
    with pytest.raises(Killed):
        start(client, report, record)
    rewritten(record, **EARLIER_VERSION)
    assert start(client, report, record) == runs(emulator, report)[0]["token"]
    assert len(runs(emulator, report)) == 1


def test_an_intent_of_an_earlier_version_that_knew_no_run_adopts_no_old_one(
    client: StudioClient, emulator: StudioEmulator, report: str, caplog: pytest.LogCaptureFixture
) -> None:
    record = Record("after the intent")
    with pytest.raises(Killed):
        start(client, report, record)
    record.written = json.dumps({"epoch": 0, "report": report, "parameters": {}, "after_run": None, "run": None})
    mine = start(client, report, record)
    assert [one["token"] for one in runs(emulator, report)] == [mine]
    assert "nothing proves that they are newer" in caplog.text


@pytest.mark.parametrize(
    "changes",
    [
        {"a_later_field": {"of": ["any kind"]}},
        {"parameters": None, "after_run": None},
        {"parameters": "text", "after_run": 7, "after_time": "noon", "known_runs": "x", "never_ran": "no"},
        {"after_time": "2026-01-01T00:00:00", "known_runs": [1]},
    ],
    ids=["of a later version", "of an earlier one", "of other types", "of other types too"],
)
def test_a_record_of_another_version_is_read(
    client: StudioClient, emulator: StudioEmulator, report: str, changes: dict[str, Any]
) -> None:
    record = Record()
    mine = start(client, report, record)
    rewritten(record, **changes)
    assert start(client, report, record) == mine, "its run is known"
    rewritten(record, run=None)
    start(client, report, record)
