# SPDX-License-Identifier: Apache-2.0
"""Packaging and releases: errors that name a missing extra, increasing versions, checked licences."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.compatibility.cells import SUBSET

ROOT = Path(__file__).parents[1]
TODAY = date(2026, 11, 25)


def tool(name: str) -> ModuleType:
    """Return a module of .ci, which is not a package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("missing", "code", "extra"),
    [
        ("fastapi", "import airflow_provider_studio.emulator", "emulator"),
        ("msgspec", "import airflow_provider_studio.emulator.server", "emulator"),
        ("pytest", "import airflow_provider_studio.testing", "testing"),
        (
            "redis",
            "from airflow_provider_studio.client.ratelimit.redis import RedisStore; RedisStore('redis://h')",
            "redis",
        ),
    ],
)
def test_a_missing_package_of_an_extra_is_named_with_the_extra(missing: str, code: str, extra: str) -> None:
    script = f"import sys; sys.modules[{missing!r}] = None; {code}"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert shown.returncode == 1
    assert f"pip install 'airflow-provider-studio[{extra}]'" in shown.stderr.splitlines()[-1]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "airflow_provider_studio").mkdir()
    (tmp_path / "airflow_provider_studio" / "__init__.py").write_text('"""Doc."""\n\n__version__ = "0.1.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## 0.2.0 (unreleased)\n\n* More.\n\n## 0.1.0 (2026-01-02)\n\n* All.\n"
    )
    return tmp_path


def test_a_release_writes_the_version_and_dates_the_changelog(project: Path) -> None:
    tool("release").release(project, "0.2.0", TODAY)
    assert '__version__ = "0.2.0"' in (project / "airflow_provider_studio" / "__init__.py").read_text()
    changes = (project / "CHANGELOG.md").read_text()
    assert "## 0.2.0 (2026-11-25)\n\n* More." in changes
    assert "## 0.1.0 (2026-01-02)\n\n* All." in changes


@pytest.mark.parametrize(
    ("version", "changelog", "message"),
    [
        ("0.1.0", None, "must come after 0.1.0"),
        ("0.0.9", None, "must come after 0.1.0"),
        ("next", None, "must be a version such as"),
        ("0.2.0", "# Changelog\n\n## 0.2.0 (unreleased)\n\n## 0.1.0 (2026-01-02)\n\n* All.\n", "no entry for 0.2.0"),
        ("0.2.0", "# Changelog\n\n## 0.1.0 (2026-01-02)\n\n* All.\n", r"must be `## <version> \(unreleased\)`"),
    ],
)
def test_a_release_that_makes_no_sense_writes_nothing(
    project: Path, version: str, changelog: str | None, message: str
) -> None:
    release = tool("release")
    if changelog is not None:
        (project / "CHANGELOG.md").write_text(changelog)
    before = {path: path.read_text() for path in project.rglob("*.*") if path.is_file()}
    with pytest.raises(release.ReleaseError, match=message):
        release.release(project, version, TODAY)
    assert {path: path.read_text() for path in before} == before


def test_the_real_changelog_can_be_released(project: Path) -> None:
    for name in ("CHANGELOG.md", "airflow_provider_studio/__init__.py"):
        shutil.copy(ROOT / name, project / name)
    version = re.search(r"^## (\S+) ", (project / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[1]  # type: ignore[index]
    tool("release").release(project, version, TODAY)
    assert f"\n## {version} (2026-11-25)\n" in (project / "CHANGELOG.md").read_text(encoding="utf-8")
    code = (project / "airflow_provider_studio" / "__init__.py").read_text(encoding="utf-8")
    assert f'\n__version__ = "{version}"\n' in code


def test_a_licence_that_binds_users_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "licences.csv"
    table.write_text('"Name","Version","License"\n"good","1","MIT License"\n"bad","2","AGPL-3.0-only"\n')
    assert tool("licences").main(table) == 1
    assert "bad 2: AGPL-3.0-only" in capsys.readouterr().out


def test_every_extra_is_in_the_readme_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("### Extras")[2].partition("\n\n\n")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert named == list(project["optional-dependencies"])


def test_hooks_before_a_commit_have_the_versions_of_the_lock() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    pinned = {pin for hook in hooks for pin in hook.get("additional_dependencies", ())}
    locked = set(re.findall(r"^(\S+==\S+)", (ROOT / ".ci" / "requirements-dev.lock").read_text(), re.MULTILINE))
    assert pinned
    assert pinned <= locked


def test_workflows_run_make_targets_and_pin_every_action() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    called, actions = set(), set()
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
        steps = [step for job in jobs.values() for step in job["steps"]]
        called |= {step["run"].split()[1] for step in steps if step.get("run", "").startswith("make ")}
        actions |= {step["uses"] for step in steps if "uses" in step}
    assert {"test-all", "docs", "dist", "matrix"} <= called <= targets
    assert actions
    assert [action for action in actions if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []


@pytest.mark.parametrize("test", SUBSET)
def test_every_test_of_the_matrix_exists(test: str) -> None:
    path, _, name = test.partition("::")
    assert (ROOT / path).is_file()
    assert not name or f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_every_make_target_says_what_it_does() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))
    described = set(re.findall(r"^([a-z-]+):.*## \S", text, re.MULTILINE))
    phony = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split())  # type: ignore[index]
    assert targets == described == phony
