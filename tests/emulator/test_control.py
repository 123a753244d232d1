# SPDX-License-Identifier: Apache-2.0
"""The emulator's clock, faults, limits, tokens and snapshots, over HTTP."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.emulator import StudioEmulator
from tests.emulator.conftest import NOW, Caller
from tests.hand_clock import Seconds, datetime_of

LIST = "/spaces?filter=custom"


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    """A manual clock in place of the real one that the emulator's clock follows."""
    clock = Seconds()
    emulated_datetime = datetime_of(lambda: NOW + timedelta(seconds=clock.now))
    monkeypatch.setattr("airflow_provider_studio.emulator.clock.datetime", emulated_datetime)
    return clock


def test_the_clock_stops_accelerates_and_never_runs_backwards(real: Seconds) -> None:
    with StudioEmulator("acme", reports=5, now=NOW, speed=0) as emulator:
        assert emulator.control.clock() == emulator.control.clock() == NOW
        emulator.control.advance(timedelta(days=1))
        assert emulator.control.clock() == NOW + timedelta(days=1)
        emulator.control.set_speed(86_400)
        real.now += 2
        emulator.control.set_speed(0)
        real.now += 2
        assert emulator.control.clock() == NOW + timedelta(days=3)
        with pytest.raises(ValueError, match="never runs backwards"):
            emulator.control.set_speed(-1)


def test_schedules_fire_on_an_accelerated_clock(real: Seconds, emulator: StudioEmulator, ask: Caller) -> None:
    report = emulator.control.add_report(created_at=NOW.isoformat())
    emulator.control.add_schedule(report, cron={"freq": "hourly"})
    emulator.control.set_clock(NOW)
    emulator.control.set_speed(36_000)
    real.now += 0.5
    assert ask("GET", f"/reports/{report}").json()["runs_count"] == 5


def test_views_have_times_and_viewers_who_come_again(emulator: StudioEmulator) -> None:
    report = emulator.control.add_report(
        created_at=(NOW - timedelta(days=30)).isoformat(), habit={"views_per_day": 2.0}
    )
    views = emulator.control.views(report, NOW - timedelta(days=10))
    assert 19 <= len(views) <= 21
    assert all(NOW - timedelta(days=10) < at for at, _ in views)
    assert 1 < len({viewer for _, viewer in views}) <= 4
    assert {viewer for _, viewer in views} <= {f"member{number}" for number in range(1, 9)}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "status", "status": 429, "headers": {"Retry-After": "7"}}, (429, "7")),
        ({"kind": "status", "status": 429}, (429, None)),
        ({"kind": "status", "status": 503, "body": {"id": "service_unavailable", "message": "x"}}, (503, None)),
        ({"kind": "status"}, (500, None)),
        ({"kind": "html", "status": 502}, (502, None)),
        ({"kind": "html"}, (200, None)),
        ({"kind": "garbage"}, (200, None)),
        ({"kind": "slow", "seconds": 0.2}, (200, None)),
        ({"kind": "dribble", "seconds": 0.2}, (200, None)),
    ],
)
def test_a_fault_responds_as_configured(
    emulator: StudioEmulator, ask: Caller, fault: dict[str, Any], expected: tuple[int, str | None]
) -> None:
    emulator.control.add_fault(**fault)
    started = time.monotonic()
    response = ask("GET", LIST)
    assert (response.status_code, response.headers.get("Retry-After")) == expected
    assert time.monotonic() - started >= fault.get("seconds", 0)
    if fault["kind"] in {"slow", "dribble"}:
        assert response.json()["_embedded"]["spaces"]
    assert ask("GET", LIST).json()["_embedded"]["spaces"], "it was used up"


@pytest.mark.parametrize(("kind", "created"), [("reset", 0), ("lose_response", 1), ("truncate", 1)])
def test_a_broken_connection_is_before_or_after_the_effect(
    emulator: StudioEmulator, ask: Caller, kind: str, created: int
) -> None:
    report = emulator.control.add_report()
    emulator.control.add_fault(kind, method="POST")
    with pytest.raises(requests.exceptions.RequestException):
        ask("POST", f"/reports/{report}/runs", json={}).json()
    assert len(emulator.control.state()["reports"][report]["runs_started"]) == created


