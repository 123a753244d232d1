# SPDX-License-Identifier: Apache-2.0
"""Report runs in a real Airflow whose workers and triggerer are killed; the emulator counts what was started."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from airflow.triggers.base import BaseTrigger
from upath import UPath

from airflow_provider_studio.emulator import StudioEmulator
from tests.system.conftest import Live
from tests.system.dags.report_runs import INSTANTS
from tests.system.keeper import ProcessKeeper
from tests.system.live_airflow import REPOSITORY, LiveAirflow

pytestmark = pytest.mark.system

REFRESH, RAN = "studio_refresh_reports", "studio_report_ran"
MATRIX = {
    **{f"{mode}_{number}": instant for mode, of in INSTANTS.items() for number, instant in enumerate(of)},
    **{f"{mode}_worker": "after the start, before its answer: the whole worker" for mode in INSTANTS},
}
# Before Airflow 3.3 a trigger is stopped without being told that somebody killed its task, so Airflow alone speaks.
LAST_WORDS = "goes on in Studio" if hasattr(BaseTrigger, "on_kill") else "trigger completed"


class Reports:
    """A running Airflow with the DAGs of this module, and the emulated workspace behind it."""

    def __init__(self, live: Live, keeper: ProcessKeeper, watched: str) -> None:
        self.airflow, self.control, self.storage = live.airflow, live.emulator.control, live.storage
        self.watched = watched
        self.finish = live.airflow.wait_for_run
        self._keeper = keeper

    def report(self, seconds: float) -> str:
        """Make a Report whose runs take so long."""
        return self.control.add_report(
            next_outcome="succeeded", next_runtime_seconds=seconds, expected_runtime=seconds, query_count=1
        )

    def runs(self, report: str) -> list[str]:
        """The runs that were started over the API, oldest first."""
        return [run["token"] for run in self.control.state()["reports"][report]["runs_asked"]]

    def looks(self, run: str, report: str) -> int:
        """How often anybody looked at a run, or at all runs of its Report."""
        asked = self.control.requests_summary()["requests"]
        return len(
            [one for one in asked if one["path"].endswith((f"/{run}", f"{report}/runs")) and one["method"] == "GET"]
        )

    def wait(self, until: Callable[[], Any], what: str) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + 240
        while not until():
            assert time.monotonic() < deadline, f"waited in vain until {what}"
            time.sleep(0.3)

    def wait_for_state(self, dag: str, run_id: str, task: str, state: str) -> None:
        """Wait until a task is in a state."""
        self.wait(lambda: self.airflow.task_states(dag, run_id)[task] == state, f"{task} is {state}")

    def kill_triggerer(self) -> None:
        """Kill the triggerer with all its processes, as a host that is gone would."""
        killed = 0
        for process in psutil.Process(self._keeper.pid).children(recursive=True):
            try:
                if "triggerer" in " ".join(process.cmdline()):
                    process.send_signal(signal.SIGKILL)
                    killed += 1
            except psutil.NoSuchProcess:
                continue
        assert killed

    def start_triggerer(self) -> None:
        """Start another triggerer."""
        airflow = shutil.which("airflow", path=self.airflow.environment["PATH"])
        assert airflow is not None
        self._keeper.start(
            [airflow, "triggerer"], env=self.airflow.environment, log=self.airflow.home / "triggerer.log"
        )


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reports]:
    folder = tmp_path_factory.mktemp("reports")
    with StudioEmulator("acme", reports=5, seed=5) as emulator, ProcessKeeper() as keeper:
        watched = emulator.control.add_report(next_outcome="succeeded", next_runtime_seconds=0.0)
        token, secret = emulator.credentials()
        connection = {"conn_type": "studio", "host": emulator.url, "login": token, "password": secret, "schema": "acme"}
        extra = {"token_kind": "workspace", "rate_limit_requests": 100_000}
        airflow = LiveAirflow(
            keeper,
            folder / "airflow",
            dags_folder=_dags(folder / "dags", watched),
            environment={
                "AIRFLOW_CONN_STUDIO_DEFAULT": json.dumps({**connection, "extra": extra}),
                "AIRFLOW__STUDIO__STORAGE_PATH": f"file://{folder / 'studio'}",
                "AIRFLOW__CORE__PARALLELISM": "6",
                "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
                "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
                "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
                "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
                "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
                "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
            },
        )
        airflow.start()
        for dag in ("kill_matrix", "interventions", "orphans", REFRESH, RAN):
            airflow.wait_until_ready(dag, timeout_seconds=300)
        yield Reports(Live(airflow, emulator, UPath(folder / "studio")), keeper, watched)


def _dags(folder: Path, watched: str) -> Path:
    """A folder with this module's DAGs and the examples, one of which is told which Report to watch, and to hurry."""
    folder.mkdir()
    shutil.copy(Path(__file__).parent / "dags" / "report_runs.py", folder)
    shutil.copy(REPOSITORY / "dags" / f"{REFRESH}.py", folder)
    example = (REPOSITORY / "dags" / f"{RAN}.py").read_text(encoding="utf-8")
    example = example.replace("0a1b2c3d4e5f", watched).replace("interval_seconds=60", "interval_seconds=1")
    (folder / f"{RAN}.py").write_text(example, encoding="utf-8")
    return folder


