# SPDX-License-Identifier: Apache-2.0
"""Who may read what: every request is checked by Airflow's auth manager.

All pages need permission to read assets, which every auth manager gives a viewer. A page about a DAG also needs
permission to read that DAG, and the other pages leave out the names of DAGs that the user may not read.
"""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_asset, requires_access_dag
from fastapi import Depends

MAY_READ: Any = Depends(requires_access_asset("GET"))
"""Every route's dependency: 401 without a login, 403 without permission."""

MAY_READ_RUNS: Any = Depends(requires_access_dag("GET", DagAccessEntity.RUN))
MAY_READ_TASKS: Any = Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE))


def _readable_dags(user: GetUserDep) -> set[str]:
    return get_auth_manager().get_authorized_dag_ids(user=user, method="GET")


ReadableDags = Annotated[set[str], Depends(_readable_dags)]
"""The ids of the DAGs whose names the user may see."""
