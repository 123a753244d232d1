# SPDX-License-Identifier: Apache-2.0
"""The pages with a large workspace, compared with Airflow's `/api/v2/version`, in one run with one API server.

`python -m tests.benchmarks.ui` (about 6 minutes at 100,000 Reports and 90 nights). Each round requests every page once
and the version as often, so that other load on the machine does not change the ratio. Afterwards several people use the
pages at the same time, a quarter of them export all Reports repeatedly, and another client requests the version.
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
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
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
    """An API server with our pages and a storage."""

    def __init__(self, keeper: ProcessKeeper, home: Path, storage: UPath) -> None:
        (port,) = free_ports(1)
        password = secrets.token_urlsafe(9)
        self.url = f"http://127.0.0.1:{port}"
        passwords = home / "passwords.json"
        passwords.write_text(json.dumps({"viewer": password}))
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
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
        """Return the processes that materialize tables."""
        children = self._process.children(recursive=True)
        return [
            process
            for process in children
            if "airflow_provider_studio.plugin.materialize" in " ".join(process.cmdline())
        ]

    def memory(self) -> float:
        """Return the API server's memory in MiB, without the processes that materialize tables."""
        processes = [self._process, *self._process.children(recursive=True)]
        preparers = {process.pid for process in self.preparers()}
        return sum(process.memory_info().rss for process in processes if process.pid not in preparers) / MIB

    def timed(self, path: str) -> float:
        """Return the milliseconds of one complete response."""
        begun = time.perf_counter()
        response = self.session.get(f"{self.url}{path}", timeout=120)
        taken = 1000 * (time.perf_counter() - begun)
        response.raise_for_status()
        return taken


class Peak(threading.Thread):
    """Measures the peak of memory of the processes that materialize tables."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._server = server
        self.mib = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.2):
            try:
                self.mib = max(
                    self.mib, *(process.memory_info().rss / MIB for process in self._server.preparers()), 0.0
                )
            except psutil.Error:
                continue


def ready(server: Server, paths: list[str]) -> float:
    """Wait until every page has its tables; return the seconds."""
    begun = time.monotonic()
    for path in paths:
        while server.session.get(f"{server.url}{path}", timeout=120).status_code == 503:
            time.sleep(0.5)
    return time.monotonic() - begun


@dataclass
class Measured:
    """The requests of one kind: the milliseconds of successful ones, and counts by outcome."""

    milliseconds: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)

    def p95(self) -> float:
        """Return the 95th percentile of the milliseconds."""
        return quantiles(self.milliseconds, n=20)[-1] if len(self.milliseconds) > 1 else float("nan")


def use(server: Server, paths: Iterator[str], until: float, rows: int | None = None) -> Measured:
    """Request paths in sequence until a time, like one person, and wait as `Retry-After` requires.

    :param rows: the number of rows of a complete CSV; one with fewer rows is `truncated`.
    """
    measured = Measured()
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update(server.session.headers)
        while time.monotonic() < until:
            begun = time.perf_counter()
            try:
                response = session.get(f"{server.url}{next(paths)}", timeout=300)
            except requests.RequestException:
                measured.outcomes["aborted"] += 1
                continue
            outcome = str(response.status_code)
            if rows is not None and response.ok and response.content.count(b"\r\n") != rows + 1:
                outcome = "truncated"
            measured.outcomes[outcome] += 1
            if outcome == "200":
                measured.milliseconds.append(1000 * (time.perf_counter() - begun))
            elif response.status_code == 503:
                time.sleep(float(response.headers.get("Retry-After", 1)))
    return measured


def together(server: Server, users: int, seconds: float, pages: list[str], export: str, rows: int) -> None:
    """Simulate several people at the same time, and print the result of each kind of request."""
    exporting = users // 4
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(users + 1) as pool:
        version = pool.submit(use, server, cycle([VERSION]), until)
        exports = [pool.submit(use, server, cycle([export]), until, rows) for _ in range(exporting)]
        # Each person starts with another page.
        others = [
            pool.submit(use, server, cycle(pages[at % len(pages) :] + pages[: at % len(pages)]), until)
            for at in range(users - exporting)
        ]
        kinds = {
            VERSION: [version.result()],
            f"pages, {users - exporting} people": [future.result() for future in others],
            f"exports, {exporting} people": [future.result() for future in exports],
        }
    print(f"{f'{users} at the same time':<30}{'p50 ms':>9}{'p95 ms':>9}{'p95 ratio':>11}  responses")
    base = kinds[VERSION][0].p95()
    for kind, measurements in kinds.items():
        both = Measured(
            [ms for measured in measurements for ms in measured.milliseconds],
            sum((measured.outcomes for measured in measurements), Counter()),
        )
        middle = median(both.milliseconds) if both.milliseconds else float("nan")
        outcomes = ", ".join(f"{count} x {outcome}" for outcome, count in sorted(both.outcomes.items()))
        print(f"{kind:<30}{middle:>9.1f}{both.p95():>9.1f}{both.p95() / base:>11.1f}  {outcomes}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reports", type=int, default=100_000)
    parser.add_argument("--nights", type=int, default=90)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--together", type=int, nargs="*", default=[8, 16], help="how many people at the same time")
    parser.add_argument("--seconds", type=float, default=40, help="for how long")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ProcessKeeper() as keeper:
        home, storage = Path(folder) / "airflow", UPath(Path(folder) / "studio")
        home.mkdir()
        plan = write_workspace(storage, reports=arguments.reports, nights=arguments.nights)
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
        times: dict[str, list[float]] = {name: [] for name in (VERSION, *pages)}
        most = server.memory()
        for _ in range(arguments.rounds):
            for name, path in pages.items():
                times[VERSION].append(server.timed(VERSION))
                times[name].append(server.timed(path))
            most = max(most, server.memory())
        csv = f"/studio/reports.csv?{query}"
        export = server.timed(csv)
        most = max(most, server.memory())
        print(f"{arguments.reports:,} Reports, {arguments.nights} nights, {len(plan.actions):,} actions in the plan")
        print(f"{'':<30}{'p50 ms':>9}{'p95 ms':>9}{'p95 ratio':>11}")
        base = quantiles(times[VERSION], n=20)[-1]
        for name, taken in times.items():
            p95 = quantiles(taken, n=20)[-1]
            print(f"{name:<30}{median(taken):>9.1f}{p95:>9.1f}{p95 / base:>11.1f}")
        print(f"{'CSV of all Reports':<30}{export:>9.0f}")
        for users in arguments.together:
            together(server, users, arguments.seconds, list(pages.values()), csv, arguments.reports)
            most = max(most, server.memory())
        print(f"tables materialized in {seconds:.0f} s, by processes of at most {peak.mib:.0f} MiB")
        print(f"API server: {before:.0f} MiB before, at most {most:.0f} MiB, grew by {most - before:.0f} MiB")


if __name__ == "__main__":
    main()
