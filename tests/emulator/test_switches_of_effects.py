# SPDX-License-Identifier: Apache-2.0
"""When an effect is visible, whether a response describes it, and which clocks a response shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from airflow_provider_studio.emulator import StudioEmulator
from tests.emulator.conftest import NOW, Caller


def archived(emulator: StudioEmulator, report: str) -> bool:
    return bool(emulator.control.state()["reports"][report]["archived"])


def test_reads_may_lag_behind_each_change(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    emulator.control.set_speed(0)
    emulator.control.set_quirks(read_lag_seconds=3)
    assert ask("PATCH", f"/reports/{report}/archive").json()["archived"] is True, "it returns what it did"
    emulator.control.advance(timedelta(seconds=2))
    ask("PATCH", f"/reports/{report}", json={"report": {"name": "Renamed"}})
    seen = []
    for _ in range(4):
        body = ask("GET", f"/reports/{report}").json()
        seen.append((body["archived"], body["name"]))
        emulator.control.advance(timedelta(seconds=1))
    assert seen == [(False, "Revenue"), (True, "Revenue"), (True, "Revenue"), (True, "Renamed")]
    assert archived(emulator, report)


def test_without_a_lag_reads_show_each_change_at_once(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    ask("PATCH", f"/reports/{report}/archive")
    assert ask("GET", f"/reports/{report}").json()["archived"] is True


def test_a_response_may_describe_an_effect_that_was_none(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    emulator.control.add_fault("no_effect", method="PATCH")
    response = ask("PATCH", f"/reports/{report}/archive")
    assert (response.status_code, response.json()["archived"]) == (200, True)
    assert not archived(emulator, report)


@pytest.mark.parametrize("status", [404, 503])
def test_a_response_may_deny_an_effect(emulator: StudioEmulator, ask: Caller, report: str, status: int) -> None:
    emulator.control.add_fault("status_after_effect", method="PATCH", status=status)
    assert ask("PATCH", f"/reports/{report}/archive").status_code == status
    assert archived(emulator, report)


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_a_response_may_be_that_of_another_request(
    emulator: StudioEmulator, ask: Caller, report: str, method: str
) -> None:
    other = emulator.control.add_report()
    emulator.control.add_fault("mix_up", path=report, other_path=f"/api/acme/reports/{other}")
    path = f"/reports/{report}" if method == "GET" else f"/reports/{report}/archive"
    assert ask(method, path).json()["token"] == other
    assert archived(emulator, report) is (method == "PATCH"), "it had its effect nevertheless"


@pytest.mark.parametrize(
    ("kind", "settings"), [("mix_up", {}), ("status", {"other_path": "/api/acme"})], ids=["missing", "needless"]
)
def test_only_a_mix_up_names_another_path(emulator: StudioEmulator, kind: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"other_path is .*; `mix_up` needs it, and only that"):
        emulator.control.add_fault(kind, **settings)


@pytest.mark.parametrize("status", [403, 404])
def test_what_is_not_permitted_may_look_as_if_it_did_not_exist(
    emulator: StudioEmulator, ask: Caller, busy: str, status: int
) -> None:
    emulator.control.set_quirks(denied_status=status)
    emulator.control.forbid_collection(busy)
    assert ask("GET", f"/spaces/{busy}/reports").status_code == status


@pytest.mark.parametrize("kind", ["workspace", "real", "absent"])
def test_the_date_of_a_response_is_the_machines_the_workspaces_or_missing(
    emulator: StudioEmulator, ask: Caller, report: str, kind: str
) -> None:
    emulator.control.set_quirks(date_header=kind)
    header = ask("GET", f"/reports/{report}").headers.get("Date")
    if header is None:
        assert kind == "absent"
        return
    expected = datetime.now(UTC) if kind == "real" else NOW
    assert abs(parsedate_to_datetime(header) - expected) < timedelta(minutes=5)


def test_a_report_may_have_no_link_to_its_creator(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    assert "creator" in ask("GET", f"/reports/{report}").json()["_links"]
    emulator.control.set_quirks(creator_links="absent")
    assert "creator" not in ask("GET", f"/reports/{report}").json()["_links"]
