# SPDX-License-Identifier: Apache-2.0
"""Uses of a Report that its views may not show: people get its results by e-mail, or open it outside Studio.

What the API does not report is in docs/unverified.md: who reads the results over the API, and whether a view of an
embedded or public Report is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from airflow_provider_studio.client.models import Report

Use = Literal["embedded", "public", "shared"]
USES: tuple[str, ...] = get_args(Use)
_IN_WORDS = {
    "embedded": "other pages may show it (embedded)",
    "public": "people outside the workspace may open it (public)",
    "shared": "Studio calls it shared",
}
NO_UNDO = "an undo cannot add them again"


@dataclass(frozen=True)
class ReportUses:
    """The uses of one Report; None is unknown.

    :param subscribers: the number of people and Slack channels that get its results.
    :param embedded: whether other pages may show it.
    :param public: whether people outside the workspace may open it.
    :param shared: what the API calls shared.
    """

    subscribers: int | None = None
    embedded: bool | None = None
    public: bool | None = None
    shared: bool | None = None

    @classmethod
    def of(cls, report: Report, subscribers: int | None) -> Self:
        """Return the uses of a Report as Studio returns it."""
        return cls(subscribers, _embedded(report.is_embedded, report.is_signed), report.public, report.shared)

    @classmethod
    def of_facts(cls, report: Mapping[str, Any]) -> Self:
        """Return the uses of a Report of a snapshot."""
        embedded = _embedded(report["is_embedded"], report["is_signed"])
        return cls(report["subscribers"], embedded, report["public"], report["shared"])


NO_USES = ReportUses(0, embedded=False, public=False, shared=False)


def _embedded(is_embedded: bool | None, is_signed: bool | None) -> bool | None:
    """Return whether a Report is embedded: a signed URL is another way to embed it."""
    return True if is_signed else is_embedded


def use_in_words(use: str) -> str:
    """Return why a use protects a Report."""
    return _IN_WORDS[use]


def subscribers_in_words(count: int | None) -> str:
    """Return how many people get a Report's results."""
    if count is None:
        return "it is unknown how many people get it by e-mail"
    if count == 0:
        return "nobody gets it by e-mail"
    return f"{'1 person gets' if count == 1 else f'{count:,} people get'} this by e-mail"


def lost_subscribers_in_words(count: int | None) -> str:
    """Return how many people get a Report's results, and that an undo cannot restore it, if there are any."""
    return f"{subscribers_in_words(count)}; {NO_UNDO}" if count else subscribers_in_words(count)


def schedule_subscribers_in_words(count: int | None) -> str:
    """Return how many people subscribe to a schedule, and what an undo cannot restore."""
    if count is None:
        return "it is unknown how many people subscribe to it"
    return f"{'1 person subscribes' if count == 1 else f'{count:,} people subscribe'} to it; {NO_UNDO}"
