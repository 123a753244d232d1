# SPDX-License-Identifier: Apache-2.0
"""Rows of Discovery whose values can be stored; a Report with another value is unknown, and named with it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from airflow_provider_studio.client.auth import is_identifier
from airflow_provider_studio.client.field_types import Count, Seconds, Text, Time
from airflow_provider_studio.governance.errors import InventoryError
from airflow_provider_studio.governance.snapshots.schema import REPORT_COLUMNS, ReportRow, invalid_row

log = logging.getLogger(__name__)

_TYPES: dict[str, TypeAdapter[Any]] = {
    "VARCHAR": TypeAdapter(Text | None),
    "BOOLEAN": TypeAdapter(bool | None),
    "BIGINT": TypeAdapter(Count | None),
    "DOUBLE": TypeAdapter(Seconds | None),
    "TIMESTAMP": TypeAdapter(Time | None),
}


def valid_or_unknown(reported: Mapping[str, Any], make_row: Callable[[], ReportRow]) -> ReportRow:
    """Return a Report's row, or an unknown one if a value cannot be stored.

    :param reported: what the source reports of it.
    :param make_row: makes its row of that.
    :raises InventoryError: the Report has no usable token.
    """
    token = reported.get("token")
    if not is_identifier(token):
        raise InventoryError(f"A Report of Discovery has the token {str(token)[:40]!r}, which cannot be one.")
    try:
        row = make_row()
    except (ValueError, TypeError, OverflowError):
        return _unknown(reported, "a time cannot be read")
    for name, value in row.items():
        try:
            _TYPES[REPORT_COLUMNS[name].kind].validate_python(value)
        except ValidationError as error:
            return _unknown(reported, f"{name} is not as expected ({error.errors()[0]['msg'].lower()})")
    return row


def _unknown(reported: Mapping[str, Any], problem: str) -> ReportRow:
    reason = f"Report {reported['token']}: {problem}."
    log.warning("A row of Discovery is unknown: %s", reason)
    return invalid_row(reported, "Report", reason)