def test_a_kill_at_each_instant_between_intent_and_result_starts_one_run(reports: Reports) -> None:
    conf = {task: reports.report(5.0) for task in MATRIX}
    run_id = reports.airflow.trigger("kill_matrix", conf)
    state = reports.finish("kill_matrix", run_id)
    tries = tries_of(reports, "kill_matrix", run_id)
    started = {task: len(reports.runs(report)) for task, report in conf.items()}
    print("\n".join(f"{task:<16}{MATRIX[task]:<56}{tries[task]:>3} tries {started[task]:>3} runs" for task in MATRIX))
    assert state == "success", reports.airflow.task_states("kill_matrix", run_id)
    assert started == dict.fromkeys(MATRIX, 1)
    assert all(number >= 2 for number in tries.values()), tries
    for task, report in conf.items():
        told = reports.airflow.xcom("kill_matrix", run_id, task)
        assert (told["run"], told["state"]) == (reports.runs(report)[0], "succeeded")


def tries_of(reports: Reports, dag: str, run_id: str) -> dict[str, int]:
    tasks = reports.airflow.api("GET", f"/dags/{dag}/dagRuns/{run_id}/taskInstances")["task_instances"]
    return {task["task_id"]: task["try_number"] for task in tasks}


def test_the_triggerer_is_killed_and_another_goes_on(reports: Reports) -> None:
    conf = {task: reports.report(8.0) for task in ("orphan", "orphan_killed")}
    run_id = reports.airflow.trigger("orphans", conf)
    for task, report in conf.items():
        reports.wait_for_state("orphans", run_id, task, "deferred")
        reports.wait(lambda r=report: reports.looks(reports.runs(r)[0], r) > 1, "it was looked at")
    reports.kill_triggerer()
    reports.start_triggerer()
    assert reports.finish("orphans", run_id) == "success"
    assert {task: len(reports.runs(report)) for task, report in conf.items()} == {"orphan": 1, "orphan_killed": 1}
    assert tries_of(reports, "orphans", run_id) == {"orphan": 1, "orphan_killed": 2}


