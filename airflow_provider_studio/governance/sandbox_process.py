# SPDX-License-Identifier: Apache-2.0
"""The process that `sandbox` starts: reads a request from standard input, writes a response to standard output.

It sets its limits and locks its database before it evaluates the SQL of the request.
"""

from __future__ import annotations

import json
import math
import resource
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.governance import sql
from airflow_provider_studio.governance.sandbox import STARTED

if TYPE_CHECKING:
    import duckdb

_TOO_MUCH = "it needs too much memory. Simplify it"
_MEANINGS = {
    "PermissionException": "it reads a file, but file system operations are disabled: it can read only its tables",
    "OutOfMemoryException": _TOO_MUCH,
    "IOException": _TOO_MUCH,  # larger results would spill to a file, which it may not write
    "InvalidInputException": "a function in it rejects a value",
    "ConversionException": "a value in it cannot be converted; try_cast gives NULL instead",
    "OutOfRangeException": "a number in it is out of range",
}


class _RefusedError(Exception):
    """A message for the person who wrote the SQL."""


def main() -> None:
    """Evaluate one request."""
    request = json.load(sys.stdin)
    _limit_time(request["seconds"])
    memory_mb, files = request["memory_mb"], {name: Path(file) for name, file in request["tables"].items()}
    database = sql.Database(f"{memory_mb}MB", tables=files, threads=1)
    print(STARTED, flush=True)  # noqa: T201  the parent reads it
    _limit_space(2 * memory_mb)
    json.dump(_response(database.connection, request["selection"]), sys.stdout, default=_plain)


def _limit_time(seconds: float) -> None:
    """Limit the time in this process too: its parent may be killed."""
    signal.alarm(math.ceil(seconds) + 1)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds) + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_space(more_mb: int) -> None:
    """Forbid writing files, and limit the additional memory.

    The address space that DuckDB reserves at its start differs between versions.
    """
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + more_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _response(connection: duckdb.DuckDBPyConnection, selection: dict[str, Any]) -> dict[str, Any]:
    import duckdb

    table = connection.table(selection["table"])
    try:
        filtered = table.filter(_condition(connection, table, selection["where"]))
        rows = filtered.query("filtered", _statement(connection, selection))
        if rows is None:
            raise _RefusedError("the columns or the order are not valid in a SELECT")  # noqa: TRY301
        return {"names": rows.columns, "kinds": [str(kind) for kind in rows.types], "rows": rows.fetchall()}
    except _RefusedError as error:
        return {"error": str(error)}
    except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
        return {"error": sql.reason(error), "columns": table.columns}
    except duckdb.Error as error:
        return {"error": _MEANINGS.get(type(error).__name__, sql.reason(error))}


def _condition(connection: duckdb.DuckDBPyConnection, table: duckdb.DuckDBPyRelation, where: str) -> duckdb.Expression:
    """Return a condition as an expression.

    DuckDB before 2.0 parses `a FROM b` as the expression `a`; in brackets it is an error in all versions.
    """
    import duckdb

    if len(connection.extract_statements(f"SELECT {where}")) > 1:
        raise _RefusedError("it is more than one statement. Write one condition")
    duckdb.SQLExpression(f"({where}\n)")
    try:
        expression = duckdb.SQLExpression(where)
    except duckdb.InvalidInputException:
        raise _RefusedError("it is more than one expression. Write one condition") from None
    kind = str(table.select(expression).types[0])
    if kind != "BOOLEAN":
        raise _RefusedError(
            f"it has the type {kind} and is not a condition. Write one that is true or false, such as views_90d = 0"
        )
    return expression


def _statement(connection: duckdb.DuckDBPyConnection, selection: dict[str, Any]) -> str:
    """Return the statement that selects from the filtered rows; a line break ends a comment in a part."""
    order = f"ORDER BY {selection['order_by']}\n" if selection["order_by"] else ""
    limit = "" if selection["limit"] is None else f"LIMIT {int(selection['limit'])}"
    text = f"SELECT {selection['columns']}\nFROM filtered\n{order}{limit}"
    if len(connection.extract_statements(text)) > 1:
        raise _RefusedError("the columns or the order are more than one statement")
    return text


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


if __name__ == "__main__":
    main()
