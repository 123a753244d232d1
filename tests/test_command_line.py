# SPDX-License-Identifier: Apache-2.0
"""The command `inventory`: conditions, columns and CSV."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from typing import Any

import pytest

from airflow_provider_studio.__main__ import main
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.snapshots.csv_export import write_csv
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from tests.connections import connection_of
from tests.governance.nights import ago, write_night


@pytest.fixture
def inventory(storage: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A workspace of three Reports, with snapshots that prove that one of them had no views."""
    connection = {"conn_type": "studio", "login": "a-token", "password": "a-secret", "schema": "acme"}
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", f"file://{storage}")
    monkeypatch.setenv("AIRFLOW__STUDIO__RATE_LIMIT_URL", "memory://")
    reports = {
        "dead": {"name": "Nobody\nreads this", "view_count": 5, "schedules_count": 1},
        "read": {"name": "=HYPERLINK(1)", "view_count": 7, "schedules_count": 1},
        "plain": {"name": None, "view_count": 5, "schedules_count": 0},
    }
    write_night(storage, 100, {**reports, "read": {**reports["read"], "view_count": 6}})
    schedule = {"freq": "daily", "hour": 6, "minute": 5, "time_zone": "UTC", "creator": "ada"}
    write_night(storage, 0, reports, {"s1": {"report": "dead", **schedule}, "s2": {"report": "read", **schedule}})
    return storage


def test_a_condition_selects_reports(inventory: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inventory", "--where", "scheduled and views_90d = 0"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert len(lines) == 2
    assert lines[0].split()[:3] == ["token", "name", "collection_name"]
    assert "Nobody reads this" in lines[1]
    assert "daily 06:05 UTC" in lines[1]
    assert "?" in lines[1], "an unknown value is not blank"
    assert printed.err.startswith("1 Report; snapshot of 2026-06-01 03:00 UTC")


def test_columns_order_limit_and_csv(inventory: Any, capsys: pytest.CaptureFixture[str]) -> None:
    order = ["--columns", "token,scheduled_by,views_90d", "--order-by", "views_90d desc, token", "--limit", "2"]
    assert main(["inventory", *order, "--output", "csv"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out.removeprefix("\ufeff"))))
    assert rows == [["token", "scheduled_by", "views_90d"], ["read", "ada", "1"], ["dead", "ada", "0"]]


@pytest.mark.parametrize("where", ["no_such_column = 1", "1; DROP TABLE facts", "token IN (FROM '/etc/passwd')"])
def test_a_condition_that_makes_no_sense_or_reaches_out_is_refused(
    inventory: Any, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    assert main(["inventory", "--where", where]) == 1
    assert "The inventory cannot be filtered" in capsys.readouterr().err


def test_a_snapshot_is_taken_if_there_is_none(
    emulator: StudioEmulator, storage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO_DEFAULT", connection_of(emulator))
    monkeypatch.setenv("AIRFLOW__STUDIO__RATE_LIMIT_URL", "memory://")
    command = [sys.executable, "-m", "airflow_provider_studio", "inventory", "--storage", f"file://{storage}"]
    ran = subprocess.run([*command, "--limit", "3"], check=True, capture_output=True, text=True, timeout=120)
    assert len(ran.stdout.splitlines()) == 4
    assert emulator.credentials()[1] not in ran.stdout + ran.stderr
    assert len(SnapshotStore(storage, "acme").all()) == 1


def test_csv_holds_every_fact_and_no_formula(inventory: Any) -> None:
    write_csv(SnapshotStore(inventory, "acme").all(), inventory / "reports.csv")
    rows = list(csv.DictReader(io.StringIO((inventory / "reports.csv").read_text(encoding="utf-8-sig"))))
    assert [(row["token"], row["name"], row["views_90d"]) for row in rows] == [
        ("dead", "Nobody\nreads this", "0"),
        ("plain", "", "0"),
        ("read", "'=HYPERLINK(1)", "1"),
    ]
    assert ago(0).strftime("%Y-%m-%d") in rows[0]["taken_at"]
