# SPDX-License-Identifier: Apache-2.0
"""Run one governed night, from an empty folder to a printed summary, and print its progress."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
from upath import UPath

from airflow_provider_studio.client.auth import Credentials, TokenKind
from airflow_provider_studio.emulator import EmulatorControl
from tests.demo.approval import WAIT, Approval, ApprovalTimeoutError
from tests.demo.past import take_past_snapshots
from tests.demo.progress import DemoOutput
from tests.demo.result import archived_with_evidence, finished_actions, undo_command
from tests.system.keeper import ProcessKeeper
from tests.system.live_airflow import LiveAirflow, free_ports

WORKSPACE = "acme"
DAG_ID = "studio_nightly_governance"
CONNECTION_ID = "studio_default"
# The emulator's public credentials, which are valid only for an emulator.
TOKEN, SECRET = "emulator-workspace", "emulator-secret"


_BETWEEN_STATES = {None, "scheduled", "queued"}


class NightFailedError(RuntimeError):
    """The night failed."""


class Night:
    """The steps of the demo: a workspace with past snapshots, Airflow, the DAG run, the summary.

    No step has a time limit: on a busy machine all of them are slow. Each waits as long as its process lives.
    """

    def __init__(self, keeper: ProcessKeeper, home: Path, arguments: argparse.Namespace, output: DemoOutput) -> None:
        self._output, self._say = output, output.say
        self._keeper = keeper
        self._arguments = arguments
        self._home = home
        self._storage = UPath(home / "studio")
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
        self._requests_of_a_night = 0
        self._run_id = ""
        self._plan: dict[str, Any] = {}
        self._approval: Approval | None = None

    def run(self) -> None:
        """Run the night.

        :raises NightFailedError, LiveAirflowError: it failed; the message names the log.
        """
        self._say("Ctrl-C stops the demo and all its processes at any time")
        self._start_emulator()
        self._airflow.start()
        self._say(f"Airflow is starting in the background; its log: {self._airflow.log}")
        credentials = Credentials(WORKSPACE, TOKEN, SECRET, host=self._emulator_url, kind=TokenKind.WORKSPACE)
        self._requests_of_a_night = take_past_snapshots(self._control, credentials, self._storage, self._output)
        self._airflow.wait_until_ready(DAG_ID, timeout_seconds=None, watch=self._output.show)
        self._output.end()
        self._say(f"Airflow is ready at {self._airflow.url}; login: {self._airflow.user} / {self._airflow.password}")
        self._create_connection()
        before = time.monotonic()
        state = self._run_dag()
        self._output.end()
        self._summary(state, time.monotonic() - before)

    def stay_up(self) -> None:
        """Keep all processes running until Ctrl-C."""
        print("Running until Ctrl-C.", flush=True)
        while True:
            time.sleep(3600)

    def _start_emulator(self) -> None:
        reports = self._arguments.reports
        log = self._home / "emulator.log"
        options = {"workspace": WORKSPACE, "reports": reports, "seed": self._arguments.seed}
        argv = [sys.executable, "-m", "airflow_provider_studio.emulator"]
        argv += [f"--{name}={value}" for name, value in options.items()]
        argv += [f"--port={self._emulator_port}"]
        pid = self._keeper.start(argv, env=dict(os.environ), log=log)
        while True:
            if self._keeper.exit_status(pid) is not None:
                raise NightFailedError(f"the emulator did not start: {log.read_text(encoding='utf-8')[-600:]}")
            try:
                self._control.clock()
            except (requests.ConnectionError, requests.Timeout):
                self._output.show("the emulator starts")
                time.sleep(0.1)
            else:
                self._output.end()
                self._say(
                    f"Studio workspace {WORKSPACE!r} with {reports:,} Reports, emulated at {self._emulator_url}; "
                    f"token: {TOKEN} / {SECRET}"
                )
                return

    def _create_connection(self) -> None:
        connection = {
            "connection_id": CONNECTION_ID,
            "conn_type": "studio",
            "host": self._emulator_url,
            "schema": WORKSPACE,
            "login": TOKEN,
            "password": SECRET,
            "extra": json.dumps({"credential_kind": "workspace"}),
        }
        self._airflow.api("POST", "/connections", json=connection)
        self._say(f"Connection {CONNECTION_ID!r} created")

    def _run_dag(self) -> str:
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
        self._run_id = run_id = self._airflow.trigger(DAG_ID, conf)
        self._say(f"DAG {DAG_ID!r} triggered; its run: {self._airflow.run_url(DAG_ID, run_id)}")
        if self._arguments.approve:
            self._approval = Approval(self._airflow, DAG_ID, run_id, say=self._say)
            self._say(f"You will have {WAIT.total_seconds() / 60:.0f} minutes for your approval (the link follows)")
        try:
            return self._airflow.wait_for_run(DAG_ID, run_id, timeout_seconds=None, watch=self._show_progress)
        except ApprovalTimeoutError as error:
            raise NightFailedError(str(error)) from None

    def _show_progress(self, states: dict[str, str | None]) -> None:
        """Print the changed states of tasks, and show how far the running task is."""
        changed = {task: state for task, state in states.items() if self._printed_states.get(task) != state}
        self._printed_states = states
        shown = [f"{task} {state}" for task, state in changed.items() if state not in _BETWEEN_STATES]
        if shown:
            self._output.end()
            self._say(", ".join(shown))
        if changed.get("plan") == "success":
            self._plan = self._airflow.xcom(DAG_ID, self._run_id, "plan") or {}
        if self._approval is not None and self._approval.waits(states):
            self._output.end()
            return
        running = [task for task, state in states.items() if state == "running"]
        if "apply" in running and self._plan:
            self._show_apply()
        elif "inventory" in running:
            sent = self._control.requests_summary()["total"]
            self._output.show("inventory", sent, self._requests_of_a_night, "requests, as in the night before")
        else:
            self._output.show(" and ".join(running) or "Airflow prepares the next task")

    def _show_apply(self) -> None:
        plan = self._plan
        done = finished_actions(self._storage, WORKSPACE, plan["plan_id"])
        total = int(plan["reports_to_archive"]) + int(plan["schedules_to_delete"])
        self._output.show("apply", done, total, "actions")

    def _summary(self, state: str, seconds: float) -> None:
        run_id = self._run_id
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
        lines = ["", f"The night: {state}"]
        lines += [f"  {name:<18} {'-' if value is None else format(value, ',')}" for name, value in rows]
        lines += ["", *self._addresses(plan), *self._archived(plan)]
        print("\n".join(lines), end="\n\n", flush=True)
        if state != "success":
            raise NightFailedError(f"the DAG run ended as {state}: {self._airflow.task_states(DAG_ID, run_id)}")
        if throttled:
            raise NightFailedError(f"{throttled} responses were 429; the budget was exceeded")

    def _addresses(self, plan: Mapping[str, Any]) -> list[str]:
        return [
            f"Airflow UI         {self._airflow.run_url(DAG_ID, self._run_id)}",
            f"  login            {self._airflow.user} / {self._airflow.password}",
            f"Studio page        {self._airflow.studio_url}",
            f"Plan               {plan.get('path', '-')}",
            f"Emulated API       {self._emulator_url}/api/{WORKSPACE}",
            f"  token            {TOKEN} / {SECRET}",
        ]

    def _archived(self, plan: Mapping[str, Any]) -> list[str]:
        """Return what was archived and why, and how to undo it."""
        if "plan_id" not in plan:
            return []
        archived = archived_with_evidence(self._storage, WORKSPACE, plan["plan_id"])
        return [
            "",
            "Archived, and why",
            *(f"  {line}" for line in archived or ["nothing"]),
            "",
            f"To undo it, trigger 'studio_undo' with plan_id {plan['plan_id']}, or paste this while the demo runs",
            f"  {undo_command(self._airflow.environment, plan['plan_id'])}",
        ]
