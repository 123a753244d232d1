# SPDX-License-Identifier: Apache-2.0
"""The reference, written from the code while the site is built, so that it cannot fall behind it.

Pages that the navigation does not name yet are put where they belong: records of decisions under *Explanation*, any
other page among the how-to guides.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any

from airflow.sdk import BaseOperator
from airflow.triggers.base import BaseTrigger
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel

import airflow_provider_studio
from airflow_provider_studio.client.errors import StudioError
from airflow_provider_studio.get_provider_info import get_provider_info
from airflow_provider_studio.governance.execution.apply import ApplySummary
from airflow_provider_studio.governance.execution.undo import UndoSummary
from airflow_provider_studio.governance.inventory.summary import InventorySummary
from airflow_provider_studio.governance.snapshots import rolling_history, schema

PACKAGE = airflow_provider_studio.__name__
DOCS = Path(__file__).parents[1]
# The modules with public names; each lists them in its `__all__`, and nothing else is documented.
GROUPS = {
    "Operators": (
        "operators.reports",
        "operators.datasets",
        "operators.inventory",
        "operators.mapped_inventory",
        "operators.plans",
        "operators.approval",
        "operators.one_off",
        "operators.housekeeping",
        "operators.summary",
    ),
    "Sensors": ("sensors.reports", "sensors.datasets", "sensors.on_time"),
    "Triggers": ("triggers.reports",),
    "Hook, assets, notifiers": ("hooks.studio", "assets", "notifications", "retries"),
    "Client": ("client.client", "client.models", "client.errors"),
    "Governance": ("governance.plans.policy", "governance.execution.guard_rails", "governance.errors"),
    "Tests and emulator": ("testing", "emulator"),
}

_OPTIONS = {f"{PACKAGE}.client.client.StudioClient": "\n    options:\n      inherited_members: true"}
"""Options of single objects: the client inherits most of its methods."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the navigation with what is generated and with pages that it does not name."""
    sections = {title: value for entry in config.nav or [] for title, value in entry.items()}
    named = str(config.nav)
    for path in sorted(DOCS.glob("*.md")):
        if path.name not in named:
            sections["How-to guides"].append({_title(path): path.name})
    records = [{_title(path): f"adr/{path.name}"} for path in sorted((DOCS / "adr").glob("*.md"))]
    if records:
        sections["Explanation"].append({"Decisions": records})
    generated = [{title: uri} for uri, (title, _) in _pages().items()]
    sections["Reference"][:0] = generated
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for uri, (_, text) in _pages().items():
        files.append(File.generated(config, uri, content=text))
    return files


def _title(path: Path) -> str:
    return path.read_text(encoding="utf-8").split("\n", 1)[0].lstrip("# ") if path.suffix == ".md" else path.stem


def _pages() -> dict[str, tuple[str, str]]:
    pages = {
        "reference/settings.md": ("Settings and metrics", _settings()),
        "reference/files.md": ("Files", _files()),
        "reference/xcoms.md": ("XComs and events", _xcoms()),
        "reference/errors.md": ("Errors", _errors()),
    }
    for title, modules in GROUPS.items():
        text = "\n\n".join(f"::: {path}{_OPTIONS.get(path, '')}" for module in modules for path in _public(module))
        pages[f"reference/{title.split(',')[0].split()[0].lower()}.md"] = (title, f"# {title}\n\n{text}\n")
    return pages


def _public(module: str) -> Iterator[str]:
    """Yield the paths of a module's public names. A package re-exports them, so it is the place where they are."""
    loaded = importlib.import_module(f"{PACKAGE}.{module}")
    for name in loaded.__all__:
        yield f"{getattr(getattr(loaded, name), '__module__', loaded.__name__)}.{name}"


def _module_names() -> list[str]:
    """Return every module of ours by its name within the package; packages themselves hold nothing."""
    found = pkgutil.walk_packages(airflow_provider_studio.__path__, f"{PACKAGE}.")
    return sorted(one.name.removeprefix(f"{PACKAGE}.") for one in found if not one.ispkg)


def _modules(prefix: str) -> Iterator[ModuleType]:
    for name in _module_names():
        if name.startswith(prefix):
            yield importlib.import_module(f"{PACKAGE}.{name}")


def _classes(prefix: str, kind: type) -> list[type]:
    """Return the public classes of a kind, each once, in the order of their modules."""
    found = []
    for module in _modules(prefix):
        for _, one in inspect.getmembers(module, inspect.isclass):
            if one.__module__ == module.__name__ and issubclass(one, kind) and not one.__name__.startswith("_"):
                found.append(one)
    return found


