# SPDX-License-Identifier: Apache-2.0
"""The only module that opens DuckDB and quotes text for it.

A database opened here is locked: it reads and writes files below its folders only, loads no extension, cannot change
its settings, and has limits for memory, threads and disk. Its temporary files are in a private folder that only this
user can open and that is removed when the database is closed.
"""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upath import UPath

from airflow_provider_studio.governance.errors import GovernanceError, StorageError
from airflow_provider_studio.governance.storage import local_path

if TYPE_CHECKING:
    import duckdb

HISTORY_MEMORY = "1GB"
"""Enough for the facts of 100,000 Reports over a year of daily snapshots; more spills to the private folder."""
SNAPSHOT_MEMORY = "200MB"
"""Enough for one snapshot."""
PARQUET = "read_parquet(?, hive_partitioning = false)"
"""A table expression; bind `exact_name(path)`. Folder names such as `workspace=acme` do not become columns."""
_SPILL = "spill"
_LARGEST_SPILL = "8GB"
_NO_EXTENSIONS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
}


class Database:
    """A locked DuckDB in memory.

    :param memory: the memory limit for its tables and queries.
    :param folders: the only folders below which it may read and write files.
    :param tables: Parquet files to load as tables before the database is locked.
    """

    def __init__(
        self,
        memory: str,
        folders: Iterable[Path | UPath] = (),
        *,
        tables: Mapping[str, Path] | None = None,
        threads: int = 2,
    ) -> None:
        import duckdb

        self._scratch = tempfile.TemporaryDirectory(prefix="studio-duckdb-")
        scratch = Path(self._scratch.name)
        try:
            config: dict[str, Any] = {
                **_NO_EXTENSIONS,
                "memory_limit": memory,
                "threads": threads,
                "temp_directory": str(scratch / _SPILL),
                "max_temp_directory_size": _LARGEST_SPILL,
            }
            self.connection = duckdb.connect(config=config)
            for name, file in (tables or {}).items():
                self.connection.execute(f"CREATE TABLE {identifier(name)} AS FROM {parquet([file])}")
            self._lock([scratch, *folders])
        except BaseException:
            self._scratch.cleanup()
            raise

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return another connection to this database, for use in another thread."""
        return self.connection.cursor()

    def close(self) -> None:
        """Close the database and remove its private folder."""
        self.connection.close()
        self._scratch.cleanup()

    def _lock(self, folders: Sequence[Path | UPath]) -> None:
        remote: Any = next((folder for folder in folders if _local(folder) is None), None)
        if remote is not None:
            self.connection.register_filesystem(remote.fs)
        allowed = dict.fromkeys(name for folder in folders for name in _names_of_folder(folder))
        for statement in (
            "SET enable_progress_bar = false",
            f"SET allowed_directories = [{', '.join(quoted(name) for name in allowed)}]",
            "SET enable_external_access = false",
            "SET lock_configuration = true",
        ):
            self.connection.execute(statement)


@contextmanager
def opened(memory: str, folders: Iterable[Path | UPath] = ()) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a `Database` for the `with` block; errors of DuckDB become errors without data.

    :raises StorageError: see `duckdb_errors`.
    """
    allowed = list(folders)
    database = Database(memory, allowed)
    try:
        with duckdb_errors(allowed):
            yield database.connection
    finally:
        database.close()


def scratch_of(connection: duckdb.DuckDBPyConnection) -> Path:
    """Return the private folder of a connection's database."""
    ((spill,),) = connection.execute("SELECT current_setting('temp_directory')").fetchall()
    return Path(spill).parent


@contextmanager
def duckdb_errors(folders: Sequence[Path | UPath]) -> Iterator[None]:
    """Turn an error of DuckDB into a StorageError that names the folders.

    Many messages of DuckDB contain values of rows. They must not appear in logs and pages.
    """
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        names = ", ".join(str(folder) for folder in folders) or "memory"
        raise StorageError(
            f"The tables in {names} cannot be read or written: {reason(error)}. Check that their files are complete "
            "and readable, and that the temporary folder has free space."
        ) from None


def reason(error: duckdb.Error) -> str:
    """Return the first line of an error in the statement; for any other error only its class.

    Parsing and binding happen before any row is read, so their messages contain no data.
    """
    import duckdb

    if isinstance(error, duckdb.ParserException | duckdb.BinderException | duckdb.CatalogException):
        return str(error).strip().splitlines()[0]
    return f"DuckDB raised {type(error).__name__}"


def quoted(text: str) -> str:
    """Return a text as an SQL literal, for statements without bound values."""
    return "'" + _without_nul(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return the name of a table or column as a quoted SQL identifier."""
    return '"' + _without_nul(name).replace('"', '""') + '"'


def exact_name(path: Path | UPath) -> str:
    """Return a file's name for DuckDB's readers, with wildcards escaped."""
    return glob.escape(file_name(path))


def parquet(paths: Sequence[Path | UPath]) -> str:
    """Return Parquet files as a table expression, for statements without bound values, such as views."""
    names = ", ".join(quoted(exact_name(path)) for path in paths)
    return f"read_parquet([{names}], union_by_name = true, hive_partitioning = false)"


def json_lines(file: Path, columns: Mapping[str, str]) -> str:
    """Return a file of JSON lines as a table expression.

    :param columns: the names and types of the columns to read.
    """
    types = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in columns.items())
    return f"read_json({quoted(exact_name(file))}, format = 'newline_delimited', columns = {{{types}}})"


def write_parquet(connection: duckdb.DuckDBPyConnection, query: str, target: Path, options: str = "") -> None:
    """Write the rows of a query into a Parquet file.

    :param query: SQL without external values.
    :param options: further options of COPY, such as `ROW_GROUP_SIZE 20480`.
    """
    suffix = f", {options}" if options else ""
    connection.execute(f"COPY ({query}) TO {quoted(str(target))} (FORMAT parquet{suffix})")


def file_name(path: Path | UPath) -> str:
    """Return a file's name as DuckDB writes it: without the Airflow connection that may precede a bucket's name."""
    local = _local(path)
    if local is None:
        return f"{path.protocol}://{path.path}"  # type: ignore[union-attr]
    return os.path.abspath(local)  # noqa: PTH100  DuckDB resolves `..` too


def _local(path: Path | UPath) -> Path | None:
    """Return a local path, or None; before universal-pathlib 0.3 a path in an object store is a `Path` too."""
    return local_path(path) if isinstance(path, UPath) else path


def _names_of_folder(folder: Any) -> Iterator[str]:
    """Yield the prefixes of file names that DuckDB checks: as requested, and as file systems list them."""
    name = file_name(folder)
    names = [name, glob.escape(name)]
    if _local(folder) is None:
        names.append(folder.fs.unstrip_protocol(folder.path))
    yield from (f"{name.rstrip('/')}/" for name in names)


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise GovernanceError(f"{text!r} contains a NUL character, which no name of a file or column may contain.")
    return text
