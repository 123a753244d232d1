# SPDX-License-Identifier: Apache-2.0
"""The provider's metadata is valid in Airflow's schema, and every path in it can be imported."""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from airflow.sdk import BaseOperator

from airflow_provider_studio.get_provider_info import get_provider_info
from airflow_provider_studio.governance.plans.deployment_limits import LIMITS

INFO = get_provider_info()


def test_it_fits_airflows_own_schema() -> None:
    schema = json.loads((files("airflow") / "provider_info.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(INFO, schema)


def test_it_is_plain_json() -> None:
    assert json.loads(json.dumps(INFO)) == INFO


def test_airflow_finds_it_by_its_entry_point() -> None:
    points = entry_points(group="apache_airflow_provider", name="provider_info")
    assert get_provider_info in [point.load() for point in points]


def paths(value: Any) -> list[str]:
    """Return every dotted path of this package in a structure."""
    if isinstance(value, dict):
        return [path for item in value.values() for path in paths(item)]
    if isinstance(value, list):
        return [path for item in value for path in paths(item)]
    return [value] if isinstance(value, str) and value.startswith("airflow_provider_studio.") else []


@pytest.mark.parametrize("path", paths(INFO))
def test_every_path_in_it_can_be_imported(path: str) -> None:
    try:
        importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name)


MODULES = [module for kind in ("operators", "sensors") for group in INFO[kind] for module in group["python-modules"]]


@pytest.mark.parametrize("module", MODULES)
def test_rendered_mappings_are_shown_as_json(module: str) -> None:
    loaded = importlib.import_module(module)
    for name, task in inspect.getmembers(loaded, inspect.isclass):
        if task.__module__ == module and issubclass(task, BaseOperator):
            shown = task.template_fields_renderers
            assert set(shown) <= set(task.template_fields), name
            mappings = {
                parameter.name
                for parameter in inspect.signature(task).parameters.values()
                if "Mapping" in str(parameter.annotation)
            }
            as_json = {field for field, kind in shown.items() if kind == "json"}
            assert as_json >= mappings & {*task.template_fields}, name


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_airflow_knows_the_provider_its_form_its_links_and_its_settings() -> None:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    assert "airflow-provider-studio" in manager.providers
    assert manager.hooks["studio"].hook_name == INFO["connection-types"][0]["hook-name"]  # type: ignore[union-attr]
    assert "airflow_provider_studio.links.StudioReportRunLink" in manager.extra_links_class_names
    assert "studio" in dict(manager.asset_uri_handlers)
    assert set(dict(manager.provider_configs)["airflow-provider-studio"]["studio"]["options"]) == {
        "storage_path",
        "rate_limit_url",
        "max_response_mb",
        "max_download_mb",
        "workspace_teams",
        "signing_key",
        "accept_unsigned",
        *LIMITS,
    }


@pytest.mark.parametrize(
    ("uri", "spelled"),
    [
        ("studio://acme/reports/0a1b2c3d4e5f", "studio://acme/reports/0a1b2c3d4e5f"),
        ("studio://acme/reports/0a1b2c3d4e5f/", "studio://acme/reports/0a1b2c3d4e5f"),
        ("studio://acme/inventory", "studio://acme/inventory"),
    ],
)
def test_assets_have_one_spelling(uri: str, spelled: str) -> None:
    from airflow.sdk import Asset

    assert Asset(uri).uri == spelled


@pytest.mark.parametrize("uri", ["studio://acme", "studio:///reports/x", "studio://acme/reports", "studio://acme/x/y"])
def test_a_uri_that_is_not_an_asset_of_studio_is_refused(uri: str) -> None:
    from urllib.parse import urlsplit

    from airflow_provider_studio.assets import sanitize_uri

    with pytest.raises(ValueError, match="a Studio asset is studio://"):
        sanitize_uri(urlsplit(uri))


def test_assets_are_made_by_name() -> None:
    from airflow_provider_studio.assets import create_asset

    assert create_asset(workspace="acme").uri == "studio://acme/inventory"
    assert create_asset(workspace="acme", report="0a1b2c3d4e5f").uri == "studio://acme/reports/0a1b2c3d4e5f"


def test_reading_it_imports_nothing_else_of_ours() -> None:
    code = (
        "import sys; from airflow_provider_studio.get_provider_info import get_provider_info; get_provider_info();"
        "print([name for name in sys.modules if name.startswith(('airflow', 'requests', 'pydantic'))])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(eval(shown)) == {"airflow_provider_studio", "airflow_provider_studio.get_provider_info"}
