# SPDX-License-Identifier: Apache-2.0
"""The workspace that `python -m airflow_provider_studio inventory` reads, and the arguments that select it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from upath import UPath

from airflow_provider_studio.__main__ import main
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.snapshots.store import SnapshotStore, workspaces
from tests.connections import connection_of
from tests.governance.nights import write_night


def inventory(storage: UPath, *arguments: str) -> int:
    return main(["inventory", "--storage", str(storage), "--columns", "token", *arguments])


@pytest.fixture
def acme(storage: UPath) -> UPath:
    write_night(storage, 0, {"of-acme": {}})
    return storage


@pytest.fixture
def two(acme: UPath) -> UPath:
    write_night(acme, 1, {"of-beta": {}}, workspace="beta")
    return acme


@pytest.fixture
def connection(emulator: StudioEmulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """`studio_acme` is the connection of the emulated workspace acme."""
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO_ACME", connection_of(emulator))
    monkeypatch.setenv("AIRFLOW__STUDIO__RATE_LIMIT_URL", "memory://")
    return "studio_acme"


def test_a_snapshot_is_read_without_a_connection(acme: UPath, capsys: pytest.CaptureFixture[str]) -> None:
    assert inventory(acme) == 0
    printed = capsys.readouterr()
    assert printed.out.split() == ["token", "of-acme"]
    assert "workspace 'acme'" in printed.err, "it names the workspace"


def test_of_several_workspaces_one_must_be_named(two: UPath, capsys: pytest.CaptureFixture[str]) -> None:
    assert inventory(two) == 1
    assert "several workspaces: acme, beta. Name one with --workspace." in capsys.readouterr().err
    assert inventory(two, "--workspace", "beta") == 0
    assert capsys.readouterr().out.split() == ["token", "of-beta"]


def test_a_workspace_whose_first_snapshot_was_not_finished_makes_no_second(
    acme: UPath, capsys: pytest.CaptureFixture[str]
) -> None:
    (acme / "snapshots" / "workspace=beta" / "taken_at=20260601T030000000000Z").mkdir(parents=True)
    (acme / "snapshots" / ".DS_Store").write_bytes(b"")
    assert workspaces(acme) == ["acme"]
    assert inventory(acme) == 0


def test_a_workspace_without_a_snapshot_is_no_empty_workspace(two: UPath, capsys: pytest.CaptureFixture[str]) -> None:
    assert inventory(two, "--workspace", "acne") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "no snapshot of the workspace 'acne'; it has snapshots of acme, beta" in printed.err
    assert "--take" in printed.err


def test_a_connection_chooses_its_workspace(
    two: UPath, connection: str, emulator: StudioEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inventory(two, "--conn", connection) == 0
    assert capsys.readouterr().out.split() == ["token", "of-acme"]
    assert emulator.control.requests_summary()["total"] == 0, "an existing snapshot needs no request"


def test_a_snapshot_is_not_taken_of_another_workspace_than_was_named(
    storage: UPath, connection: str, emulator: StudioEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inventory(storage, "--take", "--conn", connection, "--workspace", "beta") == 1
    assert "--workspace is 'beta', but the connection 'studio_acme' is for 'acme'" in capsys.readouterr().err
    assert emulator.control.requests_summary()["total"] == 0
    assert inventory(storage, "--take", "--conn", connection, "--workspace", "acme") == 0
    assert len(SnapshotStore(storage, "acme").all()) == 1


def test_a_named_workspace_with_its_connection_is_taken_where_it_has_no_snapshot(
    storage: UPath, connection: str
) -> None:
    write_night(storage, 0, {"of-beta": {}}, workspace="beta")
    assert inventory(storage, "--conn", connection, "--workspace", "acme") == 0
    assert workspaces(storage) == ["acme", "beta"]


def test_the_mark_of_an_airflow_process_does_not_outlive_the_command(
    acme: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("_AIRFLOW_PROCESS_CONTEXT", raising=False)
    assert inventory(acme) == 0
    assert "_AIRFLOW_PROCESS_CONTEXT" not in os.environ
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")
    assert inventory(acme, "--workspace", "nowhere") == 1
    assert os.environ["_AIRFLOW_PROCESS_CONTEXT"] == "client"


def test_a_relative_storage_is_relative_to_the_current_folder(
    acme: UPath, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(Path(acme.path).parent)
    assert main(["inventory", "--storage", acme.name, "--columns", "token"]) == 0
    assert capsys.readouterr().out.split() == ["token", "of-acme"]


@pytest.mark.slow
def test_a_reader_that_has_enough_sees_no_traceback(acme: UPath) -> None:
    write_night(acme, 0, {f"report-{number:06}": {"name": "x" * 40} for number in range(3000)})
    command = [sys.executable, "-m", "airflow_provider_studio", "inventory", "--storage", str(acme)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    stderr = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 141
    assert "Traceback" not in stderr
    assert "BrokenPipe" not in stderr
