# SPDX-License-Identifier: Apache-2.0
"""One cell of the matrix: an environment, its installation, and the results of its tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
EXTRAS = ("redis", "emulator", "lineage")
TEST_TOOLS = ("pytest", "jsonschema", "psutil", "statsd", "wtforms", "openlineage-integration-common")
OPENLINEAGE = "apache-airflow-providers-openlineage"
COPIED = ("tests", "dags", "docs", "pyproject.toml")
SUBSET = (
    "tests/test_provider_info.py",
    "tests/client/test_tls.py",
    "tests/governance/planning/test_sql_condition.py",
    "tests/governance/test_sql.py",
    "tests/hooks/test_studio_hook.py",
    "tests/plugin/test_hostile_folders.py",
    "tests/governance/lineage/test_corpus.py",
    "tests/operators/test_lineage.py",
    "tests/operators/test_operators.py::test_a_night_from_inventory_to_undo",
    "tests/operators/test_operators.py::test_the_inventory_emits_an_asset_event",
    "tests/operators/test_operators.py::test_a_report_is_run_awaited_exported_and_linked",
)
AIRFLOW_BREAKS_WITH = {"3.2": ("fastapi<0.137", "svcs<26.2")}
"""Packages that break the newest Airflow of a line although it allows them; its official constraints exclude them.

Since 0.137 FastAPI stores routes where cadwyn does not find them, so the task API does not start; Airflow 3.3 excludes
these versions. Since 26.2 svcs deletes the registry of an app whose lifespan ends, and in `dag.test()` it ends
immediately, because Airflow keeps no reference to it; 3.3 does.
"""
UNSUPPORTED = {("3.1", "3.14")}
"""Airflow 3.1 excludes Python 3.14 (as `!=3.14`, which installers read as 3.14.0 only) and fails on it."""
_TIMEOUT_SECONDS = 900


@dataclass(frozen=True)
class Outcome:
    """The result of a cell.

    :param airflow: the exact version that was installed.
    :param summary: the last line of the tests' output, or of the error.
    """

    airflow: str
    passed: bool
    summary: str
    seconds: float


class CellError(RuntimeError):
    """A step of a cell failed; the message has the end of its output."""


def find_python(version: str) -> Path | None:
    """Return the interpreter of a version, from the PATH or pyenv."""
    on_path = shutil.which(f"python{version}")
    of_pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    for found in (*reversed(of_pyenv), *([Path(on_path)] if on_path else [])):
        completed = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
        if completed.stdout.startswith(f"Python {version}."):
            return found
    return None


def build_wheel(folder: Path) -> Path:
    """Build the wheel that every cell installs."""
    argv = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "wheel"), str(ROOT)]
    subprocess.run(argv, check=True, capture_output=True)
    return next((folder / "wheel").glob("*.whl"))


class Cell:
    """One Airflow, one Python, and dependencies of one age.

    :param folder: its folder; emptied first.
    :param airflow: `3.2` for the newest release of that line, or an exact version.
    :param age: `lowest` or `newest` direct dependencies.
    """

    def __init__(self, folder: Path, airflow: str, interpreter: Path, age: str, wheel: Path) -> None:
        self.folder = folder
        self._airflow = airflow if airflow.count(".") == 2 else f"{airflow}.*"
        self._interpreter, self._age, self._wheel = interpreter, age, wheel
        self._python = folder / "venv" / "bin" / "python"

    def run(self) -> Outcome:
        """Install and test; return the result without raising."""
        began, version = time.monotonic(), self._airflow
        try:
            self._install()
            version = self._call([self._python, "-m", "airflow", "version"]).strip().splitlines()[-1]
            summary, passed = self._test()
        except CellError as error:
            summary, passed = str(error), False
        return Outcome(version, passed, summary, time.monotonic() - began)

    def call_inside(self, packages: tuple[str, ...], *arguments: str) -> str:
        """Install with more packages, and run Python in the environment; return its output.

        :raises CellError: it failed.
        """
        self._install(packages)
        self._copy()
        return self._call([self._python, *arguments])

    def remove(self) -> None:
        """Delete its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _install(self, packages: tuple[str, ...] = ()) -> None:
        self.remove()
        self.folder.mkdir(parents=True)
        line = ".".join(self._airflow.split(".")[:2])
        constraints = (f"apache-airflow=={self._exact_airflow()}", *AIRFLOW_BREAKS_WITH.get(line, ()))
        (self.folder / "airflow.txt").write_text("\n".join(constraints), encoding="utf-8")
        pins = self.folder / "pins.txt"
        resolve = [UV, "pip", "compile", "--quiet", "--only-binary", ":all:", "--python", self._interpreter]
        resolve += ["--resolution", "lowest-direct" if self._age == "lowest" else "highest"]
        resolve += [part for extra in EXTRAS for part in ("--extra", extra)]
        more = self.folder / "more.txt"
        more.write_text("\n".join(packages), encoding="utf-8")
        self._call([*resolve, "-c", self.folder / "airflow.txt", ROOT / "pyproject.toml", more, "-o", pins])
        self._call([UV, "venv", "--quiet", "--python", self._interpreter, self.folder / "venv"])
        install = [UV, "pip", "install", "--quiet", "--only-binary", ":all:", "--python", self._python]
        official = [OPENLINEAGE] if self._age == "newest" else []
        self._call([*install, "-r", pins, *TEST_TOOLS, *official])
        self._call([*install, "--no-deps", self._wheel])

    def _exact_airflow(self) -> str:
        """Return the newest Airflow of the line, independent of the age of the other dependencies."""
        requirement = self.folder / "line.txt"
        requirement.write_text(f"apache-airflow=={self._airflow}\n", encoding="utf-8")
        resolve = [
            UV,
            "pip",
            "compile",
            "--quiet",
            "--no-annotate",
            "--no-deps",
            "--python",
            self._interpreter,
            requirement,
        ]
        return self._call(resolve).strip().rpartition("==")[2]

    def _test(self) -> tuple[str, bool]:
        self._copy()
        argv = [self._python, "-m", "pytest", "-q", "--no-header", "-W", "ignore", *SUBSET]
        output = self._call(argv, check=False)
        (self.folder / "pytest.log").write_text(output, encoding="utf-8")
        failures = re.findall(r"^(?:FAILED|ERROR) \S*::(\S+)", output, re.MULTILINE)
        last = output.strip().splitlines()[-1] if output.strip() else "no output"
        summary = re.sub(r"(, \d+ warnings?)? in .*", "", last)
        return (f"{summary}: {', '.join(failures)}" if failures else summary), not failures and "passed" in summary

    def _copy(self) -> None:
        """Copy the tests next to the environment, so that they import the installed wheel."""
        for name in COPIED:
            source = ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, self.folder / name)  # type: ignore[operator]

    def _call(self, argv: list[str | Path], *, check: bool = True) -> str:
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON", "PYTEST"))
        }
        environment = {**clean, "UV_PYTHON_DOWNLOADS": "never", "AIRFLOW_HOME": str(self.folder / "home")}
        done = subprocess.run(
            list(map(str, argv)),
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
        if check and done.returncode:
            lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()] or ["no output"]
            raise CellError(f"{' '.join(map(str, argv[:3]))} failed: {lines[-1].strip()}".replace("|", "/"))
        return done.stdout
