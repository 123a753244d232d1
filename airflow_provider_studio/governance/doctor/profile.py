# SPDX-License-Identifier: Apache-2.0
"""The profile of a workspace: how its service differs from what is assumed, for people and for inventories.

Anyone who may write to storage can write a profile. So it only adds cautions, each of which costs requests: no listing
ends with fewer rows or less doubt, and it permits no action and replaces no check. A file that is no profile is like
none.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from upath import UPath

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.completeness import ListingCaution
from airflow_provider_studio.client.errors import StudioError
from airflow_provider_studio.client.plain_text import shorten
from airflow_provider_studio.governance.doctor.findings import Finding, Severity
from airflow_provider_studio.governance.doctor.observations import (
    LISTINGS,
    counters_of,
    is_order_stable,
    is_schedules_count_right,
    is_short_page_followed,
    page_size,
)
from airflow_provider_studio.governance.doctor.survey import Survey, Surveyor, client_reader
from airflow_provider_studio.governance.layout import ignored, profile_file
from airflow_provider_studio.governance.storage import explained, write_atomically

log = logging.getLogger(__name__)

CHECKED_EVERY = timedelta(days=7)
"""An inventory checks a profile again after this time."""
MOST_REQUESTS_OF_A_CHECK = 12
_FORMAT = 1
_MOST_BYTES = 100_000
_MOST_FACTS = 100
_LONGEST_TEXT = 200
_LARGEST_PAGE = 10_000


class Caution(StrEnum):
    """What is not believed of a workspace's service."""

    SHORT_PAGES = "short_pages"
    COUNTERS = "counters"
    SCHEDULES_COUNT = "schedules_count"

    @property
    def text(self) -> str:
        """What an inventory does because of it."""
        return _TEXTS[self]


_TEXTS = {
    Caution.SHORT_PAGES: "short pages and orders prove nothing, so every listing is read to its end",
    Caution.COUNTERS: "counters of listings are not believed",
    Caution.SCHEDULES_COUNT: "the schedules of Reports that count none are read, too",
}


@dataclass(frozen=True)
class Observations:
    """What a survey shows about cautions and page sizes.

    :param cautions: whether each caution is needed; without those that nothing showed.
    """

    cautions: Mapping[Caution, bool]
    page_sizes: Mapping[str, int]

    @classmethod
    def of(cls, survey: Survey) -> Observations:
        """Return what the responses show."""
        needed = {
            Caution.SHORT_PAGES: _any([is_short_page_followed(survey, "reports"), _not(is_order_stable(survey))]),
            Caution.COUNTERS: _any([_not(counters_of(survey, kind)) for kind in LISTINGS]),
            Caution.SCHEDULES_COUNT: _not(is_schedules_count_right(survey)),
        }
        sizes = {kind: size for kind in LISTINGS if (size := page_size(survey, kind)) is not None}
        return cls({caution: value for caution, value in needed.items() if value is not None}, sizes)


