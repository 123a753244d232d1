# SPDX-License-Identifier: Apache-2.0
"""`example-dags`: list the example DAGs, or copy them into a DAG folder."""

from __future__ import annotations

import argparse
import ast
import shutil
from pathlib import Path

from airflow_provider_studio.cli.command import command
from airflow_provider_studio.cli.output import Table
from airflow_provider_studio.client.errors import StudioConfigurationError

_PACKAGE = Path(__file__).parents[1]


@command
def run(options: argparse.Namespace) -> Table:
    """Return one row for each example DAG."""
    files = _selected(options.only)
    target = None if options.copy_to is None else Path(options.copy_to).expanduser()
    if target is not None:
        target.mkdir(parents=True, exist_ok=True)
    return Table.of(
        {"dag": file.stem, "what": _title(file), "file": str(file if target is None else target / file.name)}
        | ({} if target is None else {"copied": _copied(file, target)})
        for file in files
    )


def folder() -> Path:
    """Return the folder of the example DAGs: in the package if it was installed from a wheel, else in the checkout."""
    installed = _PACKAGE / "example_dags"
    return installed if installed.is_dir() else _PACKAGE.with_name("dags")


def _selected(names: str | None) -> list[Path]:
    files = sorted(folder().glob("studio_*.py"))
    if names is None:
        return files
    from airflow_provider_studio.operators.selection import named

    wanted = set(named("--only", names))
    unknown = wanted - {file.stem for file in files}
    if unknown:
        known = ", ".join(file.stem for file in files)
        raise StudioConfigurationError(
            f"--only names {', '.join(sorted(unknown))}, which is no example DAG. The example DAGs are {known}."
        )
    return [file for file in files if file.stem in wanted]


def _title(file: Path) -> str:
    """Return the first heading of the DAG's documentation."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].lstrip("# ")


def _copied(file: Path, target: Path) -> str:
    """Copy a file unless it exists; its owner may have changed it."""
    if (target / file.name).exists():
        return "no: the file exists"
    shutil.copyfile(file, target / file.name)
    return "yes"
