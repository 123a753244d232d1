# SPDX-License-Identifier: Apache-2.0
"""One DAG governs several workspaces, and keeps their budgets, files, pages and audits apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from upath import UPath

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.plans.audit import ActionState, Audit
from airflow_provider_studio.governance.plans.audit import workspaces as workspaces_in
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from tests.airflow_in_process import Ran, run_dag
from tests.connections import connection_fields, connection_of
from tests.operators.approvals import ALL, REJECT, Answered
from tests.operators.test_governance_operators import LONG_AGO

DAG_FILE = Path(__file__).parents[1] / "dags" / "studio_many_workspaces.py"
WORKSPACES = ("alpha", "beta", "gamma", "delta", "omega")
REJECTED, LOCKED_OUT, CLEAN = "beta", "gamma", "delta"


class AnsweredByWorkspace(Answered):
    """A person approves the plans of all workspaces but one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[ALL], **options)

    def execute(self, context: Any) -> Any:
        self.choices = [REJECT] if self.plan["workspace"] == REJECTED else [ALL]
        return super().execute(context)


@pytest.fixture
def workspaces() -> Iterator[dict[str, StudioEmulator]]:
    """Five workspaces with a dead Report each, except one, which has new Reports only."""
    with ExitStack() as stack:
        running = {name: stack.enter_context(StudioEmulator(name, reports=0, seed=7)) for name in WORKSPACES}
        for name, emulator in running.items():
            emulator.control.add_report(name=f"New in {name}")
            if name != CLEAN:
                emulator.control.add_report(name=f"Dead in {name}", **LONG_AGO)
        yield running


@pytest.fixture
def ran(workspaces: dict[str, StudioEmulator], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ran:
    """The DAG's run; the token of one workspace is wrong."""
    for name, emulator in workspaces.items():
        connection = connection_of(emulator)
        if name == LOCKED_OUT:
            connection = json.dumps({**connection_fields(emulator), "password": "wrong"})
        monkeypatch.setenv(f"AIRFLOW_CONN_STUDIO_{name.upper()}", connection)
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", f"file://{tmp_path}/studio")
    monkeypatch.setenv("AIRFLOW__STUDIO__RATE_LIMIT_URL", f"sqlite:///{tmp_path}/ratelimit.db")
    monkeypatch.setenv("AIRFLOW_VAR_STUDIO_CONNECTIONS", json.dumps([f"studio_{name}" for name in WORKSPACES]))
    monkeypatch.setattr("airflow_provider_studio.StudioApprovePlanOperator", AnsweredByWorkspace, raising=False)
    dag = DagBag(dag_folder=str(DAG_FILE)).dags["studio_many_workspaces"]
    for task in dag.tasks:
        task.retries = 0
    dag.get_task("workspace.apply").max_share = 1.0  # a workspace has two Reports, and one is archived
    return run_dag(dag)


@pytest.mark.slow
def test_each_workspace_has_its_own_night(ran: Ran, workspaces: dict[str, StudioEmulator], tmp_path: Path) -> None:
    storage = UPath(tmp_path / "studio")
    applied = dict(zip(WORKSPACES, ran.mapped["workspace.apply"], strict=True))
    assert applied == {
        "alpha": "success",
        REJECTED: "skipped",
        LOCKED_OUT: "upstream_failed",
        CLEAN: "skipped",
        "omega": "success",
    }
    for name, emulator in workspaces.items():
        archived = [one["name"] for one in emulator.control.state()["reports"].values() if one["archived"]]
        assert archived == ([f"Dead in {name}"] if applied[name] == "success" else [])
        snapshots = SnapshotStore(storage, name).all()
        assert len(snapshots) == (name != LOCKED_OUT)
        audit = Audit(storage, name)
        states = [one.state for plan in audit.headers() for one in audit.action_statuses(plan.plan_id)]
        done = {"success": [ActionState.DONE]}.get(applied[name], [])
        assert states == ([ActionState.PROPOSED] if name == REJECTED else done)
        requests = emulator.control.requests_summary()["requests"]
        assert {one["path"].split("/")[2] for one in requests} <= {name, "verify"}
    assert workspaces_in(storage) == sorted(set(WORKSPACES) - {LOCKED_OUT})
