# SPDX-License-Identifier: Apache-2.0
"""Which entries of a policy protect a Report, and how many Reports of a snapshot each entry matches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from airflow_provider_studio.governance.plans.models import ProtectionCount, SpareReason
from airflow_provider_studio.governance.plans.patterns import canonical, contains, matches

REASONS = {
    "protected_reports": SpareReason.PROTECTED_REPORT,
    "protected_collections": SpareReason.PROTECTED_COLLECTION,
    "protected_owners": SpareReason.PROTECTED_OWNER,
    "protected_names": SpareReason.PROTECTED_NAME,
    "keep_mark": SpareReason.KEEP_MARK,
}
"""Why a Report is spared, by the policy's field. If several fields protect it, the first gives the reason."""
_EXACT = ("protected_reports", "protected_collections", "protected_owners")


class Protection(NamedTuple):
    """One entry of a policy that protects Reports."""

    field: str
    value: str

    @property
    def reason(self) -> SpareReason:
        """Why a Report that it matches is spared."""
        return REASONS[self.field]


@dataclass(frozen=True)
class ReportTexts:
    """The texts of a Report that protections are compared with.

    :param report: its token.
    :param collection: its Collection's token.
    """

    report: str
    collection: str | None
    collection_name: str | None
    owner: str | None
    name: str | None
    description: str | None


class Protections:
    """The protections of one policy.

    :param fields: the policy's values by field; `keep_mark` as a list of one or none.
    """

    def __init__(self, fields: Mapping[str, Iterable[str]]) -> None:
        self.entries = tuple(Protection(field, value) for field in REASONS for value in dict.fromkeys(fields[field]))
        self._exact = {(one.field, canonical(one.value)): one for one in self.entries if one.field in _EXACT}
        self._others = [one for one in self.entries if one.field not in _EXACT]

    def of(self, report: ReportTexts) -> list[Protection]:
        """Return the entries that protect a Report, those that give the reason first."""
        wanted: dict[str, set[str | None]] = {
            "protected_reports": {report.report},
            "protected_collections": {report.collection, report.collection_name},
            "protected_owners": {report.owner},
        }
        keys = [(field, canonical(text)) for field, texts in wanted.items() for text in texts if text is not None]
        found = [self._exact[key] for key in keys if key in self._exact]
        return found + [one for one in self._others if _covers(one, report)]

    def count(self, reports: Iterable[tuple[ReportTexts, bool]]) -> tuple[ProtectionCount, ...]:
        """Return how many Reports each entry matches.

        :param reports: each with whether the plan would act on it if it were not protected.
        """
        matched: Counter[Protection] = Counter()
        spared: Counter[Protection] = Counter()
        for report, would_act in reports:
            found = self.of(report)
            matched.update(found)
            spared.update(found if would_act else ())
        return tuple(
            ProtectionCount(field=one.field, value=one.value, matched=matched[one], spared=spared[one])
            for one in self.entries
        )


def _covers(protection: Protection, report: ReportTexts) -> bool:
    if protection.field == "keep_mark":
        return contains(report.description, protection.value)
    return matches(protection.value, report.name)
