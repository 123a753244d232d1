# SPDX-License-Identifier: Apache-2.0
"""The example DAGs parse without a connection, and the provider's Airflow modules import nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_studio

DAGS = Path(__file__).parents[1] / "dags"
HEAVY = {"requests", "urllib3.connectionpool", "duckdb", "fastapi", "redis", "tenacity"}
PACKAGE = Path(airflow_provider_studio.__file__).parent
MODULES = [
    f"airflow_provider_studio.{path.relative_to(PACKAGE).with_suffix('').as_posix().replace('/', '.')}"
    for folder in ("operators", "sensors", "triggers", "hooks", ".")
    for path in sorted((PACKAGE / folder).glob("[!_]*.py"))
    if path.name != "testing.py"
] + ["airflow_provider_studio.plugin.airflow_plugin"]


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
            waits_for_a_person = getattr(task, "response_timeout", None)
            assert task.retries >= 1
            assert task.execution_timeout or waits_for_a_person, f"{dag.dag_id}.{task.task_id} has no bound"


def test_nothing_destructive_happens_before_the_approval(bag: Any) -> None:
    dag = bag.dags["studio_nightly_governance"]
    assert dag.params["approval"] is True
    assert dag.get_task("approve").downstream_task_ids == {"apply"}
    assert dag.get_task("approve").defaults == ["Reject"]
    assert dag.get_task("approve").options == ["Approve all", "Approve schedules only", "Reject"]
    assert "approve" in dag.get_task("decide").downstream_task_ids


BASE = """
import sys, pendulum
import airflow.sdk, airflow.providers.common.compat.sdk as s
from airflow.providers.standard.operators import hitl, python
(s.BaseHook, s.BaseOperator, s.BaseSensorOperator, s.BaseOperatorLink, s.XCom, s.Asset, s.AssetAlias, s.conf,
 s.AirflowFailException, s.AirflowNotFoundException, s.Variable)
"""
"""The modules that Airflow loads for any DAG file with an operator."""


def loaded_by(steps: dict[str, str]) -> dict[str, set[str]]:
    """Return the modules that each step loads in a new interpreter, beyond Airflow and the earlier steps."""
    script = f"""{BASE}
import json
found, seen = {{}}, set(sys.modules)
for name, code in {steps!r}.items():
    exec(code, {{}})
    found[name] = sorted(set(sys.modules) - seen)
    seen |= set(sys.modules)
print(json.dumps(found))
"""
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name: set(modules) for name, modules in json.loads(shown.stdout.splitlines()[-1]).items()}


def test_importing_our_modules_loads_nothing_heavy() -> None:
    for module, loaded in loaded_by({module: f"import {module}" for module in MODULES}).items():
        assert not loaded & HEAVY, module
        assert not [name for name in loaded if "emulator" in name], module


def test_parsing_the_dags_loads_nothing_heavy() -> None:
    # With the first asset, Airflow loads the asset modules of all installed providers.
    steps = {"any asset": "from airflow.sdk import Asset; Asset('warehouse://host/table')"}
    steps |= {path.name: f"exec(open({str(path)!r}).read())" for path in sorted(DAGS.glob("*.py"))}
    for name, loaded in list(loaded_by(steps).items())[1:]:
        assert not loaded & HEAVY, name
        assert not [module for module in loaded if module.startswith("airflow_provider_studio.client.transport")], name
