# SPDX-License-Identifier: Apache-2.0
"""Time and memory of a client, and the result, when a server sends hostile bodies.

`python -m tests.benchmarks.hostile_bodies`: about two minutes. Each row is a new process that sends one request without
retries to an emulator in the first process, with the default limits: 16 MB, twice a timeout of 30 s. The memory is the
peak during the request, beyond what the process had after an ordinary one. `drip` has a timeout of 1 s, so it ends in
2 s.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from airflow_provider_studio.client.errors import StudioError
from airflow_provider_studio.client.retry_policy import RetryPolicy
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.emulator.hostile_bodies import LARGE_RESPONSES, UNREADABLE_BODIES

TIMEOUTS = {"drip": 1.0}
DOWNLOADS_MB = 100


def memory_mb(field: str) -> float:
    """Return `VmRSS` or its peak, `VmHWM`; the peak of `getrusage` includes that of the parent process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(field))) / 1000


def send(url: str, kind: str, *, download: bool) -> None:
    """Send one request in this process and print a row of the table."""
    from airflow_provider_studio.client.auth import Credentials, TokenKind
    from airflow_provider_studio.client.client import StudioClient
    from airflow_provider_studio.client.ratelimit import RateLimiter

    client = StudioClient(
        Credentials("acme", *StudioEmulator.credentials(), url, TokenKind.WORKSPACE),
        limiter=RateLimiter.unlimited(),
        retries=RetryPolicy(attempts=1, unreadable_attempts=1),
        timeout_seconds=TIMEOUTS.get(kind, 30.0),
        max_download_mb=DOWNLOADS_MB,
    )
    client.verify()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # restarts VmHWM
    before, began, result = memory_mb("VmRSS"), time.perf_counter(), "read"
    try:
        if download:
            with client.download_run_results("0123456789ab", "0123456789ab") as (_, chunks):
                for _ in chunks:
                    pass
        else:
            list(client.list_collections())
    except StudioError as error:
        text = str(error)
        result = f"{type(error).__name__}: {text[:120]}{'…' if len(text) > 120 else ''}"
    seconds, grown = time.perf_counter() - began, memory_mb("VmHWM") - before
    print(f"| {kind}{', as a download' if download else ''} | {seconds:.2f} s | {grown:.0f} MB | {result} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--send", nargs=3, metavar=("URL", "KIND", "HOW"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.send:
        url, kind, how = arguments.send
        send(url, kind, download=how == "download")
        return
    print("| body | time | memory | result |\n|---|---|---|---|", flush=True)
    rows = [(kind, "request") for kind in (*UNREADABLE_BODIES, "long_message", *LARGE_RESPONSES)]
    rows += [(kind, "download") for kind in ("endless", "gzip_bomb")]
    with StudioEmulator("acme", reports=5) as emulator:
        for kind, how in rows:
            emulator.control.clear_faults()
            emulator.control.add_fault(kind, path="spaces|content", seconds=0.2)
            program = [sys.executable, "-m", "tests.benchmarks.hostile_bodies", "--send", emulator.url, kind, how]
            subprocess.run(program, check=True)


if __name__ == "__main__":
    main()
