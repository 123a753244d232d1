# SPDX-License-Identifier: Apache-2.0
"""Sensors under a scheduler, in each way to wait.

What a task waits for stands in the DAG run's conf under its id: a `report`, and a `run` of it or the time `since`.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.sdk import DAG

from airflow_provider_studio.sensors.reports import StudioReportFreshnessSensor, StudioReportRunSensor

MODES: dict[str, dict[str, Any]] = {
    "poke": {"deferrable": False, "mode": "poke", "poke_interval": 1},
    # Airflow fails a task that comes back before the scheduler has heard that it left.
    "reschedule": {"deferrable": False, "mode": "reschedule", "poke_interval": 10},
    "deferrable": {"deferrable": True, "poke_interval": 1},
}


def of_conf(task_id: str, *names: str) -> dict[str, str]:
    """Templates of what the conf gives a task."""
    return {name: f"{{{{ dag_run.conf['{task_id}']['{name}'] }}}}" for name in names}


def run_sensor(task_id: str, **options: Any) -> None:
    """Wait for a run."""
    told = of_conf(task_id, "report", "run")
    StudioReportRunSensor(task_id=task_id, timeout=300, **told, **options)


def freshness_sensor(task_id: str, **options: Any) -> None:
    """Wait for any good run."""
    told = of_conf(task_id, "report", "since")
    StudioReportFreshnessSensor(
        task_id=task_id, report=told["report"], newer_than=told["since"], timeout=300, **options
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
