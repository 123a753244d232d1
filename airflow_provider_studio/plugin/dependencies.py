# SPDX-License-Identifier: Apache-2.0
"""Which workspace a page is about: the one in its address, else the first that storage knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, HTTPException, Query

from airflow_provider_studio.governance.plans.policy import archives_by
from airflow_provider_studio.plugin.plan_index import PlanLine
from airflow_provider_studio.plugin.queries import NightTables
from airflow_provider_studio.plugin.repository import Library, library

LibraryDep = Annotated[Library, Depends(library)]


@dataclass
class WorkspaceContext:
    """A workspace and its tables.

    :param name: None where storage knows no workspace yet.
    :param all: what the switcher offers.
    """

    library: Library
    name: str | None
    all: list[str] = field(default_factory=list)

    @property
    def workspace(self) -> str:
        """The workspace's name.

        :raises HTTPException: there is none yet.
        """
        if self.name is None:
            raise HTTPException(404, "No workspace has a snapshot yet.")
        return self.name

    def plans(self) -> list[PlanLine]:
        """Return its plans, newest first."""
        return self.library.plans(self.workspace)

    def night(self) -> NightTables | None:
        """Return the newest night, with the newest plan's verdicts; None before the first night."""
        judging = self.judging_plan()
        return self.library.tables(self.workspace, None if judging is None else judging.header.plan_id)

    def judging_plan(self) -> PlanLine | None:
        """Return the newest plan by a policy that judges Reports: it alone has a verdict on each of them."""
        return next((one for one in self.plans() if archives_by(one.header.policy)), None)


def _chosen(library: LibraryDep, workspace: Annotated[str | None, Query(max_length=200)] = None) -> WorkspaceContext:
    known = library.workspaces()
    if workspace and workspace not in known:
        raise HTTPException(404, f"Storage knows no workspace {workspace!r}.")
    return WorkspaceContext(library, workspace or next(iter(known), None), known)


ChosenDep = Annotated[WorkspaceContext, Depends(_chosen)]
