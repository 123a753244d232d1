# SPDX-License-Identifier: Apache-2.0
"""Compare texts that people typed. Every protection of a policy uses these functions.

Case, Unicode form (é as one character or as two) and runs of white space are ignored: in Studio's pages such names are
the same. In a pattern `*` matches any text and `?` one character; every other character matches itself.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import lru_cache

_FOLDS: tuple[Callable[[str], str], ...] = (str.lower, str.casefold)
"""Case folding turns ß into two characters, which one `?` does not match; lower case keeps one character."""


def matches(pattern: str, text: str | None) -> bool:
    """Whether a pattern matches a whole text. None is matched as an empty text."""
    spellings, forms = _spellings(text or ""), _spellings(pattern)
    # For most texts both ways to fold case give the same result, so that one comparison is enough.
    pairs = {*zip(spellings, forms, strict=True)}
    return any(_match(text, form) for texts, patterns in pairs for text in texts for form in patterns)


def _match(text: str, pattern: str) -> bool:
    return fnmatchcase(text, pattern.replace("[", "[[]"))  # fnmatch takes [ as the start of a set of characters


def contains(text: str | None, part: str) -> bool:
    """Whether a text contains another."""
    return canonical(part) in canonical(text or "")


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """Return a spelling that is the same for all equal texts."""
    return _folded(" ".join(text.split()), str.casefold)


@lru_cache(maxsize=4096)
def _spellings(text: str) -> tuple[frozenset[str], ...]:
    """Return, for each way to fold case, the text as it is and with each run of white space as one space."""
    return tuple(frozenset(_folded(form, fold) for form in (text, " ".join(text.split()))) for fold in _FOLDS)


def _folded(text: str, fold: Callable[[str], str]) -> str:
    # Folding case may decompose a character: normalize before and after.
    return unicodedata.normalize("NFC", fold(unicodedata.normalize("NFC", text)))
