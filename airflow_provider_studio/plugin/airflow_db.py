# SPDX-License-Identifier: Apache-2.0
"""When DAGs that use this provider run next, which plans a run made, which DAGs took an inventory, who approved.

All of it is from Airflow's own tables.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.hitl_history import HITLDetailHistory
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskinstancehistory import TaskInstanceHistory
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_studio.assets import create_asset
from airflow_provider_studio.plugin.studio_dags import studio_dags

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True)
class ScheduledDag:
    """A DAG that uses this provider.

    :param next_at: when its next run starts, unless it is paused.
    :param last_run: the newest run's id; `last_state`, `last_started` and `last_seconds` describe it.
    """

    dag_id: str
    paused: bool
    timetable: str | None
    next_at: datetime | None
    last_run: str | None = None
    last_state: str | None = None
    last_started: datetime | None = None
    last_seconds: float | None = None


def scheduled_dags(readable_dags: set[str]) -> list[ScheduledDag]:
    """Return the DAGs with a schedule that use this provider and that the user may read, the next to run first."""
    with create_session() as session:
        query = select(DagModel).where(DagModel.next_dagrun_create_after.is_not(None), DagModel.is_stale.is_(False))
        scheduled = [dag for dag in session.scalars(query) if dag.dag_id in readable_dags]
        ours = studio_dags(session, {dag.dag_id for dag in scheduled})
        dags = [_with_last_run(dag, _newest_run(session, dag.dag_id)) for dag in scheduled if dag.dag_id in ours]
    return sorted(dags, key=lambda dag: (dag.paused, str(dag.next_at)))


def _newest_run(session: Session, dag_id: str) -> DagRun | None:
    query = select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.run_after.desc()).limit(1)
    return session.scalars(query).first()


def _with_last_run(dag: DagModel, run: DagRun | None) -> ScheduledDag:
    values = (dag.dag_id, bool(dag.is_paused), dag.timetable_description, dag.next_dagrun_create_after)
    if run is None:
        return ScheduledDag(*values)
    started, ended = run.start_date, run.end_date
    seconds = None if started is None or ended is None else (ended - started).total_seconds()
    return ScheduledDag(*values, run.run_id, str(run.state), started, seconds)


def plans_made_by(dag_id: str, run_id: str) -> set[str]:
    """Return the ids of the plans that the tasks of a run returned."""
    with create_session() as session:
        return {str(value["plan_id"]) for value in returned_plans(session, dag_id, run_id)}


def returned_plans(session: Session, dag_id: str, run_id: str) -> list[dict[str, Any]]:
    """Return what the tasks of a run returned about plans, each with a `plan_id`."""
    query = select(XComModel).where(
        XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == "return_value"
    )
    values = [from_json(xcom.value) for xcom in session.scalars(query)]
    return [value for value in values if isinstance(value, dict) and "plan_id" in value]


def has_answer(actor: Mapping[str, str], options: Collection[str]) -> bool:
    """Whether Airflow's own record has the answer that a journal claims.

    :param actor: the task that asked (`dag`, `run`, `task`, `map_index`), and the person who answered (`approver`).
    :param options: the options of the approval that have the meaning in the journal.
    """
    answers: list[tuple[dict[str, str] | None, list[str] | None]] = []
    with create_session() as session:
        for task, record, key in (
            (TaskInstance, HITLDetail, HITLDetail.ti_id == TaskInstance.id),
            (
                TaskInstanceHistory,
                HITLDetailHistory,
                HITLDetailHistory.ti_history_id == TaskInstanceHistory.task_instance_id,
            ),
        ):
            query = select(record.responded_by, record.chosen_options).join(task, key)
            query = query.where(
                task.dag_id == actor.get("dag"),
                task.run_id == actor.get("run"),
                task.task_id == actor.get("task"),
                task.map_index == int(actor.get("map_index", -1)),
            )
            answers += [(person, chosen) for person, chosen in session.execute(query)]
    return any(
        person is not None
        and actor.get("approver") in {person.get("name"), person.get("id")}
        and not set(options).isdisjoint(chosen or ())
        for person, chosen in answers
    )


def from_json(value: object) -> object:
    """Return an XCom as plain JSON, without creating the objects that it may name."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:  # a text, which SQLAlchemy has decoded already
        return value


def all_dags() -> set[str]:
    """Return the ids of all DAGs that this Airflow has."""
    with create_session() as session:
        return set(session.scalars(select(DagModel.dag_id).where(DagModel.is_stale.is_(False))))


def inventory_dags(workspaces: Iterable[str]) -> dict[str, set[str]]:
    """Return the DAGs that took the inventory of each workspace, by the events of its asset.

    A workspace without events has no entry: no task took its inventory, or its events were purged.
    """
    workspace_of = {create_asset(workspace=workspace).uri: workspace for workspace in workspaces}
    query = (
        select(AssetModel.uri, AssetEvent.source_dag_id)
        .join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
        .where(AssetModel.uri.in_(workspace_of), AssetEvent.source_dag_id.is_not(None))
        .distinct()
    )
    found: dict[str, set[str]] = {}
    with create_session() as session:
        for uri, dag_id in session.execute(query):
            found.setdefault(workspace_of[uri], set()).add(str(dag_id))
    return found
