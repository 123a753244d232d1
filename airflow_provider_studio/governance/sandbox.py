# SPDX-License-Identifier: Apache-2.0
"""SQL that a person wrote, evaluated over a few tables in a process of its own.

The process has the tables, no secrets of ours in its environment, no file to read or write, and bounds for memory and
time that hold whatever the SQL does: the operating system ends it.
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
"""For DuckDB's tables and queries; the process as a whole may take as much again."""
_PROGRAM = "airflow_provider_studio.governance.sandbox_process"
_PASSED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PYTHONHOME")
STARTED = "started"
"""What the process writes once all is ready; what it writes to standard error before is no data."""


class SandboxError(GovernanceError):
    """The SQL cannot be evaluated. The message says why, and contains no data.

    :param columns: of the table, where the SQL names something that is not there or makes no sense.
    """

    retry_helps = False

    def __init__(self, message: str, columns: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.columns = tuple(columns)


@dataclass(frozen=True)
class Selection:
    """Rows to select from a table.

    :param where: a condition.
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
    """Return the names of the columns and the rows; times are UTC without a zone.

    :param connection: to a database that `sql.opened` opened.
    :param tables: what the SQL may ask, of that database.
    :raises SandboxError: the SQL makes no sense, fails, or exceeds a limit.
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
    response = _answered(request, _environment(str(folder)), longest_seconds)
    if "error" in response:
        raise SandboxError(response["error"], response.get("columns", ()))
    kinds = response["kinds"]
    rows = [tuple(_value(value, kind) for value, kind in zip(row, kinds, strict=True)) for row in response["rows"]]
    return response["names"], rows


def _answered(request: Mapping[str, Any], environment: Mapping[str, str], longest_seconds: float) -> dict[str, Any]:
    """Run the process and return what it writes."""
    argv = [sys.executable, "-P", "-m", _PROGRAM]
    try:
        done = subprocess.run(  # noqa: S603  our own module; the SQL goes through its standard input
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
    started, _, output = done.stdout.partition("\n")
    if started != STARTED:
        last = done.stderr.strip().splitlines()[-1:] or [f"it ended with {done.returncode}"]
        raise GovernanceError(f"The process that evaluates SQL cannot start: {last[0]}.")
    if done.returncode in {-signal.SIGXCPU, -signal.SIGALRM}:
        raise SandboxError(_too_slow(longest_seconds))
    if done.returncode != 0:
        raise SandboxError(f"its process ended with {done.returncode}, probably for want of memory. Make it simpler")
    return dict(json.loads(output))


def _too_slow(seconds: float) -> str:
    return f"it took longer than {seconds:g} s. Make it simpler"


def _environment(folder: str) -> dict[str, str]:
    """Return the environment of the process: what Python needs to start, and none of Airflow's settings and secrets."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed_on | {
        "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path),  # noqa: PTH100  "" is the cwd
        "TMPDIR": folder,
        "TZ": "UTC",
    }


def _value(value: Any, kind: str) -> Any:
    return datetime.fromisoformat(value) if kind.startswith("TIMESTAMP") and value is not None else value
