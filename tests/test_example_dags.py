# SPDX-License-Identifier: Apache-2.0
"""The weekly example DAGs as Airflow runs them, against the emulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from upath import UPath

from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.testing import StudioTestWorkspace, assert_archived, assert_schedule_deleted
from tests.airflow_in_process import Ran, run_dag
from tests.governance.inventory.test_discovery import minted
from tests.smtp_server import smtp_server

DAGS = Path(__file__).parents[1] / "dags"
pytestmark = pytest.mark.studio(speed=0)


def run(name: str, **conf: Any) -> Ran:
    dag = DagBag(dag_folder=str(DAGS / f"{name}.py")).dags[name]
    return run_dag(dag, conf)


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


def test_with_no_schedule_to_clean_up_nobody_is_asked(
    studio_workspace: StudioTestWorkspace, studio_connection: str
) -> None:
    studio_workspace.report("Needed").scheduled()
    ran = run("studio_schedule_cleanup")
    assert (ran.state, ran.tasks["approve"], ran.tasks["apply"]) == ("success", "skipped", "skipped")


def test_owners_are_told_by_mail_what_the_newest_plan_would_archive(
    studio_workspace: StudioTestWorkspace, studio_connection: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_studio import settings
    from airflow_provider_studio.hooks.studio import StudioHook

    studio_workspace.report("Nobody opens this")
    studio_workspace.snapshot_taken(days_ago=100)
    studio_workspace.snapshot_taken(days_ago=0)
    policy = StalenessPolicy(unviewed_days=90)
    plan = make_plan(settings.storage(), "acme", policy, client=StudioHook().client, now=studio_workspace.control.clock)
    assert plan.reports
    plan.write(settings.storage())
    with smtp_server() as (port, messages):
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": "studio@example.com"}
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        ran = run("studio_owner_digest")
    assert ran.state == "success"
    (message,) = messages
    assert "Nobody opens this" in message.get_body().get_content()


def test_two_sources_that_agree_pass_and_two_that_do_not_fail(
    studio_workspace: StudioTestWorkspace, studio_connection: str, monkeypatch: pytest.MonkeyPatch, tmp_path: UPath
) -> None:
    import os

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
    ran = run("studio_discovery_cross_check")
    assert (ran.state, ran.xcom("agree")) == ("success", {})
    missing = {
        "pagination": {"page": 1, "per_page": 1000, "count": 0, "total_pages": 1, "total_count": 0},
        "reports": [],
    }
    studio_workspace.control.add_fault("status", path="/batch/.*/reports", status=200, body=missing, times=None)
    assert run("studio_discovery_cross_check").tasks["agree"] == "failed"
