# SPDX-License-Identifier: Apache-2.0
"""The requests, seconds and memory of an inventory: first night, later nights, Discovery, a kill, a naive loop.

`python -m tests.benchmarks.inventory --reports 1000 10000` counts requests against emulators without a limit;
`--true-limit 1000` runs inventories with the service's limit, and at the same time a loop that requests the schedules
of every Report; `--kill 2000` kills an inventory at 80 % and resumes it. Each inventory runs in a separate process, to
measure its peak of memory. The requests of the naive loop at other sizes are computed from the workspace.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests

from airflow_provider_studio.client.auth import Credentials, TokenKind
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.ratelimit import RateLimiter
from airflow_provider_studio.client.ratelimit.stores import MemoryStore
from airflow_provider_studio.emulator import StudioEmulator

LATER_NIGHTS = 3
_PROGRAM = """
import json, sys, time
from datetime import datetime
from upath import UPath
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.discovery import DiscoveryClient, SignatureToken
from airflow_provider_studio.client.ratelimit import RateLimiter
from airflow_provider_studio.client.ratelimit.stores import MemoryStore
from airflow_provider_studio.client.auth import Credentials, TokenKind
from airflow_provider_studio.governance.inventory.discovery_sources import DiscoveryAPI
from airflow_provider_studio.governance.inventory.inventory import take_inventory
url, token, secret, storage, now, limited, signature = json.loads(sys.argv[1])
credentials = Credentials("acme", token, secret, url, TokenKind.WORKSPACE)
limiter = RateLimiter(MemoryStore(), credentials.budget_key) if limited else RateLimiter.unlimited()
source = None
if signature:
    parts = SignatureToken(*signature)
    source = DiscoveryAPI(DiscoveryClient("acme", parts, limiter=RateLimiter.unlimited(), host=url))
began = time.monotonic()
with StudioClient(credentials, limiter=limiter) as client:
    summary = take_inventory(
        client, UPath(storage), source=source, now=lambda: datetime.fromisoformat(now), progress=lambda _: None
    )
seconds = time.monotonic() - began
# Not ru_maxrss, which a process inherits from its parent.
with open("/proc/self/status") as status:
    memory = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
print(json.dumps({**summary.to_dict(), "wall_seconds": seconds, "mib": memory}))
"""


def command(
    emulator: StudioEmulator, storage: str, *, limited: bool = False, signature: Sequence[str] | None = None
) -> list[str]:
    """Return the command that takes an inventory at the emulator's time."""
    now = emulator.control.clock().isoformat()
    arguments = [emulator.url, *emulator.credentials(), storage, now, limited, signature]
    return [sys.executable, "-c", _PROGRAM, json.dumps(arguments)]


def inventoried(emulator: StudioEmulator, storage: str, **options: Any) -> dict[str, Any]:
    """Take an inventory in a separate process; return its summary, with the requests that the emulator counted."""
    emulator.control.clear_requests()
    ran = subprocess.run(command(emulator, storage, **options), check=True, capture_output=True, text=True)
    return {**json.loads(ran.stdout), "counted": emulator.control.requests_sent()}


def least_requests(emulator: StudioEmulator) -> tuple[int, int, int]:
    """Return the least requests for all rows, the least that also prove each listing's end, and those of the loop."""
    state = emulator.control.state()
    shared = {token for token, collection in state["collections"].items() if collection["personal_of"] is None}
    reports = [report for report in state["reports"].values() if report["collection"] in shared]
    counts = Counter((report["collection"], report["type"] == "DatasetReport") for report in reports)
    lists = math.ceil(len(shared) / 30)
    pages = sum(max(1, math.ceil(counts[place, kind] / 30)) for place in shared for kind in (False, True))
    scheduled = sum(bool(report["schedules"]) for report in reports)
    # Up to an empty page, because listings have no counters; without datasets; then one request per Report.
    naive = lists + sum(math.ceil(counts[place, False] / 30) + 1 for place in shared)
    ends = sum(
        counts[place, kind] > 0 for place in shared for kind in (False, True)
    )  # a request for an empty page each
    floor = lists + pages + scheduled
    return floor, floor + ends, naive + sum(report["type"] != "DatasetReport" for report in reports)


def minted(emulator: StudioEmulator) -> list[str]:
    """Create a signature token."""
    expires_at = (emulator.control.clock() + timedelta(days=30)).isoformat()
    scope = {"authentication_for": "batch-api", "authorization_type": "read-only"}
    body = {"signature_token": {"name": "airflow", "expires_at": expires_at, "auth_scope": scope}}
    url = f"{emulator.url}/batch/acme/signature_tokens"
    signature = requests.post(url, json=body, auth=emulator.credentials(), timeout=30).json()
    return [signature["token"], signature["access_key"], signature["access_secret"]]


