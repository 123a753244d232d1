# SPDX-License-Identifier: Apache-2.0
"""Whether what an inventory read is a snapshot: not if too much is gone, cannot be read, or is invalid."""

from __future__ import annotations

from airflow_provider_studio.governance.errors import InventoryError
from airflow_provider_studio.governance.inventory.loss_limit import ALWAYS_ALLOWED, Loss
from airflow_provider_studio.governance.inventory.summary import InventorySummary
from airflow_provider_studio.governance.text import counted

_MAX_UNKNOWN = 0.5
_MAX_INVALID = 0.05


def check(summary: InventorySummary, loss: Loss, max_shrink: float) -> None:
    """Check an inventory.

    :raises InventoryError: it is no snapshot; the message says why, and what to do.
    """
    read, unknown = summary.reports + summary.datasets, summary.unknown
    if loss.is_more_than(max_shrink):
        raise InventoryError(
            f"{loss.gone:,} of the {loss.of:,} Reports of the snapshot of {loss.since:%Y-%m-%d %H:%M UTC} are "
            f"gone, more than {max_shrink:.0%}; {read:,} were read. This is no snapshot: the token may see "
            "less than it did. If they were really deleted, run once with a larger max_shrink."
        )
    if summary.invalid > max(ALWAYS_ALLOWED, _MAX_INVALID * (read + unknown)):
        raise InventoryError(
            f"{summary.invalid:,} of {read + unknown:,} Reports have a value that is not as the API promises, such as "
            f"{summary.invalid_rows[0]} This is no snapshot: the API may have changed; look for a newer version of the "
            "provider, or report it."
        )
    if unknown > max(ALWAYS_ALLOWED, _MAX_UNKNOWN * (read + unknown)):
        raise InventoryError(
            f"{unknown:,} of {read + unknown:,} Reports could not be read, because of "
            f"{counted(len(summary.unreadable_collections), 'Collection')} forbidden or vanished "
            f"({', '.join(summary.unreadable_collections[:5])}, …). This is no snapshot; use a Workspace token."
        )
