# SPDX-License-Identifier: Apache-2.0
"""Snapshots of a workspace in Parquet, and their history through DuckDB.

A snapshot is a folder; `summary.json` is written last, and a folder without it is no snapshot. `schema` defines the
columns. Unknown values are NULL, never 0, and so are columns that an older snapshot lacks.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Container, Iterator, Mapping, Sequence
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
from airflow_provider_studio.governance.storage import check_writable, explained, write_atomically

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)

_PARQUET = b"PAR1"
_SMALLEST_PARQUET = 12
"""The magic bytes at both ends, and the length of the footer."""


@dataclass(frozen=True)
class Snapshot:
    """A finished inventory of a workspace.

    :param folder: where its files are.
    :param taken_at: when the crawl began.
    """

    folder: UPath
    taken_at: datetime

    @property
    def workspace(self) -> str:
        """The workspace's name, from the name of its folder."""
        return workspace_of(self.folder.parent)

    def is_whole(self) -> bool:
        """Whether its files end like Parquet files: a copy that was cut off does not.

        :raises StorageError: the storage cannot be read.
        """
        return all(_is_whole_parquet(self.folder / table_file(table)) for table in TABLES)

    def summary(self) -> dict[str, Any]:
        """Return the content of `summary.json`."""
        with explained("read", self.folder):
            return dict(json.loads((self.folder / SUMMARY).read_text(encoding="utf-8")))


class SnapshotStore:
    """All snapshots of one workspace.

    :param storage: the storage root.
    :param workspace: the workspace's name.
    :raises StudioConfigurationError: the name cannot be that of a workspace.
    """

    def __init__(self, storage: UPath, workspace: str) -> None:
        self.storage = storage
        self._workspace = workspace
        self.root = snapshots_folder(storage, workspace)

    def all(self) -> list[Snapshot]:
        """Return every finished snapshot, oldest first; a folder whose name is no time is logged and skipped."""
        with explained("list", self.root):
            if not self.root.is_dir():
                return []
            found = [self._snapshot(folder) for folder in self.root.iterdir() if is_snapshot_like(folder.name)]
            finished = [snapshot for snapshot in found if snapshot is not None and (snapshot.folder / SUMMARY).exists()]
        return sorted(finished, key=lambda snapshot: snapshot.taken_at)

    def _snapshot(self, folder: UPath) -> Snapshot | None:
        """Return the snapshot that a folder's name means; anyone who may write to storage can choose the name."""
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
        """Return the finished snapshots up to and including the named one, oldest first; none if it does not exist."""
        snapshots = self.all()
        places = (place for place, snapshot in enumerate(snapshots) if self.relative(snapshot) == relative)
        return snapshots[: next(places, -1) + 1]

    def relative(self, snapshot: Snapshot) -> str:
        """Return a snapshot's name in plans: its folder relative to the storage root."""
        return snapshot_reference(self._workspace, snapshot.taken_at)

    def folder_of(self, taken_at: datetime) -> UPath:
        """Return where the snapshot of this time is, or will be."""
        return self.root / snapshot_name(taken_at)

    def writer(self, taken_at: datetime) -> SnapshotWriter:
        """Return a writer of a new snapshot."""
        return SnapshotWriter(self.folder_of(taken_at), taken_at)

    def check_writable(self) -> None:
        """Raise StorageError if the storage cannot be written."""
        check_writable(self.root)


def whole_snapshots(snapshots: Sequence[Snapshot], known: Container[str] = ()) -> Sequence[Snapshot]:
    """Return the snapshots that are whole; all if none is, so that reading them raises the reason.

    :param known: the times of snapshots that were read before.
    """
    whole = []
    for snapshot in snapshots:
        if snapshot.taken_at.isoformat() in known or snapshot.is_whole():
            whole.append(snapshot)
        else:
            log.error("The snapshot %s is left out: a file in it is damaged.", snapshot.folder)
    return whole or snapshots


def workspaces(storage: UPath) -> list[str]:
    """Return the workspaces that have a finished snapshot in this storage."""
    return [name for name in workspaces_in(storage, Area.SNAPSHOTS) if _has_snapshot(snapshots_folder(storage, name))]


def _has_snapshot(folder: UPath) -> bool:
    """Return whether a folder has a finished snapshot; usually one check is enough, as the newest is finished."""
    with explained("list", folder):
        folders = [path for path in folder.iterdir() if is_snapshot_like(path.name)]
        newest_first = sorted(folders, key=lambda path: path.name, reverse=True)
        return any((path / SUMMARY).exists() for path in newest_first)


class SnapshotWriter:
    """Collects rows on this machine's disk, and writes the finished files to storage. A context manager."""

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
        """Write the tables, then the summary: with it the folder is a snapshot."""
        with sql.opened(sql.SNAPSHOT_MEMORY, [Path(self._scratch.name)]) as connection:
            for table in TABLES:
                self._files[table].close()
                parquet = self._to_parquet(connection, table)
                write_atomically(self.folder / table_file(table), parquet.read_bytes())
        write_atomically(self.folder / SUMMARY, json.dumps(summary, indent=1).encode())

    def _to_parquet(self, connection: duckdb.DuckDBPyConnection, table: str) -> Path:
        source, target = Path(self._files[table].name), Path(self._scratch.name) / table_file(table)
        order = "report, token" if table == "schedules" else "token"
        sql.write_parquet(
            connection, f"SELECT * FROM {sql.json_lines(source, kinds_of(table))} ORDER BY {order}", target
        )
        return target


@contextmanager
def open_history(
    snapshots: Sequence[Snapshot], tables: Sequence[str] = ("reports",), *, memory: str = sql.HISTORY_MEMORY
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database with a view per table over all rows of these snapshots, which differ in `taken_at`.

    A view has the columns of TABLES with their types, and no other column of the files.

    :raises StorageError: the files cannot be read, now or within the block.
    """
    with sql.opened(memory, list(dict.fromkeys(snapshot.folder.parent for snapshot in snapshots))) as connection:
        for table in tables:
            view(connection, table, [snapshot.folder / table_file(table) for snapshot in snapshots], kinds_of(table))
        yield connection


def view(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[UPath], columns: Mapping[str, str]) -> None:
    """Create a view over files with exactly these columns, NULL where a file lacks one; without files it is empty."""
    no_values = ", ".join(f"NULL::{kind} AS {column}" for column, kind in columns.items())
    typed = ", ".join(f"{column}::{kind} AS {column}" for column, kind in columns.items())
    rows = f" UNION ALL BY NAME SELECT * FROM {sql.parquet(files)}" if files else ""
    connection.execute(f"CREATE VIEW {name} AS SELECT {typed} FROM (SELECT {no_values} WHERE false{rows})")


def tokens_by_id(snapshot: Snapshot) -> dict[str, str]:
    """Return the tokens of a snapshot's Reports by id, where the id is known."""
    with open_history([snapshot]) as connection:
        return dict(connection.execute("SELECT id, token FROM reports WHERE id IS NOT NULL").fetchall())


def plain_time(time: datetime) -> str:
    """Write a time as in the tables: UTC without a zone."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")


def _is_whole_parquet(path: UPath) -> bool:
    """Whether a file ends with the length of its footer and Parquet's magic bytes."""
    with explained("read", path):
        if not path.is_file():
            return False
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size < _SMALLEST_PARQUET:
                return False
            file.seek(-8, os.SEEK_END)
            end = file.read(8)
    return end[4:] == _PARQUET and int.from_bytes(end[:4], "little") + _SMALLEST_PARQUET <= size
