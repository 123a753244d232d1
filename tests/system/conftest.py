# SPDX-License-Identifier: Apache-2.0
"""A workspace with past snapshots and a real Airflow connected to it, which the modules of one group share.

Each group of modules (`TOGETHER` in tests/conftest.py) runs in a separate process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio.emulator import StudioEmulator
from tests.connections import connection_of
from tests.plugin.workspace import NIGHTS_AGO, live_through_a_season, write_odd_names
from tests.system.browser import SCREENSHOTS
from tests.system.keeper import ProcessKeeper
from tests.system.live_airflow import LiveAirflow

NIGHTLY = "studio_nightly_governance"
BASE_PATH = "/team/airflow"
A_FEW_NIGHTS_AGO = (132, 100, 60, 30, 7, 1)


@dataclass
class Live:
    """A running Airflow and the emulated workspace behind its connection."""

    airflow: LiveAirflow
    emulator: StudioEmulator
    storage: UPath

    def run(self, dag: str, conf: dict[str, Any]) -> tuple[str, str]:
        """Run a DAG to its end; return its state and run id."""
        run_id = self.airflow.trigger(dag, conf)
        return self.finish(dag, run_id), run_id

    def finish(self, dag: str, run_id: str) -> str:
        """Wait for the end of a run and return its state."""
        return self.airflow.wait_for_run(dag, run_id, timeout_seconds=180)


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Airflow under a base path, with a workspace of 300 Reports and a limit of 40 requests in 2 s (Studio: 10 s)."""
    folder = tmp_path_factory.mktemp("live")
    storage = UPath(folder / "studio")
    with StudioEmulator("acme", reports=300, seed=11) as emulator, ProcessKeeper() as keeper:
        airflow = LiveAirflow(
            keeper,
            folder / "airflow",
            environment={
                "AIRFLOW_CONN_STUDIO_DEFAULT": connection_of(emulator, rate_limit_requests=40, rate_limit_seconds=2),
                "AIRFLOW__STUDIO__STORAGE_PATH": f"file://{storage}",
                "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
            },
            viewer=True,
            base_path=BASE_PATH,
        )
        airflow.start()
        live_through_a_season(emulator, storage, NIGHTS_AGO if SCREENSHOTS else A_FEW_NIGHTS_AGO, carry_out=False)
        write_odd_names(storage)
        emulator.control.set_rate_limit(limit=40, interval_seconds=2.0)
        for dag in (NIGHTLY, "studio_undo"):
            airflow.wait_until_ready(dag)
        yield Live(airflow, emulator, storage)
