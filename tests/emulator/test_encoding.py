# SPDX-License-Identifier: Apache-2.0
"""Times, links and envelopes may be written in several ways, and the client reads all of them alike."""

from __future__ import annotations

import re

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.models import Report, Schedule
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.quirks import QUIRKS
from tests.conftest import client_of
from tests.emulator.conftest import Caller


def settings_of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("value", [setting.value for setting in QUIRKS[name].settings[1:]])


def read(client: StudioClient, report: str) -> tuple[Report, list[Schedule], list[str]]:
    """A Report, its schedules, and the Reports of its Collection."""
    found = client.get_report(report)
    listed = client.list_collection_reports(found.space_token or "")
    return found, list(client.list_schedules(report)), [each.token for each in listed]


PATTERNS = {
    "seconds_z": r"\d\dT\d\d:\d\d:\d\dZ",
    "offset": r"\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00",
    "seconds_offset": r"\d\dT\d\d:\d\d:\d\d\+00:00",
    "microseconds": r"\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "other_zone": r"\d\dT\d\d:\d\d:\d\d\.\d{3}-05:00",
}


@settings_of("time_format")
def test_times_are_the_same_however_they_are_written(
    emulator: StudioEmulator, ask: Caller, report: str, value: str
) -> None:
    emulator.control.add_schedule(report)
    with client_of(emulator) as client:
        before = read(client, report)
        emulator.control.set_quirks(time_format=value)
        body = ask("GET", f"/reports/{report}").json()
        assert re.search(PATTERNS[value], body["created_at"])
        after = read(client, report)
    expected = before[0].created_at
    assert after[0].created_at == (expected.replace(microsecond=0) if value.startswith("seconds") else expected)
    assert after[1][0].next_scheduled_run == before[1][0].next_scheduled_run
    assert after[2] == before[2]


@pytest.mark.parametrize("quirk", ["link_hrefs", "envelope"])
def test_links_and_envelopes_are_read_alike(emulator: StudioEmulator, report: str, quirk: str) -> None:
    emulator.control.add_schedule(report)
    with client_of(emulator) as client:
        before = read(client, report)
        emulator.control.set_quirks(**{quirk: QUIRKS[quirk].settings[1].value})
        after = read(client, report)
        subscribed = client.create_subscription(report, {"csv_attachments_enabled": True})
        assert client.list_subscribers(subscribed) is not None
    assert after[0].creator == before[0].creator
    assert after[1][0].machine_values() == before[1][0].machine_values()
    assert after[2] == before[2]


def test_absolute_links_name_the_host_that_was_asked(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    emulator.control.set_quirks(link_hrefs="absolute")
    links = ask("GET", f"/reports/{report}").json()["_links"]
    assert links["self"]["href"] == f"{emulator.url}/api/acme/reports/{report}"
    assert links["web"]["href"].startswith("https://app.mode.com/")


def test_an_extended_envelope_has_a_key_and_a_list_more(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    emulator.control.set_quirks(envelope="extended")
    body = ask("GET", f"/reports/{report}/runs").json()
    assert (body["_embedded"]["others"], "meta" in body) == ([], True)
    assert body["_embedded"]["report_runs"]


@settings_of("content_type")
def test_the_content_type_may_be_another(emulator: StudioEmulator, ask: Caller, report: str, value: str) -> None:
    emulator.control.set_quirks(content_type=value)
    expected = {"json": "application/json", "charset": "application/hal+json; charset=utf-8"}[value]
    assert ask("GET", f"/reports/{report}").headers["content-type"] == expected
    with client_of(emulator) as client:
        assert client.get_report(report).token == report
