# SPDX-License-Identifier: Apache-2.0
"""The entries of a policy that protect Reports, and the number of Reports of a snapshot that each matches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from airflow_provider_studio.client.models import Report
from airflow_provider_studio.governance.plans.models import ProtectionCount, SpareReason
from airflow_provider_studio.governance.plans.patterns import canonical, contains, matches
from airflow_provider_studio.governance.plans.uses import NO_USES, ReportUses

REASONS = {
    "protected_reports": SpareReason.PROTECTED_REPORT,
    "protected_collections": SpareReason.PROTECTED_COLLECTION,
    "protected_owners": SpareReason.PROTECTED_OWNER,
    "protected_names": SpareReason.PROTECTED_NAME,
    "keep_mark": SpareReason.KEEP_MARK,
    "protected_subscribers": SpareReason.PROTECTED_SUBSCRIBERS,
    "protected_uses": SpareReason.PROTECTED_USE,
}
"""Why a Report is spared, by the policy's field. If several fields protect it, the first gives the reason."""
_EXACT = ("protected_reports", "protected_collections", "protected_owners")


class Protection(NamedTuple):
    """One entry of a policy that protects Reports."""

    field: str
    value: str

    @property
    def reason(self) -> SpareReason:
        """The reason why a matching Report is spared."""
        return REASONS[self.field]


@dataclass(frozen=True)
class ReportTexts:
    """The texts of a Report that protections are compared with, and its uses.

    :param report: its token.
    :param collection: its Collection's token.
    """

    report: str
    collection: str | None
    collection_name: str | None
    owner: str | None
    name: str | None
    description: str | None
    uses: ReportUses = field(default_factory=ReportUses)

    @classmethod
    def of(
        cls,
        report: Report,
        collection_name: str | None = None,
        *,
        owner: str | None = None,
        subscribers: int | None = None,
    ) -> Self:
        """Return the texts of a Report as Studio returns it.

        :param collection_name: the name of its Collection, which the response does not have.
        :param owner: its owner, if it is known otherwise: not every response has a link to the creator.
        :param subscribers: the number of its subscribers, which its schedules have.
        """
        owner = report.creator or owner
        uses = ReportUses.of(report, subscribers)
        return cls(report.token, report.space_token, collection_name, owner, report.name, report.description, uses=uses)

    def without_uses(self) -> Self:
        """Return the texts of a Report that nobody uses."""
        return replace(self, uses=NO_USES)


class Protections:
    """The protections of one policy.

    :param fields: the policy's values by field, as texts; `keep_mark` and `protected_subscribers` as lists with at most
        one element.
    """

    def __init__(self, fields: Mapping[str, Iterable[str]]) -> None:
        self.entries = tuple(
            Protection(field, value) for field in REASONS for value in dict.fromkeys(fields.get(field, ()))
        )
        self._exact = {(entry.field, canonical(entry.value)): entry for entry in self.entries if entry.field in _EXACT}
        self._others = [entry for entry in self.entries if entry.field not in _EXACT]

    def of(self, report: ReportTexts) -> list[Protection]:
        """Return the entries that protect a Report, those that give the reason first."""
        texts: dict[str, set[str | None]] = {
            "protected_reports": {report.report},
            "protected_collections": {report.collection, report.collection_name},
            "protected_owners": {report.owner},
        }
        keys = [(field, canonical(text)) for field, values in texts.items() for text in values if text is not None]
        found = [self._exact[key] for key in keys if key in self._exact]
        return found + [entry for entry in self._others if _covers(entry, report)]

    def count(self, reports: Iterable[tuple[ReportTexts, bool]]) -> tuple[ProtectionCount, ...]:
        """Return the number of Reports that each entry matches.

        :param reports: Reports, each with whether the plan would act on it if it were not protected.
        """
        matched: Counter[Protection] = Counter()
        spared: Counter[Protection] = Counter()
        for report, would_act in reports:
            found = self.of(report)
            matched.update(found)
            spared.update(found if would_act else ())
        return tuple(
            ProtectionCount(field=entry.field, value=entry.value, matched=matched[entry], spared=spared[entry])
            for entry in self.entries
        )

    def unknown(self, report: ReportTexts) -> Protection | None:
        """Return a protection that may cover a Report, because Studio did not return whether it is used in that way."""
        return next((entry for entry in self._others if _value_in(entry, report.uses) is None), None)


def _value_in(protection: Protection, uses: ReportUses) -> int | bool | None:
    """Return the value that a protection of uses is compared with; 0 for another protection."""
    if protection.field == "protected_subscribers":
        return uses.subscribers
    return getattr(uses, protection.value) if protection.field == "protected_uses" else 0


def _covers(protection: Protection, report: ReportTexts) -> bool:
    if protection.field == "protected_subscribers":
        return (report.uses.subscribers or 0) >= int(protection.value)
    if protection.field == "protected_uses":
        return _value_in(protection, report.uses) is True
    if protection.field == "keep_mark":
        return contains(report.description, protection.value)
    return matches(protection.value, report.name)
