# SPDX-License-Identifier: Apache-2.0
"""Which workspace a page shows: the one in its URL, else the first in storage, of those that the user may see."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated

from fastapi import Depends, HTTPException, Query

from airflow_provider_studio.governance.errors import PlanTamperedError
from airflow_provider_studio.governance.plans.policy import judges_by
from airflow_provider_studio.plugin.access import VisibilityDep
from airflow_provider_studio.plugin.plan_index import PlanLine
from airflow_provider_studio.plugin.queries import SnapshotTables
from airflow_provider_studio.plugin.repository import Repository, repository

log = logging.getLogger(__name__)

_MOST_CHANGED_PLANS = 5
"""How many changed plans are passed over; without a limit, a page would read all plans."""
RepositoryDep = Annotated[Repository, Depends(repository)]


@dataclass
class WorkspaceContext:
    """A workspace and its tables.

    :param name: None while storage has no workspace.
    :param all: what the switcher offers: the workspaces that the user may see.
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
        """Return the newest snapshot, with the verdicts of `judging_plan`; None before the first snapshot."""
        judging = self.judging_plan()
        return self.repository.tables(self.required_name, None if judging is None else judging.header.plan_id)

    def judging_plan(self) -> PlanLine | None:
        """Return the newest whole plan by a policy that judges Reports: it alone has a verdict on each of them.

        :raises StillPreparingError: its tables are being prepared.
        """
        judging = (plan for plan in self.plans() if judges_by(plan.header.policy))
        return next((plan for plan in islice(judging, _MOST_CHANGED_PLANS) if self.is_whole(plan)), None)

    def is_whole(self, plan: PlanLine) -> bool:
        """Whether a plan is as it was made. One that was changed has no verdicts, and takes no other page down."""
        try:
            self.repository.plan_tables(self.required_name, plan.header.plan_id)
        except PlanTamperedError as error:
            log.warning("%s", error)
            return False
        return True


def _workspace(
    repository: RepositoryDep,
    visibility: VisibilityDep,
    workspace: Annotated[str | None, Query(max_length=200)] = None,
) -> WorkspaceContext:
    known = visibility.workspaces(repository.workspaces())
    if workspace and workspace not in known:
        raise HTTPException(404, f"Storage has no workspace {workspace!r} that you may see.")
    return WorkspaceContext(repository, workspace or next(iter(known), None), known)


WorkspaceDep = Annotated[WorkspaceContext, Depends(_workspace)]
