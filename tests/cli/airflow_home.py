# SPDX-License-Identifier: Apache-2.0
"""An AIRFLOW_HOME like that of a reader of the documentation, and the documented commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.docs.pages import ROOT, blocks


class AirflowHome:
    """A folder with Airflow's files, and a shell with no Airflow setting except `AIRFLOW_HOME`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def shell(
        self, script: str, *, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a script in bash, in a folder that is not `AIRFLOW_HOME`."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{inherited.get('PATH', os.defpath)}"
        elsewhere = self.folder.with_name(f"{self.folder.name}-elsewhere")
        elsewhere.mkdir(exist_ok=True)
        return subprocess.run(
            ["bash", "-c", script],
            cwd=cwd or elsewhere,
            env={**inherited, "PATH": path, "AIRFLOW_HOME": str(self.folder), **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )


def readme_commands(*containing: str) -> str:
    """Return the commands of the README's blocks that contain one of these texts, except the installation."""
    texts = [
        block.text for block in blocks(ROOT / "README.md", "shell") if any(text in block.text for text in containing)
    ]
    assert texts, f"the README has no command with {containing}"
    text = "".join(texts).replace("\\\n", " ")
    return "\n".join(line for line in text.splitlines() if not line.startswith(("pip ", "make ", "#")))
