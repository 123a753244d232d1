# SPDX-License-Identifier: Apache-2.0
"""Durations that users give as seconds or as a timedelta."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow_provider_studio.client.errors import StudioConfigurationError


def seconds_of(parameter: str, value: Any, *, allow_zero: bool = False) -> float:
    """Return a duration in seconds.

    :param parameter: the name of the parameter, for the error.
    :param value: seconds, also as text, or a timedelta.
    :raises StudioConfigurationError: it is no duration above 0 (or, with `allow_zero`, of at least 0).
    """
    try:
        seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    except (TypeError, ValueError):
        seconds = -1.0
    too_small = seconds < 0 if allow_zero else seconds <= 0
    if isinstance(value, bool) or too_small or not seconds < timedelta.max.total_seconds():
        bound = "of at least 0" if allow_zero else "above 0"
        raise StudioConfigurationError(f"{parameter} is {value!r}; it must be seconds {bound}, or a timedelta.")
    return seconds
