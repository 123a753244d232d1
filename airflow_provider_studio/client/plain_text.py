# SPDX-License-Identifier: Apache-2.0
"""Text from outside in one line, without characters that control a terminal or reorder a line."""

from __future__ import annotations

_ELLIPSIS = "…"
JOINERS = "\u200c\u200d"
"""Invisible, but parts of words and of emojis."""


def one_line(text: str) -> str:
    """Return a text in one line. Control characters, bidirectional overrides and lone surrogates become spaces."""
    return " ".join("".join(char if char.isprintable() or char in JOINERS else " " for char in text).split())


def shorten(text: str, longest: int) -> str:
    """Return a text in one line of at most `longest` characters; an ellipsis replaces the rest."""
    plain = one_line(text)
    return plain if len(plain) <= longest else f"{plain[: longest - 1].rstrip()}{_ELLIPSIS}"
