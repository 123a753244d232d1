# SPDX-License-Identifier: Apache-2.0
"""Airflow's metrics as a StatsD server receives them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from airflow_provider_studio.client.responses import endpoint_of
from airflow_provider_studio.emulator import StudioEmulator
from tests.connections import connection_of

PROGRAM = """
from airflow_provider_studio.client.errors import StudioError
from airflow_provider_studio.hooks.studio import StudioHook

client = StudioHook().client
list(client.list_collections())
for _ in range(3):
    client.verify()
try:
    client.get_report("0123456789ab")
except StudioError:
    pass
"""


@pytest.fixture
def statsd() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(1.0)
        yield server


def received(server: socket.socket) -> list[str]:
    lines: list[str] = []
    while True:
        try:
            lines += server.recv(65536).decode().splitlines()
        except TimeoutError:
            return lines


def test_requests_waits_and_429s_are_counted_by_endpoint_and_status(
    emulator: StudioEmulator, statsd: socket.socket, tmp_path: object
) -> None:
    emulator.control.add_fault("status", path="/verify", status=429, headers={"Retry-After": "0"}, times=1)
    environment = {
        **os.environ,
        "AIRFLOW_CONN_STUDIO_DEFAULT": connection_of(emulator, rate_limit_requests=4, rate_limit_seconds=3),
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": str(statsd.getsockname()[1]),
        "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
        "AIRFLOW__STUDIO__RATE_LIMIT_URL": f"sqlite:///{tmp_path}/ratelimit.db",
    }
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True, capture_output=True)
    lines = [line for line in received(statsd) if "studio." in line]
    names = {line.split(",", 1)[0].rpartition("airflow.")[2] for line in lines}
    assert names == {"studio.requests", "studio.throttle_wait", "studio.rate_limited"}
    counted = [line for line in lines if "studio.requests" in line]
    assert len(counted) == emulator.control.requests_sent()
    assert sum("endpoint=verify" in line and "status=2xx" in line for line in counted) == 3
    assert sum("endpoint=verify" in line and "status=4xx" in line for line in counted) == 1
    assert sum("endpoint=reports" in line and "status=4xx" in line for line in counted) == 1
    assert not [line for line in lines if "0123456789ab" in line or "acme" in line]


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/api/verify", "verify"),
        ("/api/acme/spaces", "spaces"),
        ("/api/acme/spaces/0a1b/reports", "spaces/reports"),
        ("/api/acme/reports/0a1b", "reports"),
        ("/api/acme/reports/0a1b/archive", "reports/archive"),
        ("/api/acme/reports/0a1b/runs/2c3d/results/content.csv", "reports/runs/results/content.csv"),
        ("/api/acme/reports/0a1b/schedules/2c3d/subscriptions", "reports/schedules/subscriptions"),
    ],
)
def test_an_endpoint_is_a_path_without_names_and_tokens(path: str, endpoint: str) -> None:
    assert endpoint_of(path) == endpoint
