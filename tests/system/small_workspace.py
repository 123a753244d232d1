# SPDX-License-Identifier: Apache-2.0
"""A real Airflow with a small workspace without a rate limit, the DAGs of the system tests and most example DAGs."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psutil
import requests
from upath import UPath

from airflow_provider_studio.emulator import StudioEmulator
from tests.connections import connection_of
from tests.governance.inventory.test_discovery_sources import minted
from tests.smtp_server import smtp_server
from tests.system.keeper import ProcessKeeper
from tests.system.live_airflow import REPOSITORY, LiveAirflow

DAGS = Path(__file__).parent / "dags"
_TESTED_ELSEWHERE = {"studio_nightly_governance", "studio_undo"}
EXAMPLES = [path for path in (REPOSITORY / "dags").glob("*.py") if path.stem not in _TESTED_ELSEWHERE]
_EXAMPLE_REPORT = "0a1b2c3d4e5f"
"""The placeholder token in the example DAGs."""
_SETTINGS = {
    "AIRFLOW__CORE__PARALLELISM": "6",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "2",
    # Airflow starts the watcher of an asset when it parses the DAG again after its first start.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
    "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
}


class SmallWorkspace:
    """A running Airflow and the emulated workspace behind it.

    :param shown: the Reports of the example DAG that use its table.
    :param mails: the messages that Airflow sent.
    """

    def __init__(
        self,
        airflow: LiveAirflow,
        emulator: StudioEmulator,
        storage: UPath,
        keeper: ProcessKeeper,
        shown: list[str],
        mails: list[EmailMessage],
    ) -> None:
        self.airflow, self.control, self.storage = airflow, emulator.control, storage
        self.shown, self.watched, self.mails = shown, shown[0], mails
        self.finish = airflow.wait_for_run
        self._emulator, self._keeper = emulator, keeper

    def report(self, seconds: float, outcome: str = "succeeded", **fields: Any) -> str:
        """Create a Report whose runs take this many seconds."""
        return self.control.add_report(
            next_outcome=outcome, next_runtime_seconds=seconds, expected_runtime=seconds, query_count=1, **fields
        )

    def run_elsewhere(self, report: str) -> str:
        """Run a Report outside Airflow, and return the run."""
        address = f"{self._emulator.url}/api/{self._emulator.workspace}/reports/{report}/runs"
        return str(requests.post(address, json={}, auth=self._emulator.credentials(), timeout=10).json()["token"])

    def runs(self, report: str) -> list[str]:
        """Return the runs that were started over the API, oldest first."""
        return [run["token"] for run in self.control.state()["reports"][report]["runs_started"]]

    def reads_of(self, *endings: str) -> list[dict[str, Any]]:
        """Return the GET requests whose path ends with one of these."""
        sent = self.control.requests_summary()["requests"]
        return [request for request in sent if request["path"].endswith(endings) and request["method"] == "GET"]

    def polls(self, run: str, report: str) -> int:
        """Return how often a run, or the list of its Report's runs, was polled."""
        return len(self.reads_of(f"/{run}", f"{report}/runs"))

    def events(self) -> list[dict[str, Any]]:
        """Return the events of all assets, newest first."""
        return list(self.airflow.api("GET", "/assets/events?limit=100&order_by=-timestamp")["asset_events"])

    def wait(self, until: Callable[[], Any], condition: str) -> None:
        """Wait until a condition is true."""
        deadline = time.monotonic() + 240
        while not until():
            assert time.monotonic() < deadline, f"timed out: {condition}"
            time.sleep(0.3)

    def wait_for_state(self, dag: str, run_id: str, task: str, state: str) -> None:
        """Wait until a task is in a state."""
        self.wait(lambda: self.airflow.task_states(dag, run_id)[task] == state, f"{task} is {state}")

    def kill_triggerer(self) -> None:
        """Kill the triggerer with all its processes, like the loss of its host."""
        killed = 0
        for process in psutil.Process(self._keeper.pid).children(recursive=True):
            try:
                if "triggerer" in " ".join(process.cmdline()):
                    process.send_signal(signal.SIGKILL)
                    killed += 1
            except psutil.NoSuchProcess:
                continue
        assert killed

    def start_triggerer(self) -> None:
        """Start another triggerer."""
        airflow = shutil.which("airflow", path=self.airflow.environment["PATH"])
        assert airflow is not None
        self._keeper.start(
            [airflow, "triggerer"], env=self.airflow.environment, log=self.airflow.home / "triggerer.log"
        )


@contextmanager
def small_workspace(folder: Path, prepare: Callable[[StudioEmulator, UPath], None]) -> Iterator[SmallWorkspace]:
    """Start the Airflow, and wait until it is ready.

    :param prepare: prepares the workspace while Airflow starts.
    """
    storage = UPath(folder / "studio")
    with (
        StudioEmulator("acme", reports=5, seed=5) as emulator,
        smtp_server() as (smtp_port, mails),
        ProcessKeeper() as keeper,
    ):
        shown = [emulator.control.add_report(next_outcome="succeeded", next_runtime_seconds=0.0) for _ in range(2)]
        airflow = LiveAirflow(
            keeper,
            folder / "airflow",
            dags_folder=_dags(folder / "dags", shown),
            environment={
                "AIRFLOW_CONN_STUDIO_DEFAULT": _studio(emulator),
                "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(_smtp(smtp_port)),
                "AIRFLOW__STUDIO__STORAGE_PATH": f"file://{storage}",
                **_SETTINGS,
            },
        )
        airflow.start()
        prepare(emulator, storage)
        for dag in ("kill_matrix", "interventions", "orphans", "sensors", *(path.stem for path in EXAMPLES)):
            airflow.wait_until_ready(dag, timeout_seconds=300)
        yield SmallWorkspace(airflow, emulator, storage, keeper, shown, mails)


def _studio(emulator: StudioEmulator) -> str:
    signature = minted(emulator)
    return connection_of(
        emulator,
        rate_limit_requests=100_000,
        discovery_token=signature.token,
        discovery_access_key=signature.access_key,
        discovery_access_secret=signature.access_secret,
    )


def _smtp(port: int) -> dict[str, Any]:
    extra = {"disable_ssl": True, "disable_tls": True, "from_email": "studio@example.com"}
    return {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}


def _dags(folder: Path, shown: list[str]) -> Path:
    """Create a folder with all DAGs; the examples use Reports of this workspace, poll often, and have no schedule."""
    folder.mkdir()
    for path in DAGS.glob("*.py"):
        shutil.copy(path, folder)
    for path in EXAMPLES:
        example = path.read_text(encoding="utf-8")
        example = example.replace(f'REPORTS = ["{_EXAMPLE_REPORT}"]', f"REPORTS = {[*shown, shown[0]]}")
        example = example.replace(_EXAMPLE_REPORT, shown[0])
        example = example.replace("interval_seconds=60", "interval_seconds=1")
        example = re.sub(r'schedule="[^"]+"', "schedule=None", example)
        (folder / path.name).write_text(example, encoding="utf-8")
    return folder
