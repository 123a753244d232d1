# SPDX-License-Identifier: Apache-2.0
"""The names that users import: from the package itself, each documented, with every parameter written out."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator
from airflow.providers.standard.operators.hitl import HITLOperator

import airflow_provider_studio
from tests.docs.pages import PAGES, ROOT, blocks

NAMES = {
    "GuardRails",
    "StalenessPolicy",
    "StudioApplyPlanOperator",
    "StudioApprovePlanOperator",
    "StudioArchiveReportsOperator",
    "StudioBeginInventoryOperator",
    "StudioClient",
    "StudioDatasetRunSensor",
    "StudioDeleteSchedulesOperator",
    "StudioExportReportRunOperator",
    "StudioFinishInventoryOperator",
    "StudioHook",
    "StudioInventoryOperator",
    "StudioNightSummaryOperator",
    "StudioOwnersNotifier",
    "StudioPlanNotifier",
    "StudioPlanOperator",
    "StudioPlanRetentionOperator",
    "StudioReadInventoryPartOperator",
    "StudioRefreshReportsOperator",
    "StudioReportFreshnessSensor",
    "StudioReportOnTimeSensor",
    "StudioReportRanTrigger",
    "StudioReportRunSensor",
    "StudioReportTablesOperator",
    "StudioRetryPolicy",
    "StudioRunDatasetOperator",
    "StudioRunReportOperator",
    "StudioSnapshotRetentionOperator",
    "StudioUnarchiveReportsOperator",
    "StudioUndoPlanOperator",
    "StudioUpdateReportOperator",
    "create_asset",
}
PUBLIC_MODULES = [
    "assets",
    "client.client",
    "client.errors",
    "client.models",
    "emulator",
    "governance.errors",
    "governance.execution.guard_rails",
    "governance.plans.policy",
    "hooks.studio",
    "notifications",
    "operators.approval",
    "operators.datasets",
    "operators.housekeeping",
    "operators.inventory",
    "operators.mapped_inventory",
    "operators.one_off",
    "operators.plans",
    "operators.refresh",
    "operators.report_tables",
    "operators.reports",
    "operators.summary",
    "retries",
    "sensors.datasets",
    "sensors.reports",
    "testing",
    "triggers.reports",
]
TASKS = sorted(name for name in NAMES if name.endswith(("Operator", "Sensor")))


def test_the_public_names_are_these() -> None:
    assert set(airflow_provider_studio.__all__) == NAMES
    assert set(dir(airflow_provider_studio)) >= NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_public_name_is_imported_from_the_package_and_documented(name: str) -> None:
    found = getattr(airflow_provider_studio, name)
    assert (found.__doc__ or "").strip()
    assert found.__name__ in importlib.import_module(found.__module__).__all__


def test_type_checkers_know_the_same_names_in_the_same_modules() -> None:
    tree = ast.parse(Path(airflow_provider_studio.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    known = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert known == {name: getattr(airflow_provider_studio, name).__module__ for name in NAMES}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'airflow_provider_studio' has no attribute 'StudioRunReport'"):
        airflow_provider_studio.StudioRunReport  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'StudioRunReport'"):
        from airflow_provider_studio import StudioRunReport  # noqa: F401


def test_importing_the_package_loads_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import airflow_provider_studio; print(set(sys.modules) - before)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = {module.partition(".")[0] for module in ast.literal_eval(shown)}
    assert not loaded & {"airflow", "requests", "duckdb", "fastapi", "pydantic", "redis"}
    assert {module for module in ast.literal_eval(shown) if module.startswith("airflow_provider")} == {
        "airflow_provider_studio"
    }


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_a_public_module_lists_its_names(module: str) -> None:
    loaded = importlib.import_module(f"airflow_provider_studio.{module}")
    assert sorted(loaded.__all__) == sorted(set(loaded.__all__))
    assert [name for name in loaded.__all__ if not hasattr(loaded, name)] == []


def documented(task: type[Any]) -> set[str]:
    return set(re.findall(r"^\s*:param (\w+):", task.__doc__ or "", re.MULTILINE))


def written_out(task: type[Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters in the signature of a class; the rest is Airflow's own."""
    parameters = dict(inspect.signature(task.__init__).parameters)
    return {name: one for name, one in parameters.items() if name != "self" and one.kind is one.KEYWORD_ONLY}


@pytest.mark.parametrize("name", TASKS)
def test_every_parameter_of_a_task_is_written_out(name: str) -> None:
    task = getattr(airflow_provider_studio, name)
    assert issubclass(task, BaseOperator)
    computed = set(HITLOperator.template_fields) if issubclass(task, HITLOperator) else set()
    parameters = set(written_out(task))
    assert set(task.template_fields) - computed <= parameters
    assert documented(task) <= parameters
    # A base class of ours hides nothing behind **kwargs.
    ours = [one for one in task.__mro__ if one.__module__.startswith("airflow_provider_studio.")]
    assert {parameter for base in ours for parameter in written_out(base)} <= parameters


@pytest.mark.parametrize("name", TASKS)
def test_every_parameter_of_a_task_is_documented(name: str) -> None:
    task = getattr(airflow_provider_studio, name)
    inherited = documented(airflow_provider_studio.StudioApplyPlanOperator)
    refers = "`StudioApplyPlanOperator` documents the other" in " ".join((task.__doc__ or "").split())
    assert set(written_out(task)) - (inherited if refers else set()) <= documented(task)


def sources() -> Iterator[tuple[str, str]]:
    """Yield the example DAGs and the samples of the documentation, each with its name."""
    for path in sorted((ROOT / "dags").glob("*.py")):
        yield path.name, path.read_text(encoding="utf-8")
    for page in PAGES:
        for block in blocks(page, "python"):
            yield f"{page.name}:{block.line}", block.text


@pytest.mark.parametrize(("source", "text"), sources(), ids=lambda value: value if "\n" not in value else "")
def test_examples_import_public_names_from_the_package(source: str, text: str) -> None:
    deep = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airflow_provider_studio.")
        for alias in node.names
        if alias.name in NAMES
    ]
    assert deep == []
