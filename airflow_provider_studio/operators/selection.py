# SPDX-License-Identifier: Apache-2.0
"""Parameters that name Reports, schedules or actions. Only the word `all` means all: an empty value is an error."""

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
    names = [name for name in re.split(r"[,\s]+", value) if name] if isinstance(value, str) else value
    if isinstance(names, Sequence) and names and all(isinstance(name, str) and name for name in names):
        return list(names)
    raise StudioConfigurationError(
        f"{parameter} is {value!r}; it must name something, as a list of texts. If it comes from a template or an "
        "XCom, check that their source exists. Nothing was touched."
    )


def named_or_all(parameter: str, value: Any) -> list[str] | None:
    """Return the names in a parameter, or None for `all`.

    :raises StudioConfigurationError: it names nothing.
    """
    return None if value == ALL else named(f"{parameter} (names, or {ALL!r} for all there are)", value)
