# SPDX-License-Identifier: Apache-2.0
"""Who may read what: every request is checked by Airflow's auth manager.

All pages need permission to read assets, which every auth manager gives a viewer. A page about a DAG also needs
permission to read that DAG, and the other pages leave out the names of DAGs that the user may not read, with their runs
and tasks. The same holds for connections. A workspace is shown to

* the teams that `[studio] workspace_teams` lists for it, and nobody else;
* without an entry there, anyone who may read a DAG that took its inventory. Airflow's own record of asset events names
  these DAGs: storage cannot grant access to itself;
* if no DAG did, as far as Airflow knows, anyone who may read all DAGs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails, DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_asset, requires_access_dag
from fastapi import Depends

from airflow_provider_studio import settings
from airflow_provider_studio.plugin.airflow_db import all_dags, inventory_dags

MAY_READ: Any = Depends(requires_access_asset("GET"))
"""Every route's dependency: 401 without a login, 403 without permission."""

MAY_READ_RUNS: Any = Depends(requires_access_dag("GET", DagAccessEntity.RUN))
MAY_READ_TASKS: Any = Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE))


def _readable_dags(user: GetUserDep) -> set[str]:
    return get_auth_manager().get_authorized_dag_ids(user=user, method="GET")


ReadableDags = Annotated[set[str], Depends(_readable_dags)]
"""The ids of the DAGs whose names the user may see."""


class Visibility:
    """Which workspaces and connections a user may see.

    :param readable_dags: the DAGs that the user may read.
    """

    def __init__(self, user: Any, readable_dags: Collection[str]) -> None:
        self._user = user
        self._readable_dags = set(readable_dags)

    def workspaces(self, known: Sequence[str]) -> list[str]:
        """Return those of the workspaces that the user may see.

        :raises StudioConfigurationError: `[studio] workspace_teams` cannot be used.
        """
        teams, writers = settings.workspace_teams(), inventory_dags(known)

        def is_visible(workspace: str) -> bool:
            if workspace in teams:
                return self._is_in_a_team(teams[workspace])
            return self._may_read_one_of(writers.get(workspace, set()))

        return list(filter(is_visible, known))

    def connections(self, conn_ids: Iterable[str]) -> list[str]:
        """Return those of the connections that the user may see."""
        manager = get_auth_manager()
        return [
            conn_id
            for conn_id in conn_ids
            if manager.is_authorized_connection(
                method="GET", details=ConnectionDetails(conn_id=conn_id), user=self._user
            )
        ]

    def _may_read_one_of(self, dags: set[str]) -> bool:
        return bool(dags & self._readable_dags) if dags else self._may_read_all_dags

    @cached_property
    def _may_read_all_dags(self) -> bool:
        return all_dags() <= self._readable_dags

    def _is_in_a_team(self, teams: Sequence[str]) -> bool:
        try:
            from airflow.api_fastapi.auth.managers.models.resource_details import TeamDetails

            manager = get_auth_manager()
            return any(
                manager.is_authorized_team(method="GET", details=TeamDetails(name=team), user=self._user)
                for team in teams
            )
        except (ImportError, AttributeError, NotImplementedError):  # Airflow 3.1, or an auth manager without teams
            return False


def _visibility(user: GetUserDep, readable_dags: ReadableDags) -> Visibility:
    return Visibility(user, readable_dags)


VisibilityDep = Annotated[Visibility, Depends(_visibility)]
