# SPDX-License-Identifier: Apache-2.0
"""How long a page of any table is, and how many pages there are."""

from __future__ import annotations

PER_PAGE = 50


def pages_of(total: int) -> int:
    """Return how many pages a table of this many rows has; an empty one has one."""
    return max(1, -(-total // PER_PAGE))
