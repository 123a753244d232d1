# SPDX-License-Identifier: Apache-2.0
"""An inventory in numbers, as its snapshot stores them and its task returns them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

MAX_NAMED = 20
"""A summary names at most this many of anything."""


@dataclass
class InventorySummary:
    """An inventory in numbers.

    :param snapshot: the snapshot's folder, relative to the storage root.
    :param path: the full path of that folder.
    :param taken_at: when the crawl began.
    :param source: `rest`, `discovery_api` or `discovery_db`.
    :param collections: Collections that were read.
    :param reports: Reports that were read, without datasets.
    :param unknown: Reports and datasets that are known to exist, or to have existed, and could not be read.
    :param invalid: those of them that were listed with a value that is not as the API promises.
    :param invalid_rows: some of these values, each with its Report.
    :param schedules_read: Reports whose schedules were requested; those of the others are carried over.
    :param disappeared: Reports and datasets of the previous snapshot that are gone.
    :param disappeared_reports: some of them, by name and token.
    :param gone: the loss that `max_shrink` limits: since the previous snapshot, or within a day.
    :param gone_of: the number of Reports and datasets that the loss is a part of.
    :param personal_collections_dropped: members' personal Collections that were listed although the filter excludes
        them; they are not read.
    :param unreadable_collections: tokens of Collections that were forbidden or vanished.
    :param unreadable_datasets: tokens of Collections whose datasets alone could not be read.
    :param incomplete_listings: listings whose pages left it open whether rows are missing, each with the reason.
    :param page_sizes: the longest page of each kind of listing; None where a short page does not end a listing.
    :param cautions: the cautions of the workspace's profile, with which it was taken.
    :param profile_changes: how the service differs from the profile, if this inventory checked it.
    :param requests_spent: requests of all tries and tasks of this inventory.
    :param seconds: from its start to its end.
    """

    workspace: str
    snapshot: str
    path: str
    taken_at: datetime
    source: str = "rest"
    collection_filter: str = "custom"
    collections: int = 0
    reports: int = 0
    datasets: int = 0
    unknown: int = 0
    invalid: int = 0
    invalid_rows: list[str] = field(default_factory=list)
    archived: int = 0
    scheduled_reports: int = 0
    schedules: int = 0
    schedules_read: int = 0
    disappeared: int = 0
    disappeared_reports: list[str] = field(default_factory=list)
    gone: int = 0
    gone_of: int = 0
    personal_collections_dropped: int = 0
    unreadable_collections: list[str] = field(default_factory=list)
    unreadable_datasets: list[str] = field(default_factory=list)
    incomplete_listings: list[str] = field(default_factory=list)
    page_sizes: dict[str, int | None] = field(default_factory=dict)
    cautions: list[str] = field(default_factory=list)
    profile_changes: list[str] = field(default_factory=list)
    requests_spent: int = 0
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain JSON."""
        return {**asdict(self), "taken_at": self.taken_at.isoformat(), "seconds": round(self.seconds, 1)}
