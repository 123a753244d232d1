# SPDX-License-Identifier: Apache-2.0
"""Parameters that name Reports, schedules or actions. Only the word `all` means all: an empty value is an error.

A Report's name may contain spaces, so a text is split at commas. Spaces separate only tokens, addresses and ids of
actions, which contain none.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence, Set
from contextlib import suppress
from typing import Any

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.identifiers import token_text

ALL = "all"


def named(parameter: str, value: Any) -> list[str]:
    """Return the names in a parameter.

    :param value: a list; one text with commas or line breaks between the names (or spaces between tokens); a list as
        JSON or Python text, as a template renders one; or one token that became a whole number. A name that contains a
        comma needs a list.
    :raises StudioConfigurationError: it names nothing.
    """
    names = _split(value) if isinstance(value, str) else [value] if isinstance(value, int) else value
    if isinstance(names, Set):
        names = sorted(names, key=str)
    if isinstance(names, Sequence) and names and None not in names and "" not in names:
        return [token_text(parameter, name) for name in names]
    raise StudioConfigurationError(
        f"{parameter} is {value!r}; it must name something, as a list of texts. If it comes from a template or an "
        "XCom, check that their source exists. Nothing was touched."
    )


def _split(text: str) -> Any:
    if text.lstrip().startswith("["):
        for parse in (json.loads, ast.literal_eval):
            with suppress(ValueError, SyntaxError):  # a name may begin with a bracket
                return parse(text)
    parts = [part.strip() for part in re.split(r"[,\n]", text)]
    return [name for part in parts if part for name in _words(part)]


def _words(part: str) -> list[str]:
    """Return the tokens, addresses and ids in a text, or the text itself: the name of a Report."""
    from airflow_provider_studio.governance.plans.report_names import is_reference

    words = part.split()
    return words if all(map(is_reference, words)) else [part]


def named_or_all(parameter: str, value: Any) -> list[str] | None:
    """Return the names in a parameter, or None for `all`.

    :raises StudioConfigurationError: it names nothing.
    """
    return None if value == ALL else named(f"{parameter} (names, or {ALL!r} for all there are)", value)
