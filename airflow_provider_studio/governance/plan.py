# SPDX-License-Identifier: Apache-2.0
"""The plan: what would be done, each action with its evidence, and what was spared and why. Immutable once written.

A file of JSON lines: the header first, with a hash of everything else; then actions; then spared Reports.
"""

from __future__ import annotations

import hashlib
import html
import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from upath import UPath

from airflow_provider_studio.governance.errors import PlanError, PlanTamperedError, WrongWorkspaceError
from airflow_provider_studio.governance.storage import explained, write_once

FORMAT_VERSION = 1
_ROWS_IN_MARKDOWN = 50
_LONGEST_NAME = 80


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def line(self) -> str:
        """Return the record as one canonical line of JSON."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


class ActionKind(StrEnum):
    """What an action does."""

    DELETE_SCHEDULE = "delete_schedule"
    ARCHIVE_REPORT = "archive_report"


class SpareReason(StrEnum):
    """Why a Report is left alone."""

    YOUNG = "young"
    EDITED = "edited"
    VIEWED = "viewed"
    RUN = "run"
    UNPROVEN = "unproven"
    PROTECTED_COLLECTION = "protected_collection"
    PROTECTED_REPORT = "protected_report"
    PROTECTED_NAME = "protected_name"


class Evidence(_Record):
    """One fact that made an action.

    :param meaning: the fact in words.
    :param source: where it was read, such as `rest`.
    """

    field: str
    value: Any
    observed_at: AwareDatetime
    source: str = "rest"
    meaning: str


class Baseline(_Record):
    """The Report as the plan saw it; whoever applies the plan holds the Report against it once more."""

    view_count: int
    edited_at: AwareDatetime
    last_run_at: AwareDatetime | None
    collection: str
    schedules: tuple[str, ...]


class Action(_Record):
    """One thing to do."""

    kind: ActionKind
    report: str
    report_name: str | None
    schedule: str | None = None
    schedule_name: str | None = None
    baseline: Baseline
    evidence: tuple[Evidence, ...]

    @property
    def action_id(self) -> str:
        """What the journal knows it by."""
        return "-".join(filter(None, [self.kind.value, self.report, self.schedule]))


class Spared(_Record):
    """A Report that the policy's windows alone would not have spoken for, and why it is left alone."""

    report: str
    report_name: str | None
    reason: SpareReason
    detail: str


class PlanHeader(_Record):
    """What the plan was made from.

    :param snapshot: the snapshot's folder, relative to the storage root.
    :param sha256: of every line but this one, and of this one without the hash and the id.
    """

    format_version: int = FORMAT_VERSION
    plan_id: str = ""
    sha256: str = ""
    workspace: str
    snapshot: str
    taken_at: AwareDatetime
    created_at: AwareDatetime
    policy: dict[str, Any]
    policy_in_words: str
    reports_in_snapshot: int


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

    def write(self, storage: UPath) -> UPath:
        """Write the plan for machines (`.jsonl`) and for people (`.md`), and return the former's path."""
        folder = storage / "plans" / f"workspace={self.workspace}"
        path = folder / f"{self.plan_id}.jsonl"
        lines = [record.line() for record in (self.header, *self.actions, *self.spared)]
        write_once(folder / f"{self.plan_id}.md", self.to_markdown().encode())
        write_once(path, ("\n".join(lines) + "\n").encode())
        return path

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

    def summary(self) -> dict[str, Any]:
        """Return the plan in numbers, as plain JSON."""
        kinds = Counter(action.kind for action in self.actions)
        return {
            "plan_id": self.plan_id,
            "workspace": self.workspace,
            "snapshot": self.header.snapshot,
            "reports": self.header.reports_in_snapshot,
            "stale": len(self.reports),
            "reports_to_archive": kinds[ActionKind.ARCHIVE_REPORT],
            "schedules_to_delete": kinds[ActionKind.DELETE_SCHEDULE],
            "spared": dict(sorted(Counter(one.reason.value for one in self.spared).items())),
        }

    def to_markdown(self, *, rows: int = _ROWS_IN_MARKDOWN) -> str:
        """Return the plan for a person: what would be done, to what, and why; at most so many rows."""
        numbers = self.summary()
        lines = [
            f"## Plan {self.plan_id} for workspace {_shown(self.workspace)}",
            "",
            (
                f"{numbers['stale']} of {numbers['reports']} Reports are stale: "
                f"archive {numbers['reports_to_archive']}, delete {numbers['schedules_to_delete']} schedules. "
                f"Snapshot of {_day(self.header.taken_at)}."
            ),
            "",
            f"Policy: {_shown(self.header.policy_in_words, longest=1000)}",
            "",
        ]
        if self.actions:
            lines += ["| Report | what | why |", "|---|---|---|"]
            lines += [_row(action) for action in self.actions[:rows]]
            if len(self.actions) > rows:
                lines.append(f"| … | and {len(self.actions) - rows} more actions | see the plan's file |")
            lines.append("")
        if numbers["spared"]:
            spared = ", ".join(f"{count} {reason}" for reason, count in numbers["spared"].items())
            lines += [f"Spared: {spared}.", ""]
        return "\n".join(lines)


def _row(action: Action) -> str:
    what = "archive"
    if action.kind is ActionKind.DELETE_SCHEDULE:
        what = f"delete schedule {_shown(action.schedule_name or action.schedule or '')}"
    why = "; ".join(_shown(one.meaning) for one in action.evidence)
    return f"| {_shown(action.report_name or 'untitled')} ({action.report}) | {what} | {why} |"


def _day(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC")


def _shown(text: str, *, longest: int = _LONGEST_NAME) -> str:
    """Make a name that people chose harmless in Markdown and HTML, and short."""
    plain = " ".join(text.split())
    plain = plain if len(plain) <= longest else f"{plain[: longest - 1]}…"
    escaped = html.escape(plain, quote=False)
    return "".join(f"\\{one}" if one in "\\`*_[]|#~!" else one for one in escaped)
