# SPDX-License-Identifier: Apache-2.0
"""Snapshots of a workspace in Parquet, and their history through DuckDB.

A snapshot is a folder; `summary.json` is written last, and a folder without it is no snapshot. `schema` defines the
columns. Unknown values are NULL, never 0, and so are columns that an older snapshot lacks.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from upath import UPath

from airflow_provider_studio.governance import sql
from airflow_provider_studio.governance.file_names import (
    SUMMARY,
    is_snapshot_like,
    rows_file,
    snapshot_name,
    table_file,
    time_of_snapshot,
)
from airflow_provider_studio.governance.layout import (
    Area,
    ignored,
    snapshot_reference,
    snapshots_folder,
    workspace_of,
    workspaces_in,
)
from airflow_provider_studio.governance.snapshots.schema import TABLES, kinds_of
from airflow_provider_studio.governance.storage import (
    check_writable,
    explained,
    write_whole,
)

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Snapshot:
    """One night.

    :param folder: where its files are.
    :param taken_at: when the walk began.
    """

    folder: UPath
    taken_at: datetime

    @property
    def workspace(self) -> str:
        """The workspace's name, which its folder tells."""
        return workspace_of(self.folder.parent)

    def summary(self) -> dict[str, Any]:
        """Return what `summary.json` says."""
        with explained("read", self.folder):
            return dict(json.loads((self.folder / SUMMARY).read_text(encoding="utf-8")))


class SnapshotStore:
    """All nights of one workspace.

    :param storage: the storage root.
    :param workspace: the workspace's name.
    :raises StudioConfigurationError: no workspace has such a name.
    """

    def __init__(self, storage: UPath, workspace: str) -> None:
        self.storage = storage
        self._workspace = workspace
        self.root = snapshots_folder(storage, workspace)

    def all(self) -> list[Snapshot]:
        """Return every finished snapshot, oldest first; a folder whose name is no time is logged and left out."""
        with explained("list", self.root):
            if not self.root.exists():
                return []
            found = [self._snapshot(folder) for folder in self.root.iterdir() if is_snapshot_like(folder.name)]
            finished = [one for one in found if one is not None and (one.folder / SUMMARY).exists()]
        return sorted(finished, key=lambda one: one.taken_at)

    def _snapshot(self, folder: UPath) -> Snapshot | None:
        """Return what a folder holds by its name, which anyone who may write to storage chose."""
        try:
            taken_at = time_of_snapshot(folder.name)
        except ValueError:
            ignored(folder, "its name is not the time of a snapshot")
            return None
        return Snapshot(folder, taken_at)

    def newest(self) -> Snapshot | None:
        """Return the newest finished snapshot."""
        return next(reversed(self.all()), None)

    def up_to(self, relative: str) -> list[Snapshot]:
        """Return the finished snapshots up to and with the one of this name, oldest first; none if it is not there."""
        nights = self.all()
        return next((nights[: at + 1] for at, one in enumerate(nights) if self.relative(one) == relative), [])

    def relative(self, snapshot: Snapshot) -> str:
        """Return a snapshot's folder as plans name it: relative to the storage root."""
        return snapshot_reference(self._workspace, snapshot.taken_at)

    def folder_of(self, taken_at: datetime) -> UPath:
        """Return where the snapshot of this time is, or will be."""
        return self.root / snapshot_name(taken_at)

    def writer(self, taken_at: datetime) -> SnapshotWriter:
        """Return a writer of a new snapshot."""
        return SnapshotWriter(self.folder_of(taken_at), taken_at)

    def check_writable(self) -> None:
        """Raise StorageError now if nothing can be written here."""
        check_writable(self.root)


def workspaces(storage: UPath) -> list[str]:
    """Return the workspaces that have a finished snapshot in this storage."""
    return [name for name in workspaces_in(storage, Area.SNAPSHOTS) if _has_snapshot(snapshots_folder(storage, name))]


def _has_snapshot(folder: UPath) -> bool:
    """Return whether a folder has a finished snapshot, after one question in the usual case: the newest is finished."""
    with explained("list", folder):
        nights = [one for one in folder.iterdir() if is_snapshot_like(one.name)]
        newest_first = sorted(nights, key=lambda one: one.name, reverse=True)
        return any((one / SUMMARY).exists() for one in newest_first)


class SnapshotWriter:
    """Takes rows one by one onto this machine's disk, and puts the finished files into storage. A context manager."""

    def __init__(self, folder: UPath, taken_at: datetime) -> None:
        self.folder = folder
        self._taken_at = plain_time(taken_at)
        self._scratch = tempfile.TemporaryDirectory(prefix="studio-snapshot-")
        self._files: dict[str, IO[str]] = {}

    def __enter__(self) -> Self:
        for table in TABLES:
            self._files[table] = (Path(self._scratch.name) / rows_file(table)).open("w", encoding="utf-8")
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()
        self._scratch.cleanup()

    def add(self, table: str, row: Mapping[str, object]) -> None:
        """Add a row to `reports` or `schedules`; times may carry a zone."""
        values = {key: plain_time(value) if isinstance(value, datetime) else value for key, value in row.items()}
        self._files[table].write(json.dumps({"taken_at": self._taken_at, **values}) + "\n")

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the tables, then the summary that makes the folder a snapshot."""
        with sql.opened(sql.NIGHT_MEMORY, [Path(self._scratch.name)]) as connection:
            for table in TABLES:
                self._files[table].close()
                parquet = self._to_parquet(connection, table)
                write_whole(self.folder / table_file(table), parquet.read_bytes())
        write_whole(self.folder / SUMMARY, json.dumps(summary, indent=1).encode())

    def _to_parquet(self, connection: duckdb.DuckDBPyConnection, table: str) -> Path:
        source, target = Path(self._files[table].name), Path(self._scratch.name) / table_file(table)
        order = "report, token" if table == "schedules" else "token"
        sql.write_parquet(
            connection, f"SELECT * FROM {sql.json_lines(source, kinds_of(table))} ORDER BY {order}", target
        )
        return target


@contextmanager
def open_history(
    snapshots: Sequence[Snapshot], tables: Sequence[str] = ("reports",), *, memory: str = sql.NIGHTS_MEMORY
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database with a view a table over all rows of these nights; `taken_at` tells the nights apart.

    A view has the columns of TABLES with their types, whatever else the files hold.

    :raises StorageError: the files cannot be read, now or within the block.
    """
    with sql.opened(memory, list(dict.fromkeys(one.folder.parent for one in snapshots))) as connection:
        for table in tables:
            view(connection, table, [one.folder / table_file(table) for one in snapshots], kinds_of(table))
        yield connection


def view(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[UPath], columns: Mapping[str, str]) -> None:
    """Make a view over files that has these columns and no others; what a file lacks is NULL, and no file is no row."""
    nothing = ", ".join(f"NULL::{kind} AS {column}" for column, kind in columns.items())
    typed = ", ".join(f"{column}::{kind} AS {column}" for column, kind in columns.items())
    rows = f" UNION ALL BY NAME SELECT * FROM {sql.parquet(files)}" if files else ""
    connection.execute(f"CREATE VIEW {name} AS SELECT {typed} FROM (SELECT {nothing} WHERE false{rows})")


def tokens_by_id(snapshot: Snapshot) -> dict[str, str]:
    """Return the tokens of a snapshot's Reports by their ids, as far as the ids are known."""
    with open_history([snapshot]) as connection:
        return dict(connection.execute("SELECT id, token FROM reports WHERE id IS NOT NULL").fetchall())


def plain_time(time: datetime) -> str:
    """Write a time as the tables keep it: UTC without its zone."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
