# SPDX-License-Identifier: Apache-2.0
"""The command `example-dags`, and `airflow studio` in a real Airflow command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_studio.__main__ import main
from tests.docs.pages import ROOT


def test_every_example_dag_has_a_title(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["example-dags", "--output", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["dag"] for row in rows} == {path.stem for path in (ROOT / "dags").glob("*.py")}
    assert all(row["what"] for row in rows)


def test_a_copy_keeps_a_file_that_exists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "studio_undo.py").write_text("mine")
    arguments = ["--copy-to", str(tmp_path), "--only", "studio_undo,studio_owner_digest", "--output", "json"]
    assert main(["example-dags", *arguments]) == 0
    assert {row["dag"]: row["copied"] for row in json.loads(capsys.readouterr().out)} == {
        "studio_owner_digest": "yes",
        "studio_undo": "no: the file exists",
    }
    assert (tmp_path / "studio_undo.py").read_text() == "mine"
    assert (tmp_path / "studio_owner_digest.py").read_text() == (ROOT / "dags" / "studio_owner_digest.py").read_text()


def test_a_dag_that_is_no_example_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["example-dags", "--only", "studio_do"]) == 1
    assert "--only names studio_do, which is no example DAG. The example DAGs are studio_" in capsys.readouterr().err


@pytest.mark.slow
def test_airflow_has_the_commands_and_standard_output_holds_only_the_table(tmp_path: Path) -> None:
    ran = subprocess.run(
        [Path(sys.executable).with_name("airflow"), "studio", "example-dags", "--output", "json"],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    assert json.loads(ran.stdout)
