# SPDX-License-Identifier: Apache-2.0
"""Which runs are provably newer than a start: what is unknown proves nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.models import Report, ReportRun
from airflow_provider_studio.client.run_marker import Listing, RunMarker, linked_run, read_marker
from airflow_provider_studio.emulator import StudioEmulator

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def run(token: str, seconds: float | None = None) -> ReportRun:
    """A run that began this long after noon; None if its response has no time."""
    return ReportRun(token=token, created_at=None if seconds is None else at(seconds))


def newer(marker: RunMarker, *runs: ReportRun) -> list[bool | None]:
    return [is_newer for _, is_newer in Listing(runs, marker).are_newer()]


TIMED = (run("third", 120), run("second", 60), run("first", 0))
TIMELESS = (run("third"), run("second"), run("first"))


@pytest.mark.parametrize(
    ("marker", "timed", "timeless"),
    [
        (RunMarker("second", at(60)), [True, False, False], [True, False, False]),
        (RunMarker("second"), [True, False, False], [True, False, False]),
        (RunMarker(known_runs=("second", "first")), [True, False, False], [True, False, False]),
        (RunMarker("first", at(0)), [True, True, False], [True, True, False]),
        (RunMarker(newest_at=at(60)), [True, False, False], [None, None, None]),
        (RunMarker(never_ran=True), [True, True, True], [True, True, True]),
        (RunMarker("deleted since", at(60)), [True, False, False], [None, None, None]),
        (RunMarker("deleted since"), [None, None, None], [None, None, None]),
        (RunMarker(), [None, None, None], [None, None, None]),
    ],
)
def test_a_run_is_newer_only_if_its_time_or_its_place_proves_it(
    marker: RunMarker, timed: list[bool | None], timeless: list[bool | None]
) -> None:
    assert newer(marker, *TIMED) == timed
    assert newer(marker, *TIMELESS) == timeless


def test_a_run_without_a_time_is_newer_if_it_is_listed_before_a_known_one() -> None:
    marker = RunMarker("known", at(60))
    assert newer(marker, run("before"), run("known", 60), run("after")) == [True, False, False]


def test_a_known_run_stays_old_although_its_time_is_later_than_the_marker() -> None:
    assert newer(RunMarker("known", at(0)), run("known", 60)) == [False]


def test_a_run_about_as_old_as_the_last_one_reported_may_be_that_one() -> None:
    marker = RunMarker(newest_at=at(0))
    assert newer(marker, run("eleven seconds", 11), run("ten seconds", 10), run("same second", 0.5)) == [
        True,
        False,
        False,
    ]


def test_once_the_last_run_reported_is_listed_the_next_second_is_newer() -> None:
    assert newer(RunMarker(newest_at=at(0)), run("next", 1), run("reported", 0)) == [True, False]


def test_a_link_that_lags_behind_makes_no_run_newer_than_the_last_time_reported() -> None:
    marker = RunMarker("linked", at(60))
    assert newer(marker, run("later", 61), run("newest", 60), run("linked", 0)) == [True, False, False]
    assert newer(marker, run("too close", 65), run("linked", 0)) == [False, False]
    assert newer(marker, run("far enough", 71), run("linked", 0)) == [True, False]


def test_a_time_reported_that_lags_behind_makes_no_run_newer_than_the_newest_known() -> None:
    marker = RunMarker("linked", at(0))
    assert newer(marker, run("later", 61), run("unlisted then", 59), run("linked", 60)) == [True, False, False]


@pytest.mark.parametrize(
    ("marker", "reached"),
    [(RunMarker("first"), True), (RunMarker("deleted since"), False), (RunMarker(never_ran=True), False)],
)
def test_a_listing_reaches_the_marker_at_the_first_run_that_is_not_newer(marker: RunMarker, reached: bool) -> None:
    assert Listing(TIMED, marker).reaches_the_marker is reached


@pytest.mark.parametrize(
    ("marker", "had_runs"),
    [
        (RunMarker("first"), True),
        (RunMarker(known_runs=("first",)), True),
        (RunMarker(newest_at=NOON), True),
        (RunMarker(), False),
        (RunMarker(never_ran=True), False),
    ],
)
def test_any_trace_of_a_run_says_that_there_was_one(marker: RunMarker, had_runs: bool) -> None:
    assert marker.had_runs is had_runs


def with_link(**link: Any) -> Report:
    return Report.parse({"token": "0123456789ab", "_links": {"last_run": link}})


@pytest.mark.parametrize(
    ("link", "token"),
    [
        ({"href": "/api/acme/reports/0123456789ab/runs/abc-1_2.3"}, "abc-1_2.3"),
        ({"href": "https://app.mode.com/api/acme/reports/0123456789ab/runs/abc/"}, "abc"),
        ({"href": "/api/acme/reports/0123456789ab/runs/abc?embed[]=x#y", "templated": False}, "abc"),
        ({"href": "/api/acme/reports/0123456789ab/runs/{run}", "templated": True}, None),
        ({"href": "/api/acme/reports/0123456789ab/runs/abc{?embed}", "templated": True}, None),
        ({"href": "/api/acme/reports/0123456789ab/runs/{run}"}, None),
        ({"href": "/api/acme/reports/0123456789ab/runs/"}, None),
        ({"href": "/api/acme/reports/0123456789ab?next=/runs/abc"}, None),
        ({"href": None}, None),
        ({}, None),
    ],
)
def test_the_last_run_is_known_only_from_a_link_that_names_it(link: dict[str, Any], token: str | None) -> None:
    assert linked_run(with_link(**link)) == token


def test_without_a_link_the_last_run_is_unknown() -> None:
    assert linked_run(Report.parse({"token": "0123456789ab"})) is None


@pytest.fixture
def never_run(client: StudioClient, emulator: StudioEmulator) -> dict[str, Any]:
    """A Report that never ran, as Studio returns it."""
    return client.get_report(emulator.control.add_report()).to_json()


def marker_of(client: StudioClient, report: dict[str, Any], **changes: Any) -> RunMarker:
    """The marker of a Report whose response has other values; a key whose value is ... is absent."""
    return read_marker(
        client, Report.parse({key: value for key, value in {**report, **changes}.items() if value != ...})
    )


@pytest.mark.parametrize(
    ("changes", "never_ran"),
    [
        ({}, True),
        ({"last_run_at": ...}, True),
        ({"runs_count": ...}, True),
        ({"runs_count": None}, True),
        ({"last_run_at": ..., "runs_count": ...}, False),
        ({"last_run_at": ..., "runs_count": None}, False),
        ({"runs_count": 1}, False),
        ({"runs_count": 1, "last_run_at": ...}, False),
        ({"last_run_at": NOON}, False),
        ({"last_successfully_run_at": NOON}, False),
        ({"last_successful_run_token": "abc"}, False),
        ({"_links": {"last_run": {"href": "/api/acme/reports/0123456789ab/runs/{run}", "templated": True}}}, False),
    ],
)
def test_a_report_never_ran_only_if_it_says_so_and_nothing_in_it_speaks_of_a_run(
    client: StudioClient, never_run: dict[str, Any], changes: dict[str, Any], never_ran: bool
) -> None:
    assert marker_of(client, never_run, **changes).never_ran is never_ran


NO_RUNS = {"status": 200, "body": {"_links": {}, "_embedded": {"report_runs": []}}}


@pytest.mark.parametrize("listing", [NO_RUNS, {"status": 404}], ids=["empty", "404"])
def test_what_a_report_says_of_its_last_run_counts_although_no_run_is_listed(
    client: StudioClient, emulator: StudioEmulator, never_run: dict[str, Any], listing: dict[str, Any]
) -> None:
    link = {"_links": {"last_run": {"href": "/api/acme/reports/0123456789ab/runs/abc"}}}
    emulator.control.add_fault("status", path="/runs$", times=None, **listing)
    assert marker_of(client, never_run, last_run_at=NOON) == RunMarker(newest_at=NOON)
    assert marker_of(client, never_run, **link) == RunMarker("abc")


def test_a_404_of_the_list_does_not_prove_that_a_report_never_ran(
    client: StudioClient, emulator: StudioEmulator, never_run: dict[str, Any]
) -> None:
    emulator.control.add_fault("status", path="/runs$", status=404)
    assert marker_of(client, never_run) == RunMarker()


@pytest.fixture
def twice_run(client: StudioClient, emulator: StudioEmulator) -> tuple[dict[str, Any], list[ReportRun]]:
    """A Report that ran twice, as Studio returns it, and its runs, the newest first."""
    report = emulator.control.add_report()
    older = client.create_report_run(report)
    emulator.control.advance(timedelta(minutes=5))
    runs = [client.create_report_run(report), older]
    return client.get_report(report).to_json(), runs


def test_a_report_that_links_its_last_run_and_its_time_costs_no_request(
    client: StudioClient, emulator: StudioEmulator, twice_run: tuple[dict[str, Any], list[ReportRun]]
) -> None:
    report, (newest, _) = twice_run
    before = emulator.control.requests_sent()
    assert marker_of(client, report) == RunMarker(newest.token, newest.created_at)
    assert emulator.control.requests_sent() == before


def test_what_a_report_does_not_say_is_taken_from_the_list_of_its_runs(
    client: StudioClient, twice_run: tuple[dict[str, Any], list[ReportRun]]
) -> None:
    report, (newest, older) = twice_run
    known = (newest.token, older.token)
    assert marker_of(client, report, _links={}) == RunMarker(newest.token, newest.created_at, known)
    assert marker_of(client, report, last_run_at=...) == RunMarker(newest.token, newest.created_at, known)


def test_a_last_run_that_the_list_does_not_show_yet_is_kept(
    client: StudioClient, twice_run: tuple[dict[str, Any], list[ReportRun]]
) -> None:
    report, (newest, older) = twice_run
    known = (newest.token, older.token)
    link = {"_links": {"last_run": {"href": "/api/acme/reports/0123456789ab/runs/abc"}}, "last_run_at": ...}
    assert marker_of(client, report, **link) == RunMarker("abc", newest.created_at, known)
    later = datetime(2199, 1, 1, tzinfo=UTC)
    assert marker_of(client, report, _links={}, last_run_at=later) == RunMarker(newest.token, later, known)


def test_runs_without_times_leave_the_time_of_the_newest_unknown(
    client: StudioClient, emulator: StudioEmulator, twice_run: tuple[dict[str, Any], list[ReportRun]]
) -> None:
    report, runs = twice_run
    timeless = {"_links": {}, "_embedded": {"report_runs": [{"token": one.token} for one in runs]}}
    emulator.control.add_fault("status", status=200, path="/runs$", body=timeless)
    marker = marker_of(client, report, _links={}, last_run_at=...)
    assert marker == RunMarker(runs[0].token, None, tuple(one.token for one in runs))
