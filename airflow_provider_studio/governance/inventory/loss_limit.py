# SPDX-License-Identifier: Apache-2.0
"""How many Reports may be gone before an inventory is refused: a share per day, for any number of snapshots a day."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_studio.governance.snapshots.store import Snapshot, open_history

ALWAYS_ALLOWED = 20
"""Losing up to this many Reports never trips `max_shrink`."""
_A_DAY = timedelta(hours=20)
"""Inventories at least this far apart are of different days: nightly ones do not start at the same minute."""


@dataclass(frozen=True)
class Loss:
    """The Reports of an earlier snapshot that are gone.

    :param since: when that snapshot was taken.
    :param gone: how many are gone.
    :param of: how many it had.
    """

    since: datetime
    gone: int
    of: int

    def is_more_than(self, share: float) -> bool:
        """Whether more Reports are gone than a share, and more than are always allowed."""
        return self.gone > max(ALWAYS_ALLOWED, share * self.of)


def worst_loss(snapshots: Sequence[Snapshot], present: Collection[str], began_at: datetime, limit: float) -> Loss:
    """Return the larger of two losses: since the previous snapshot, and within a day.

    :param snapshots: all earlier snapshots, oldest first.
    :param present: tokens of the Reports that exist, or cannot be read now.
    :param limit: a person accepted any larger share that an earlier inventory lost; it is not counted again.
    """
    compared = {snapshot.taken_at: snapshot for snapshot in (*snapshots[-1:], *_day_before(snapshots, began_at, limit))}
    losses = [_loss(snapshot, present) for snapshot in compared.values()]
    return max(
        losses,
        key=lambda loss: (loss.is_more_than(limit), loss.gone / max(1, loss.of)),
        default=Loss(began_at, 0, 0),
    )


def _day_before(snapshots: Sequence[Snapshot], began_at: datetime, limit: float) -> Iterable[Snapshot]:
    for snapshot in reversed(snapshots):
        if began_at - snapshot.taken_at >= _A_DAY or _was_accepted(snapshot, limit):
            return [snapshot]
    return snapshots[:1]


def _was_accepted(snapshot: Snapshot, limit: float) -> bool:
    summary = snapshot.summary()
    gone, of = summary.get("gone"), summary.get("gone_of")
    if not isinstance(gone, int) or not isinstance(of, int):
        return False  # taken by an earlier version
    return Loss(snapshot.taken_at, gone, of).is_more_than(limit)


def _loss(snapshot: Snapshot, present: Collection[str]) -> Loss:
    with open_history([snapshot]) as connection:
        tokens = [token for (token,) in connection.execute("SELECT token FROM reports").fetchall()]
    return Loss(snapshot.taken_at, sum(token not in present for token in tokens), len(tokens))
