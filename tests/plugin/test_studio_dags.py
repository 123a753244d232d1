# SPDX-License-Identifier: Apache-2.0
"""The overview lists the DAGs that use the provider, by what Airflow stores of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import BaseOperator
from airflow.sdk import DAG

from airflow_provider_studio.operators.inventory import StudioInventoryOperator
from airflow_provider_studio.operators.reports import StudioRunReportOperator
from airflow_provider_studio.sensors.reports import StudioReportFreshnessSensor
from tests.airflow_in_process import START, store


def scheduled(name: str, *tags: str) -> DAG:
    return DAG(f"overview_{name}", schedule="@daily", start_date=START, tags=list(tags))


def inventory(name: str) -> DAG:
    with scheduled(name) as dag:
        StudioInventoryOperator(task_id="inventory")
    return dag


def foreign(name: str, *tags: str) -> DAG:
    with scheduled(name, *tags) as dag:
        BaseOperator(task_id="other")
    return dag


@pytest.fixture
def dags() -> Iterator[None]:
    with scheduled("mapped") as mapped:
        StudioRunReportOperator.partial(task_id="run").expand(report=["0a1b2c3d4e5f"])
    with scheduled("sensor") as sensor:
        StudioReportFreshnessSensor(task_id="wait", report="0a1b2c3d4e5f", max_age=3600)
    store(inventory("task"), mapped, sensor, foreign("other"), foreign("own_subclasses", "studio"), inventory("hidden"))
    yield
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    with create_session() as session:
        for dag in session.query(DagModel).filter(DagModel.dag_id.startswith("overview_")):
            session.delete(dag)


def test_dags_are_listed_by_their_tasks_or_the_tag_if_the_user_may_read_them(dags: None) -> None:
    from airflow_provider_studio.plugin.airflow_db import scheduled_dags

    readable = {f"overview_{name}" for name in ("task", "mapped", "sensor", "other", "own_subclasses")}

    def listed() -> set[str]:
        return {dag.dag_id.removeprefix("overview_") for dag in scheduled_dags(readable)}

    assert listed() == {"task", "mapped", "sensor", "own_subclasses"}
    assert listed() == {"task", "mapped", "sensor", "own_subclasses"}, "also when nothing changed"
    age_stored_dags()
    store(foreign("task"), inventory("other"))
    assert listed() == {"other", "mapped", "sensor", "own_subclasses"}


def age_stored_dags() -> None:
    """Airflow writes a DAG that changed at most every 30 seconds."""
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.query(SerializedDagModel).update({"last_updated": datetime.now(UTC) - timedelta(hours=1)})


@pytest.mark.parametrize("data", [None, [], {}, {"dag": 1}, {"dag": {"tasks": [1, {"__var": 2}, {"_task_module": 3}]}}])
def test_a_dag_of_an_unknown_form_is_not_taken_for_ours(data: object) -> None:
    from airflow_provider_studio.plugin.studio_dags import _has_task

    assert not _has_task(data)
