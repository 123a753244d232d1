# SPDX-License-Identifier: Apache-2.0
"""Sensors with a scheduler, in each mode.

The conf of the DAG run has what each task waits for, under its id: a `report`, and a `run` of it or a time `since`.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.sdk import DAG

from airflow_provider_studio.sensors.reports import StudioReportFreshnessSensor, StudioReportRunSensor

MODES: dict[str, dict[str, Any]] = {
    "poke": {"deferrable": False, "mode": "poke", "poke_interval": 1},
    # Airflow fails a rescheduled task that runs again before the scheduler knows that it stopped.
    "reschedule": {"deferrable": False, "mode": "reschedule", "poke_interval": 10},
    "deferrable": {"deferrable": True, "poke_interval": 1},
}


def of_conf(task_id: str, *names: str) -> dict[str, str]:
    """Return the templates of a task's values in the conf."""
    return {name: f"{{{{ dag_run.conf['{task_id}']['{name}'] }}}}" for name in names}


def run_sensor(task_id: str, **options: Any) -> None:
    """Wait for a run."""
    arguments = of_conf(task_id, "report", "run")
    StudioReportRunSensor(task_id=task_id, timeout=300, **arguments, **options)


def freshness_sensor(task_id: str, **options: Any) -> None:
    """Wait for any successful run."""
    arguments = of_conf(task_id, "report", "since")
    StudioReportFreshnessSensor(
        task_id=task_id, report=arguments["report"], newer_than=arguments["since"], timeout=300, **options
    )


with DAG(
    "sensors",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    schedule=None,
    catchup=False,
    max_active_tasks=30,
):
    for mode, how in MODES.items():
        run_sensor(f"good_{mode}", **how)
        run_sensor(f"bad_{mode}", **how)
        freshness_sensor(f"fresh_{mode}", **how)
