# SPDX-License-Identifier: Apache-2.0
"""One governed night with Celery workers, Redis as broker and budget store, and PostgreSQL as metadata database.

`python -m tests.compatibility.fleet` (`make fleet`) starts every component of Airflow separately, because
`airflow standalone` requires the LocalExecutor. It needs `redis-server` and PostgreSQL's server programs (Debian:
redis-server and postgresql). PostgreSQL runs as an unprivileged user in a temporary folder.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from upath import UPath

from airflow_provider_studio.client.auth import Credentials, TokenKind
from airflow_provider_studio.emulator import StudioEmulator
from tests.compatibility.cells import Cell, build_wheel
from tests.connections import connection_of
from tests.demo.past import take_past_snapshots
from tests.redis_server import RedisServer
from tests.system.keeper import ProcessKeeper
from tests.system.live_airflow import LiveAirflow, free_ports

NIGHTLY = "studio_nightly_governance"
COMPONENTS = (
    ("api-server",),
    ("scheduler",),
    ("dag-processor",),
    ("triggerer",),
    ("celery", "worker", "--concurrency", "2"),
)
# Celery 5.7 removed names that Airflow's Celery provider imports. Without a lower bound, a resolver selects a version
# that is too old for Airflow, to use the newest Redis client.
FLEET = (
    "apache-airflow-providers-celery>=3.15",
    "celery<5.7",
    "apache-airflow-providers-postgres",
    "redis",
    "psutil",
    "pytest",
)


class FleetAirflow(LiveAirflow):
    """Airflow's components, each in a separate process, as on separate hosts."""

    def start(self) -> None:
        """Migrate the database, then start everything."""
        airflow = str(Path(sys.executable).with_name("airflow"))
        self.home.mkdir(parents=True, exist_ok=True)
        passwords = self.home / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({self.user: self.password}), encoding="utf-8")
        subprocess.run([airflow, "db", "migrate"], check=True, capture_output=True, env=self.environment)
        for component in COMPONENTS:
            log = self.home / f"{component[0]}.log"
            pid = self._keeper.start([airflow, *component], env=self.environment, log=log)
            self._pid = self._pid or pid

    @property
    def log(self) -> Path:
        """The API server's output."""
        return self.home / "api-server.log"


@contextmanager
def postgres() -> Iterator[str]:
    """Run a temporary PostgreSQL; yield its SQLAlchemy URL."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        raise SystemExit("There is no PostgreSQL server here (Debian: apt-get install postgresql).")
    bin_, (port,) = programs[-1].parent, free_ports(1)
    user = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    with tempfile.TemporaryDirectory(prefix="studio-postgres-") as name:
        shutil.chown(name, user)
        become = ["setpriv", f"--reuid={user}", "--clear-groups"] if os.getuid() == 0 else []
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={name} -c fsync=off"
        data = f"{name}/data"
        call: dict[str, Any] = {"cwd": name, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        make = [*become, bin_ / "initdb", "-D", data, "-U", "airflow", "--auth=trust", "--encoding=UTF8"]
        subprocess.run(make, check=True, **call)
        control = [*become, bin_ / "pg_ctl", "-D", data, "-l", f"{name}/log", "-w"]
        subprocess.run([*control, "-o", options, "start"], check=True, **call)
        try:
            yield f"postgresql+psycopg2://airflow@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, **call)


def night(folder: Path) -> dict[str, Any]:
    """Run one night without approval and return its result."""
    storage = UPath(folder / "studio")
    with (
        StudioEmulator("acme", reports=200, seed=11) as emulator,
        RedisServer() as redis,
        postgres() as database,
        ProcessKeeper() as keeper,
    ):
        token, secret = emulator.credentials()
        budget = f"{redis.url.removesuffix('0')}1"  # not the broker's database
        airflow = FleetAirflow(
            keeper,
            folder / "airflow",
            environment={
                "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
                "AIRFLOW__CELERY__BROKER_URL": redis.url,
                "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
                "AIRFLOW__STUDIO__RATE_LIMIT_URL": budget,
                "AIRFLOW__STUDIO__STORAGE_PATH": f"file://{storage}",
                "AIRFLOW__API_AUTH__JWT_SECRET": "a-secret-that-all-components-of-a-test-share-0123456789abcdef",
                "AIRFLOW_CONN_STUDIO_DEFAULT": connection_of(emulator),
            },
        )
        airflow.start()
        credentials = Credentials("acme", token, secret, emulator.url, TokenKind.WORKSPACE)
        take_past_snapshots(emulator.control, credentials, storage, say=lambda _sentence: None)
        airflow.wait_until_ready(NIGHTLY)
        emulator.control.clear_requests()
        began = time.monotonic()
        run = airflow.trigger(NIGHTLY, {"approval": False, "max_actions": 500, "max_share": 0.5})
        state = airflow.wait_for_run(NIGHTLY, run, timeout_seconds=300)
        applied = airflow.xcom(NIGHTLY, run, "apply") or {}
        worker = (airflow.home / "celery.log").read_text(encoding="utf-8", errors="replace")
        sent = emulator.control.requests_summary()
        return {
            "state": state,
            "seconds": round(time.monotonic() - began),
            "tasks": airflow.task_states(NIGHTLY, run),
            "archived": applied.get("archived"),
            "schedules_deleted": applied.get("schedules_deleted"),
            "requests": sum(sent["by_status"].values()),
            "responses_429": sent["by_status"].get("429", 0),
            "workloads_received_by_the_celery_worker": worker.count("received"),
            "database": database.partition("+")[0],
            "budgets_in_redis": Redis.from_url(budget).dbsize(),
        }


def main() -> int:
    """Create an environment with Celery, and run the night in it."""
    if "--inside" in sys.argv:
        with tempfile.TemporaryDirectory(prefix="studio-fleet-night-") as name:
            result = night(Path(name))
        print(json.dumps(result, indent=1))
        return 0 if result["state"] == "success" and result["archived"] else 1
    with tempfile.TemporaryDirectory(prefix="studio-fleet-") as name:
        cell = Cell(Path(name) / "fleet", "3.3", Path(sys.executable), "newest", build_wheel(Path(name)))
        print(cell.call_inside(FLEET, "-m", "tests.compatibility.fleet", "--inside"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
