# SPDX-License-Identifier: Apache-2.0
"""The map of the architecture page names the modules that exist, and each part of the package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

PACKAGE = ROOT / "airflow_provider_studio"
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROWS = [row.split(" | ") for row in re.findall(r"^\| (`.*) \|$", TEXT, re.MULTILINE)]


def paths(place: str) -> list[Path]:
    """Return the files and folders that a row's first cell names; a bare file is beside the first one."""
    names = [name.removeprefix("airflow_provider_studio/") for name in re.findall(r"`([^`]+)`", place)]
    root = ROOT if names[0] in {"dags/", "tests/"} else PACKAGE
    first = root / names[0]
    return [first, *(root / name if "/" in name else first.parent / name for name in names[1:])]


def modules(row: list[str]) -> list[Path]:
    """Return the modules that a row's second cell names, if its place is a folder."""
    place = paths(row[0])[0]
    names = re.findall(r"`([a-z_]+)`", row[1])
    return [place / name for name in names] if place.is_dir() and PACKAGE in place.parents else []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_the_map_names_exists(row: list[str]) -> None:
    assert [path for path in paths(row[0]) if not path.exists()] == []
    assert [path for path in modules(row) if not (path.is_dir() or path.with_suffix(".py").exists())] == []


@pytest.mark.parametrize("folder", ["", "governance"])
def test_the_map_names_each_part(folder: str) -> None:
    named = {path for row in ROWS for path in paths(row[0])}
    named |= {module.with_suffix(".py") for row in ROWS for module in modules(row)}
    named |= {path.parent for path in named}
    parts = [path for path in (PACKAGE / folder).iterdir() if path.suffix == ".py" or any(path.glob("*.py"))]
    missing = [path.name for path in parts if path not in named and not path.name.startswith("__")]
    assert missing == []


def test_rows_of_the_map_are_found() -> None:
    assert len(ROWS) > 20
    assert any(modules(row) for row in ROWS)
