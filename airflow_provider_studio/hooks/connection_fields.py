# SPDX-License-Identifier: Apache-2.0
"""The fields of an Airflow connection, checked before anything is sent.

Airflow enforces neither the form's schema nor the type, and replaces extras that are no JSON by none.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.client.auth import Credentials, TokenKind
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.host import base_url
from airflow_provider_studio.client.ratelimit import Budget
from airflow_provider_studio.get_provider_info import CONNECTION_FIELDS, CONNECTION_TYPE

if TYPE_CHECKING:
    from airflow.sdk import Connection


_FORMER_NAMES = {"token_kind": "credential_kind"}
"""Airflow masks the value of an extra with `token` in its name wherever a log has it: of `token_kind`, the word
`workspace` in the path of each file."""


def extras_of(connection: Connection) -> dict[str, Any]:
    """Return the extras of a connection of our type. Their values are never shown: they may be secrets.

    `token_kind` is read as `credential_kind`, its name now.

    :raises StudioConfigurationError: another type of connection, or extras that are no object of known names.
    """
    if connection.conn_type != CONNECTION_TYPE:
        raise StudioConfigurationError(f"conn_type is {connection.conn_type!r}; it must be {CONNECTION_TYPE!r}.")
    try:
        extras = json.loads(connection.extra or "{}")
    except (ValueError, RecursionError):
        raise StudioConfigurationError(
            'extra is no JSON; it must be an object such as {"credential_kind": "workspace"}, with double quotes.'
        ) from None
    if not isinstance(extras, dict):
        raise StudioConfigurationError(
            f'extra is a JSON {type(extras).__name__}; it must be an object such as {{"credential_kind": "workspace"}}.'
        )
    extras = {_FORMER_NAMES.get(name, name): value for name, value in extras.items()}
    unknown = [name for name in extras if name not in CONNECTION_FIELDS]
    if unknown:
        raise StudioConfigurationError(
            f"extra has {', '.join(map(repr, unknown))}, which is unknown; it may have {', '.join(CONNECTION_FIELDS)}."
        )
    return extras


def credentials_of(connection: Connection, extras: dict[str, Any]) -> Credentials:
    """Return the credentials of a connection.

    :raises StudioConfigurationError: an empty or malformed field.
    """
    kind = extras.get("credential_kind") or None
    if kind is not None and kind not in list(TokenKind):
        raise StudioConfigurationError(f"credential_kind is {kind!r}; it must be one of {', '.join(TokenKind)}.")
    return Credentials(
        workspace=connection.schema or "",
        token=connection.login or "",
        secret=connection.password or "",
        host=base_url(connection.host, connection.port),
        kind=None if kind is None else TokenKind(kind),
    )


def budget_of(extras: dict[str, Any]) -> Budget:
    """Return the budget that the extras set, or Studio's.

    :raises StudioConfigurationError: a number that is no budget.
    """
    requests, seconds = number_of(extras, "rate_limit_requests"), number_of(extras, "rate_limit_seconds")
    if requests is not None and not requests.is_integer():
        raise StudioConfigurationError(f"rate_limit_requests is {requests}; it must be a whole number.")
    standard = Budget()
    return Budget(int(requests or standard.limit), seconds or standard.interval_seconds)


def number_of(extras: dict[str, Any], name: str) -> float | None:
    """Return an extra that must be a positive number; the form and URIs store texts.

    :raises StudioConfigurationError: it is anything else.
    """
    value = extras.get(name)
    if value in (None, ""):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise StudioConfigurationError(f"{name} is {value!r}; it must be a number above 0.")
    return number
