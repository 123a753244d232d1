# SPDX-License-Identifier: Apache-2.0
"""The example DAGs parse anywhere and fast, and importing the provider's Airflow modules costs next to nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).parents[1] / "dags"
HEAVY = {"requests", "urllib3.connectionpool", "duckdb", "fastapi", "redis", "tenacity"}
MODULES = [
    f"airflow_provider_studio.{name}"
    for name in (
        "operators.reports",
        "operators.governance",
        "operators.direct",
        "operators.inventory",
        "sensors.reports",
        "notifications",
        "links",
    )
] + [
    "airflow_provider_studio.hooks.studio",
    "airflow_provider_studio.assets",
    "airflow_provider_studio.plugin.airflow_plugin",
]


@pytest.fixture(scope="module")
def bag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(DAGS))


def test_every_dag_parses_without_a_connection(bag: Any) -> None:
    assert bag.import_errors == {}
    assert set(bag.dags) == {path.stem for path in DAGS.glob("*.py")}


def test_every_dag_says_what_it_does_and_bounds_its_tasks(bag: Any) -> None:
    for dag in bag.dags.values():
        assert dag.doc_md
        assert "studio" in dag.tags
        assert not dag.catchup
        assert dag.max_active_runs == 1
        for task in dag.tasks:
            waits_for_a_person = hasattr(task, "response_timeout")
            quick = task.task_type.startswith("_") or task.task_id == "plan"
            assert task.retries >= 1
            assert task.execution_timeout or waits_for_a_person or quick, task.task_id


def test_nothing_destructive_happens_before_the_approval(bag: Any) -> None:
    dag = bag.dags["studio_nightly_governance"]
    assert dag.params["approval"] is True
    assert dag.get_task("approve").downstream_task_ids == {"apply"}
    assert dag.get_task("approve").defaults == ["Reject"]
    assert dag.get_task("approve").options == ["Approve all", "Approve schedules only", "Reject"]
    assert "approve" in dag.get_task("decide").downstream_task_ids


def loaded_by(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has after running code that Airflow alone would not load."""
    script = "import sys\n{}\nprint('\\n'.join(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", script.format(code)], capture_output=True, text=True, check=True)
    return set(shown.stdout.split())


@pytest.fixture(scope="module")
def of_airflow() -> set[str]:
    """What Airflow itself loads for any DAG file with an operator in it."""
    return loaded_by("import airflow.sdk, airflow.providers.common.compat.sdk as s\n" + USED_OF_AIRFLOW)


USED_OF_AIRFLOW = (
    "s.BaseHook, s.BaseOperator, s.BaseSensorOperator, s.BaseOperatorLink, s.XCom, s.Asset, s.AssetAlias, s.conf,"
    "s.AirflowFailException, s.AirflowNotFoundException, s.Variable"
)


@pytest.mark.parametrize("module", MODULES)
def test_importing_a_module_loads_nothing_heavy(module: str, of_airflow: set[str]) -> None:
    loaded = loaded_by(f"import {module}")
    assert not (loaded - of_airflow) & HEAVY
    assert not [name for name in loaded if "emulator" in name]


def test_parsing_the_dags_loads_nothing_heavy() -> None:
    base = loaded_by("import airflow.sdk, pendulum\nfrom airflow.providers.standard.operators import hitl, python")
    for path in DAGS.glob("*.py"):
        loaded = loaded_by(f"exec(open({str(path)!r}).read())")
        assert not (loaded - base) & HEAVY
        assert not [name for name in loaded if name.startswith("airflow_provider_studio.client.transport")]
