# SPDX-License-Identifier: Apache-2.0
"""DAGs of the system tests with Report runs that are killed, cleared and mapped.

The conf of the DAG run has the Report of each task, under the id of the task or of its group.
"""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.links import StudioReportRunLink
from airflow_provider_studio.operators.reports import StudioRunReportOperator
from airflow_provider_studio.operators.run_record import TaskRecord

START = {"start_date": pendulum.datetime(2026, 1, 1, tz="UTC"), "schedule": None, "catchup": False}
QUICK = {"shortest_seconds": 0.5, "longest_seconds": 0.5, "first_share": 0.0}

AT_START: dict[str, tuple[Any, str, int, str]] = {
    "before the intent": (TaskRecord, "write", 1, "before"),
    "after the intent": (TaskRecord, "write", 1, "after"),
    "after the start, before its answer": (StudioClient, "create_report_run", 1, "after"),
    "after the answer, before the token": (TaskRecord, "write", 2, "before"),
    "after the token": (TaskRecord, "write", 2, "after"),
    "after the links": (StudioReportRunLink, "persist", 1, "after"),
}
AT_END: dict[str, tuple[Any, str, int, str]] = {
    "before the result": (StudioRunReportOperator, "_finish", 1, "before"),
    "after the result": (StudioRunReportOperator, "_finish", 1, "after"),
}
INSTANTS = {
    "sync": {**AT_START, "while waiting": (StudioClient, "get_report_run", 1, "after"), **AT_END},
    "deferred": {
        **AT_START,
        "before it defers": (StudioRunReportOperator, "_defer", 1, "before"),
        "after the event": (StudioRunReportOperator, "_after", 1, "before"),
        **AT_END,
    },
}


def die(whole_worker: bool) -> None:
    """Kill this task, and on request the worker that supervises it."""
    if whole_worker:
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


class DoomedOperator(StudioRunReportOperator):
    """Runs a Report, and is killed with SIGKILL at a given instant of its first try.

    :param instant: a name in INSTANTS.
    :param whole_worker: whether its supervisor is killed too.
    """

    def __init__(self, *, instant: str, whole_worker: bool = False, **kwargs: Any) -> None:
        # The kill costs one try; on a busy machine Airflow may fail others, which find the same run.
        super().__init__(retries=4, retry_delay=timedelta(seconds=1), poll_policy=QUICK, **kwargs)
        self.instant = instant
        self.whole_worker = whole_worker

    def execute(self, context: Any) -> Any:
        """Run until the kill."""
        self._arm(context)
        return super().execute(context)

    def execute_complete(self, context: Any, event: Any) -> Any:
        """Resume until the kill."""
        self._arm(context)
        return super().execute_complete(context, event)

    def _arm(self, context: Any) -> None:
        if context["ti"].try_number > 1:
            return
        owner, name, deadly, when = INSTANTS["deferred" if self.deferrable else "sync"][self.instant]
        whole_worker, calls = self.whole_worker, 0
        original = getattr(owner, name)

        def deadly_call(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == deadly and when == "before":
                die(whole_worker)
            response = original(*arguments, **options)
            if calls == deadly:
                die(whole_worker)
            return response

        setattr(
            owner, name, staticmethod(deadly_call) if isinstance(owner.__dict__.get(name), classmethod) else deadly_call
        )


def of_conf(task_id: str) -> str:
    """Return the template of a task's Report in the conf."""
    return f"{{{{ dag_run.conf['{task_id}'] }}}}"


with DAG("kill_matrix", **START, max_active_tasks=30):
    for mode, instants in INSTANTS.items():
        for number, instant in enumerate(instants):
            task_id = f"{mode}_{number}"
            DoomedOperator(task_id=task_id, report=of_conf(task_id), deferrable=mode == "deferred", instant=instant)
        DoomedOperator(
            task_id=f"{mode}_worker",
            report=of_conf(f"{mode}_worker"),
            deferrable=mode == "deferred",
            instant="after the start, before its answer",
            whole_worker=True,
        )

with DAG("interventions", **START, max_active_tasks=30):
    for name, deferrable in {"marked": True, "cleared": True, "cleared_running": False}.items():
        StudioRunReportOperator(
            task_id=name,
            report=of_conf(name),
            deferrable=deferrable,
            poll_policy=QUICK,
            retries=1,
            retry_delay=timedelta(
                seconds=1
            ),  # Airflow fails a try that is resumed before the scheduler knows of the deferral
        )

with DAG("orphans", **START, max_active_tasks=30):
    StudioRunReportOperator(task_id="orphan", report=of_conf("orphan"), deferrable=True, poll_policy=QUICK)
    DoomedOperator(task_id="orphan_killed", report=of_conf("orphan_killed"), deferrable=True, instant="after the event")
