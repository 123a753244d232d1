# SPDX-License-Identifier: Apache-2.0
"""The pytest fixtures for users' DAGs: in this process, and in a separate project with the wheel."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.testing import (
    StudioTestWorkspace,
    assert_archived,
    assert_not_archived,
    assert_run_started,
    assert_schedule_deleted,
    assert_schedule_kept,
    requests_sent,
)

ROOT = Path(__file__).parents[1]


def test_the_workspace_is_empty_until_a_test_fills_it(studio_workspace: StudioTestWorkspace) -> None:
    assert studio_workspace.control.state()["reports"] == {}
    finance = studio_workspace.collection("Finance")
    report = finance.report("Revenue", created_days_ago=100).viewed(per_day=2, until_days_ago=40).scheduled(at="07:30")
    truth = report.truth
    assert truth["collection"] == finance.token
    assert 119 <= truth["view_count"] <= 120
    (schedule,) = studio_workspace.control.state()["schedules"].values()
    assert (schedule["report"], schedule["cron"]["hour"], schedule["cron"]["minute"]) == (report.token, 7, 30)
    studio_workspace.days_pass(10)
    assert report.truth["view_count"] == truth["view_count"]
    assert report.viewed_now(3).truth["view_count"] == truth["view_count"] + 3
    assert studio_workspace.find("Revenue").token == str(report) == report.token


def test_the_assertions_explain_their_failures(studio_workspace: StudioTestWorkspace) -> None:
    active, archived = studio_workspace.report("Kept").scheduled(), studio_workspace.report("Old", archived=True)
    assert_archived(archived)
    assert_not_archived(active)
    assert_schedule_kept(active)
    assert_schedule_deleted(archived)
    for check, message in (
        (lambda: assert_archived(archived, active), "'Kept' .* is not archived"),
        (lambda: assert_not_archived(active, archived), "'Old' .* is archived"),
        (lambda: assert_schedule_deleted(active), "still has 1 schedules"),
        (lambda: assert_schedule_kept(archived), "has no schedule"),
        (lambda: assert_run_started(active), "was run 0 times, not 1"),
        (lambda: studio_workspace.find("Nothing"), "0 Reports are named 'Nothing'"),
    ):
        with pytest.raises(AssertionError, match=message):
            check()
    studio_workspace.control.remove_report(active.token)
    with pytest.raises(AssertionError, match="does not exist any more"):
        assert_archived(active)
    with pytest.raises(ValueError, match="HH:MM"):
        archived.scheduled(at="seven")


def test_runs_are_counted_with_their_parameters(studio_workspace: StudioTestWorkspace) -> None:
    report = studio_workspace.report("Revenue", parameters={"region": ["EU", "US"]}).next_run("failed", seconds=0)
    address = f"{studio_workspace.emulator.url}/api/acme/reports/{report}/runs"
    auth = studio_workspace.emulator.credentials()
    requests.post(address, json={"parameters": {"region": "EU"}}, auth=auth, timeout=10).raise_for_status()
    (run,) = assert_run_started(report, parameters={"region": "EU"})
    assert run["state"] == "failed"
    assert requests_sent(studio_workspace) == 1
    with pytest.raises(AssertionError, match="not with"):
        assert_run_started(report, parameters={"region": "US"})


@pytest.mark.studio(reports=20, seed=3, token="member", conn_id="studio_of_finance", speed=0)
def test_the_marker_sets_the_emulator_and_the_connection_up(
    studio_emulator: StudioEmulator, studio_connection: str
) -> None:
    assert studio_connection == "studio_of_finance"
    assert len(studio_emulator.control.state()["reports"]) == 20
    assert studio_emulator.control.clock() == studio_emulator.control.clock()
    connection = json.loads(os.environ["AIRFLOW_CONN_STUDIO_OF_FINANCE"])
    assert connection["login"] == "emulator-member"


def test_time_passes_for_snapshots_of_the_past(
    studio_workspace: StudioTestWorkspace, studio_connection: str, tmp_path: Path
) -> None:
    studio_workspace.report("Old")
    studio_workspace.take_snapshot(days_ago=90)
    (night,) = (tmp_path / "studio" / "snapshots" / "workspace=acme").iterdir()
    ago = studio_workspace.ago(90)
    assert f"taken_at={ago:%Y%m%d}" in night.name
    assert studio_workspace.control.clock() - ago >= timedelta(days=89)
    assert requests_sent(studio_workspace) == 0


def test_the_plugin_imports_nothing_heavy() -> None:
    heavy = ("airflow.", "fastapi", "requests", "duckdb", "uvicorn")
    code = f"import sys, airflow_provider_studio.testing; print([m for m in sys.modules if m.startswith({heavy!r})])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def _blocks(page: str) -> dict[str, str]:
    """Return the files that a page of the documentation shows, by name."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return dict(re.findall(r"```python\n# (\S+\.py)\n(.*?)```", text, re.DOTALL))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("wheel")
    argv = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(built), str(ROOT)]
    subprocess.run(argv, check=True, capture_output=True)
    return next(built.glob("*.whl"))


@pytest.mark.slow
def test_a_separate_project_tests_its_dag_with_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """Run the documented DAG and its documented test outside this repository, in an environment with the wheel."""
    home = tmp_path / "environment"
    venv.create(home, with_pip=False, symlinks=True)
    (site,) = home.glob("lib/python*/site-packages")
    # Share the installed dependencies; this project itself is not on that path.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    install = ["uv", "pip", "install", "--no-deps", "--offline", "--python", str(home / "bin" / "python"), str(wheel)]
    subprocess.run([Path(sys.executable).with_name(install[0]), *install[1:]], check=True, capture_output=True)
    project = tmp_path / "project"
    for name, text in _blocks("testing.md").items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST", "COV"))
    }
    ran = subprocess.run(
        [home / "bin" / "python", "-m", "pytest", "-p", "no:cacheprovider", "-q", "--no-header", "-rA"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    assert "2 passed" in ran.stdout
    where = [home / "bin" / "python", "-c", "import airflow_provider_studio as one; print(one.__file__)"]
    assert subprocess.run(where, capture_output=True, text=True, check=True, cwd=project).stdout.startswith(str(home))
