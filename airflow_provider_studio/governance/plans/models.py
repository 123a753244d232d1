# SPDX-License-Identifier: Apache-2.0
"""What a plan is made of: actions with their evidence, and what was spared. Immutable, each one line of JSON.

And how two plans differ.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict

from airflow_provider_studio.governance import file_names


class Record(BaseModel):
    """One line of a plan.

    Plans that exist have a hash of their lines. A field that is added later is None by default and is named in
    `_added_later`: as long as it is None, it is not written, so the lines of earlier plans stay as they were. A field
    that is not used any more is named in `_retired`: it is written only if it was read from an earlier plan.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    _added_later: ClassVar[frozenset[str]] = frozenset()
    _retired: ClassVar[frozenset[str]] = frozenset()

    def line(self) -> str:
        """Return the record as one canonical line of JSON."""
        absent = {name for name in self._added_later if getattr(self, name) is None}
        absent |= self._retired - self.model_fields_set
        fields = self.model_dump(mode="json", exclude=absent)
        return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


class ActionKind(StrEnum):
    """What an action does."""

    DELETE_SCHEDULE = "delete_schedule"
    ARCHIVE_REPORT = "archive_report"
    UNARCHIVE_REPORT = "unarchive_report"


class Rule(StrEnum):
    """Which part of a policy made an action; `named` is nobody's but that of the person who named the Report."""

    STALE = "stale"
    FAILING_SCHEDULE = "failing_schedule"
    SCHEDULE_OF_ARCHIVED = "schedule_of_archived"
    NAMED = "named"


REFUSED = "refused"
"""The field of the evidence that Studio refused a Report before; its value is the HTTP status."""


class SpareReason(StrEnum):
    """Why a Report is left alone."""

    YOUNG = "young"
    EDITED = "edited"
    VIEWED = "viewed"
    RUN = "run"
    UNPROVEN = "unproven"
    UNMATCHED = "unmatched"
    GRACE = "grace"
    REFUSED = "refused"
    DATASET = "dataset"
    FEEDS = "feeds"
    KEEP_MARK = "keep_mark"
    PROTECTED_COLLECTION = "protected_collection"
    PROTECTED_REPORT = "protected_report"
    PROTECTED_OWNER = "protected_owner"
    PROTECTED_NAME = "protected_name"
    ALREADY_ARCHIVED = "already_archived"
    NOT_ARCHIVED = "not_archived"
    GONE = "gone"


class Evidence(Record):
    """One fact that made an action.

    :param field: the fact's name in the `facts` of a night, such as `view_count`.
    :param meaning: the fact in words.
    :param source: where it was read: `rest`, `discovery_api`, `discovery_db`, `memberships`, `journal`, or `person`.
    :param observed_at: when it was read there.
    :param age_days: how old it was when the snapshot was taken.
    """

    field: str
    value: Any
    observed_at: AwareDatetime
    source: str = "rest"
    age_days: float = 0.0
    meaning: str


class Saving(Record):
    """What an action is expected to save.

    :param runs_a_week: scheduled runs.
    :param seconds_a_week: the same times the Report's mean runtime; None where that is not known.
    """

    runs_a_week: float
    seconds_a_week: float | None


class Baseline(Record):
    """The Report as the plan saw it; whoever applies the plan holds the Report against it once more."""

    archived: bool
    view_count: int | None
    edited_at: AwareDatetime | None
    last_run_at: AwareDatetime | None
    collection: str | None
    schedules: tuple[str, ...]


class Action(Record):
    """One thing to do.

    :param schedule_cron: when the schedule fires, in the machine's values, as far as the snapshot knows them.
    :param schedule_last_succeeded_at: of the schedule.
    :param flagged_on: the day (UTC) of the first plan that flagged it, where every plan with this name did since; None
        where a person named the Report.
    :param due_on: the day from which on it may be acted on.
    """

    kind: ActionKind
    rule: Rule = Rule.STALE
    report: str
    report_name: str | None
    owner: str | None = None
    owner_email: str | None = None
    schedule: str | None = None
    schedule_name: str | None = None
    schedule_cron: dict[str, Any] | None = None
    schedule_last_succeeded_at: AwareDatetime | None = None
    baseline: Baseline
    evidence: tuple[Evidence, ...]
    saving: Saving | None = None
    flagged_on: date | None = None
    due_on: date | None = None
    _added_later: ClassVar[frozenset[str]] = frozenset({"flagged_on", "due_on"})

    @property
    def action_id(self) -> str:
        """What the journal knows it by."""
        return file_names.action_id(self.kind.value, self.report, self.schedule)


class Spared(Record):
    """A Report, or one schedule of it, that is left alone, and why.

    :param flagged_on: as of an action, for one in its grace or that Studio refused.
    :param due_on: as of an action.
    :param nights_left: written by earlier versions, which counted plans instead of days.
    """

    report: str
    report_name: str | None
    reason: SpareReason
    detail: str
    schedule: str | None = None
    owner: str | None = None
    owner_email: str | None = None
    nights_left: int | None = None
    flagged_on: date | None = None
    due_on: date | None = None
    _added_later: ClassVar[frozenset[str]] = frozenset({"flagged_on", "due_on"})
    _retired: ClassVar[frozenset[str]] = frozenset({"nights_left"})


class ProtectionCount(Record):
    """One entry of a policy that protects Reports, and what it matches.

    :param field: the policy's field, such as `protected_names`.
    :param value: the entry: a pattern, a token, a name, or the mark.
    :param matched: how many Reports of the snapshot it matches, whatever their state.
    :param spared: how many of them the plan would act on otherwise.
    """

    field: str
    value: str
    matched: int
    spared: int

    @property
    def may_be_a_typo(self) -> bool:
        """Whether it matches nothing, although somebody named something that exists. A mark is only an offer."""
        return self.matched == 0 and self.field != "keep_mark"


class PlanHeader(Record):
    """What the plan was made from.

    :param snapshot: the snapshot's folder, relative to the storage root; None for a plan that a person named.
    :param policy: the policy's fields; empty for a plan that a person named.
    :param name: tells the plans of one task from those of others: a plan is compared with the earlier ones of its name.
        None in a plan that was made before plans had names, which is compared with none.
    :param previous_plan: the id of the newest plan with this name that was made from an earlier snapshot.
    :param reports_by_collection: how many Reports that are not archived each touched Collection has; `""` stands
        for none.
    :param protections: each entry of the policy that protects Reports; None for a plan that a person named, and for one
        that was made before plans had this field.
    :param sha256: of every line but this one, and of this one without the hash and the id.
    """

    format_version: int = 1
    plan_id: str = ""
    sha256: str = ""
    workspace: str
    snapshot: str | None
    taken_at: AwareDatetime
    created_at: AwareDatetime
    policy: dict[str, Any]
    policy_in_words: str
    previous_plan: str | None = None
    reports_in_snapshot: int
    reports_by_collection: dict[str, int] = {}
    protections: tuple[ProtectionCount, ...] | None = None
    name: str | None = None
    _added_later: ClassVar[frozenset[str]] = frozenset({"protections", "name"})


@dataclass(frozen=True)
class PlanDiff:
    """What changed against an earlier plan.

    :param new: actions that it had not.
    :param gone: actions that it had and this one has not, each with the reason: why the Report is spared now, or
        `settled` where the snapshot says that there is nothing left to do.
    :param kept: how many are in both.
    """

    previous: str
    new: tuple[Action, ...]
    gone: tuple[tuple[Action, str], ...]
    kept: int
