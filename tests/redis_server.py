# SPDX-License-Identifier: Apache-2.0
"""A real `redis-server` on a free port, for the duration of a test or a benchmark."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import redis

from tests.system.live_airflow import free_ports

BINARY = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(
    BINARY is None, reason="SKIPPED LOUDLY: there is no redis-server in PATH (Debian: apt-get install redis-server)"
)


class RedisServer:
    """One server without persistence. A context manager.

    :param host: the address that it listens on.
    """

    def __init__(self, host: str = "127.0.0.1", *, password: str | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._password = password
        self._host, self._port = host, free_ports(1)[0]
        self._process: subprocess.Popen[bytes] | None = None
        credentials = f":{password}@" if password else ""
        self.url = f"redis://{credentials}{host}:{self._port}/0"

    def start(self) -> None:
        """Start it without data, and wait until it responds."""
        options = ["--port", str(self._port), "--bind", self._host, "--save", "", "--dir", self._folder.name]
        options += ["--requirepass", self._password] if self._password else []
        log = (Path(self._folder.name) / "log").open("ab")
        self._process = subprocess.Popen([str(BINARY), *options], stdout=log, stderr=log)
        log.close()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                self.client().ping()
            except redis.ConnectionError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError("redis-server did not start")

    def client(self) -> redis.Redis:
        """Return a new client."""
        return redis.Redis.from_url(self.url, decode_responses=True)

    def stop(self) -> None:
        """Kill it; its data is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()
        self._folder.cleanup()
