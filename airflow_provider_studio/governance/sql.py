# SPDX-License-Identifier: Apache-2.0
"""The only place that opens DuckDB, quotes for it, limits it and locks it.

A database opened here reads and writes files below its folders alone, loads no extension, cannot change its settings,
and has bounds for memory, threads and disk. Its temporary files are in a folder of its own, which only this user can
open and which is removed with it.
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

NIGHTS_MEMORY = "1GB"
"""Enough for the facts of 100,000 Reports over a year of nights; what is larger goes through the private folder."""
NIGHT_MEMORY = "200MB"
"""Enough for one night."""
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

    :param memory: how much memory its tables and queries may use.
    :param folders: below these it may read and write files; nowhere else.
    :param tables: Parquet files to load as tables, which it cannot read afterwards.
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
        """Return another connection to the same database, for another thread."""
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
    """Open a `Database` for the `with` block; what DuckDB raises in it becomes an error that shows no data.

    :raises StorageError: see `explained`.
    """
    places = list(folders)
    database = Database(memory, places)
    try:
        with explained(places):
            yield database.connection
    finally:
        database.close()


def scratch_of(connection: duckdb.DuckDBPyConnection) -> Path:
    """Return the private folder of a connection's database, in which files can be written that nobody else reads."""
    ((spill,),) = connection.execute("SELECT current_setting('temp_directory')").fetchall()
    return Path(spill).parent


@contextmanager
def explained(folders: Sequence[Path | UPath]) -> Iterator[None]:
    """Turn what DuckDB raises into a StorageError that names the folders.

    Many of DuckDB's messages contain values of the rows that it works on. They stay out of logs and pages.
    """
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        places = ", ".join(str(folder) for folder in folders) or "memory"
        raise StorageError(
            f"The tables in {places} cannot be read or written: {reason(error)}. Check that their files are whole and "
            "can be read, and that the temporary folder has room."
        ) from None


def reason(error: duckdb.Error) -> str:
    """Return the first line of an error that speaks of the statement; of any other the kind alone.

    Parsing, binding and looking up names happen before any row is read, so that these messages contain no data.
    """
    import duckdb

    if isinstance(error, duckdb.ParserException | duckdb.BinderException | duckdb.CatalogException):
        return str(error).strip().splitlines()[0]
    return f"DuckDB raised {type(error).__name__}"


def quoted(text: str) -> str:
    """Return a text as a literal, for statements in which DuckDB binds no values."""
    return "'" + _without_nul(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return the name of a table or column as SQL."""
    return '"' + _without_nul(name).replace('"', '""') + '"'


def exact_name(path: Path | UPath) -> str:
    """Return a file's name as DuckDB's readers take it: no character of it stands for others."""
    return glob.escape(file_name(path))


def parquet(paths: Sequence[Path | UPath]) -> str:
    """Return Parquet files as a table expression, for statements in which DuckDB binds no values, such as views."""
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

    :param query: SQL without values from outside.
    :param options: more of COPY's options, such as `ROW_GROUP_SIZE 20480`.
    """
    more = f", {options}" if options else ""
    connection.execute(f"COPY ({query}) TO {quoted(str(target))} (FORMAT parquet{more})")


def file_name(path: Path | UPath) -> str:
    """Return a file's name as DuckDB writes it: without the Airflow connection, which a bucket's name may follow."""
    local = _local(path)
    if local is None:
        return f"{path.protocol}://{path.path}"  # type: ignore[union-attr]
    return os.path.abspath(local)  # noqa: PTH100  which resolves `..`, as DuckDB does


def _local(path: Path | UPath) -> Path | None:
    """Return a path on this machine's disk, or None; until universal-pathlib 0.3 an object store's is a `Path` too."""
    return local_path(path) if isinstance(path, UPath) else path


def _names_of_folder(folder: Any) -> Iterator[str]:
    """Yield the beginnings of file names that DuckDB may see: as they are requested, and as file systems list them."""
    name = file_name(folder)
    names = [name, glob.escape(name)]
    if _local(folder) is None:
        names.append(folder.fs.unstrip_protocol(folder.path))
    yield from (f"{one.rstrip('/')}/" for one in names)


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise GovernanceError(f"{text!r} contains a NUL character, which no name of a file or column may.")
    return text
