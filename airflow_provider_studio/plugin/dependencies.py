# SPDX-License-Identifier: Apache-2.0
"""Which workspace a page shows: the one in its URL, else the first in storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, HTTPException, Query

from airflow_provider_studio.governance.plans.policy import archives_by
from airflow_provider_studio.plugin.plan_index import PlanLine
from airflow_provider_studio.plugin.queries import SnapshotTables
from airflow_provider_studio.plugin.repository import Repository, repository

RepositoryDep = Annotated[Repository, Depends(repository)]


@dataclass
class WorkspaceContext:
    """A workspace and its tables.

    :param name: None while storage has no workspace.
    :param all: what the switcher offers.
    """

    repository: Repository
    name: str | None
    all: list[str] = field(default_factory=list)

    @property
    def required_name(self) -> str:
        """The workspace's name.

        :raises HTTPException: there is no workspace yet.
        """
        if self.name is None:
            raise HTTPException(404, "No workspace has a snapshot yet.")
        return self.name

    def plans(self) -> list[PlanLine]:
        """Return its plans, newest first."""
        return self.repository.plans(self.required_name)

    def snapshot(self) -> SnapshotTables | None:
        """Return the newest snapshot, with the newest plan's verdicts; None before the first snapshot."""
        judging = self.judging_plan()
        return self.repository.tables(self.required_name, None if judging is None else judging.header.plan_id)

    def judging_plan(self) -> PlanLine | None:
        """Return the newest plan by a policy that judges Reports: it alone has a verdict on each of them."""
        return next((plan for plan in self.plans() if archives_by(plan.header.policy)), None)


def _workspace(
    repository: RepositoryDep, workspace: Annotated[str | None, Query(max_length=200)] = None
) -> WorkspaceContext:
    known = repository.workspaces()
    if workspace and workspace not in known:
        raise HTTPException(404, f"Storage has no workspace {workspace!r}.")
    return WorkspaceContext(repository, workspace or next(iter(known), None), known)


WorkspaceDep = Annotated[WorkspaceContext, Depends(_workspace)]
