# SPDX-License-Identifier: Apache-2.0
"""Parameters that name Reports, schedules or actions. Only the word `all` means all: an empty value is an error."""

from __future__ import annotations

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

    :param value: a list; one text with commas or spaces between the names; a list as JSON text, as a template renders
        one; or one token that became a whole number.
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
        with suppress(ValueError):
            return json.loads(text.replace("'", '"'))
    return [name for name in re.split(r"[,\s]+", text) if name]


def named_or_all(parameter: str, value: Any) -> list[str] | None:
    """Return the names in a parameter, or None for `all`.

    :raises StudioConfigurationError: it names nothing.
    """
    return None if value == ALL else named(f"{parameter} (names, or {ALL!r} for all there are)", value)
