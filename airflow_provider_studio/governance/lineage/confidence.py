# SPDX-License-Identifier: Apache-2.0
"""How certain it is that a query reads a table."""

from __future__ import annotations

from enum import StrEnum


class Confidence(StrEnum):
    """How certain it is that a query reads a table."""

    CERTAIN = "certain"
    """Each run reads it."""
    LIKELY = "likely"
    """A run reads it for some values of the parameters, or if an assumption about a function or a name holds."""
    UNRESOLVED = "unresolved"
    """Which tables the query reads is unknown."""