def _settings() -> str:
    info = get_provider_info()
    lines = ["# Settings and metrics", "", "## Options of `[studio]`", ""]
    options = info["config"]["studio"]["options"]
    rows = [
        (f"`{name}`", f"`AIRFLOW__STUDIO__{name.upper()}`", one["type"], _code(one["example"]), one["description"])
        for name, one in options.items()
    ]
    lines += _table(("option", "environment variable", "type", "example", "what it is"), rows)
    lines += ["## Extras of the connection", ""]
    fields = info["connection-types"][0]["conn-fields"]
    rows = [(f"`{name}`", one["label"], _type(one["schema"]), one["description"]) for name, one in fields.items()]
    lines += _table(("field", "label", "type", "what it is"), rows)
    metrics = importlib.import_module(f"{PACKAGE}.hooks.metrics").METRICS
    lines += ["## Metrics", "", "With the tags `method`, `endpoint` and `status`.", ""]
    lines += _table(("metric", "what it is"), [(f"`{name}`", text) for name, text in metrics.items()])
    return "\n".join(lines)


def _files() -> str:
    lines = ["# Files", "", "What is written below `[studio] storage_path`, with its schema.", ""]
    for table, columns in schema.TABLES.items():
        lines += [f"## `{table}.parquet`", ""]
        rows = [(f"`{one.name}`", one.kind, one.description, one.source.name) for one in columns.values()]
        lines += _table(("column", "type", "what it is", "where it comes from"), rows)
    for name, kinds in rolling_history.KINDS.items():
        lines += [f"## `{name}.parquet`", ""]
        lines += _table(("column", "type"), [(f"`{column}`", kind) for column, kind in kinds.items()])
    for model in (one for one in _classes("governance.", BaseModel) if one.model_fields):  # type: ignore[attr-defined]
        lines += [f"## {model.__name__}", "", _summary(model), ""]
        lines += _table(("field", "type", "must be there"), _fields(model.model_json_schema()))  # type: ignore[attr-defined]
    for enumeration in _classes("governance.", StrEnum):
        lines += [f"## {enumeration.__name__}", "", _summary(enumeration), ""]
        lines += [", ".join(f"`{one.value}`" for one in enumeration), ""]  # type: ignore[attr-defined]
    return "\n".join(lines)


def _xcoms() -> str:
    lines = ["# XComs and events", "", "## What operators return", ""]
    operators = {one: _sentence(one, "eturns ") for one in _classes("operators.", BaseOperator)}
    rows = [(f"`{one.__name__}`", text[text.index("eturns ") + 7 :]) for one, text in operators.items() if text]
    lines += _table(("operator", "its XCom"), rows)
    for summary in (InventorySummary, ApplySummary, UndoSummary):
        lines += [f"### {summary.__name__}", "", _summary(summary), ""]
        lines += _table(("key", "type"), [(f"`{one.name}`", f"`{one.type}`") for one in fields(summary)])
    lines += ["## What triggers fire", ""]
    triggers = _classes("triggers.reports", BaseTrigger)
    rows = [(f"`{one.__name__}`", _sentence(one, "The event: ") or _sentence(one, "Fires ")) for one in triggers]
    lines += _table(("trigger", "its events"), rows)
    lines += ["Asset events are described in [Event-driven DAGs](../events.md).", ""]
    return "\n".join(lines)


def _fields(schema: dict[str, Any]) -> list[tuple[str, ...]]:
    required = set(schema.get("required", ()))
    found = schema.get("properties", {}).items()
    return [(f"`{name}`", _type(one), "yes" if name in required else "no") for name, one in found]


def _type(schema: dict[str, Any]) -> str:
    """Return a JSON schema's type in words."""
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"] if one is not None)
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("format") or (" or ".join(kind) if isinstance(kind, list) else kind))


def _errors() -> str:
    lines = ["# Errors", "", "Each is a kind of the one above it that its row names.", ""]
    found = [StudioError, *(one for one in _subclasses(StudioError))]
    rows = [
        (f"`{one.__name__}`", f"`{one.__mro__[1].__name__}`", "yes" if one.retry_helps else "no", _summary(one))
        for one in found
    ]
    return "\n".join([*lines, *_table(("error", "kind of", "a retry helps", "what it means"), rows)])


def _subclasses(kind: type[StudioError]) -> Iterator[type[StudioError]]:
    for module in _module_names():
        if not module.startswith(("emulator", "testing")):
            importlib.import_module(f"{PACKAGE}.{module}")
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)


def _summary(one: type) -> str:
    return " ".join((one.__doc__ or "").split("\n\n")[0].split())


def _sentence(one: type, holding: str) -> str:
    paragraphs = (inspect.getdoc(one) or "").split("\n\n")
    sentences = (text for paragraph in paragraphs for text in re.split(r"\.(?= [A-Z])", " ".join(paragraph.split())))
    return next((f"{text.removesuffix('.')}." for text in sentences if holding in text), "")


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [line(head), line(("---",) * len(head)), *(line(row) for row in rows), ""]
