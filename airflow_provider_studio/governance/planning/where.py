# SPDX-License-Identifier: Apache-2.0
"""A policy's own condition in SQL, held against the facts of a night. It can read them, and do nothing else.

DuckDB itself sees to that: the text must be one expression, and the connection gives up files, the network and its own
settings before it is looked at.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from airflow_provider_studio.governance.errors import PolicyError

if TYPE_CHECKING:
    import duckdb

_LONGEST_SECONDS = 60.0
_LOCKS = (
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


def matching(
    connection: duckdb.DuckDBPyConnection, condition: str, *, longest_seconds: float = _LONGEST_SECONDS
) -> set[str]:
    """Return the tokens of the `facts` for which a condition is true; NULL is not.

    The connection can read no file and change no setting afterwards.

    :raises PolicyError: the condition is none, names what is not there, or takes too long.
    """
    import duckdb

    for statement in _LOCKS:
        connection.execute(statement)
    timer = threading.Timer(longest_seconds, connection.interrupt)
    timer.start()
    try:
        facts = connection.table("facts")
        expression = duckdb.SQLExpression(condition)
        kind = str(facts.select(expression).types[0])
        if kind != "BOOLEAN":
            raise PolicyError(
                f"policy: where is {condition!r}, which is of type {kind} and no condition. "
                "Write one that is true or false, such as views_90d = 0."
            )
        return {token for (token,) in facts.filter(expression).select("token").fetchall()}
    except duckdb.InterruptException:
        raise PolicyError(
            f"policy: where is {condition!r}, which took longer than {longest_seconds:g} s. Make it simpler."
        ) from None
    except duckdb.Error as error:
        columns = ", ".join(connection.table("facts").columns)
        raise PolicyError(
            f"policy: where is {condition!r}; {str(error).splitlines()[0]}. Use one condition over these columns: "
            f"{columns}."
        ) from None
    finally:
        timer.cancel()
