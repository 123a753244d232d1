# SPDX-License-Identifier: Apache-2.0
"""The plan: what would be done, each action with its evidence, and what was spared and why. Immutable once written.

A file of JSON lines: the header first, with a hash of everything else; then actions; then spared Reports. Beside it
lies the same in Markdown, for people.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Self

from pydantic import ValidationError
from upath import UPath

from airflow_provider_studio.governance.errors import PlanError, PlanTamperedError, WrongWorkspaceError
from airflow_provider_studio.governance.file_names import plan_file
from airflow_provider_studio.governance.layout import check_plan_id, plan_path, plan_text_path, plans_folder
from airflow_provider_studio.governance.plans.markdown import PlanText
from airflow_provider_studio.governance.plans.models import (
    Action,
    ActionKind,
    PlanDiff,
    PlanHeader,
    Spared,
    SpareReason,
)
from airflow_provider_studio.governance.storage import explained, write_once

__all__ = ["Plan", "plans_folder"]

FORMAT_VERSION = 1
PLAN_ID_DIGITS = 12
"""How much of the hash is the id. It is a short name for people; the whole hash says which plan is meant."""
_MOST_NAMED = 20
"""How many protections that match nothing the summary names."""


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
        if header.sha256 and (header.sha256, header.plan_id) != (digest, digest[:PLAN_ID_DIGITS]):
            raise PlanTamperedError(
                f"Plan {header.plan_id} was changed after it was made: its content does not match its hash. "
                "Make a new plan instead of editing one."
            )
        self.header = header.model_copy(update={"plan_id": digest[:PLAN_ID_DIGITS], "sha256": digest})

    @property
    def plan_id(self) -> str:
        """The beginning of the content's hash: a short name, which another plan could have too."""
        return self.header.plan_id

    @property
    def sha256(self) -> str:
        """The content's hash: which plan this is."""
        return self.header.sha256

    @property
    def workspace(self) -> str:
        """The workspace that the plan is for."""
        return self.header.workspace

    @property
    def reports(self) -> tuple[str, ...]:
        """The Reports that the plan touches, in order."""
        return tuple(dict.fromkeys(action.report for action in self.actions))

    @property
    def due_dates(self) -> dict[str, int]:
        """How many flagged items are due on which later day, by its ISO date."""
        waiting = (one.due_on for one in self.spared if one.reason is SpareReason.GRACE and one.due_on is not None)
        return {day.isoformat(): count for day, count in sorted(Counter(waiting).items())}

    def write(self, storage: UPath, *, previous: Plan | None = None) -> UPath:
        """Write the plan for machines (`.jsonl`) and for people (`.md`), and return the former's path.

        :param previous: an earlier plan, for what changed since.
        :raises PlanError: another plan is there under the same id.
        """
        path = plan_path(storage, self.workspace, self.plan_id)
        content = ("\n".join(record.line() for record in (self.header, *self.actions, *self.spared)) + "\n").encode()
        self._check_free(path, lambda there: there == content)
        beside = plan_text_path(path)
        if not write_once(beside, self.to_markdown(previous=previous).encode()):
            self._check_free(beside, lambda there: self.sha256.encode() in there)
        if not write_once(path, content):
            self._check_free(path, lambda there: there == content)
        return path

    def _check_free(self, path: UPath, is_ours: Callable[[bytes], bool]) -> None:
        """Raise if another plan's file is there: an id is too short to be unique."""
        with explained("read the plan", path):
            taken = path.exists() and not is_ours(path.read_bytes())
        if taken:
            raise PlanError(
                f"{path} is there already and is another plan with the id {self.plan_id}, or a damaged one. Nothing "
                "was overwritten. Make the plan again: it gets another id."
            )

    @staticmethod
    def read_header(path: UPath) -> PlanHeader:
        """Read what a plan was made from, without proving it whole.

        :raises PlanTamperedError: it is no plan.
        """
        with explained("read the plan", path), path.open(encoding="utf-8") as file:
            first = file.readline()
        try:
            header = PlanHeader.model_validate_json(first)
            check_plan_id(header.plan_id)
        except (ValidationError, PlanError):
            raise PlanTamperedError(f"{path} is no plan. It was changed or cut short; make a new plan.") from None
        return header

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
        if path.name != plan_file(header.plan_id):
            raise PlanTamperedError(f"{path} is the plan {header.plan_id}. It was renamed; make a new plan.")
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
            "sha256": self.sha256,
            "name": self.header.name,
            "workspace": self.workspace,
            "snapshot": self.header.snapshot,
            "reports": self.header.reports_in_snapshot,
            "stale": len({one.report for one in self.actions if one.kind is ActionKind.ARCHIVE_REPORT}),
            "reports_to_archive": kinds[ActionKind.ARCHIVE_REPORT],
            "reports_to_unarchive": kinds[ActionKind.UNARCHIVE_REPORT],
            "schedules_to_delete": kinds[ActionKind.DELETE_SCHEDULE],
            "due_later": sum(one.reason is SpareReason.GRACE for one in self.spared),
            "next_due_on": min(self.due_dates, default=None),
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
        text = PlanText(self.header, self.summary(), self.actions, self.spared).render(rows=rows, diff=diff)
        return f"{text.rstrip()}\n\nSHA-256 of this plan: `{self.sha256}`\n"
