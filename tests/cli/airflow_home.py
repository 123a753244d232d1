# SPDX-License-Identifier: Apache-2.0
"""An AIRFLOW_HOME as a reader of the documentation has it, and the commands that the reader types in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.docs.pages import ROOT, blocks


class AirflowHome:
    """A folder with Airflow's files, and a shell whose environment has no setting of Airflow but `AIRFLOW_HOME`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def shell(
        self, script: str, *, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a script in bash, in a folder that is not `AIRFLOW_HOME`."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
        elsewhere = self.folder.with_name(f"{self.folder.name}-elsewhere")
        elsewhere.mkdir(exist_ok=True)
        return subprocess.run(
            ["bash", "-c", script],
            cwd=cwd or elsewhere,
            env={**kept, "PATH": path, "AIRFLOW_HOME": str(self.folder), **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )


def readme_commands(*containing: str) -> str:
    """Return the commands of the README's blocks that contain one of these texts, without the installation."""
    chosen = [one.text for one in blocks(ROOT / "README.md", "shell") if any(text in one.text for text in containing)]
    assert chosen, f"the README has no command with {containing}"
    text = "".join(chosen).replace("\\\n", " ")
    return "\n".join(line for line in text.splitlines() if not line.startswith(("pip ", "make ", "#")))
