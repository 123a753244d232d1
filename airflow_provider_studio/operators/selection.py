# SPDX-License-Identifier: Apache-2.0
"""Which things a parameter names. Only the word `all` means all: a value that is missing or empty never does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from airflow_provider_studio.client.errors import StudioConfigurationError

ALL = "all"


def named(parameter: str, value: Any) -> list[str]:
    """Return the names in a parameter: a list, or one text with commas or spaces between them.

    :raises StudioConfigurationError: it names nothing.
    """
    names = [one for one in re.split(r"[,\s]+", value) if one] if isinstance(value, str) else value
    if isinstance(names, Sequence) and names and all(isinstance(one, str) and one for one in names):
        return list(names)

    raise StudioConfigurationError(
        f"{parameter} is {value!r}; it must name something, as a list of texts. If a template or an XCom made it, what "
        "it reads may be missing. Nothing was touched."
    )


def named_or_all(parameter: str, value: Any) -> list[str] | None:
    """Return the names in a parameter, or None for `all`.

    :raises StudioConfigurationError: it names nothing.
    """
    return None if value == ALL else named(f"{parameter} (names, or {ALL!r} for all there are)", value)
