# SPDX-License-Identifier: Apache-2.0
"""Published clients of the API read the emulator unchanged, and the inventory equals what they read, field by field."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.inventory.inventory import take_inventory
from airflow_provider_studio.governance.snapshots.schema import REPORT_COLUMNS, SCHEDULE_COLUMNS, TIMES
from tests.conftest import client_of
from tests.governance.inventory.test_inventory import table

CLIENTS = ("mode-sdk==0.1.0", "acryl-datahub[mode]==1.7.0.17")
HERE = Path(__file__).parent
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
NO_REGISTRY = ("error sending request", "the network was disabled")
"""What uv says when no registry answers."""
OURS_ALONE = {
    "reports": {
        "taken_at": "of the snapshot",
        "source": "of the inventory",
        "space_type": "of its Collection",
        "unknown": "of the inventory",
        "unknown_reason": "of the inventory",
        "seen_at": "of the inventory",
        "verified_at": "of the inventory",
        "last_run_by_schedule": "computed",
        "last_run_failed": "computed",
        "creator_email": "of the Discovery API",
        "last_viewed_at": "of the Discovery API",
    },
    "schedules": {
        "taken_at": "of the snapshot",
        "verified_at": "of the inventory",
        "last_run_failed": "computed",
        "day_of_week": "numbers of the form, where mode-sdk has names",
    },
}
"""The columns of a snapshot that mode-sdk has no counterpart of."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment with the clients, which are too many packages for ours."""
    folder = tmp_path_factory.mktemp("clients") / "environment"
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    done = subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", folder, *CLIENTS], capture_output=True, text=True, check=False
    )
    if done.returncode and any(reason in done.stderr for reason in NO_REGISTRY):
        pytest.skip(f"SKIPPED LOUDLY: no registry of packages answers, so {CLIENTS} cannot be tested: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return str(folder / "bin" / "python")


@pytest.fixture
def emulator() -> Iterator[StudioEmulator]:
    with StudioEmulator("acme", reports=40, seed=7, now=NOW, speed=0) as running:
        dataset = running.control.add_report(name="Orders", type="DatasetReport", description="By day")
        running.control.add_schedule(dataset)
        yield running


def run(python: str, script: str, *arguments: str | Path) -> str:
    """Run a script of this folder with the clients' interpreter, and return what it prints."""
    environment = {**os.environ, "DATAHUB_TELEMETRY_ENABLED": "false"}
    command = [python, "-I", HERE / script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def comparable(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its times in UTC and its id as text; JSON has neither."""
    values = dict(row)
    for name in TIMES & values.keys():
        if values[name] is not None:
            time = values[name] if isinstance(values[name], datetime) else datetime.fromisoformat(values[name])
            values[name] = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    return values | ({"id": str(values["id"])} if "id" in values else {})


def test_the_inventory_equals_that_of_mode_sdk_field_by_field(
    emulator: StudioEmulator, storage: UPath, python: str
) -> None:
    emulator.control.set_quirks(ids_as_text=True)
    summary = take_inventory(client_of(emulator), storage, now=lambda: NOW)
    theirs = json.loads(
        run(python, "read_with_mode_sdk.py", "workspace", emulator.url, "acme", *emulator.credentials())
    )
    for name, columns in (("reports", REPORT_COLUMNS), ("schedules", SCHEDULE_COLUMNS)):
        rows = {row["token"]: comparable(row) for row in table(summary.path, name)}
        expected = {token: comparable(row) for token, row in theirs["inventory"][name].items()}
        assert rows.keys() == expected.keys() != set()
        for token, row in expected.items():
            assert row.keys() | OURS_ALONE[name].keys() == columns.keys()
            assert {column: rows[token][column] for column in row} == row
    assert {row["type"] for row in theirs["inventory"]["reports"].values()} == {"Report", "DatasetReport"}
    assert theirs["verify"]["workspace"] == "acme"
    check_what_surrounds_reports(emulator, theirs)


def check_what_surrounds_reports(emulator: StudioEmulator, theirs: dict[str, Any]) -> None:
    """Compare what mode-sdk read over the other endpoints with the truth."""
    around, discovered, state = theirs["around"], theirs["discovery"], emulator.control.state()
    reports = sorted(token for token, report in state["reports"].items() if report["type"] == "Report")
    assert around["reports_by_data_source"] == sorted(discovered["reports"]) == sorted(discovered["report_stats"])
    assert around["reports_by_data_source"] == reports, "personal Collections included"
    assert around["members"] == ["member1", "member2", "member3", "member4"]
    assert set(around["groups"].values()) == {2}
    assert (len(around["definitions"]), len(around["data_sources"]), around["audit_log"]) == (3, 3, 6)
    queries = {query for found in around["queries"].values() for query in found}
    assert queries
    assert queries <= set(discovered["queries"])
    assert {kind for kinds in around["charts"].values() for kind in kinds} == {"bar"}
    shared = [token for token, collection in state["collections"].items() if collection["personal_of"] is None]
    assert sorted(discovered["collections"]) == sorted(shared)
    assert len(discovered["members"]) == 4


def test_mode_sdk_runs_a_report_and_downloads_its_results_and_its_pdf(emulator: StudioEmulator, python: str) -> None:
    emulator.control.set_speed(600)
    done = json.loads(run(python, "read_with_mode_sdk.py", "run", emulator.url, "acme", *emulator.credentials()))
    assert done["state"] in {"succeeded", "completed"}
    assert done["tables"] == {"Query 1.csv": 501}
    assert done["linked"] == 501
    name, head = done["pdf"]
    assert (len(name), name[-4:], head) == (16, ".pdf", "%PDF-")


def test_the_inventory_equals_the_dashboards_of_datahub(
    emulator: StudioEmulator, storage: UPath, python: str, tmp_path: Path
) -> None:
    summary = take_inventory(client_of(emulator), storage, now=lambda: NOW)
    path = tmp_path / "metadata.json"
    run(python, "ingest_with_datahub.py", emulator.url, "acme", *emulator.credentials(), path)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["problems"] == []
    rows = [row for row in table(summary.path, "reports") if row["type"] == "Report"]
    dashboards = {
        aspects["DashboardInfo"]["dashboardUrl"].rsplit("/", 1)[-1]: (
            aspects["DashboardInfo"]["title"],
            aspects["dashboardUsageStatistics"]["viewsCount"],
            aspects["Ownership"]["owners"][0]["owner"].rsplit(":", 1)[-1],
        )
        for urn, aspects in found["entities"].items()
        if urn.startswith("urn:li:dashboard:")
    }
    assert dashboards == {row["token"]: (row["name"] or "", row["view_count"], row["creator"]) for row in rows}
    charts = [urn for urn in found["entities"] if urn.startswith("urn:li:chart:")]
    assert len(charts) == sum(row["query_count"] // 2 for row in rows)
    containers = [aspects for urn, aspects in found["entities"].items() if urn.startswith("urn:li:container:")]
    assert len(containers) == len({row["collection"] for row in rows})
