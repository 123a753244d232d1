# SPDX-License-Identifier: Apache-2.0
"""Evaluate SQL that a person wrote over given tables in a separate process.

The process has the tables, no secrets in its environment and no access to files. The operating system enforces its
limits for memory and time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.governance.errors import GovernanceError
from airflow_provider_studio.governance.file_names import table_file
from airflow_provider_studio.governance.sql import identifier, scratch_of, write_parquet

if TYPE_CHECKING:
    import duckdb

LONGEST_SECONDS = 60.0
MEMORY_MB = 512
"""The limit for DuckDB's tables and queries; the process may use twice as much."""
_PROGRAM = "airflow_provider_studio.governance.sandbox_process"
_PASSED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PYTHONHOME")
STARTED = "started"
"""The line that the process writes when it is ready; its standard error before that contains no data."""


class SandboxError(GovernanceError):
    """The SQL cannot be evaluated. The message gives the reason and contains no data.

    :param columns: the columns of the table, if the SQL is invalid or names something unknown.
    """

    retry_helps = False

    def __init__(self, message: str, columns: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.columns = tuple(columns)


@dataclass(frozen=True)
class Selection:
    """Rows to select from a table.

    :param where: an SQL condition.
    :param columns: a list of expressions, as after SELECT.
    :param order_by: a list of expressions, as after ORDER BY.
    """

    table: str
    where: str
    columns: str
    order_by: str | None = None
    limit: int | None = None


def select(
    connection: duckdb.DuckDBPyConnection,
    tables: Sequence[str],
    selection: Selection,
    *,
    longest_seconds: float = LONGEST_SECONDS,
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the names of the columns and the rows; times are in UTC without a time zone.

    :param connection: a connection from `sql.opened`.
    :param tables: the tables of that database that the SQL may read.
    :raises SandboxError: the SQL is invalid, fails, or exceeds a limit.
    """
    files, folder = {}, scratch_of(connection)
    for table in tables:
        file = folder / table_file(table)
        write_parquet(connection, f"FROM {identifier(table)}", file)
        files[table] = str(file)
    request = {
        "tables": files,
        "selection": asdict(selection),
        "memory_mb": MEMORY_MB,
        "seconds": longest_seconds,
    }
    response = _run_process(request, _environment(str(folder)), longest_seconds)
    if "error" in response:
        raise SandboxError(response["error"], response.get("columns", ()))
    kinds = response["kinds"]
    rows = [tuple(_value(value, kind) for value, kind in zip(row, kinds, strict=True)) for row in response["rows"]]
    return response["names"], rows


def _run_process(request: Mapping[str, Any], environment: Mapping[str, str], longest_seconds: float) -> dict[str, Any]:
    """Run the process and return its response."""
    argv = [sys.executable, "-P", "-m", _PROGRAM]
    try:
        process = subprocess.run(  # noqa: S603  runs a module of this package; the SQL is passed through standard input
            argv,
            input=json.dumps(request),
            capture_output=True,
            encoding="utf-8",
            timeout=longest_seconds,
            check=False,
            env=dict(environment),
            cwd=environment["TMPDIR"],
        )
    except subprocess.TimeoutExpired:
        raise SandboxError(_too_slow(longest_seconds)) from None
    started, _, output = process.stdout.partition("\n")
    if started != STARTED:
        last = process.stderr.strip().splitlines()[-1:] or [f"it ended with {process.returncode}"]
        raise GovernanceError(f"The process that evaluates SQL cannot start: {last[0]}.")
    if process.returncode in {-signal.SIGXCPU, -signal.SIGALRM}:
        raise SandboxError(_too_slow(longest_seconds))
    if process.returncode != 0:
        raise SandboxError(f"its process ended with {process.returncode}, probably for lack of memory. Simplify it")
    return dict(json.loads(output))


def _too_slow(seconds: float) -> str:
    return f"it took longer than {seconds:g} s. Simplify it"


def _environment(folder: str) -> dict[str, str]:
    """Return the environment of the process: what Python needs to start, without Airflow's settings and secrets."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed_on | {
        "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path),  # noqa: PTH100  "" is the cwd
        "TMPDIR": folder,
        "TZ": "UTC",
    }


def _value(value: Any, kind: str) -> Any:
    return datetime.fromisoformat(value) if kind.startswith("TIMESTAMP") and value is not None else value
