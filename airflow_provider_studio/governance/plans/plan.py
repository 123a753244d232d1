# SPDX-License-Identifier: Apache-2.0
"""The plan: actions with their evidence, and spared Reports with the reason. A written plan is immutable.

A plan is a file of JSON lines: the header with a hash of everything else, then actions, then spared Reports. A Markdown
file in the same folder has the plan for people.
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
    Rule,
    Spared,
    SpareReason,
)
from airflow_provider_studio.governance.signing import UNSIGNED, Signer
from airflow_provider_studio.governance.storage import explained, write_once

__all__ = ["Plan", "plans_folder"]

FORMAT_VERSION = 1
PLAN_ID_DIGITS = 12
"""The length of the id, which is the beginning of the hash. Only the full hash identifies a plan."""
_MOST_NAMED = 20
"""The largest number of protections without a match in the summary."""


class Plan:
    """A plan in memory, with the hash of its content.

    :raises PlanTamperedError: the header has a hash that does not match the content.
    """

    def __init__(self, header: PlanHeader, actions: Iterable[Action], spared: Iterable[Spared]) -> None:
        self.actions = tuple(actions)
        self.spared = tuple(spared)
        unsigned = header.model_copy(update={"plan_id": "", "sha256": "", "signature": None})
        lines = [unsigned.line(), *(record.line() for record in (*self.actions, *self.spared))]
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        if header.sha256 and (header.sha256, header.plan_id) != (digest, digest[:PLAN_ID_DIGITS]):
            raise PlanTamperedError(
                f"Plan {header.plan_id} was changed after its creation: its content does not match its hash. "
                "Create a new plan instead of editing one."
            )
        self.header = header.model_copy(update={"plan_id": digest[:PLAN_ID_DIGITS], "sha256": digest})

    @property
    def plan_id(self) -> str:
        """The beginning of the content's hash: a short name that is not guaranteed to be unique."""
        return self.header.plan_id

    @property
    def sha256(self) -> str:
        """The hash of the content, which identifies the plan."""
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
        """The number of flagged items that are due on each later day, by ISO date."""
        waiting = (item.due_on for item in self.spared if item.reason is SpareReason.GRACE and item.due_on is not None)
        return {day.isoformat(): count for day, count in sorted(Counter(waiting).items())}

    def check_signature(self, signer: Signer) -> None:
        """Check that a process with the deployment's key wrote the plan.

        :raises PlanTamperedError: the signature is invalid, or is missing although this deployment signs.
        """
        refusal = signer.refusal(signer.status(self.header.identity))
        if refusal is not None:
            raise PlanTamperedError(f"Plan {self.plan_id} {refusal}. Nothing was touched.")

    def write(self, storage: UPath, *, previous: Plan | None = None, signer: Signer = UNSIGNED) -> UPath:
        """Write the plan as JSON lines (`.jsonl`) and Markdown (`.md`), and return the path of the former.

        :param previous: an earlier plan to compare with.
        :param signer: signs a plan that has no signature.
        :raises PlanError: another plan with the same id exists.
        """
        path = plan_path(storage, self.workspace, self.plan_id)
        if self.header.signature is None:
            self.header = self.header.model_copy(update={"signature": signer.sign(self.header.identity)})
        content = ("\n".join(record.line() for record in (self.header, *self.actions, *self.spared)) + "\n").encode()
        self._check_free(path, lambda found: found == content)
        text_path = plan_text_path(path)
        if not write_once(text_path, self.to_markdown(previous=previous).encode()):
            self._check_free(text_path, lambda found: self.sha256.encode() in found)
        if not write_once(path, content):
            self._check_free(path, lambda found: found == content)
        return path

    def _check_free(self, path: UPath, is_ours: Callable[[bytes], bool]) -> None:
        """Raise PlanError if the file of another plan exists: an id is too short to be unique."""
        with explained("read the plan", path):
            is_taken = path.exists() and not is_ours(path.read_bytes())
        if is_taken:
            raise PlanError(
                f"{path} exists already and is another plan with the id {self.plan_id}, or a damaged one. Nothing "
                "was overwritten. Create the plan again: it gets another id."
            )

    @staticmethod
    def read_header(path: UPath) -> PlanHeader:
        """Read the header of a plan without verifying the hash.

        :raises PlanTamperedError: the file is not a plan.
        """
        with explained("read the plan", path), path.open(encoding="utf-8") as file:
            first = file.readline()
        try:
            header = PlanHeader.model_validate_json(first)
            check_plan_id(header.plan_id)
        except (ValidationError, PlanError):
            raise PlanTamperedError(f"{path} is not a plan. It was changed or truncated; create a new plan.") from None
        return header

    @classmethod
    def read(cls, path: UPath, *, workspace: str) -> Self:
        """Read a plan and verify its hash.

        :raises PlanTamperedError: it was changed after its creation.
        :raises WrongWorkspaceError: it is for another workspace.
        :raises PlanError: its format is unknown.
        """
        with explained("read the plan", path):
            # Only \n ends a line: names may contain other line breaks.
            lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
        try:
            header = PlanHeader.model_validate_json(lines[0])
            records = [json.loads(line) for line in lines[1:]]
            actions = [Action.model_validate(record) for record in records if "kind" in record]
            spared = [Spared.model_validate(record) for record in records if "kind" not in record]
        except (ValidationError, ValueError, IndexError, TypeError) as error:
            raise PlanTamperedError(
                f"{path} is not a complete plan ({type(error).__name__}). It was changed or truncated; create a new "
                "plan."
            ) from None
        if header.format_version != FORMAT_VERSION:
            raise PlanError(f"{path} has format {header.format_version}; this version reads {FORMAT_VERSION}.")
        if header.workspace != workspace:
            raise WrongWorkspaceError(
                f"{path} is a plan for the workspace {header.workspace!r}, but the connection opens {workspace!r}. "
                "Use the connection that the plan was created with."
            )
        if path.name != plan_file(header.plan_id):
            raise PlanTamperedError(f"{path} is the plan {header.plan_id}. It was renamed; create a new plan.")
        if not header.sha256:
            raise PlanTamperedError(f"{path} has no hash. It was changed; create a new plan.")
        return cls(header, actions, spared)

    def diff(self, previous: Plan) -> PlanDiff:
        """Return the difference from an earlier plan."""
        before = {action.action_id: action for action in previous.actions}
        now = {action.action_id: action for action in self.actions}
        spared = {item.report: item.reason.value for item in self.spared}
        return PlanDiff(
            previous=previous.plan_id,
            new=tuple(action for action_id, action in now.items() if action_id not in before),
            gone=tuple(
                (action, spared.get(action.report, "settled"))
                for action_id, action in before.items()
                if action_id not in now
            ),
            unchanged=len(before.keys() & now.keys()),
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
            "stale": len({action.report for action in self.actions if _is_stale(action)}),
            "reports_to_archive": kinds[ActionKind.ARCHIVE_REPORT],
            "reports_to_unarchive": kinds[ActionKind.UNARCHIVE_REPORT],
            "schedules_to_delete": kinds[ActionKind.DELETE_SCHEDULE],
            "due_later": sum(item.reason is SpareReason.GRACE for item in self.spared),
            "next_due_on": min(self.due_dates, default=None),
            "runs_saved_a_week": round(sum(saving.runs_a_week for saving in savings), 1),
            "hours_saved_a_week": round(sum(saving.seconds_a_week or 0 for saving in savings) / 3600, 2),
            "matching_nothing": [
                f"{count.field}: {count.value}" for count in self.header.protections or () if count.may_be_a_typo
            ][:_MOST_NAMED],
            "spared": dict(sorted(Counter(item.reason.value for item in self.spared).items())),
        }

    def to_markdown(self, *, rows: int = 50, previous: Plan | None = None) -> str:
        """Return the plan as Markdown: the actions and the reasons.

        :param rows: the largest number of Reports in the table.
        :param previous: an earlier plan to compare with.
        """
        diff = self.diff(previous) if previous is not None else None
        text = PlanText(self.header, self.summary(), self.actions, self.spared).render(rows=rows, diff=diff)
        return f"{text.rstrip()}\n\nSHA-256 of this plan: `{self.sha256}`\n"


def _is_stale(action: Action) -> bool:
    is_deletion = action.kind is ActionKind.DELETE_SCHEDULE and action.rule is Rule.STALE
    return action.kind is ActionKind.ARCHIVE_REPORT or is_deletion
