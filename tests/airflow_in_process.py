# SPDX-License-Identifier: Apache-2.0
"""Run a test's DAG in this process with Airflow's `dag.test()` and a real metadata database."""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pendulum

SHARED = "STUDIO_TESTS_SHARED"
"""The environment variable with the folder that all processes of a test run share."""

START = pendulum.datetime(2026, 1, 1, tz="UTC")


@functools.cache
def migrate() -> None:
    """Create the metadata database of the tests' Airflow home, once."""
    shutil.copyfile(empty_database(), Path(os.environ["AIRFLOW_HOME"]) / "airflow.db")


def empty_database() -> Path:
    """Return an empty metadata database; the first process of a test run that needs it creates it."""
    home = Path(os.environ[SHARED]) / "airflow"
    database = home / "empty.db"
    home.mkdir(exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not database.exists():
            airflow = Path(sys.executable).with_name("airflow")
            environment = {**os.environ, "AIRFLOW_HOME": str(home)}
            subprocess.run([airflow, "db", "migrate"], check=True, capture_output=True, env=environment)
            (home / "airflow.db").rename(database)
    return database


@dataclass
class Ran:
    """The result of a DAG run.

    :param mapped: the states of mapped tasks, in the order of their map indices.
    """

    state: str
    tasks: dict[str, str | None]
    xcoms: dict[tuple[str, str], Any]
    mapped: dict[str, list[str | None]] = field(default_factory=dict)

    def xcom(self, task: str, key: str = "return_value") -> Any:
        """Return an XCom, or None."""
        return self.xcoms.get((task, key))


def store(*dags: Any) -> None:
    """Write DAGs to Airflow's database, as its DAG processor does."""
    migrate()
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.session import create_session

    with create_session() as session:
        DagBundlesManager().sync_bundles_to_db(session=session)
        session.commit()
        stored = [LazyDeserializedDAG.from_dag(dag) for dag in dags]
        update_dag_parsing_results_in_db("dags-folder", None, stored, {}, 0.0, set(), session=session)


def run_dag(
    dag: Any, conf: dict[str, Any] | None = None, *, mark_success: str | None = None, dated: bool = True
) -> Ran:
    """Run every task of a DAG and return the result.

    :param mark_success: a pattern of task ids that are marked as success instead of run, as a user can do in the UI.
    :param dated: whether the run has a logical date; one that an asset or the API starts has none.
    """
    store(dag)
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    date = {} if dated else {"logical_date": None}
    run = dag.test(run_conf=conf, mark_success_pattern=mark_success, **date)
    with create_session() as session:
        rows = session.query(XComModel).filter(XComModel.dag_id == dag.dag_id, XComModel.run_id == run.run_id).all()
        xcoms = {(row.task_id, row.key): XComModel.deserialize_value(row) for row in rows}
        instances = sorted(run.get_task_instances(session=session), key=lambda ti: ti.map_index)
        tasks = {ti.task_id: ti.state and str(ti.state) for ti in instances}
        mapped: dict[str, list[str | None]] = {}
        for ti in instances:
            if ti.map_index >= 0:
                mapped.setdefault(ti.task_id, []).append(ti.state and str(ti.state))
    return Ran(str(run.state), tasks, xcoms, mapped)
