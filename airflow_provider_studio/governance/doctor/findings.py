# SPDX-License-Identifier: Apache-2.0
"""A finding: one fact about the service or the deployment, as assumed and as observed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from airflow_provider_studio.client.plain_text import shorten

_LONGEST_SHOWN = 60


class Severity(StrEnum):
    """What a finding asks of a person."""

    AS_ASSUMED = "as assumed"
    RESPECTED = "respected"
    """It differs from the assumption, and the provider handles that."""
    NOT_OBSERVED = "not observed"
    """The service refused the request, or the workspace has nothing to observe it on."""
    NEEDS_A_PERSON = "needs a person"


@dataclass(frozen=True)
class Finding:
    """One fact, as assumed and as observed.

    :param fact: a short name of the fact, such as `reports: page size`.
    :param consequence: what the provider does, or what a person should do.
    """

    fact: str
    assumed: str
    observed: str
    severity: Severity
    consequence: str = ""

    @property
    def is_observed(self) -> bool:
        """Whether the fact could be observed."""
        return self.severity is not Severity.NOT_OBSERVED

    def to_row(self) -> dict[str, Any]:
        """Return the finding as a row of a table."""
        return {**asdict(self), "severity": self.severity.value}


@dataclass(frozen=True)
class Fact:
    """A fact with its assumption, which becomes a finding when it is observed.

    :param if_different: what the provider does if the observation differs.
    """

    name: str
    assumed: str
    if_different: str = ""

    def as_assumed(self, observed: str | None = None) -> Finding:
        """Return the finding that the assumption is right."""
        return Finding(self.name, self.assumed, observed or self.assumed, Severity.AS_ASSUMED)

    def respected(self, observed: str, consequence: str | None = None) -> Finding:
        """Return the finding that the service differs, which the provider handles."""
        return Finding(self.name, self.assumed, observed, Severity.RESPECTED, consequence or self.if_different)

    def not_observed(self, reason: str) -> Finding:
        """Return the finding that nothing could be observed."""
        return Finding(self.name, self.assumed, reason, Severity.NOT_OBSERVED)

    def needs_a_person(self, observed: str, fix: str) -> Finding:
        """Return the finding that a person has to do something."""
        return Finding(self.name, self.assumed, observed, Severity.NEEDS_A_PERSON, fix)

    def compared(self, is_right: bool | None, *, right: str = "", different: str, unknown: str) -> Finding:
        """Return the finding of an observation that is right, different, or None."""
        if is_right is None:
            return self.not_observed(unknown)
        return self.as_assumed(right) if is_right else self.respected(different)


def need_a_person(findings: Iterable[Finding]) -> bool:
    """Whether any of the findings asks a person to do something."""
    return any(finding.severity is Severity.NEEDS_A_PERSON for finding in findings)


def shown(value: object) -> str:
    """Return a value of a response for a finding: in one line, quoted, and short."""
    return repr(shorten(str(value), _LONGEST_SHOWN))
