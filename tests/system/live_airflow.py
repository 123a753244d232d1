# SPDX-License-Identifier: Apache-2.0
"""A real Airflow on this machine: `airflow standalone` in a separate folder, on free ports, controlled over REST.

The system tests and the demo use the same class, so the tests cover what the demo shows.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from tests.airflow_in_process import SHARED, empty_database
from tests.system.keeper import ProcessKeeper

REPOSITORY = Path(__file__).resolve().parents[2]
_PORTS = range(20_000, 32_000)
"""Below Linux' ephemeral ports, so no other process gets one of them by chance."""
_FINAL_STATES = {"success", "failed"}
_PROBE_SECONDS = 10.0
_ANSWER_SECONDS = 120.0
"""How long one response may take. On a busy machine Airflow's API server may stand still for a minute."""
_TRIES = 3


class LiveAirflowError(RuntimeError):
    """Airflow did not start, or responded with an error."""


def free_ports(count: int) -> list[int]:
    """Return `count` different free TCP ports of the loopback."""
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise LiveAirflowError(f"{count} ports of {_PORTS.start} to {_PORTS.stop - 1} are not free.")


def _after(seconds: float | None) -> float:
    """Return the time of the monotonic clock after a number of seconds; None is never."""
    return math.inf if seconds is None else time.monotonic() + seconds


