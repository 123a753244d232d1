# SPDX-License-Identifier: Apache-2.0
"""The example DAG of the inventory as Airflow runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from airflow_provider_studio.testing import StudioTestWorkspace
from tests.airflow_in_process import run_dag

DAG_FILE = Path(__file__).parents[2] / "dags" / "studio_nightly_inventory.py"


@pytest.mark.studio(speed=0)
def test_it_writes_a_snapshot_reports_its_numbers_and_changes_nothing(
    studio_workspace: StudioTestWorkspace, studio_connection: str, tmp_path: Path
) -> None:
    studio_workspace.report("Revenue").scheduled()
    before = studio_workspace.control.state()
    dag = DagBag(dag_folder=str(DAG_FILE)).dags["studio_nightly_inventory"]
    ran = run_dag(dag)
    assert ran.tasks == {"inventory": "success", "summary": "success"}
    assert ran.xcom("inventory")["reports"] == 1
    assert "| Inventory | reports | 1 |" in ran.xcom("summary", "markdown")
    assert list(tmp_path.rglob("reports.parquet"))
    assert studio_workspace.control.state() == before