def test_what_people_do_to_a_task_leaves_no_trigger_and_a_clear_starts_anew(reports: Reports) -> None:
    conf = {task: reports.report(600.0) for task in ("marked", "cleared", "cleared_running")}
    run_id = reports.airflow.trigger("interventions", conf)
    for task, state in {"marked": "deferred", "cleared": "deferred", "cleared_running": "running"}.items():
        reports.wait_for_state("interventions", run_id, task, state)
        reports.wait(lambda r=conf[task]: reports.runs(r) and reports.looks(reports.runs(r)[0], r) > 1, "it is watched")
    firsts = {task: reports.runs(report)[0] for task, report in conf.items()}
    for report in conf.values():
        reports.control.change_report(report, next_runtime_seconds=1.0)

    path = f"/dags/interventions/dagRuns/{run_id}/taskInstances/marked"
    reports.airflow.api("PATCH", path, json={"new_state": "failed"})
    clear(reports, "interventions", run_id, "cleared", "cleared_running")
    reports.wait_for_state("interventions", run_id, "cleared", "success")
    reports.wait_for_state("interventions", run_id, "cleared_running", "success")
    assert {task: len(reports.runs(report)) for task, report in conf.items()} == {
        "marked": 1,
        "cleared": 2,
        "cleared_running": 2,
    }
    reports.wait(lambda: LAST_WORDS in reports.airflow.task_log("interventions", run_id, "marked"), "it says so")
    reports.control.clear_requests()
    time.sleep(3.0)
    looked = {task: reports.looks(firsts[task], report) for task, report in conf.items()}
    assert looked == dict.fromkeys(conf, 0), "somebody still looks at a run that no task waits for"

    clear(reports, "interventions", run_id, "cleared")
    reports.wait(lambda: len(reports.runs(conf["cleared"])) == 3, "a cleared task starts a run again")


def clear(reports: Reports, dag: str, run_id: str, *tasks: str) -> None:
    body = {
        "dag_run_id": run_id,
        "task_ids": list(tasks),
        "dry_run": False,
        "only_failed": False,
        "only_running": False,
    }
    reports.airflow.api("POST", f"/dags/{dag}/clearTaskInstances", json=body)


def test_a_list_of_reports_is_refreshed_in_mapped_deferred_tasks_with_links_and_events(reports: Reports) -> None:
    wanted = [reports.report(1.0) for _ in range(3)]
    named = [wanted[0], f"https://app.mode.com/acme/reports/{wanted[1]}", f"studio://acme/reports/{wanted[2]}"]
    run_id = reports.airflow.trigger(REFRESH, {"reports": named})
    assert reports.finish(REFRESH, run_id) == "success"
    events = reports.airflow.api("GET", "/assets/events?limit=100")["asset_events"]
    for number, report in enumerate(wanted):
        (run,) = reports.runs(report)
        path = f"/dags/{REFRESH}/dagRuns/{run_id}/taskInstances/refresh/links?map_index={number}"
        links = reports.airflow.api("GET", path)["extra_links"]
        assert links["Studio run"].endswith(f"/reports/{report}/runs/{run}")
        assert links["Studio Report"].endswith(f"/reports/{report}")
        (event,) = [one for one in events if one["extra"].get("run") == run]
        assert event["uri"] == f"studio://acme/reports/{report}"
        assert event["extra"]["completed_at"] > event["extra"]["created_at"]


def test_a_dag_is_scheduled_by_a_report_that_ran(reports: Reports) -> None:
    import requests

    path = f"{reports.control._url.removesuffix('/_emulator')}/api/acme/reports/{reports.watched}"
    reports.wait(
        lambda: any(one["path"].endswith(f"/reports/{reports.watched}") for one in asked(reports)), "it is watched"
    )
    run = requests.post(f"{path}/runs", json={}, auth=StudioEmulator.credentials(), timeout=10).json()["token"]

    def done() -> bool:
        runs = reports.airflow.api("GET", f"/dags/{RAN}/dagRuns")["dag_runs"]
        return bool(runs) and runs[0]["state"] == "success"

    reports.wait(done, "the DAG ran")
    assert (reports.storage / "exports" / f"{run}.csv").exists()


def asked(reports: Reports) -> list[dict[str, Any]]:
    return list(reports.control.requests_summary()["requests"])
