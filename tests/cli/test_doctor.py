# SPDX-License-Identifier: Apache-2.0
"""The command `doctor`: what it prints, its exit status, and that it leaves nothing behind."""

from __future__ import annotations

import json
from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio.__main__ import main
from airflow_provider_studio.cli.doctor import NEEDS_A_PERSON
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.state import SECRET
from airflow_provider_studio.governance.doctor.profile import WorkspaceProfile, read_profile
from tests.connections import connection_fields, connection_of
from tests.governance.doctor.surveys import AT, emulated


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> StudioEmulator:
    """The emulator of the surveys, with a connection."""
    found = emulated()
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO_DEFAULT", connection_of(found))
    monkeypatch.setenv("AIRFLOW__STUDIO__RATE_LIMIT_URL", "memory://")
    monkeypatch.setattr("airflow_provider_studio.client.ratelimit.limiter.RateLimiter.acquire", _permit)
    return found


def _permit(*_arguments: Any, **_settings: Any) -> Any:
    from airflow_provider_studio.client.ratelimit import Permit

    return Permit(0.0)


def doctor(storage: UPath, *arguments: str) -> int:
    return main(["doctor", "--storage", f"file://{storage}", *arguments])


def test_it_prints_its_budget_and_the_findings(
    emulator: StudioEmulator, storage: UPath, capsys: pytest.CaptureFixture[str]
) -> None:
    record = storage.with_name("recorded.jsonl")
    assert doctor(storage, "--json", "--record", str(record)) == NEEDS_A_PERSON, (
        "the clock of this emulator is not ours"
    )
    printed = capsys.readouterr()
    rows = {row["fact"]: row for row in json.loads(printed.out)}
    needed = {fact for fact, row in rows.items() if row["severity"] == "needs a person"}
    assert needed == {"connection: clock"}
    assert "Needs a person: connection: clock: " in printed.err
    assert printed.err.index("Sends at most 40 requests to http://127.0.0.1") < printed.err.index("Sent ")
    assert {"connection: fields", "deployment: pages", "storage: writable", "reports: order"} <= rows.keys()
    assert rows["deployment: budget ledger"]["observed"] == "memory of one process"
    assert SECRET not in printed.out + printed.err
    assert {path.name for path in storage.rglob("*") if path.is_file()} == {"profile.json", "host.json"}
    assert "Wrote the workspace profile, which `--show` prints." in printed.err
    assert f"Wrote the redacted responses to {record}. Read it before you share it." in printed.err
    assert len(record.read_text().splitlines()) == emulator.control.requests_sent() + 1
    assert "Crowd" not in record.read_text()
    sent = emulator.control.requests_sent()
    assert doctor(storage, "--show", "--json") == 0
    shown = {row["name"]: row["value"] for row in json.loads(capsys.readouterr().out)}
    assert (shown["reports"], shown["connection: TLS"]) == (30, "http to this machine")
    assert emulator.control.requests_sent() == sent
    assert doctor(storage / "elsewhere", "--show") == 1
    assert "has no profile of the workspace 'acme'" in capsys.readouterr().err


def test_without_a_usable_connection_or_service_the_rest_is_checked(
    emulator: StudioEmulator, storage: UPath, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_studio.client.retry_policy.RetryPolicy.is_enough", lambda _self, _state: True)
    fields = connection_fields(emulator)
    for broken, fact in (
        ({"schema": ""}, "connection: fields"),
        ({"host": "http://127.0.0.1:9"}, "connection: reachable"),
        ({"password": "wrong"}, "connection: credentials"),
    ):
        monkeypatch.setenv("AIRFLOW_CONN_STUDIO_DEFAULT", json.dumps(fields | broken))
        assert doctor(storage, "--json") == NEEDS_A_PERSON
        rows = {row["fact"]: row["severity"] for row in json.loads(capsys.readouterr().out)}
        assert (rows[fact], rows["deployment: Airflow"]) == ("needs a person", "as assumed")


def test_the_sandbox_asks_first_and_leaves_only_facts_of_the_profile(
    emulator: StudioEmulator, storage: UPath, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.control.set_quirks(second_archive=400)
    before = emulator.control.state()
    name = next(found["name"] for found in before["collections"].values() if found["personal_of"] is None)
    sandbox = ("--sandbox", name, "--json")
    assert doctor(storage, *sandbox) == 1
    assert "Nobody can be asked here. Add --yes-create-and-delete-a-report." in capsys.readouterr().err
    assert doctor(storage, "--sandbox", "Nowhere", "--yes-create-and-delete-a-report") == 1
    assert "--sandbox is 'Nowhere': no shared Collection has it. Nothing was changed." in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _question: "yes")
    assert doctor(storage, *sandbox) == 1
    assert "The answer is not the Collection's name. Nothing was changed." in capsys.readouterr().err
    assert {each["method"] for each in emulator.control.requests_summary()["requests"]} == {"GET"}
    WorkspaceProfile(AT, AT).write(storage, "acme")
    monkeypatch.setattr("builtins.input", lambda _question: f"{name} ")
    assert doctor(storage, *sandbox) == 0
    printed = capsys.readouterr()
    rows = {row["fact"]: row["observed"] for row in json.loads(printed.out)}
    assert (rows["archive: a second time"], rows["archive: schedules"]) == (
        "400 ('bad_request')",
        "listed with a next run",
    )
    assert emulator.control.state()["reports"] == before["reports"]
    profile = read_profile(storage, "acme")
    assert profile is not None
    assert profile.facts == {"archive: a second time": "400 ('bad_request')"}
    monkeypatch.setenv("AIRFLOW__STUDIO__APPROVAL_REQUIRED", "True")
    assert doctor(storage, *sandbox) == 1
    assert "`airflow studio doctor --sandbox` acts without an approval" in capsys.readouterr().err
