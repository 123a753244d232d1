# SPDX-License-Identifier: Apache-2.0
"""A workspace with past snapshots and a real Airflow connected to it, which the modules of one group share.

Each group of modules (`TOGETHER` in tests/conftest.py) runs in a separate process.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio.emulator import StudioEmulator
from tests.connections import connection_fields
from tests.plugin.workspace import NIGHTS_AGO, live_through_a_season, write_odd_names
from tests.system.browser import SCREENSHOTS
from tests.system.keeper import ProcessKeeper
from tests.system.live_airflow import LiveAirflow

NIGHTLY = "studio_nightly_governance"
BASE_PATH = "/team/airflow"
A_FEW_NIGHTS_AGO = (132, 100, 60, 30, 7, 1)
ROLES = ("admin", "op", "user", "viewer")
EXTRAS = {
    "credential_kind": "workspace",
    "rate_limit_requests": 40,
    "rate_limit_seconds": 2,
    "discovery_token": "d15c07e4",
    "discovery_access_key": f"canary-{secrets.token_hex(12)}",
    "discovery_access_secret": f"canary-{secrets.token_hex(12)}",
}


class CanaryEmulator(StudioEmulator):
    """An emulator whose secret is found nowhere by chance."""

    def __init__(self, workspace: str, **options: Any) -> None:
        super().__init__(workspace, **options)
        self._state.secret = f"canary-{secrets.token_hex(12)}"

    def credentials(self, kind: str = "workspace") -> tuple[str, str]:  # type: ignore[override]
        return f"emulator-{kind}", self._state.secret


@dataclass
class Live:
    """A running Airflow and the emulated workspace behind its connection.

    :param folder: where everything is that Airflow and its tasks write.
    """

    airflow: LiveAirflow
    emulator: StudioEmulator
    storage: UPath
    folder: Path
    keeper: ProcessKeeper

    def run(self, dag: str, conf: dict[str, Any]) -> tuple[str, str]:
        """Run a DAG to its end; return its state and run id."""
        run_id = self.airflow.trigger(dag, conf)
        return self.finish(dag, run_id), run_id

    def finish(self, dag: str, run_id: str) -> str:
        """Wait for the end of a run and return its state."""
        return self.airflow.wait_for_run(dag, run_id, timeout_seconds=420)


@pytest.fixture(scope="package")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Airflow under a base path, with a workspace of 300 Reports and a limit of 40 requests in 2 s (Studio: 10 s).

    It logs at DEBUG, and its connection is in its database, as in production: its processes have no secret of Studio in
    their environments. A test looks for them everywhere. It ends before the process runs tests of another package.
    """
    folder = tmp_path_factory.mktemp("live")
    storage = UPath(folder / "studio")
    with CanaryEmulator("acme", reports=300, seed=11) as emulator, ProcessKeeper() as keeper:
        airflow = LiveAirflow(
            keeper,
            folder / "airflow",
            environment={
                "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
                "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
                    {"type": "file", "log_file_path": str(folder / "lineage.jsonl"), "append": True}
                ),
                "TMPDIR": str(folder / "tmp"),
                "AIRFLOW__STUDIO__STORAGE_PATH": f"file://{storage}",
            },
            users=ROLES,
            base_path=BASE_PATH,
        )
        (folder / "tmp").mkdir()
        airflow.start()
        live_through_a_season(emulator, storage, NIGHTS_AGO if SCREENSHOTS else A_FEW_NIGHTS_AGO, carry_out=False)
        write_odd_names(storage)
        emulator.control.set_rate_limit(limit=40, interval_seconds=2.0)
        for dag in (NIGHTLY, "studio_undo"):
            airflow.wait_until_ready(dag)
        connection = {"connection_id": "studio_default", **connection_fields(emulator), "extra": json.dumps(EXTRAS)}
        airflow.api("POST", "/connections", json=connection)
        yield Live(airflow, emulator, storage, folder, keeper)
