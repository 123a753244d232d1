# SPDX-License-Identifier: Apache-2.0
"""Text from outside in one line, without characters that control a terminal or reorder a line."""

from __future__ import annotations

from urllib.parse import urlsplit

_ELLIPSIS = "…"
JOINERS = "\u200c\u200d\u2060"
"""Invisible, but parts of words and of emojis; the last, the word joiner, also keeps programs from making links."""


def one_line(text: str) -> str:
    """Return a text in one line. Control characters, bidirectional overrides and lone surrogates become spaces."""
    return " ".join("".join(char if char.isprintable() or char in JOINERS else " " for char in text).split())


def shorten(text: str, longest: int) -> str:
    """Return a text in one line of at most `longest` characters; an ellipsis replaces the rest."""
    plain = one_line(text)
    return plain if len(plain) <= longest else f"{plain[: longest - 1].rstrip()}{_ELLIPSIS}"


def web_address(url: str | None) -> str | None:
    """Return a URL if a page may link to it, else None: `https` or `http`, with a host and without credentials.

    A link that is `javascript:` runs a script when it is clicked, and `https://app.mode.com@example.com` leads to
    `example.com`.
    """
    try:
        parts = urlsplit(url or "")
        usable = parts.scheme in {"https", "http"} and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:  # such as an unfinished IPv6 address
        return None
    return url if usable else None
