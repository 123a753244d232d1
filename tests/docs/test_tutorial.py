# SPDX-License-Identifier: Apache-2.0
"""The tutorial, from its first command to its last, as one script in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks
from tests.system.live_airflow import free_ports

TUTORIAL = ROOT / "docs" / "tutorial.md"


def script(port: int) -> str:
    """Return the page's commands and files in order; this environment replaces the installation."""
    lines = ["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for block in blocks(TUTORIAL, "shell", "python"):
        if "pip install" in block.text:
            continue
        if block.language == "python":
            lines += [f"cat > {block.name} <<'END'", block.text.rstrip("\n"), "END"]
        else:
            lines.append(block.text)
            if block.text.rstrip().endswith("&"):
                lines.append(f"until : 2>/dev/null >/dev/tcp/127.0.0.1/{port}; do sleep 0.2; done")
    text = "\n".join(lines) + '\npython -c "import json, urllib.request as r; print(r.urlopen(STATE).read().decode())"'
    state = f"'http://127.0.0.1:{port}/_emulator/state'"
    return (
        text.replace("8181", str(port))
        .replace("emulator --reports", f"emulator --port {port} --reports")
        .replace("STATE", state)
    )


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "COV"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    ran = subprocess.run(
        ["bash", "-c", script(port)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert "Reports are stale" in ran.stdout
    assert ".intent.json" in ran.stdout
    journal = {path.name for path in tmp_path.glob("airflow/studio/journals/*/*/*")}
    done = {name for name in journal if name.startswith("archive_report") and name.endswith(".done.json")}
    assert len(done) >= 3, "it archived Reports"
    assert {name.replace(".done.", ".undone.") for name in done} <= journal, "and undid all of it"
