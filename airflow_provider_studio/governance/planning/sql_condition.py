# SPDX-License-Identifier: Apache-2.0
"""The SQL condition of a policy, evaluated over the facts of a snapshot by `sandbox`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_studio.governance.errors import PolicyError
from airflow_provider_studio.governance.sandbox import LONGEST_SECONDS, SandboxError, Selection, select

if TYPE_CHECKING:
    import duckdb

_TABLES = ("facts", "schedules", "disappeared")
"""The tables that a condition may read."""


def matching(
    connection: duckdb.DuckDBPyConnection, condition: str, *, longest_seconds: float = LONGEST_SECONDS
) -> set[str]:
    """Return the tokens of the `facts` for which a condition is true; NULL does not count as true.

    :raises PolicyError: the condition is invalid, fails, or exceeds a limit.
    """
    selection = Selection("facts", condition, "token")
    try:
        _names, rows = select(connection, _TABLES, selection, longest_seconds=longest_seconds)
    except SandboxError as error:
        if not error.columns:
            raise PolicyError(f"policy: where is {condition!r}; {error}.") from None
        raise PolicyError(
            f"policy: where is {condition!r}; {error}. Use one condition over these columns: "
            f"{', '.join(error.columns)}."
        ) from None
    return {token for (token,) in rows}
