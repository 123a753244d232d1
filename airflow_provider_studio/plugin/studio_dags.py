# SPDX-License-Identifier: Apache-2.0
"""Which DAGs use this provider, by their tasks as Airflow stores them.

Airflow's API server has no DAG files; it has each DAG's newest version in its database, as JSON with the module of each
task's operator. A DAG whose functions use `StudioHook`, or whose operators are a team's own subclasses, has no such
module; the tag `studio` is for these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow.models.dag import DagTag
from airflow.models.dag_version import DagVersion
from airflow.models.serialized_dag import SerializedDagModel
from sqlalchemy import func, select

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

TAG = "studio"
"""Lists a DAG as well, whatever its tasks are."""

_PACKAGE = f"{__name__.partition('.')[0]}."
_BATCH = 50
"""The number of DAGs in memory at a time: the JSON of a large one is a megabyte."""

_known: dict[str, tuple[str, bool]] = {}
"""By DAG, the hash of its newest version and whether that has a task of this provider."""


def studio_dags(session: Session, dag_ids: Collection[str]) -> set[str]:
    """Return those of the DAGs that have a task of this provider, or the tag.

    The JSON of a DAG is read again only when it changed.
    """
    newest = _newest_versions(session, dag_ids)
    changed = [key for dag_id, (key, digest) in newest.items() if _known.get(dag_id, ("",))[0] != digest]
    for start in range(0, len(changed), _BATCH):
        keys = changed[start : start + _BATCH]
        for stored in session.scalars(select(SerializedDagModel).where(SerializedDagModel.id.in_(keys))):
            _known[stored.dag_id] = (stored.dag_hash, _has_task(stored.data))
    tagged = select(DagTag.dag_id).where(DagTag.name == TAG)
    found = {dag_id for dag_id in newest if _known.get(dag_id, ("", False))[1]}
    return found | (set(session.scalars(tagged)) & set(dag_ids))


def _newest_versions(session: Session, dag_ids: Collection[str]) -> dict[str, tuple[Any, str]]:
    """Return the key and the hash of each DAG's newest version."""
    last = select(DagVersion.dag_id, func.max(DagVersion.version_number).label("number")).group_by(DagVersion.dag_id)
    numbers = last.subquery()
    query = (
        select(SerializedDagModel.dag_id, SerializedDagModel.id, SerializedDagModel.dag_hash)
        .join(DagVersion, SerializedDagModel.dag_version_id == DagVersion.id)
        .join(numbers, (numbers.c.dag_id == DagVersion.dag_id) & (numbers.c.number == DagVersion.version_number))
    )
    return {dag_id: (key, digest) for dag_id, key, digest in session.execute(query) if dag_id in dag_ids}


def _has_task(data: Any) -> bool:
    """Whether a stored DAG has a task of this provider; False for a form of a later Airflow that is not understood."""
    return any(str(task.get("_task_module", "")).startswith(_PACKAGE) for task in _tasks(data))


def _tasks(data: Any) -> Iterator[Mapping[str, Any]]:
    dag = data.get("dag") if isinstance(data, Mapping) else None
    tasks = dag.get("tasks") if isinstance(dag, Mapping) else None
    for task in tasks if isinstance(tasks, list) else ():
        inner = task.get("__var", task) if isinstance(task, Mapping) else None
        if isinstance(inner, Mapping):
            yield inner
