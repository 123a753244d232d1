# SPDX-License-Identifier: Apache-2.0
"""Run one governed night, from an empty folder to a printed summary, and print its progress."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import requests
from upath import UPath

from airflow_provider_studio.client.auth import Credentials, TokenKind
from airflow_provider_studio.emulator import EmulatorControl
from tests.demo.approval import WAIT, Approval, ApprovalTimeoutError
from tests.demo.past import take_past_snapshots
from tests.system.keeper import ProcessKeeper
from tests.system.live_airflow import LiveAirflow, free_ports

WORKSPACE = "acme"
DAG_ID = "studio_nightly_governance"
CONNECTION_ID = "studio_default"
# The emulator's public credentials, which are valid only for an emulator.
TOKEN, SECRET = "emulator-workspace", "emulator-secret"
_READY_SECONDS = 180.0
_RUN_SECONDS = 420.0


class NightFailedError(RuntimeError):
    """The night failed."""


class Night:
    """The steps of the demo: a workspace with past snapshots, Airflow, the DAG run, the summary."""

    def __init__(self, keeper: ProcessKeeper, home: Path, arguments: argparse.Namespace) -> None:
        self._started = time.monotonic()
        self._keeper = keeper
        self._arguments = arguments
        self._home = home
        emulator_port = arguments.emulator_port or free_ports(1)[0]
        self._emulator_url = f"http://127.0.0.1:{emulator_port}"
        self._emulator_port = emulator_port
        self._control = EmulatorControl(self._emulator_url)
        self._airflow = LiveAirflow(
            keeper,
            home / "airflow",
            port=arguments.port,
            environment={"AIRFLOW__STUDIO__STORAGE_PATH": f"file://{home}/studio"},
        )
        self._printed_states: dict[str, str | None] = {}
        self._printed_at = 0.0
        self._approval: Approval | None = None
        self._waits_for_approval = False

    def run(self) -> None:
        """Run the night.

        :raises NightFailedError, LiveAirflowError: it failed; the message names the log.
        """
        self._say("Ctrl-C stops the demo and all its processes at any time")
        self._start_emulator()
        self._airflow.start()
        self._say(f"Airflow is starting in the background; its log: {self._airflow.log}")
        credentials = Credentials(WORKSPACE, TOKEN, SECRET, host=self._emulator_url, kind=TokenKind.WORKSPACE)
        take_past_snapshots(self._control, credentials, UPath(self._home / "studio"), say=self._say)
        self._say(f"Waiting for Airflow, at most {_READY_SECONDS / 60:.0f} minutes")
        self._airflow.wait_until_ready(DAG_ID, timeout_seconds=_READY_SECONDS)
        self._say(f"Airflow is ready at {self._airflow.url}; login: {self._airflow.user} / {self._airflow.password}")
        self._create_connection()
        before = time.monotonic()
        state, run_id = self._run_dag()
        self._summary(state, run_id, time.monotonic() - before)

    def stay_up(self) -> None:
        """Keep all processes running until Ctrl-C."""
        print("Running until Ctrl-C.", flush=True)
        while True:
            time.sleep(3600)

    def _say(self, sentence: str) -> None:
        print(f"[{time.monotonic() - self._started:5.1f} s] {sentence}", flush=True)

    def _start_emulator(self) -> None:
        reports = self._arguments.reports
        log = self._home / "emulator.log"
        options = {"workspace": WORKSPACE, "reports": reports, "seed": self._arguments.seed}
        argv = [sys.executable, "-m", "airflow_provider_studio.emulator"]
        argv += [f"--{name}={value}" for name, value in options.items()]
        argv += [f"--port={self._emulator_port}"]
        pid = self._keeper.start(argv, env=dict(os.environ), log=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._keeper.exit_status(pid) is not None:
                raise NightFailedError(f"the emulator did not start: {log.read_text(encoding='utf-8')[-600:]}")
            try:
                self._control.clock()
            except requests.ConnectionError:
                time.sleep(0.1)
            else:
                self._say(
                    f"Studio workspace {WORKSPACE!r} with {reports:,} Reports, emulated at {self._emulator_url}; "
                    f"token: {TOKEN} / {SECRET}"
                )
                return
        raise NightFailedError(f"the emulator did not respond within 60 s; see {log}")

    def _create_connection(self) -> None:
        connection = {
            "connection_id": CONNECTION_ID,
            "conn_type": "studio",
            "host": self._emulator_url,
            "schema": WORKSPACE,
            "login": TOKEN,
            "password": SECRET,
            "extra": json.dumps({"token_kind": "workspace"}),
        }
        self._airflow.api("POST", "/connections", json=connection)
        self._say(f"Connection {CONNECTION_ID!r} created")

    def _run_dag(self) -> tuple[str, str]:
        refreshed = next(
            token
            for token, report in sorted(self._control.state()["reports"].items())
            if not report["archived"] and report["personal_of"] is None and report["view_count"] > 50
        )
        conf = {
            "approval": self._arguments.approve,
            "refresh_report": refreshed,
            "max_actions": 400,
            "max_share": 0.2,
        }
        run_id = self._airflow.trigger(DAG_ID, conf)
        self._say(f"DAG {DAG_ID!r} triggered; its run: {self._airflow.run_url(DAG_ID, run_id)}")
        timeout, approval = _RUN_SECONDS, ""
        if self._arguments.approve:
            self._approval = Approval(self._airflow, DAG_ID, run_id, say=self._say)
            timeout += WAIT.total_seconds()
            approval = f", plus {WAIT.total_seconds() / 60:.0f} minutes for your approval (the link follows)"
        self._say(f"Waiting for the end of the run: at most {_RUN_SECONDS / 60:.0f} minutes{approval}")
        try:
            return self._airflow.wait_for_run(
                DAG_ID, run_id, timeout_seconds=timeout, watch=self._print_progress
            ), run_id
        except ApprovalTimeoutError as error:
            raise NightFailedError(str(error)) from None

    def _print_progress(self, states: dict[str, str | None]) -> None:
        """Print changed task states, and every ten seconds the number of requests."""
        printed = self._printed_states
        changed = [f"{task} {state}" for task, state in states.items() if state and printed.get(task) != state]
        self._printed_states = states
        overdue = time.monotonic() - self._printed_at > 10
        if changed or (overdue and not self._waits_for_approval):
            self._printed_at = time.monotonic()
            requests_so_far = self._control.requests_summary()["total"]
            running = [task for task, state in states.items() if state == "running"]
            self._say(f"{', '.join(changed or running) or 'waiting for Airflow'} · {requests_so_far:,} requests so far")
        self._waits_for_approval = self._approval is not None and self._approval.waits(states)

    def _summary(self, state: str, run_id: str, seconds: float) -> None:
        inventory = self._airflow.xcom(DAG_ID, run_id, "inventory") or {}
        plan = self._airflow.xcom(DAG_ID, run_id, "plan") or {}
        applied = self._airflow.xcom(DAG_ID, run_id, "apply") or {}
        sent = self._control.requests_summary()
        throttled = sent["by_status"].get("429", 0)
        rows: list[tuple[str, Any]] = [
            ("Reports", inventory.get("reports")),
            ("stale Reports", plan.get("stale")),
            ("Reports archived", applied.get("archived")),
            ("schedules deleted", applied.get("schedules_deleted")),
            ("requests used", sent["total"]),
            ("429 responses", throttled),
            ("seconds", round(seconds)),
        ]
        print(f"\nThe night: {state}")
        for name, value in rows:
            print(f"  {name:<18} {'-' if value is None else format(value, ',')}")
        print(
            f"\nAirflow UI         {self._airflow.run_url(DAG_ID, run_id)}\n"
            f"  login            {self._airflow.user} / {self._airflow.password}\n"
            f"Studio page        {self._airflow.studio_url}\n"
            f"Plan               {plan.get('path', '-')}\n"
            f"Emulated API       {self._emulator_url}/api/{WORKSPACE}\n"
            f"  token            {TOKEN} / {SECRET}\n"
            f"To undo it         trigger the DAG 'studio_undo' with plan_id {plan.get('plan_id', '-')}\n",
            flush=True,
        )
        if state != "success":
            raise NightFailedError(f"the DAG run ended as {state}: {self._airflow.task_states(DAG_ID, run_id)}")
        if throttled:
            raise NightFailedError(f"{throttled} responses were 429; the budget was exceeded")