class LiveAirflow:
    """`airflow standalone` with one user, few processes and no schedules: DAGs run when they are triggered.

    :param keeper: starts the processes and ends them.
    :param home: AIRFLOW_HOME; created.
    :param environment: more environment variables, such as `AIRFLOW_CONN_…`.
    :param port: the port of the UI and the REST API; a free port by default.
    :param users: the users, each of whom has the role of its name, and the admin's password.
    :param base_path: the prefix of every URL, such as `/airflow`.
    """

    def __init__(
        self,
        keeper: ProcessKeeper,
        home: Path,
        *,
        dags_folder: Path = REPOSITORY / "dags",
        environment: Mapping[str, str] | None = None,
        port: int | None = None,
        users: Sequence[str] = ("admin",),
        base_path: str = "",
    ) -> None:
        self.home = home
        self._users = list(users)
        self.user, self.password = "admin", secrets.token_urlsafe(9)
        self._keeper = keeper
        ui, worker_logs, trigger_logs, scheduler_health = free_ports(4)
        self.port = port or ui
        self.url = f"http://127.0.0.1:{self.port}{base_path}"
        self.environment = {
            **self._clean_environment(),
            **self._settings(dags_folder, worker_logs, trigger_logs, scheduler_health),
            **(environment or {}),
        }
        self._session = requests.Session()
        self._session.trust_env = False
        self._pid: int | None = None

    def _settings(self, dags: Path, worker_logs: int, trigger_logs: int, health: int) -> dict[str, str]:
        return {
            "AIRFLOW_HOME": str(self.home),
            # SQLite gives up after five seconds without its lock, which a busy machine exceeds.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db?timeout=60",
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{user}" for user in self._users),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            # The default of half a minute keeps one of two processors busy with DAGs that nobody changes.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
            # On a busy machine, the API server answers a task after more than the default of five seconds.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(health),
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        }

    @staticmethod
    def _clean_environment() -> dict[str, str]:
        """Return this process' environment without Airflow's settings, with this interpreter's `airflow` in PATH."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
        return environment

    @property
    def log(self) -> Path:
        """The output of every component."""
        return self.home / "standalone.log"

    def start(self) -> None:
        """Start the components; `wait_until_ready` waits for them."""
        self.home.mkdir(parents=True, exist_ok=True)
        passwords = self.home / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps(dict.fromkeys(self._users, self.password)), encoding="utf-8")
        if SHARED in os.environ:  # set in test runs only: in the demo Airflow creates its database
            shutil.copyfile(empty_database(), self.home / "airflow.db")
        airflow = str(Path(sys.executable).with_name("airflow"))
        self._pid = self._keeper.start([airflow, "standalone"], env=self.environment, log=self.log)

    def wait_until_ready(
        self, dag_id: str, *, timeout_seconds: float | None = 600.0, watch: Callable[[str], None] | None = None
    ) -> None:
        """Wait until Airflow responds, every component is healthy and `dag_id` is parsed; then unpause it.

        :param timeout_seconds: how long to wait at most; None waits as long as Airflow's process lives.
        :param watch: is called meanwhile with what is missing.
        """
        deadline = _after(timeout_seconds)
        while time.monotonic() < deadline:
            self._check_alive()
            missing = self._missing(dag_id)
            if missing is None:
                self.api("PATCH", f"/dags/{dag_id}", json={"is_paused": False})
                return
            if watch is not None:
                watch(f"Airflow starts: waiting for {missing}")
            time.sleep(0.5)
        raise LiveAirflowError(
            f"Airflow was not ready within {timeout_seconds:.0f} s{self._import_errors()}; see {self.log}"
        )

    def _missing(self, dag_id: str) -> str | None:
        """Return what Airflow is not ready with, or None."""
        try:
            health = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=_PROBE_SECONDS).json()
            parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
            unhealthy = [part for part in parts if health.get(part, {}).get("status") != "healthy"]
            if unhealthy:
                return f"the {unhealthy[0]}"
            return None if self._known(dag_id) else f"the DAG {dag_id}"
        except (requests.RequestException, ValueError):
            return "the API server"

    def _check_alive(self) -> None:
        if self._pid is None:
            raise LiveAirflowError("start() was not called")
        status = self._keeper.exit_status(self._pid)
        if status is not None:
            tail = "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
            raise LiveAirflowError(f"`airflow standalone` ended with {status}. The end of its log:\n{tail}")

    def _known(self, dag_id: str) -> bool:
        if "Authorization" not in self._session.headers:
            self._log_in()
        return self._session.get(f"{self.url}/api/v2/dags/{dag_id}", timeout=_PROBE_SECONDS).status_code == 200

    def _log_in(self) -> None:
        self._session.headers["Authorization"] = self.bearer(self.user)

    def bearer(self, user: str) -> str:
        """Return the `Authorization` header of a user."""
        login = {"username": user, "password": self.password}
        response = self._session.post(f"{self.url}/auth/token", json=login, timeout=_ANSWER_SECONDS)
        response.raise_for_status()
        return f"Bearer {response.json()['access_token']}"

    def _import_errors(self) -> str:
        try:
            errors = self.api("GET", "/importErrors")["import_errors"]
        except (requests.RequestException, LiveAirflowError):
            return ""
        return "".join(f"\n{error['filename']}: {error['stack_trace']}" for error in errors)

    def api(self, method: str, path: str, **kwargs: Any) -> Any:
        """Call Airflow's REST API, or its UI's (`/ui/…`); an error status raises with the body.

        A GET that gets no response is repeated as long as Airflow's process lives, because the response of a busy
        machine may take minutes.

        :raises LiveAirflowError: the status is an error, or there was no response within some minutes.
        """
        root = "" if path.startswith("/ui/") else "/api/v2"
        response = self._response(method, f"{self.url}{root}{path}", **kwargs)
        if response.status_code >= 400:
            raise LiveAirflowError(f"{method} {path}: {response.status_code} {response.text[:600]}")
        return response.json() if response.content else None

    def _response(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        for _ in range(_TRIES if method == "GET" else 1):
            self._check_alive()
            try:
                return self._session.request(method, url, timeout=_ANSWER_SECONDS, **kwargs)
            except requests.RequestException as error:
                failed = error
        raise LiveAirflowError(f"{method} {url}: {failed}; see {self.log}") from None

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run of a DAG and return its run id."""
        body = {"logical_date": datetime.now(UTC).isoformat(), "conf": dict(conf)}
        return str(self.api("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Return the state of each task of a run; None before it is scheduled."""
        tasks = self.api("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in tasks}

    def is_parked(self, dag_id: str, run_id: str, task_id: str) -> bool:
        """Return whether the scheduler knows that a task was deferred.

        Airflow fails a task that is resumed before that.
        """
        pattern = rf"Received executor event with state success .*task_id='{task_id}', run_id='{re.escape(run_id)}'"
        return re.search(pattern, self.log.read_text(encoding="utf-8", errors="replace")) is not None

    @property
    def studio_url(self) -> str:
        """The URL of the provider's page in the UI."""
        return f"{self.url}/plugin/studio"

    def run_url(self, dag_id: str, run_id: str) -> str:
        """Return the URL of a run's page, quoted so that a terminal recognizes all of it as a link."""
        return f"{self.url}/dags/{dag_id}/runs/{quote(run_id, safe='')}"

    def task_url(self, dag_id: str, run_id: str, task_id: str) -> str:
        """Return the URL of a task's page."""
        return f"{self.run_url(dag_id, run_id)}/tasks/{task_id}"

    def respond(self, dag_id: str, run_id: str, task_id: str, choice: str) -> dict[str, Any]:
        """Wait until a task asks for input, and respond like the UI; return the details of its question."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        deadline = time.monotonic() + 420
        while not self.is_parked(dag_id, run_id, task_id):
            if time.monotonic() > deadline:
                raise LiveAirflowError(f"{dag_id} did not ask within 420 s: {self.task_states(dag_id, run_id)}")
            time.sleep(0.5)
        details = dict(self.api("GET", path))
        self.api("PATCH", path, json={"chosen_options": [choice], "params_input": {}})
        return details

    def wait_for_run(
        self,
        dag_id: str,
        run_id: str,
        *,
        timeout_seconds: float | None = 420.0,
        watch: Callable[[dict[str, str | None]], None] | None = None,
    ) -> str:
        """Wait for the end of a run and return its state; meanwhile call `watch` with the states of its tasks.

        :param timeout_seconds: how long to wait at most; None waits as long as Airflow's process lives.
        """
        deadline = _after(timeout_seconds)
        while time.monotonic() < deadline:
            self._check_alive()
            state = str(self.api("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])
            if watch is not None:
                watch(self.task_states(dag_id, run_id))
            if state in _FINAL_STATES:
                return state
            time.sleep(0.5)
        raise LiveAirflowError(
            f"{dag_id} did not end within {timeout_seconds:.0f} s: {self.task_states(dag_id, run_id)}"
        )

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return one XCom value of a task, decoded; None if the task pushed none."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}?deserialize=false"
        try:
            value = self.api("GET", path)["value"]
        except LiveAirflowError:
            return None
        return json.loads(value) if isinstance(value, str) and value[:1] in "[{" else value

    def task_log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        """Return a task's log as text."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}?full_content=true"
        content = self.api("GET", path, headers={"Accept": "application/json"})["content"]
        return "\n".join(json.dumps(line) if isinstance(line, dict) else str(line) for line in content)
