# SPDX-License-Identifier: Apache-2.0
"""How many rows a page of a table has, and how many pages a table has."""

from __future__ import annotations

PER_PAGE = 50


def pages_of(total: int) -> int:
    """Return how many pages a table of `total` rows has; an empty table has one."""
    return max(1, -(-total // PER_PAGE))
