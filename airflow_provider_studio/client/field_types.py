# SPDX-License-Identifier: Apache-2.0
"""The types of the fields of responses. A value outside their limits is an error that names the field.

The limits are those of what can be stored: a count fits into a column, a time into any calendar, a text into UTF-8.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeGuard

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

_LARGEST_COUNT = 2**31 - 1
_YEARS = range(1971, 2200)


def _id_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number is expected, not a boolean")  # noqa: TRY004  pydantic reports only a ValueError
    return value


def _plausible(time: datetime) -> datetime:
    if time.year not in _YEARS:
        raise ValueError(f"the year must be {_YEARS[0]} to {_YEARS[-1]}")
    return time


Identifier = Annotated[str, BeforeValidator(_id_text)]
"""Numeric ids were JSON numbers until 2024 and decimal strings in 2026; both become text."""
Count = Annotated[int, BeforeValidator(_no_bool), Field(ge=0, le=_LARGEST_COUNT)]
Time = Annotated[AwareDatetime, AfterValidator(_plausible)]
Seconds = Annotated[float, BeforeValidator(_no_bool), Field(ge=0, allow_inf_nan=False)]


def _whole_text(value: str) -> str:
    if not is_text(value):
        raise ValueError("it has half of a character")
    return value


def is_text(value: object) -> TypeGuard[str]:
    """Whether a value is a text that can be written: JSON may have half of a character in it."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


Text = Annotated[str, AfterValidator(_whole_text)]
