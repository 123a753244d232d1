# SPDX-License-Identifier: Apache-2.0
"""Samples and example DAGs in runs without a logical date, as an asset, a person or the API starts them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2.meta
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, BaseOperator

from airflow_provider_studio.emulator import StudioEmulator
from tests.airflow_in_process import run_dag
from tests.connections import connection_of
from tests.docs.pages import ROOT, blocks

NEED_A_DATE = {
    "ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz", "logical_date", "data_interval_start",
    "data_interval_end", "prev_data_interval_start_success", "prev_data_interval_end_success",
}  # fmt: skip
"""Airflow's template variables that a run without a logical date does not have."""


def templates(value: Any) -> Iterator[str]:
    """Yield the texts in a value of a template field."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from templates(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from templates(part)


def undated(dag: DAG) -> list[str]:
    """Return the template fields of a DAG that fail without a logical date."""
    environment = dag.get_template_env()
    return [
        f"{task.task_id}.{name}: {text}"
        for task in dag.tasks
        if isinstance(task, BaseOperator)
        for name in task.template_fields
        for text in templates(getattr(task, name, None))
        if jinja2.meta.find_undeclared_variables(environment.parse(text)) & NEED_A_DATE
    ]


def sampled(texts: Iterable[str], dag_id: str) -> list[DAG]:
    """Run blocks of Python that make DAGs and tasks, and return the DAGs; the first has the tasks without a DAG."""
    names: dict[str, Any] = {"__name__": "a_page"}
    with DAG(dag_id) as loose:
        for text in texts:
            tree = ast.parse(text)
            for node in ast.walk(tree):
                if isinstance(node, ast.With) and node.items[0].optional_vars is None:
                    node.items[0].optional_vars = ast.Name(f"dag_{node.lineno}", ast.Store())
            exec(compile(ast.fix_missing_locations(tree), dag_id, "exec"), names)
    return [loose, *(value for value in names.values() if isinstance(value, DAG))]


def test_a_field_that_needs_a_date_is_found() -> None:
    with DAG("needs_a_date") as dag:
        task = BaseOperator(task_id="a")
        task.template_fields = ("where",)
        task.where = {"a": ["{{ ds }}", "{{ dag_run.run_after | ds }}"]}
    assert undated(dag) == ["a.where: {{ ds }}"]


def test_no_example_dag_needs_a_logical_date() -> None:
    dags = DagBag(dag_folder=str(ROOT / "dags")).dags
    assert dags
    assert [text for dag in dags.values() for text in undated(dag)] == []


@pytest.mark.parametrize(
    "name", ["events.md", "reports.md", "migrating.md", "archive-now.md", "offboarding.md", "schedules.md"]
)
def test_no_sample_needs_a_logical_date(
    name: str, emulator: StudioEmulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = [block.text for block in blocks(ROOT / "docs" / name, "python") if re.search(r"(DAG|or)\(", block.text)]
    dags = sampled(texts, f"dates_of_{name}")
    assert sum(len(dag.tasks) for dag in dags)
    assert [text for dag in dags for text in undated(dag)] == []


@pytest.mark.slow
def test_the_first_sample_of_events_runs_without_a_date(
    emulator: StudioEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO_DEFAULT", connection_of(emulator))
    monkeypatch.setenv("AIRFLOW__STUDIO__RATE_LIMIT_URL", "memory://")
    report = emulator.control.add_report(name="Orders", next_runtime_seconds=0.2, form={"day": []})
    block = blocks(ROOT / "docs" / "events.md", "python")[0]
    _, dag = sampled([block.text.replace("0a1b2c3d4e5f", report)], "first_of_events")
    assert run_dag(dag, dated=False).state == "success"
    day = emulator.control.state()["reports"][report]["runs_started"][0]["parameters"]["day"]
    assert day == datetime.now(UTC).date().isoformat()
