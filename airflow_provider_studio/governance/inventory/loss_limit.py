# SPDX-License-Identifier: Apache-2.0
"""How many Reports may be gone before an inventory is refused: a share a day, however many snapshots a day has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_studio.governance.snapshots.store import Snapshot, open_history

ALWAYS_ALLOWED = 20
"""Losing up to this many Reports never trips `max_shrink`."""
_A_DAY = timedelta(hours=20)
"""Nightly inventories that are further apart are of different nights: they do not begin at the same minute."""


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
        """Whether more are gone than a share, and more than are always allowed."""
        return self.gone > max(ALWAYS_ALLOWED, share * self.of)


def worst_loss(snapshots: Sequence[Snapshot], present: Collection[str], began_at: datetime, limit: float) -> Loss:
    """Return the larger loss of two: since the previous snapshot, and within a day.

    :param snapshots: all earlier ones, the oldest first.
    :param present: tokens of the Reports that are there, or cannot be read now.
    :param limit: a larger share that an earlier inventory lost was accepted by a person, and is not counted again.
    """
    compared = {one.taken_at: one for one in (*snapshots[-1:], *_day_before(snapshots, began_at, limit))}
    losses = [_loss(one, present) for one in compared.values()]
    return max(
        losses,
        key=lambda one: (one.is_more_than(limit), one.gone / max(1, one.of)),
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
