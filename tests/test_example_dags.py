# SPDX-License-Identifier: Apache-2.0
"""The weekly example DAGs with nothing to do, without approval, and with failures.

`tests/system/test_report_runs.py` runs their usual path in a real Airflow.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag

from airflow_provider_studio.testing import (
    StudioTestWorkspace,
    assert_archived,
    assert_schedule_deleted,
    assert_schedule_kept,
)
from tests.airflow_in_process import Ran, run_dag
from tests.governance.inventory.test_discovery_sources import minted

DAGS = Path(__file__).parents[1] / "dags"
pytestmark = pytest.mark.studio(speed=0)


def run(name: str, *, mark_success: str | None = None, **conf: Any) -> Ran:
    dag = DagBag(dag_folder=str(DAGS / f"{name}.py")).dags[name]
    return run_dag(dag, conf, mark_success=mark_success)


def test_schedules_of_archived_reports_are_cleaned_up_and_no_report_is_touched(
    studio_workspace: StudioTestWorkspace, studio_connection: str
) -> None:
    archived = studio_workspace.report("Done with", archived=True).scheduled()
    living = studio_workspace.report("Needed").scheduled()
    ran = run("studio_schedule_cleanup", approval=False)
    assert (ran.state, ran.tasks["approve"], ran.tasks["apply"]) == ("success", "skipped", "success")
    assert_schedule_deleted(archived)
    assert_archived(archived)
    assert len(living.schedules) == 1
    assert not living.truth["archived"]


def test_an_approval_that_was_marked_a_success_by_hand_cleans_nothing_up(
    studio_workspace: StudioTestWorkspace, studio_connection: str
) -> None:
    archived = studio_workspace.report("Done with", archived=True).scheduled()
    ran = run("studio_schedule_cleanup", mark_success="approve")
    assert (ran.state, ran.tasks["approve"], ran.tasks["apply"]) == ("failed", "success", "failed")
    assert_schedule_kept(archived)


def test_a_clean_up_is_taken_back_whole_or_in_part_and_never_by_an_empty_choice(
    studio_workspace: StudioTestWorkspace, studio_connection: str
) -> None:
    first, second = (studio_workspace.report(name, archived=True).scheduled() for name in ("One", "Other"))
    plan_id = run("studio_schedule_cleanup", approval=False).xcom("plan")["plan_id"]
    assert_schedule_deleted(first, second)
    assert run("studio_undo", plan_id=plan_id, only=[]).state == "failed"
    assert_schedule_deleted(first, second)
    assert run("studio_undo", plan_id=plan_id, only=[first.token]).state == "success"
    assert_schedule_kept(first)
    assert_schedule_deleted(second)
    where = f"token = '{second.token}'"
    assert run("studio_undo", plan_id=plan_id, where=where, connection=studio_connection).state == "success"
    assert_schedule_kept(first, second)


def test_with_no_schedule_to_clean_up_nobody_is_asked(
    studio_workspace: StudioTestWorkspace, studio_connection: str
) -> None:
    studio_workspace.report("Needed").scheduled()
    ran = run("studio_schedule_cleanup")
    assert (ran.state, ran.tasks["approve"], ran.tasks["apply"]) == ("success", "skipped", "skipped")


def test_a_source_that_misses_reports_fails_the_cross_check(
    studio_workspace: StudioTestWorkspace, studio_connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("One", "Other"):
        studio_workspace.report(name)
    signature = minted(studio_workspace.emulator)
    connection = json.loads(os.environ["AIRFLOW_CONN_STUDIO_DEFAULT"])
    connection["extra"] |= {
        "discovery_token": signature.token,
        "discovery_access_key": signature.access_key,
        "discovery_access_secret": signature.access_secret,
    }
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO_DEFAULT", json.dumps(connection))
    missing = {
        "pagination": {"page": 1, "per_page": 1000, "count": 0, "total_pages": 1, "total_count": 0},
        "reports": [],
    }
    studio_workspace.control.add_fault("status", path="/batch/.*/reports", status=200, body=missing, times=None)
    ran = run("studio_discovery_cross_check")
    assert (ran.tasks["inventory"], ran.tasks["agree"]) == ("success", "failed")
    assert ran.xcom("inventory")["cross_check"]["only_in_one"]["count"] == 2


@pytest.mark.parametrize("newer", [0, 1])
def test_of_several_events_in_any_order_the_newest_is_used(newer: int) -> None:
    """An event of `StudioRunReportOperator` has its run directly, a watcher's in its payload."""
    newest = DagBag(dag_folder=str(DAGS / "studio_report_ran.py")).dags["studio_report_ran"].get_task("newest")
    extras = [{"run": "0a1b2c3d4e5f"}, {"payload": {"run": "1b2c3d4e5f60"}}]
    events = [SimpleNamespace(extra=extra, timestamp=int(number == newer)) for number, extra in enumerate(extras)]
    run = newest.python_callable(triggering_asset_events=defaultdict(lambda: events))
    assert run == {"run": ["0a1b2c3d4e5f", "1b2c3d4e5f60"][newer]}
