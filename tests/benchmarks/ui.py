# SPDX-License-Identifier: Apache-2.0
"""The pages over a large workspace, beside Airflow's own `/api/v2/version`, in one run against one API server.

`python -m tests.benchmarks.ui` (about 4 minutes at 100,000 Reports and 90 nights). Each round asks every page once and
the version as often, so that a ratio holds whatever else the machine is doing.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median, quantiles

import psutil
import requests
from upath import UPath

from tests.benchmarks.large_workspace import WORKSPACE, write_workspace
from tests.system.keeper import ProcessKeeper
from tests.system.live_airflow import free_ports

VERSION = "/api/v2/version"
MIB = 2**20


class Server:
    """An API server alone, with our pages, on a storage."""

    def __init__(self, keeper: ProcessKeeper, home: Path, storage: UPath) -> None:
        (port,) = free_ports(1)
        password = secrets.token_urlsafe(9)
        self.url = f"http://127.0.0.1:{port}"
        passwords = home / "passwords.json"
        passwords.write_text(json.dumps({"viewer": password}))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        environment = {
            **kept,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "viewer:viewer",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__STUDIO__STORAGE_PATH": f"file://{storage.path}",
        }
        airflow = str(Path(sys.executable).with_name("airflow"))
        subprocess.run([airflow, "db", "migrate"], check=True, capture_output=True, env=environment)
        argv = [airflow, "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        self._process = psutil.Process(keeper.start(argv, env=environment, log=home / "api-server.log"))
        self.session = requests.Session()
        self.session.trust_env = False
        self._wait()
        login = {"username": "viewer", "password": password}
        token = self.session.post(f"{self.url}/auth/token", json=login, timeout=60).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def _wait(self) -> None:
        for _ in range(240):
            try:
                self.session.get(f"{self.url}{VERSION}", timeout=5)
            except requests.ConnectionError:
                time.sleep(0.5)
            else:
                return
        raise RuntimeError("the API server did not start")

    def preparers(self) -> list[psutil.Process]:
        """Return the processes that make tables."""
        children = self._process.children(recursive=True)
        return [one for one in children if "airflow_provider_studio.plugin.prepare" in " ".join(one.cmdline())]

    def memory(self) -> float:
        """Return the API server's own memory in MiB, without those that make tables."""
        processes = [self._process, *self._process.children(recursive=True)]
        making = {one.pid for one in self.preparers()}
        return sum(one.memory_info().rss for one in processes if one.pid not in making) / MIB

    def timed(self, path: str) -> float:
        """Return the milliseconds of one answer, read whole."""
        begun = time.perf_counter()
        answer = self.session.get(f"{self.url}{path}", timeout=120)
        taken = 1000 * (time.perf_counter() - begun)
        answer.raise_for_status()
        return taken


class Peak(threading.Thread):
    """Watches the memory of the processes that make tables."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._server = server
        self.mib = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.2):
            try:
                self.mib = max(self.mib, *(one.memory_info().rss / MIB for one in self._server.preparers()), 0.0)
            except psutil.Error:
                continue


def ready(server: Server, paths: list[str]) -> float:
    """Wait until every page answers with its tables; returns the seconds."""
    begun = time.monotonic()
    for path in paths:
        while server.session.get(f"{server.url}{path}", timeout=120).status_code == 503:
            time.sleep(0.5)
    return time.monotonic() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reports", type=int, default=100_000)
    parser.add_argument("--nights", type=int, default=90)
    parser.add_argument("--rounds", type=int, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ProcessKeeper() as keeper:
        home, storage = Path(name) / "airflow", UPath(Path(name) / "studio")
        home.mkdir()
        plan = write_workspace(storage, reports=given.reports, nights=given.nights)
        server = Server(keeper, home, storage)
        query = f"workspace={WORKSPACE}"
        report = plan.actions[0].report
        pages = {
            "overview": f"/studio/?{query}",
            "Reports, by name": f"/studio/reports?{query}",
            "Reports, by views, page 900": f"/studio/reports?{query}&sort=views&desc=1&page=900",
            "Reports, searched": f"/studio/reports?{query}&q=77+weekly&sort=last_run",
            "Reports, filtered": f"/studio/reports?{query}&collection=c7&schedule=scheduled&verdict=viewed",
            "a Report": f"/studio/reports/{report}?{query}",
            "plans": f"/studio/plans?{query}",
            "a plan": f"/studio/plans/{plan.plan_id}?{query}",
            "budget": f"/studio/budget?{query}&hours=24",
            "a run": "/studio/dag-runs/nightly/r1",
        }
        for _ in range(20):
            server.timed(VERSION)
        before = server.memory()
        peak = Peak(server)
        peak.start()
        seconds = ready(server, list(pages.values()))
        peak.over.set()
        times: dict[str, list[float]] = {one: [] for one in (VERSION, *pages)}
        most = server.memory()
        for _ in range(given.rounds):
            for one, path in pages.items():
                times[VERSION].append(server.timed(VERSION))
                times[one].append(server.timed(path))
            most = max(most, server.memory())
        export = server.timed(f"/studio/reports.csv?{query}")
        most = max(most, server.memory())
        print(f"{given.reports:,} Reports, {given.nights} nights, {len(plan.actions):,} actions in the plan")
        print(f"{'':<30}{'p50 ms':>9}{'p95 ms':>9}{'p95 ratio':>11}")
        base = quantiles(times[VERSION], n=20)[-1]
        for one, taken in times.items():
            p95 = quantiles(taken, n=20)[-1]
            print(f"{one:<30}{median(taken):>9.1f}{p95:>9.1f}{p95 / base:>11.1f}")
        print(f"{'CSV of all Reports':<30}{export:>9.0f}")
        print(f"tables made in {seconds:.0f} s, by processes of at most {peak.mib:.0f} MiB")
        print(f"API server: {before:.0f} MiB before, at most {most:.0f} MiB, grew by {most - before:.0f} MiB")


if __name__ == "__main__":
    main()
