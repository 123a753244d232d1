# SPDX-License-Identifier: Apache-2.0
"""Decide after a failure whether to continue.

A failure of the service (429, 5xx, no connection) concerns every Report: several in a row stop the work. A rejected
token stops it at once. A refusal concerns one Report, unless Studio refuses every Report from the start.
"""

from __future__ import annotations

from airflow_provider_studio.client.errors import StudioAuthenticationError, StudioError
from airflow_provider_studio.governance.errors import is_refusal


class Failures:
    """Counts the failures of one apply or undo. Not thread-safe: its owner holds a lock.

    :param max_in_a_row: the number of consecutive failures of the service that stops the work.
    :param max_refused_at_first: the number of refused Reports before the first success that stops the work.
    """

    def __init__(self, *, max_in_a_row: int, max_refused_at_first: int) -> None:
        self._max_in_a_row = max_in_a_row
        self._max_refused = max_refused_at_first
        self._in_a_row = 0
        self._refused: set[str] = set()
        self._anything_done = False

    def success(self) -> None:
        """Record a success."""
        self._in_a_row = 0
        self._anything_done = True

    def failure(self, report: str, error: StudioError, *, expected: bool = False) -> str | None:
        """Record a failure; return the reason to stop, or None.

        :param expected: whether Studio is known to refuse this Report.
        """
        if isinstance(error, StudioAuthenticationError):
            return "the token is no longer valid"
        if not is_refusal(error):
            self._in_a_row += 1
            return f"{self._in_a_row} failures in a row" if self._in_a_row >= self._max_in_a_row else None
        if not expected:
            self._refused.add(report)
        if self._anything_done or len(self._refused) < self._max_refused:
            return None
        return (
            f"Studio refused the first {len(self._refused)} Reports, and nothing was done. Check what the token may do"
        )
