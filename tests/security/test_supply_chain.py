# SPDX-License-Identifier: Apache-2.0
"""The supply chain: nothing is installed or shipped that differs from what was looked at."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "airflow_provider_studio" / "plugin" / "static" / "vendor"
README = (VENDOR / "README.md").read_text(encoding="utf-8")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_vendored_files_are_those_whose_hashes_are_recorded() -> None:
    recorded = dict(re.findall(r"^\| `([^`]+)` \| `([0-9a-f]{64})` \|$", README, re.MULTILINE))
    shipped = {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()} - {"README.md"}
    assert {name: sha256(VENDOR / name) for name in shipped} == recorded


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_vendored_files_are_those_of_the_npm_package(tmp_path: Path) -> None:
    version = re.search(r"\| uPlot \| ([\d.]+) \|", README)
    assert version is not None
    pack = ["npm", "pack", f"uplot@{version[1]}", "--silent", "--pack-destination", str(tmp_path)]
    packed = subprocess.run(pack, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    if packed.returncode != 0:
        pytest.skip(f"npm cannot reach its registry: {packed.stderr.strip()[-200:]}")
    with tarfile.open(next(tmp_path.glob("*.tgz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    package = tmp_path / "package"
    originals = {"uPlot.iife.min.js": package / "dist", "uPlot.min.css": package / "dist", "LICENSE": package}
    for name, folder in originals.items():
        assert sha256(VENDOR / "uplot" / name) == sha256(folder / name), name


def test_setup_installs_nothing_without_a_hash(tmp_path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    setup = makefile[makefile.index("$(VENV)/.installed: ") : makefile.index("demo: setup")]
    installs = [line for line in setup.splitlines() if "pip install" in line or "pip sync" in line]
    assert [line for line in installs if "--require-hashes" not in line and "--no-deps --editable ." not in line] == []
    script = re.search(r"sed -n '([^']+)' \$\(LOCK\)", setup)
    assert script is not None
    lock = ROOT / ".ci" / "requirements-dev.lock"
    selected = subprocess.run(["sed", "-n", script[1], str(lock)], capture_output=True, text=True, check=True).stdout
    first, *hashes = selected.splitlines()
    assert re.fullmatch(r"uv==[\d.]+ \\", first)
    assert hashes
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashes)
