# SPDX-License-Identifier: Apache-2.0
"""The staleness policy: windows, rules for schedules, protections and the grace period."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from airflow_provider_studio.governance.errors import PolicyError
from airflow_provider_studio.governance.plans.models import SpareReason
from airflow_provider_studio.governance.plans.policy_text import PolicyText
from airflow_provider_studio.governance.plans.protections import Protection, Protections, ReportTexts
from airflow_provider_studio.governance.plans.uses import USES, Use, subscribers_in_words, use_in_words

__all__ = ["StalenessPolicy"]


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("it has no characters but white space")
    return text


def _from_template(value: Any) -> Any:
    """Return a number or a truth value that a template rendered as text; any other value as it is."""
    if isinstance(value, str):
        text = value.strip()
        return int(text) if text.isdecimal() else {"true": True, "false": False}.get(text.lower(), value)
    return value


def _in_order(values: Any) -> Any:
    """Return a set as a sorted list: its own order differs in each process, and would make a new DAG version each."""
    return sorted(values, key=str) if isinstance(values, Set) else values


Template = BeforeValidator(_from_template)
Days = Annotated[int, Field(strict=True, ge=1, le=3650), Template]
Names = Annotated[
    tuple[Annotated[str, Field(strict=True), AfterValidator(_not_blank)], ...], BeforeValidator(_in_order)
]
SHORTER = ("owner_left_days", "empty_days", "never_run_days")
"""Windows that replace `unviewed_days` for some Reports."""
_JUDGING = ("unviewed_days", "unrun_days", "where", *SHORTER)
_REPLACED = {
    "grace_nights": "this field no longer exists. Use grace_days, which counts calendar days instead of plans."
}
"""Fields of earlier versions, each with its replacement."""
PROTECTED = ("protected_reports", "protected_collections", "protected_owners", "protected_names")


class StalenessPolicy(BaseModel):
    """When a Report is stale, and which schedules are deleted. All conditions must hold and be proven.

    A Report is stale if it is not archived, is `minimum_age_days` old, was not edited within its window, is *proven*
    not to have been viewed in it, and, if `unrun_days` is set, was not run by a person for that number of days. Runs by
    a schedule do not count as use. The window is `unviewed_days`, or the shortest window below that applies.

    :param unviewed_days: days without a view; needs a snapshot at least that old, dated views, or a count of 0.
    :param unrun_days: days without a run by a person; None ignores runs.
    :param minimum_age_days: younger Reports are spared.
    :param owner_left_days: the window of Reports whose owner is no longer a member of the workspace.
    :param empty_days: the window of Reports without a query.
    :param never_run_days: the window of Reports that never ran.
    :param actions: `all`: delete the schedules of stale Reports and archive them; `schedules`: delete only their
        schedules, and archive nothing.
    :param where: an SQL condition over the columns of `facts`, which must hold too.
    :param failing_schedule_runs: delete a schedule after this number of consecutive failed runs; its Report stays.
    :param schedules_of_archived: delete the schedules of archived Reports.
    :param grace_days: act on an item only this many calendar days (UTC) after it was first flagged, and if every plan
        of the same name flagged it since. The date is stored in the plan and never becomes earlier.
    :param retry_refused_days: a Report that Studio refused to change is planned again after this many days, or once it
        is moved, edited or has another owner; 0 plans it every time.
    :param protected_collections: tokens or names of Collections whose Reports are spared.
    :param protected_reports: tokens of Reports that are spared.
    :param protected_owners: user names whose Reports are spared.
    :param protected_names: patterns of names that are spared: `*` matches any text, `?` one character, and every other
        character itself. Case is ignored, as in the other protections.
    :param keep_mark: Reports with this text in their description are spared; None disables the mark.
    :param protected_subscribers: a Report is spared if at least this many people or Slack channels get its results, or
        if their number is unknown; None or 0 disables the protection. Schedules that only fail are deleted regardless:
        nobody gets their results.
    :param protected_uses: a Report is spared if it is `embedded`, `public` or `shared`, or if that is unknown: Studio
        may not count views outside of its pages.
    :raises PolicyError: names the field, the value and the fix.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unviewed_days: Days | None = 90
    unrun_days: Days | None = None
    minimum_age_days: Annotated[int, Field(strict=True, ge=0, le=3650), Template] = 30
    owner_left_days: Days | None = None
    empty_days: Days | None = None
    never_run_days: Days | None = None
    actions: Literal["all", "schedules"] = "all"
    where: Annotated[str, Field(strict=True)] | None = None
    failing_schedule_runs: Annotated[int, Field(strict=True, ge=1, le=1000), Template] | None = None
    schedules_of_archived: Annotated[bool, Field(strict=True), Template] = False
    grace_days: Annotated[int, Field(strict=True, ge=0, le=365), Template] = 0
    retry_refused_days: Annotated[int, Field(strict=True, ge=0, le=3650), Template] = 7
    protected_collections: Names = ()
    protected_reports: Names = ()
    protected_owners: Names = ()
    protected_names: Names = ()
    keep_mark: Annotated[str, Field(strict=True)] | None = "#keep"
    protected_subscribers: Annotated[int, Field(strict=True, ge=0), Template] | None = 1
    protected_uses: Annotated[tuple[Use, ...], BeforeValidator(_in_order)] = ("embedded", "public")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise PolicyError(_message(error)) from None
        self._check_combination()

    @classmethod
    def of(cls, policy: StalenessPolicy | Mapping[str, Any] | str) -> StalenessPolicy:
        """Return a policy from an object, from its fields, or from its fields as JSON text.

        :raises PolicyError: the value is none of these.
        """
        if isinstance(policy, StalenessPolicy):
            return policy
        fields = _decoded(policy) if isinstance(policy, str) else policy
        if not isinstance(fields, Mapping) or not all(isinstance(name, str) for name in fields):
            raise PolicyError(
                f"policy is {policy!r}, of the type {type(policy).__name__}; give a StalenessPolicy, a mapping of its "
                "fields, or that mapping as JSON text. If another task gives it, that may have been skipped."
            )
        return cls(**fields)

    @classmethod
    def of_plan(cls, fields: Mapping[str, Any]) -> StalenessPolicy:
        """Return the policy of an existing plan, without fields that no longer exist."""
        return cls(**{name: value for name, value in fields.items() if name not in _REPLACED})

    @property
    def judges(self) -> bool:
        """Whether this policy judges which Reports are stale; without that it has rules for schedules only."""
        return judges_by({name: getattr(self, name) for name in _JUDGING})

    def window(self, *, owner_left: bool, empty: bool, never_run: bool) -> int | None:
        """Return the number of days without views and edits for such a Report; None if no window is set."""
        shorter = zip(SHORTER, (owner_left, empty, never_run), strict=True)
        days = [self.unviewed_days, *(getattr(self, name) for name, applies in shorter if applies)]
        return min((window for window in days if window is not None), default=None)

    def protection(self, report: ReportTexts) -> tuple[SpareReason, str] | None:
        """Return why a Report is protected, with details; None if it is not.

        A Report is protected too if it is unknown whether it has a protected use.
        """
        found = next(iter(self.protections.of(report)), None)
        if found is not None:
            return found.reason, _detail(found, report)
        unknown = self.protections.unknown(report)
        if unknown is None:
            return None
        if unknown.field == "protected_subscribers":
            return unknown.reason, subscribers_in_words(None)
        return unknown.reason, f"it is unknown whether it is {unknown.value}"

    def is_use_unknown(self, report: ReportTexts) -> bool:
        """Whether only a use that is unknown protects a Report."""
        return not self.protections.of(report) and self.protections.unknown(report) is not None

    @cached_property
    def protections(self) -> Protections:
        """Every entry that protects Reports."""
        more = {
            "keep_mark": () if self.keep_mark is None else (self.keep_mark,),
            "protected_subscribers": (str(self.protected_subscribers),) if self.protected_subscribers else (),
            "protected_uses": self.protected_uses,
        }
        return Protections({name: getattr(self, name) for name in PROTECTED} | more)

    def describe(self) -> str:
        """Return the policy as one sentence."""
        return PolicyText(self.model_dump()).sentence()

    def _check_combination(self) -> None:
        if not self.judges and self.failing_schedule_runs is None and not self.schedules_of_archived:
            raise PolicyError(
                "policy: unviewed_days is None and no other rule is set, so nothing is ever stale. Set unviewed_days, "
                f"unrun_days, {', '.join(SHORTER)}, where, failing_schedule_runs or schedules_of_archived."
            )
        for name in SHORTER:
            days = getattr(self, name)
            if days is not None and self.unviewed_days is not None and days >= self.unviewed_days:
                raise PolicyError(
                    f"policy: {name} is {days}, which is no shorter than unviewed_days ({self.unviewed_days}) and has "
                    f"no effect. Use fewer than {self.unviewed_days} days, or leave {name} out."
                )
        for name, example in (("where", "views_90d = 0"), ("keep_mark", "#keep")):
            value = getattr(self, name)
            if value is not None and not value.strip():
                raise PolicyError(f"policy: {name} is {value!r}. Use a text such as {example}, or None to disable it.")


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def judges_by(fields: Mapping[str, Any]) -> bool:
    """Whether a policy judges Reports, by its fields in a plan, which may be invalid in this version."""
    return any(fields.get(name) is not None for name in _JUDGING)