def test_faults_are_a_script_and_the_same_seed_plays_it_again(ask: Caller, emulator: StudioEmulator) -> None:
    emulator.control.add_fault("status", status=429, after=1, times=2)
    emulator.control.add_fault("status", status=503, path="spaces", times=1)
    played = [ask("GET", LIST).status_code for _ in range(5)]
    assert played == [503, 429, 429, 200, 200]
    seen = []
    for _ in range(2):
        emulator.control.reset()
        emulator.control.add_fault("status", rate=0.3, times=None)
        seen.append([ask("GET", LIST).status_code for _ in range(60)])
    assert seen[0] == seen[1]
    assert 8 <= seen[0].count(500) <= 30


@pytest.mark.parametrize(
    ("fault", "message"),
    [({"rate": 2}, "not a number"), ({"path": "("}, "not a regular expression"), ({"colour": "red"}, "colour")],
)
def test_a_fault_that_makes_no_sense_is_refused(emulator: StudioEmulator, fault: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        emulator.control.add_fault("status", **fault)


def test_classes_of_requests_have_separate_limits(emulator: StudioEmulator, ask: Caller) -> None:
    report = emulator.control.add_report()
    emulator.control.set_rate_limit(limit=5, classes=[{"path": "/runs$", "limit": 2}])
    runs = [ask("GET", f"/reports/{report}/runs") for _ in range(3)]
    others = [ask("GET", LIST) for _ in range(6)]
    assert [run.status_code for run in runs] == [200, 200, 429]
    assert [response.status_code for response in others] == [200] * 5 + [429]
    assert (runs[0].headers["X-RateLimit-Limit"], others[0].headers["X-RateLimit-Limit"]) == ("2", "5")


def test_a_limit_may_be_a_persons_over_all_their_tokens(emulator: StudioEmulator) -> None:
    emulator.control.set_rate_limit(limit=2, per="username", retry_after=True, headers=False, interval_seconds=10)
    statuses = [Caller(emulator, kind)("GET", LIST).status_code for kind in ("member", "personal", "workspace")]
    refused = Caller(emulator, "member")("GET", LIST)
    assert [*statuses, refused.status_code] == [200, 200, 200, 429]
    assert refused.headers["Retry-After"] == "10"
    assert "X-RateLimit-Limit" not in refused.headers


@pytest.mark.parametrize(
    "settings", [{"per": "planet"}, {"limit": 0}, {"interval_seconds": 0}, {"classes": [{"x": 1}]}]
)
def test_a_limit_that_makes_no_sense_is_refused(emulator: StudioEmulator, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="The emulator refused"):
        emulator.control.set_rate_limit(**settings)


@pytest.mark.parametrize("standing", ["expired", "revoked"])
def test_a_token_that_expired_or_was_revoked_opens_nothing(
    emulator: StudioEmulator, ask: Caller, standing: str
) -> None:
    assert ask("GET", LIST).status_code == 200
    emulator.control.set_token("emulator-workspace", standing)
    assert ask("GET", LIST).status_code == 401
    assert Caller(emulator, "member")("GET", LIST).status_code == 200
    emulator.control.set_token("emulator-workspace", "active")
    assert ask("GET", LIST).status_code == 200
    for token, wrong in (("somebody", "expired"), ("emulator-member", "tired")):
        with pytest.raises(ValueError, match="unknown"):
            emulator.control.set_token(token, wrong)


def test_credentials_that_look_real_are_refused_with_a_warning_that_repeats_nothing(
    emulator: StudioEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "airflow_provider_studio.emulator"):
        responses = [
            requests.get(f"{emulator.url}/api/verify", auth=("a1b2c3d4e5f6", "9f8e7d6c5b4a3f2e1d0c"), timeout=10)
            for _ in range(2)
        ]
    assert [response.status_code for response in responses] == [401, 401]
    assert "this is an emulator" in responses[0].json()["message"]
    assert len(caplog.records) == 1
    assert "points at an emulator" in caplog.text
    everything = caplog.text + responses[0].text + str(emulator.control.requests_summary())
    assert "a1b2c3d4e5f6" not in everything
    assert "9f8e7d6c5b4a3f2e1d0c" not in everything


def _changed(emulator: StudioEmulator, ask: Caller) -> None:
    """Change everything in a workspace that is saved."""
    report = emulator.control.add_report(name="Added", habit={"views_per_day": 1.0}, form={"region": ["EU"]})
    schedule = emulator.control.add_schedule(report, params={"region": "EU"})
    ask("POST", f"/reports/{report}/subscriptions", json={"report_subscription": {}})
    ask("POST", f"/reports/{report}/runs", json={"parameters": {"region": "EU"}})
    ask("POST", f"/reports/{report}/queries", json={"query": {"raw_query": "SELECT 1"}})
    ask("POST", "/definitions", json={"definition": {"name": "a", "source": "b"}})
    ask("PATCH", f"/reports/{report}/archive")
    emulator.control.add_collection("Made", restricted=True)
    emulator.control.set_quirks(ids_as_text=True)
    assert schedule


def test_a_saved_workspace_can_be_restored_in_any_emulator(emulator: StudioEmulator, ask: Caller) -> None:
    emulator.control.set_speed(0)
    _changed(emulator, ask)
    saved, before = emulator.control.save(), emulator.control.state()
    assert b"emulator-secret" not in saved
    emulator.control.remove_report(next(iter(before["reports"])))
    emulator.control.restore(saved)
    assert emulator.control.state() == before
    with StudioEmulator("other", reports=3, speed=0) as another:
        another.control.restore(saved)
        assert another.control.state() == before
        assert Caller(another).rows("/spaces?filter=all", "spaces") == ask.rows("/spaces?filter=all", "spaces")
        assert another.control.save() == saved


def test_a_saved_workspace_has_the_keys_that_earlier_versions_saved(emulator: StudioEmulator) -> None:
    saved = json.loads(emulator.control.save())
    assert saved.keys() == {"now", "world", "format"}
    assert saved["world"].keys() >= {"workspace", "seed", "made", "pdfs_asked_at"}


def test_what_is_no_saved_workspace_is_refused(emulator: StudioEmulator) -> None:
    for saved in (b"", b"{}", b'{"format": 2}'):
        with pytest.raises(ValueError, match="not a saved emulator"):
            emulator.control.restore(saved)


def test_a_reset_restores_the_initial_state() -> None:
    with StudioEmulator("acme", reports=30, seed=5, now=NOW, speed=0) as emulator:
        ask, fresh = Caller(emulator), emulator.control.state()
        _changed(emulator, ask)
        emulator.control.advance(timedelta(days=3))
        emulator.control.add_fault("status", times=None)
        emulator.control.set_token("emulator-member", "revoked")
        emulator.control.reset()
        assert emulator.control.state() == fresh
        assert Caller(emulator, "member")("GET", LIST).status_code == 200
        assert emulator.control.requests_sent() == 1


def test_the_fields_of_a_report_are_checked(emulator: StudioEmulator) -> None:
    report = emulator.control.add_report()
    for change, message in (
        ({"colour": "red"}, "unknown field 'colour'"),
        ({"id": 3}, "unknown field 'id'"),
        ({"query_count": "many"}, "query_count"),
        ({"edited_at": "yesterday"}, "edited_at"),
        ({"collection": "0123456789ab"}, "no Collection"),
    ):
        with pytest.raises(ValueError, match=message):
            emulator.control.change_report(report, **change)


def test_a_saved_workspace_is_restored_on_the_command_line(emulator: StudioEmulator, tmp_path: Path) -> None:
    file = tmp_path / "saved.json"
    file.write_bytes(emulator.control.save())
    argv = [sys.executable, "-m", "airflow_provider_studio.emulator", "--port", "0", "--restore", str(file)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline().startswith("Workspace 'acme', 120 Reports: http://127.0.0.1:")
            assert program.stdout.readline().startswith("export AIRFLOW_CONN_STUDIO_DEFAULT='{")
        finally:
            program.terminate()
    broken = subprocess.run([*argv[:-1], str(tmp_path / "none")], capture_output=True, text=True, check=False)
    assert broken.returncode == 2
    assert "cannot be read" in broken.stderr


def test_a_run_has_not_begun_once_the_clock_was_set_back_before_it(
    client: StudioClient, emulator: StudioEmulator
) -> None:
    report = emulator.control.add_report(next_runtime_seconds=0.0)
    emulator.control.advance(timedelta(minutes=10))
    run = client.create_report_run(report)
    emulator.control.advance(timedelta(minutes=-10))
    assert emulator.control.state()["reports"][report]["runs_started"] == []
    emulator.control.advance(timedelta(minutes=10))
    assert [each["token"] for each in emulator.control.state()["reports"][report]["runs_started"]] == [run.token]
