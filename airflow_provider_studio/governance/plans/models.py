# SPDX-License-Identifier: Apache-2.0
"""The records of a plan: actions with their evidence, and spared Reports. Each is immutable and one line of JSON.

The module also defines the difference between two plans.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict

from airflow_provider_studio.governance import file_names
from airflow_provider_studio.governance.signing import SIGNATURE


class Record(BaseModel):
    """One line of a plan.

    Existing plans have a hash of their lines, which must not change. A field that is added later is None by default and
    is listed in `_added_later`: it is not written while it is None. A field that is no longer used is listed in
    `_retired`: it is written only if it was read from an earlier plan.
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
    """The kind of an action."""

    DELETE_SCHEDULE = "delete_schedule"
    ARCHIVE_REPORT = "archive_report"
    UNARCHIVE_REPORT = "unarchive_report"


class Rule(StrEnum):
    """The rule of a policy that caused an action. NAMED: requested by a person, not by a rule."""

    STALE = "stale"
    FAILING_SCHEDULE = "failing_schedule"
    SCHEDULE_OF_ARCHIVED = "schedule_of_archived"
    NAMED = "named"


REFUSED = "refused"
"""The field of evidence that Studio refused a Report before; the value is the HTTP status."""


class SpareReason(StrEnum):
    """Why a Report is spared."""

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
    PROTECTED_SUBSCRIBERS = "protected_subscribers"
    PROTECTED_USE = "protected_use"
    NO_SCHEDULE = "no_schedule"
    ALREADY_ARCHIVED = "already_archived"
    NOT_ARCHIVED = "not_archived"
    CHANGED = "changed"
    GONE = "gone"


_MAY_MATCH_NOTHING = frozenset({"keep_mark", "protected_subscribers", "protected_uses"})


class Evidence(Record):
    """One fact that supports an action.

    :param field: the fact's name in the `facts` of a snapshot, such as `view_count`.
    :param meaning: the fact in words.
    :param source: where it was read: `rest`, `discovery_api`, `discovery_db`, `memberships`, `journal`, or `person`.
    :param observed_at: when it was read from the source.
    :param age_days: how old it was when the snapshot was taken.
    """

    field: str
    value: Any
    observed_at: AwareDatetime
    source: str = "rest"
    age_days: float = 0.0
    meaning: str


class Saving(Record):
    """The expected saving of an action.

    :param runs_a_week: scheduled runs.
    :param seconds_a_week: the runs times the Report's mean runtime; None if that is unknown.
    """

    runs_a_week: float
    seconds_a_week: float | None


class Baseline(Record):
    """The state of a Report when the plan was created; an apply compares the live Report with it."""

    archived: bool
    view_count: int | None
    edited_at: AwareDatetime | None
    last_run_at: AwareDatetime | None
    collection: str | None
    schedules: tuple[str, ...]


class Action(Record):
    """One action of a plan.

    :param collection_name: the name of the Report's Collection.
    :param report_url: the Report's page.
    :param subscribers: how many people and Slack channels get the results of the Report, or of the one schedule that is
        deleted while the Report stays; None if that is unknown.
    :param schedule_cron: the times of the schedule in machine values, as far as the snapshot has them.
    :param schedule_time_zone: the time zone of its hour, in Studio's words.
    :param schedule_last_succeeded_at: the last success of the schedule.
    :param flagged_on: the day (UTC) of the first plan that flagged the item, if every plan with this name since then
        flagged it too; None in a one-off plan.
    :param due_on: the first day on which the action may be done.
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
    collection_name: str | None = None
    report_url: str | None = None
    subscribers: int | None = None
    schedule_time_zone: str | None = None
    _added_later: ClassVar[frozenset[str]] = frozenset(
        {"flagged_on", "due_on", "collection_name", "report_url", "subscribers", "schedule_time_zone"}
    )

    @property
    def action_id(self) -> str:
        """The id of the action in the journal."""
        return file_names.action_id(self.kind.value, self.report, self.schedule)


class Spared(Record):
    """A Report, or one schedule of it, that is spared, and why.

    :param flagged_on: as in an action, for an item in its grace period or that Studio refused.
    :param due_on: as in an action.
    :param collection_name: as in an action, for an item in its grace period.
    :param report_url: as in an action, for an item in its grace period.
    :param why: the evidence in words, for an item in its grace period.
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
    collection_name: str | None = None
    report_url: str | None = None
    why: str | None = None
    _added_later: ClassVar[frozenset[str]] = frozenset({"flagged_on", "due_on", "collection_name", "report_url", "why"})
    _retired: ClassVar[frozenset[str]] = frozenset({"nights_left"})


class ProtectionCount(Record):
    """One entry of a policy that protects Reports, and its matches.

    :param field: the policy's field, such as `protected_names`.
    :param value: the entry: a pattern, a token, a name, or the mark.
    :param matched: the number of Reports of the snapshot that it matches, in any state.
    :param spared: the number of these that the plan would act on otherwise.
    """

    field: str
    value: str
    matched: int
    spared: int

    @property
    def may_be_a_typo(self) -> bool:
        """Whether an entry that names something existing matches nothing. A mark or a use may match nothing."""
        return self.matched == 0 and self.field not in _MAY_MATCH_NOTHING


class PlanHeader(Record):
    """The inputs and the identity of a plan.

    :param snapshot: the snapshot's folder, relative to the storage root; None for a one-off plan of named Reports.
    :param policy: the policy's fields; empty for a one-off plan.
    :param name: distinguishes the plans of one task from those of others: a plan is compared with earlier plans of its
        name. None in a plan of an earlier version, which is compared with none.
    :param previous_plan: the id of the newest plan with this name and an earlier snapshot.
    :param reports_by_collection: the number of Reports that are not archived in each touched Collection; `""` means no
        Collection.
    :param protections: each entry of the policy that protects Reports; None for a one-off plan, and for a plan of an
        earlier version.
    :param sha256: the hash of all lines; the header is hashed without the hash, the id and the signature.
    :param signature: the keyed hash of `identity`; None in a plan that was written without a key.
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
    signature: str | None = None
    _added_later: ClassVar[frozenset[str]] = frozenset({"protections", "name", "signature"})

    @property
    def is_one_off(self) -> bool:
        """Whether a person named or selected the Reports; it has no policy."""
        return not self.policy

    @property
    def identity(self) -> dict[str, Any]:
        """What a signature covers, with the signature; the hash covers everything else."""
        identity = {"record": "plan", "workspace": self.workspace, "plan_id": self.plan_id, "sha256": self.sha256}
        return identity | ({SIGNATURE: self.signature} if self.signature is not None else {})


@dataclass(frozen=True)
class PlanDiff:
    """The difference between a plan and an earlier plan.

    :param new: actions that only the newer plan has.
    :param gone: actions that only the earlier plan has, each with the reason: why the Report is spared now, or
        `settled` if the snapshot shows that nothing is left to do.
    :param unchanged: the number of actions in both.
    """

    previous: str
    new: tuple[Action, ...]
    gone: tuple[tuple[Action, str], ...]
    unchanged: int