def _detail(protection: Protection, report: ReportTexts) -> str:
    """Return in words why a protection covers a Report."""
    details = {
        SpareReason.PROTECTED_REPORT: "named by the policy",
        SpareReason.PROTECTED_COLLECTION: f"Collection {report.collection_name or report.collection}",
        SpareReason.PROTECTED_OWNER: f"owner {report.owner}",
        SpareReason.PROTECTED_NAME: f"matches {protection.value}",
        SpareReason.KEEP_MARK: f"{protection.value} in its description",
        SpareReason.PROTECTED_SUBSCRIBERS: subscribers_in_words(report.uses.subscribers),
    }
    return details.get(protection.reason) or use_in_words(protection.value)


def _message(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "policy"
    if name in _REPLACED:
        return f"policy: {name} is {first['input']!r}; {_REPLACED[name]}"
    if first["type"] == "extra_forbidden":
        known = ", ".join(StalenessPolicy.model_fields)
        return f"policy: there is no field {name!r}; the fields are {known}."
    return f"policy: {name} is {first['input']!r}; {first['msg'].lower()}. {_how_to_fix(name)}."


def _how_to_fix(name: str) -> str:
    hints = {
        "minimum_age_days": "Use whole days from 0 to 3650",
        "retry_refused_days": "Use whole days from 0 to 3650",
        "grace_days": "Use whole days from 0 to 365",
        "failing_schedule_runs": "Use a whole number of runs from 1 to 1000",
        "schedules_of_archived": "Use True or False",
        "where": "Use a condition in SQL as text",
        "keep_mark": "Use a text such as #keep",
        "actions": "Use all, or schedules to archive nothing",
        "protected_subscribers": "Use a number of subscribers such as 1, or None to disable the protection",
        "protected_uses": f"Use a list of {', '.join(USES)}",
    }
    default = "Use whole days from 1 to 3650" if name.endswith("_days") else "Use a list of non-empty texts"
    return hints.get(name, default)
