# SPDX-License-Identifier: Apache-2.0
"""An inventory in numbers, as its snapshot keeps it and its task returns it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any


@dataclass
class InventorySummary:
    """An inventory in numbers.

    :param snapshot: the snapshot's folder, relative to the storage root.
    :param path: the same in full.
    :param taken_at: when the walk began.
    :param source: `rest`, `discovery_api` or `discovery_db`.
    :param collections: Collections that were read.
    :param reports: Reports that were read, datasets not among them.
    :param unknown: Reports and datasets that could not be read, and are known of from the night before.
    :param schedules_read: Reports whose schedules were asked for; those of the others are carried over.
    :param disappeared: Reports and datasets of the night before that are gone.
    :param gone: the loss that `max_shrink` limits: of the snapshot before, or within a day.
    :param gone_of: how many Reports and datasets it was counted of.
    :param unreadable_collections: tokens of Collections that were forbidden or vanished.
    :param unreadable_datasets: tokens of Collections whose datasets alone could not be read.
    :param requests_spent: by all tries and tasks of this inventory.
    :param seconds: from its begin to its end.
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
    archived: int = 0
    scheduled_reports: int = 0
    schedules: int = 0
    schedules_read: int = 0
    disappeared: int = 0
    gone: int = 0
    gone_of: int = 0
    unreadable_collections: list[str] = field(default_factory=list)
    unreadable_datasets: list[str] = field(default_factory=list)
    requests_spent: int = 0
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain JSON."""
        return {**asdict(self), "taken_at": self.taken_at.isoformat(), "seconds": round(self.seconds, 1)}
