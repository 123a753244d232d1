# SPDX-License-Identifier: Apache-2.0
"""The cost of the emulator: its start and memory, requests per second on one core, a simulated year.

    python -m tests.benchmarks.emulator

Requests per second are the requests of two clients divided by the server's CPU time. The goals: 100,000 Reports within
5 s and 500 MiB, more than 1,000 requests per second, a year of 5,000 Reports in 30 s.
"""

from __future__ import annotations

import http.client
import multiprocessing
import subprocess
import sys
import time
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil

from airflow_provider_studio.emulator import EmulatorControl

HEADERS = {"Authorization": "Basic " + b64encode(b"emulator-workspace:emulator-secret").decode()}
REQUESTS = 1500
CLIENTS = 2


class Served:
    """An emulator in a separate process, on one core."""

    def __init__(self, reports: int, *options: str) -> None:
        argv = [sys.executable, "-m", "airflow_provider_studio.emulator", "--port", "0", "--no-rate-limit"]
        started = time.monotonic()
        self._process = subprocess.Popen(
            [*argv, "--reports", str(reports), *options], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().split("//")[1].split("/")[0]
        self.start_seconds = time.monotonic() - started
        self.process = psutil.Process(self._process.pid)
        self.control = EmulatorControl(f"http://{self.address}")

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    @property
    def mib(self) -> float:
        """The resident memory."""
        return float(self.process.memory_info().rss) / 2**20

    def cpu(self) -> float:
        """Return the CPU seconds so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


def ask(address: str, paths: list[str]) -> None:
    """Request each path once, on one connection."""
    connection = http.client.HTTPConnection(address)
    for path in paths:
        connection.request("GET", path, headers=HEADERS)
        response = connection.getresponse()
        response.read()
        assert response.status == 200, (path, response.status)


def get(address: str, path: str) -> Any:
    import json

    connection = http.client.HTTPConnection(address)
    connection.request("GET", path, headers=HEADERS)
    return json.loads(connection.getresponse().read())


def rate(served: Served, paths: list[str]) -> float:
    """Return the requests per second of the server's CPU time."""
    clients = [multiprocessing.Process(target=ask, args=(served.address, paths)) for _ in range(CLIENTS)]
    before = served.cpu()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return CLIENTS * len(paths) / (served.cpu() - before)


def inventory_paths(served: Served) -> list[str]:
    """Return the paths of an inventory: every page of a few Collections, and the schedules of scheduled Reports."""
    paths = []
    for collection in get(served.address, "/api/acme/spaces?filter=custom")["_embedded"]["spaces"]:
        for page in range(1, 100):
            path = f"/api/acme/spaces/{collection['token']}/reports?page={page}"
            rows = get(served.address, path)["_embedded"]["reports"]
            paths.append(path)
            paths += [f"/api/acme/reports/{row['token']}/schedules" for row in rows if row["schedules_count"]]
            if not rows:
                break
        if len(paths) > REQUESTS:
            break
    return paths


def main() -> None:
    """Measure and print."""
    for reports in (2_000, 100_000):
        with Served(reports) as served:
            start = f"up after {served.start_seconds:.1f} s ({served.cpu():.1f} s CPU), {served.mib:.0f} MiB"
            print(f"{reports:,} Reports: {start}")
            paths = inventory_paths(served)
            pages = [path for path in paths if "page=" in path]
            report_path = next(path.removesuffix("/schedules") for path in paths if path.endswith("/schedules"))
            for name, requested in (
                ("one Report", [report_path] * REQUESTS),
                ("its schedules", [f"{report_path}/schedules"] * REQUESTS),
                ("pages of 30 Reports", (pages * REQUESTS)[:REQUESTS]),
                ("an inventory", paths),
            ):
                print(f"  {name:22s} {rate(served, requested):7,.0f} requests a second of one core")
            print(f"  and then {served.mib:.0f} MiB")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with Served(5_000, "--now", start.isoformat(), "--speed", "0") as served:
        before, began, cpu = served.control.state(), time.monotonic(), served.cpu()
        for day in range(1, 366):
            served.control.set_clock(start + timedelta(days=day))
            ask(served.address, ["/api/acme/spaces?filter=custom"])
        after = served.control.state()
        took, cpu = time.monotonic() - began, served.cpu() - cpu
        grown = {key: sum(report[key] for report in after["reports"].values()) for key in ("view_count", "runs_count")}
        grown = {key: total - sum(report[key] for report in before["reports"].values()) for key, total in grown.items()}
        print(f"a year of 5,000 Reports, day by day: {took:.1f} s ({cpu:.1f} s CPU), {grown}")


if __name__ == "__main__":
    main()
