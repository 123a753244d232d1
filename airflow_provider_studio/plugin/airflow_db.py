# SPDX-License-Identifier: Apache-2.0
"""When the next night runs, how the last one went, which plan a run made: read from Airflow's own tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow.models.dag import DagModel, DagTag
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

TAG = "studio"
"""DAGs with this tag are the nightly jobs that the overview tells of."""


@dataclass(frozen=True)
class Night:
    """A DAG with the tag.

    :param next_at: when its next run starts, unless it is paused.
    :param last_run: the newest run's id, with its state and times.
    """

    dag_id: str
    paused: bool
    timetable: str | None
    next_at: datetime | None
    last_run: str | None = None
    last_state: str | None = None
    last_begun: datetime | None = None
    last_seconds: float | None = None


def nights(readable_dags: set[str]) -> list[Night]:
    """Return the DAGs with the tag and a schedule that the user may read, the next to run first."""
    with create_session() as session:
        tagged = select(DagTag.dag_id).where(DagTag.name == TAG)
        query = select(DagModel).where(DagModel.dag_id.in_(tagged), DagModel.is_stale.is_(False))
        scheduled = (one for one in session.scalars(query) if one.next_dagrun_create_after is not None)
        dags = [one for one in scheduled if one.dag_id in readable_dags]
        told = [_told(one, _newest_run(session, one.dag_id)) for one in dags]
    return sorted(told, key=lambda one: (one.paused, str(one.next_at)))


def _newest_run(session: Session, dag_id: str) -> DagRun | None:
    query = select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.run_after.desc()).limit(1)
    return session.scalars(query).first()


def _told(dag: DagModel, run: DagRun | None) -> Night:
    about = (dag.dag_id, bool(dag.is_paused), dag.timetable_description, dag.next_dagrun_create_after)
    if run is None:
        return Night(*about)
    begun, ended = run.start_date, run.end_date
    seconds = None if begun is None or ended is None else (ended - begun).total_seconds()
    return Night(*about, run.run_id, str(run.state), begun, seconds)


def made_plans(dag_id: str, run_id: str) -> set[str]:
    """Return the ids of the plans that the tasks of a run returned."""
    with create_session() as session:
        query = select(XComModel).where(
            XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == "return_value"
        )
        values = [_plain(one.value) for one in session.scalars(query)]
    return {str(one["plan_id"]) for one in values if isinstance(one, dict) and "plan_id" in one}


def _plain(value: object) -> object:
    """Return an XCom as plain JSON, without making the objects that it may name."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None
