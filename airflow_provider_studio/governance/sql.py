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
from collections.abc import Iterable, Iterator, Sequence
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
"""A table expression; bind `parquet_name(path)`. Folder names such as `workspace=acme` do not become columns."""
_THREADS = 2
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
    """

    def __init__(self, memory: str, folders: Iterable[Path | UPath] = ()) -> None:
        import duckdb

        self._scratch = tempfile.TemporaryDirectory(prefix="studio-duckdb-")
        self.scratch = Path(self._scratch.name)
        """Its private folder: for temporary files, and for files to write with `write_parquet`."""
        try:
            config: dict[str, Any] = {
                **_NO_EXTENSIONS,
                "memory_limit": memory,
                "threads": _THREADS,
                "temp_directory": str(self.scratch / "spill"),
                "max_temp_directory_size": _LARGEST_SPILL,
            }
            self.connection = duckdb.connect(config=config)
            self._lock([UPath(folder) for folder in (self.scratch, *folders)])
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

    def _lock(self, folders: Sequence[UPath]) -> None:
        remote = next((folder for folder in folders if local_path(folder) is None), None)
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
def opened(memory: str, folders: Iterable[Path | UPath] = ()) -> Iterator[Database]:
    """Open a database for the `with` block; what DuckDB raises in it becomes an error that shows no data.

    :raises StorageError: DuckDB cannot do what is asked within the block; see `explained`.
    """
    places = list(folders)
    database = Database(memory, places)
    try:
        with explained(places):
            yield database
    finally:
        database.close()


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


def parquet_name(path: Path | UPath) -> str:
    """Return a file's name as `read_parquet` opens it: with no character that stands for others."""
    return glob.escape(file_name(path))


def parquet(paths: Sequence[Path | UPath]) -> str:
    """Return Parquet files as a table expression, for statements in which DuckDB binds no values, such as views."""
    names = ", ".join(quoted(parquet_name(path)) for path in paths)
    return f"read_parquet([{names}], union_by_name = true, hive_partitioning = false)"


def write_parquet(connection: duckdb.DuckDBPyConnection, query: str, target: Path, options: str = "") -> None:
    """Write the rows of a query into a Parquet file.

    :param query: SQL without values from outside.
    :param options: more of COPY's options, such as `ROW_GROUP_SIZE 20480`.
    """
    more = f", {options}" if options else ""
    connection.execute(f"COPY ({query}) TO {quoted(str(target))} (FORMAT parquet{more})")


def file_name(path: Path | UPath) -> str:
    """Return a file's name as DuckDB writes it: without the Airflow connection, which a bucket's name may follow."""
    place = UPath(path)
    local = local_path(place)
    return f"{place.protocol}://{place.path}" if local is None else os.path.abspath(local)  # noqa: PTH100  `..` too


def _names_of_folder(folder: UPath) -> Iterator[str]:
    """Yield the beginnings of file names that DuckDB may see: as they are requested, and as file systems list them."""
    name = file_name(folder)
    names = [name, glob.escape(name)]
    if local_path(folder) is None:
        names.append(folder.fs.unstrip_protocol(folder.path))
    yield from (f"{one.rstrip('/')}/" for one in names)


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise GovernanceError(f"{text!r} contains a NUL character, which no name of a file or column may.")
    return text
