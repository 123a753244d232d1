# SPDX-License-Identifier: Apache-2.0
"""A workspace with a past, and a real Airflow connected to it, for all system tests of a module."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio.client.tokens import Credentials, TokenKind
from airflow_provider_studio.emulator import StudioEmulator
from tests.demo.past import live_through
from tests.system.keeper import ProcessKeeper
from tests.system.live_airflow import LiveAirflow

NIGHTLY = "studio_nightly_governance"


@dataclass
class Live:
    """A running Airflow and the emulated workspace behind its connection."""

    airflow: LiveAirflow
    emulator: StudioEmulator
    storage: UPath

    def run(self, dag: str, conf: dict[str, Any]) -> tuple[str, str]:
        """Run a DAG to its end; returns its state and run id."""
        run_id = self.airflow.trigger(dag, conf)
        return self.finish(dag, run_id), run_id

    def finish(self, dag: str, run_id: str) -> str:
        """Wait for the end of a run and return its state."""
        return self.airflow.wait_for_run(dag, run_id, timeout_seconds=180)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Airflow with a workspace of 300 Reports at the true rate limit."""
    folder = tmp_path_factory.mktemp("live")
    storage = UPath(folder / "studio")
    with StudioEmulator("acme", reports=300, seed=11) as emulator, ProcessKeeper() as keeper:
        token, secret = emulator.credentials()
        connection = {"conn_type": "studio", "host": emulator.url, "login": token, "password": secret, "schema": "acme"}
        airflow = LiveAirflow(
            keeper,
            folder / "airflow",
            environment={
                "AIRFLOW_CONN_STUDIO_DEFAULT": json.dumps({**connection, "extra": {"token_kind": "workspace"}}),
                "AIRFLOW__STUDIO__STORAGE_PATH": f"file://{storage}",
            },
        )
        airflow.start()
        credentials = Credentials("acme", token, secret, emulator.url, TokenKind.WORKSPACE)
        live_through(emulator.control, credentials, storage, say=lambda _sentence: None)
        for dag in (NIGHTLY, "studio_undo"):
            airflow.wait_until_ready(dag)
        yield Live(airflow, emulator, storage)