def count(reports: int) -> None:
    """Count the requests of each kind of night for a workspace of one size, and print a line for each."""
    with StudioEmulator("acme", reports=reports, seed=7) as emulator, tempfile.TemporaryDirectory() as storage:
        floor, proven, naive = least_requests(emulator)
        first = inventoried(emulator, storage)
        found = first["reports"] + first["datasets"]
        print(f"{found:>8,} rows, {first['collections']:,} Collections, {first['scheduled_reports']:,} scheduled")
        line("naive loop (counted)", naive, found)
        line("floor of a first night", floor, found)
        line("floor with proven ends", proven, found)
        line(
            "first night",
            first["counted"],
            found,
            first,
            f"{first['counted'] / floor:.3f} x floor, {first['counted'] / proven:.3f} x proven",
        )
        for night in range(1, LATER_NIGHTS + 1):
            emulator.control.advance(timedelta(days=1))
            later = inventoried(emulator, storage)
            line(f"night {night + 1}", later["counted"], found, later, f"{later['schedules_read']} schedules read")
        signature = minted(emulator)
        emulator.control.advance(timedelta(days=1))
        fresh = inventoried(emulator, f"{storage}/fresh", signature=signature)
        line("Discovery API, first night", fresh["counted"], found, fresh)
        later = inventoried(emulator, storage, signature=signature)
        line("Discovery API, a later night", later["counted"], found, later)


def line(name: str, used: int, rows: int, result: dict[str, Any] | None = None, note: str = "") -> None:
    """Print one line of the table."""
    cost = "" if result is None else f"{result['wall_seconds']:>8.1f} s{result['mib']:>6.0f} MiB"
    print(f"  {name:<30}{used:>9,}{used / rows:>8.4f} per row{cost:>20}  {note}", flush=True)


def kill(reports: int) -> None:
    """Kill an inventory at 80 % of its requests, resume it, and print the requests of both."""
    with StudioEmulator("acme", reports=reports, seed=7) as emulator, tempfile.TemporaryDirectory() as storage:
        emulator.control.set_speed(0)
        whole = inventoried(emulator, f"{storage}/whole")
        emulator.control.clear_requests()
        victim = subprocess.Popen(command(emulator, f"{storage}/killed"), stdout=subprocess.DEVNULL)
        while emulator.control.requests_sent() < 0.8 * whole["counted"]:
            time.sleep(0.01)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        used = emulator.control.requests_sent()
        resumed = inventoried(emulator, f"{storage}/killed")
        files = [sorted(Path(storage).glob(f"{name}/snapshots/*/*/reports.parquet")) for name in ("whole", "killed")]
        import duckdb

        rows = [duckdb.sql(f"FROM read_parquet('{paths[0]}', hive_partitioning=false)").fetchall() for paths in files]
    more = used + resumed["counted"] - whole["counted"]
    print(
        f"without a kill {whole['counted']:,} requests; killed after {used:,}, the next try used "
        f"{resumed['counted']:,}, {more} more in total; the same rows: {rows[0] == rows[1]}"
    )


def loop(client: StudioClient) -> None:
    """Request the schedules of each Report of each Collection, like a simple script."""
    for collection in client.list_collections():
        for report in client.list_collection_reports(collection.token):
            client._get(f"/api/{client.workspace}/reports/{report.token}/schedules")


def at_true_limit(reports: int, name: str) -> tuple[int, int, float]:
    """Take an inventory or loop with the service's limit; return requests, 429s and seconds."""
    with (
        StudioEmulator("acme", reports=reports, seed=7, rate_limit=True) as emulator,
        tempfile.TemporaryDirectory() as storage,
    ):
        if name == "later night":
            emulator.control.set_rate_limit(enabled=False)
            inventoried(emulator, storage)
            emulator.control.advance(timedelta(days=1))
            emulator.control.set_rate_limit(enabled=True)
        emulator.control.clear_requests()
        began = time.monotonic()
        if name == "naive loop":
            credentials = Credentials("acme", *emulator.credentials(), emulator.url, TokenKind.WORKSPACE)
            with StudioClient(credentials, limiter=RateLimiter(MemoryStore(), credentials.budget_key)) as client:
                loop(client)
        else:
            inventoried(emulator, storage, limited=True)
        seconds = time.monotonic() - began
        sent = emulator.control.requests_summary(after=10**9)
        return sent["total"], sent["by_status"].get("429", 0), seconds


def true_limit(reports: int, names: Sequence[str]) -> None:
    """Print the duration of each inventory at 40 requests in 10 seconds; all run at once, with separate tokens."""
    with ThreadPoolExecutor() as pool:
        running = {name: pool.submit(at_true_limit, reports, name) for name in names}
        print(f"{'at 40 requests in 10 s':<24}{'requests':>10}{'429':>5}{'seconds':>9}{'of the budget':>16}")
        for name, future in running.items():
            used, refused, seconds = future.result()
            print(f"{name:<24}{used:>10,}{refused:>5}{seconds:>9.1f}{seconds / (used / 4):>15.3f}x")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--reports", type=int, nargs="*", default=[])
    parser.add_argument("--kill", type=int)
    parser.add_argument("--true-limit", type=int)
    parser.add_argument("--without-naive", action="store_true", help="leave the loop out of --true-limit")
    options = parser.parse_args()
    for reports in options.reports:
        count(reports)
    if options.kill:
        kill(options.kill)
    if options.true_limit:
        names = ["first night", "later night", "naive loop"]
        true_limit(options.true_limit, names[:2] if options.without_naive else names)


if __name__ == "__main__":
    main()