@dataclass(frozen=True)
class WorkspaceProfile:
    """How a workspace's service differs from what is assumed.

    :param observed_at: when the doctor examined it.
    :param checked_at: when its cautions were last compared with the service.
    :param page_sizes: the lengths of full pages, by kind of listing.
    :param facts: each fact that differs, with what was observed.
    :param changes: what the last check found to be different from the profile, in sentences.
    """

    observed_at: datetime
    checked_at: datetime
    cautions: frozenset[Caution] = frozenset()
    page_sizes: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()

    @property
    def listing_caution(self) -> ListingCaution:
        """The cautions that concern single listings."""
        return ListingCaution(Caution.COUNTERS in self.cautions, frozenset(self.page_sizes.values()))

    def is_due(self, now: datetime) -> bool:
        """Whether it is to be checked again; also if it is dated in the future."""
        return not timedelta(0) <= now - self.checked_at < CHECKED_EVERY

    def checked(self, observed: Observations, now: datetime) -> WorkspaceProfile:
        """Return the profile after a check, which can add cautions; only the doctor removes one."""
        needed = {caution for caution, is_needed in observed.cautions.items() if is_needed}
        gone = {caution for caution in self.cautions if observed.cautions.get(caution) is False}
        changes = [f"new: {caution.text}" for caution in sorted(needed - self.cautions)]
        changes += [f"no longer needed: {caution.text}" for caution in sorted(gone)]
        for kind, size in observed.page_sizes.items():
            before = self.page_sizes.get(kind, size)
            if before != size:
                changes.append(f"pages of {kind} have {size} rows, no longer {before}")
        return replace(
            self,
            checked_at=now,
            cautions=self.cautions | needed,
            page_sizes={**self.page_sizes, **observed.page_sizes},
            changes=tuple(changes),
        )

    def with_facts(self, findings: Iterable[Finding]) -> WorkspaceProfile:
        """Return the profile with what further findings found to be different."""
        return replace(self, facts={**self.facts, **_different(findings)})

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the profile as rows of a table."""
        times = {"observed": self.observed_at, "checked": self.checked_at}
        rows = [{"what": "date", "name": name, "value": time} for name, time in times.items()]
        rows += [{"what": "caution", "name": caution.value, "value": caution.text} for caution in sorted(self.cautions)]
        for what, values in (("page size", self.page_sizes), ("fact", self.facts)):
            rows += [{"what": what, "name": name, "value": value} for name, value in values.items()]
        return rows + [{"what": "no longer holds", "name": "", "value": change} for change in self.changes]

    def write(self, storage: UPath, workspace: str) -> None:
        """Write the profile.

        :raises StorageError: the storage cannot be written.
        """
        content = {
            "format": _FORMAT,
            "observed_at": self.observed_at.isoformat(),
            "checked_at": self.checked_at.isoformat(),
            "cautions": [caution.value for caution in sorted(self.cautions)],
            "page_sizes": dict(self.page_sizes),
            "facts": dict(self.facts),
            "changes": list(self.changes),
        }
        write_atomically(profile_file(storage, workspace), json.dumps(content, indent=2).encode())


def new_profile(
    survey: Survey, findings: Iterable[Finding], previous: WorkspaceProfile | None, now: datetime
) -> WorkspaceProfile:
    """Return the profile that an examination gives. A caution of the previous one stays if nothing showed it now."""
    observed = Observations.of(survey)
    kept = set() if previous is None else {each for each in previous.cautions if each not in observed.cautions}
    needed = {caution for caution, is_needed in observed.cautions.items() if is_needed}
    return WorkspaceProfile(now, now, frozenset(kept | needed), observed.page_sizes, _different(findings))


def _different(findings: Iterable[Finding]) -> dict[str, str]:
    severities = {Severity.RESPECTED, Severity.NEEDS_A_PERSON}
    return {found.fact: found.observed for found in findings if found.severity in severities}


def read_profile(storage: UPath, workspace: str) -> WorkspaceProfile | None:
    """Return the profile of a workspace; None without one, or if the file is no profile.

    :raises StorageError: the storage cannot be read.
    """
    path = profile_file(storage, workspace)
    with explained("read", path):
        if not path.exists():
            return None
        content = path.read_bytes()[: _MOST_BYTES + 1]
    try:
        return _parsed(content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        ignored(path, "it is no profile of this version")
        return None


def _parsed(content: bytes) -> WorkspaceProfile:
    """Return the profile in a file.

    :raises ValueError: it is none.
    """
    if len(content) > _MOST_BYTES:
        raise ValueError("too large")
    found = json.loads(content)
    if found["format"] != _FORMAT:
        raise ValueError("another format")
    known = {caution.value: caution for caution in Caution}
    return WorkspaceProfile(
        _time(found["observed_at"]),
        _time(found["checked_at"]),
        frozenset(known[name] for name in found["cautions"] if name in known),
        {kind: size for kind, size in found["page_sizes"].items() if kind in LISTINGS and _is_page_size(size)},
        {_text(name): _text(value) for name, value in list(found["facts"].items())[:_MOST_FACTS]},
        tuple(map(_text, found["changes"][:_MOST_FACTS])),
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _text(value: object) -> str:
    return shorten(str(value), _LONGEST_TEXT)


def _is_page_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST_PAGE


def checked_profile(client: StudioClient, storage: UPath, now: datetime) -> WorkspaceProfile | None:
    """Return the profile of the client's workspace, after a check if that is due; None without one.

    A check needs a few requests. If it fails, the profile stays as it is, and the next inventory checks it.
    """
    profile = read_profile(storage, client.workspace)
    if profile is None or not profile.is_due(now):
        return profile
    try:
        surveyor = Surveyor(client.workspace, client_reader(client, MOST_REQUESTS_OF_A_CHECK))
        observed = Observations.of(surveyor.essential())
        if not observed.cautions and not observed.page_sizes:
            log.warning("The workspace profile could not be checked: no response showed anything.")
            return profile
        profile = profile.checked(observed, now)
        profile.write(storage, client.workspace)
    except StudioError as error:
        log.warning("The workspace profile could not be checked: %s", error)
        return profile
    for change in profile.changes:
        log.warning(
            "The profile of the workspace %s no longer holds: %s. Run `airflow studio doctor`.",
            client.workspace,
            change,
        )
    return profile


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _any(values: Iterable[bool | None]) -> bool | None:
    """Return whether any value is true; None if all are unknown."""
    known = [value for value in values if value is not None]
    return any(known) if known else None
