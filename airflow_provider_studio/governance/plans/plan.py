# SPDX-License-Identifier: Apache-2.0
"""The plan: what would be done, each action with its evidence, and what was spared and why. Immutable once written.

A file of JSON lines: the header first, with a hash of everything else; then actions; then spared Reports. Beside it
lies the same in Markdown, for people.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, Self

from pydantic import ValidationError
from upath import UPath

from airflow_provider_studio.governance.errors import PlanError, PlanTamperedError, WrongWorkspaceError
from airflow_provider_studio.governance.plans.plan_text import PlanText
from airflow_provider_studio.governance.plans.records import (
    Action,
    ActionKind,
    PlanDiff,
    PlanHeader,
    Spared,
    SpareReason,
)
from airflow_provider_studio.governance.storage import explained, write_once

FORMAT_VERSION = 1
_MOST_NAMED = 20
"""How many protections that match nothing the summary names."""


def plans_folder(storage: UPath, workspace: str) -> UPath:
    """Return where the plans of a workspace are."""
    return storage / "plans" / f"workspace={workspace}"


class Plan:
    """A plan in memory, always with the hash of its content.

    :raises PlanTamperedError: the header carries a hash, and it is not the content's.
    """

    def __init__(self, header: PlanHeader, actions: Iterable[Action], spared: Iterable[Spared]) -> None:
        self.actions = tuple(actions)
        self.spared = tuple(spared)
        unsigned = header.model_copy(update={"plan_id": "", "sha256": ""})
        lines = [unsigned.line(), *(record.line() for record in (*self.actions, *self.spared))]
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        if header.sha256 and (header.sha256, header.plan_id) != (digest, digest[:12]):
            raise PlanTamperedError(
                f"Plan {header.plan_id} was changed after it was made: its content does not match its hash. "
                "Make a new plan instead of editing one."
            )
        self.header = header.model_copy(update={"plan_id": digest[:12], "sha256": digest})

    @property
    def plan_id(self) -> str:
        """The beginning of the content's hash."""
        return self.header.plan_id

    @property
    def workspace(self) -> str:
        """The workspace that the plan is for."""
        return self.header.workspace

    @property
    def reports(self) -> tuple[str, ...]:
        """The Reports that the plan touches, in order."""
        return tuple(dict.fromkeys(action.report for action in self.actions))

    def write(self, storage: UPath, *, previous: Plan | None = None) -> UPath:
        """Write the plan for machines (`.jsonl`) and for people (`.md`), and return the former's path.

        :param previous: the plan of the night before, for what changed since.
        """
        folder = plans_folder(storage, self.workspace)
        path = folder / f"{self.plan_id}.jsonl"
        lines = [record.line() for record in (self.header, *self.actions, *self.spared)]
        write_once(folder / f"{self.plan_id}.md", self.to_markdown(previous=previous).encode())
        write_once(path, ("\n".join(lines) + "\n").encode())
        return path

    @staticmethod
    def read_header(path: UPath) -> PlanHeader:
        """Read what a plan was made from, without proving it whole.

        :raises PlanTamperedError: it is no plan.
        """
        with explained("read the plan", path), path.open(encoding="utf-8") as file:
            first = file.readline()
        try:
            return PlanHeader.model_validate_json(first)
        except ValidationError:
            raise PlanTamperedError(f"{path} is no plan. It was changed or cut short; make a new plan.") from None

    @classmethod
    def read(cls, path: UPath, *, workspace: str) -> Self:
        """Read a plan and prove it whole.

        :raises PlanTamperedError: it was changed.
        :raises WrongWorkspaceError: it is for another workspace.
        :raises PlanError: it is no plan.
        """
        with explained("read the plan", path):
            # Names may hold other line ends than ours.
            lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
        try:
            header = PlanHeader.model_validate_json(lines[0])
            records = [json.loads(line) for line in lines[1:]]
            actions = [Action.model_validate(record) for record in records if "kind" in record]
            spared = [Spared.model_validate(record) for record in records if "kind" not in record]
        except (ValidationError, ValueError, IndexError, TypeError) as error:
            raise PlanTamperedError(
                f"{path} is no whole plan ({type(error).__name__}). It was changed or cut short; make a new plan."
            ) from None
        if header.format_version != FORMAT_VERSION:
            raise PlanError(f"{path} has format {header.format_version}; this version reads {FORMAT_VERSION}.")
        if header.workspace != workspace:
            raise WrongWorkspaceError(
                f"{path} is a plan for the workspace {header.workspace!r}, but the connection opens {workspace!r}. "
                "Use the connection that the plan was made with."
            )
        if not header.sha256:
            raise PlanTamperedError(f"{path} carries no hash. It was changed; make a new plan.")
        return cls(header, actions, spared)

    def diff(self, previous: Plan) -> PlanDiff:
        """Return what changed against an earlier plan."""
        before = {one.action_id: one for one in previous.actions}
        now = {one.action_id: one for one in self.actions}
        spared = {one.report: one.reason.value for one in self.spared}
        return PlanDiff(
            previous=previous.plan_id,
            new=tuple(one for action_id, one in now.items() if action_id not in before),
            gone=tuple(
                (one, spared.get(one.report, "settled")) for action_id, one in before.items() if action_id not in now
            ),
            kept=len(before.keys() & now.keys()),
        )

    def summary(self) -> dict[str, Any]:
        """Return the plan in numbers, as plain JSON."""
        kinds = Counter(action.kind for action in self.actions)
        savings = [action.saving for action in self.actions if action.saving is not None]
        return {
            "plan_id": self.plan_id,
            "workspace": self.workspace,
            "snapshot": self.header.snapshot,
            "reports": self.header.reports_in_snapshot,
            "stale": len({one.report for one in self.actions if one.kind is ActionKind.ARCHIVE_REPORT}),
            "reports_to_archive": kinds[ActionKind.ARCHIVE_REPORT],
            "reports_to_unarchive": kinds[ActionKind.UNARCHIVE_REPORT],
            "schedules_to_delete": kinds[ActionKind.DELETE_SCHEDULE],
            "due_later": sum(one.reason is SpareReason.GRACE for one in self.spared),
            "runs_saved_a_week": round(sum(one.runs_a_week for one in savings), 1),
            "hours_saved_a_week": round(sum(one.seconds_a_week or 0 for one in savings) / 3600, 2),
            "matching_nothing": [
                f"{one.field}: {one.value}" for one in self.header.protections or () if one.may_be_a_typo
            ][:_MOST_NAMED],
            "spared": dict(sorted(Counter(one.reason.value for one in self.spared).items())),
        }

    def to_markdown(self, *, rows: int = 50, previous: Plan | None = None) -> str:
        """Return the plan for a person: what would be done, to what, and why; at most so many rows.

        :param previous: an earlier plan, for what changed since.
        """
        diff = self.diff(previous) if previous is not None else None
        return PlanText(self.header, self.summary(), self.actions, self.spared).render(rows=rows, diff=diff)
