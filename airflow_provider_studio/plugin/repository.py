# SPDX-License-Identifier: Apache-2.0
"""Cached read access to storage for the pages.

Listings are read again after a few seconds. Snapshots and plans never change, so each is turned once into small tables
on the API server's disk; a separate process does so for large ones.
"""

from __future__ import annotations

import fcntl
import functools
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from upath import UPath

from airflow_provider_studio import settings
from airflow_provider_studio.governance.errors import PlanTamperedError, StorageError
from airflow_provider_studio.governance.file_names import table_file
from airflow_provider_studio.governance.layout import (
    SHOWN,
    plan_path,
    prepared_plan,
    prepared_reports,
    prepared_snapshot,
    workspaces_in,
)
from airflow_provider_studio.governance.lineage.readers import tables_of_report
from airflow_provider_studio.governance.lineage.table_rows import TableRow
from airflow_provider_studio.governance.plans.audit import Audit, JournalEvent
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore
from airflow_provider_studio.governance.storage import explained, make_private_folder
from airflow_provider_studio.hooks.usage import UsageRecord
from airflow_provider_studio.plugin.cache import AsyncCache, StillPreparingError, TooSlowError
from airflow_provider_studio.plugin.materialize import (
    prepare_judged,
    prepare_plan,
    prepare_snapshot,
)
from airflow_provider_studio.plugin.plan_index import PlanIndex, PlanLine
from airflow_provider_studio.plugin.queries import SnapshotTables
from airflow_provider_studio.plugin.usage import UsageReader

_LISTING_SECONDS = 15.0
_SMALL_BYTES = 4 * 2**20
"""Smaller files are processed in the API server itself, which saves the start of a process."""
_LONGEST_PREPARATION_SECONDS = 1800


class Repository:
    """The snapshots, plans and usage records of all workspaces.

    :param storage: returns the storage root.
    :param cache: a folder on this machine's disk for the small tables.
    :param patience_seconds: how long a request waits for storage.
    :param preparation_seconds: how long a request waits for tables that are being prepared.
    """

    def __init__(
        self,
        storage: Callable[[], UPath],
        cache: Path,
        *,
        patience_seconds: float = 5.0,
        preparation_seconds: float = 2.0,
    ) -> None:
        self._root = storage
        self.cache = cache
        self._usage = UsageReader()
        self._plan_index = PlanIndex()
        listing = functools.partial(
            AsyncCache,
            good_for_seconds=_LISTING_SECONDS,
            patience_seconds=patience_seconds,
            too_slow=self._too_slow,
            threads=4,
        )
        self._workspaces: AsyncCache[list[str]] = listing(self._list_workspaces)
        self._snapshots: AsyncCache[list[Snapshot]] = listing(self._list_snapshots)
        self._plans: AsyncCache[list[PlanLine]] = listing(self._list_plans)
        self._events: AsyncCache[list[JournalEvent]] = listing(self._list_events)
        self._report_tables: AsyncCache[list[TableRow]] = listing(self._list_report_tables)
        self._records: AsyncCache[list[UsageRecord]] = listing(self._list_records)
        preparing = functools.partial(
            AsyncCache,
            good_for_seconds=None,
            still_good=Path.exists,  # anyone may delete the folder at any time
            patience_seconds=preparation_seconds,
            too_slow=self._still_preparing,
            threads=1,
        )
        self._snapshot_tables: AsyncCache[Path] = preparing(self._make_snapshot)
        self._plan_tables: AsyncCache[Path] = preparing(self._make_plan)
        self._judged_tables: AsyncCache[Path] = preparing(self._make_judged)

    def storage(self) -> UPath:
        """Return the storage root."""
        return self._root()

    def workspaces(self) -> list[str]:
        """Return the workspaces that have any file in storage."""
        return self._workspaces.get()

    def snapshots(self, workspace: str) -> list[Snapshot]:
        """Return a workspace's snapshots, oldest first."""
        return self._snapshots.get(workspace)

    def plans(self, workspace: str) -> list[PlanLine]:
        """Return a workspace's plans with their status, newest first."""
        return self._plans.get(workspace)

    def events(self, workspace: str, plan_id: str) -> list[JournalEvent]:
        """Return the events of a plan's journal, oldest first, without damaged ones."""
        return self._events.get(workspace, plan_id)

    def report_tables(self, workspace: str, report: str) -> list[TableRow]:
        """Return which tables the queries of a Report read; none if that was not found out."""
        return self._report_tables.get(workspace, report)

    def records(self, workspace: str, hours: int) -> list[UsageRecord]:
        """Return the usage records of the last hours, oldest first."""
        return self._records.get(workspace, hours)

    def snapshot_tables(self, workspace: str) -> Path | None:
        """Return the folder with the newest snapshot's tables, or None before the first snapshot.

        :raises StillPreparingError: they are being prepared.
        """
        snapshots = self.snapshots(workspace)
        return self._snapshot_tables.get(workspace, snapshots[-1].taken_at) if snapshots else None

    def plan_tables(self, workspace: str, plan_id: str) -> Path:
        """Return the folder with a plan's tables.

        :raises StillPreparingError: they are being prepared.
        :raises PlanTamperedError: the plan was changed.
        """
        return self._plan_tables.get(workspace, plan_id)

    def tables(self, workspace: str, plan_id: str | None) -> SnapshotTables | None:
        """Return the newest snapshot with a plan's verdicts, or None before the first snapshot.

        :raises PlanTamperedError: the plan was changed.
        :raises StillPreparingError: they are being prepared.
        """
        snapshot = self.snapshot_tables(workspace)
        if snapshot is None:
            return None
        plan = None if plan_id is None else self.plan_tables(workspace, plan_id)
        self._judged_tables.get(workspace, snapshot, plan, plan_id)
        return SnapshotTables(snapshot, plan)

    def _list_workspaces(self) -> list[str]:
        return workspaces_in(self.storage(), *SHOWN)

    def _list_snapshots(self, workspace: str) -> list[Snapshot]:
        return SnapshotStore(self.storage(), workspace).all()

    def _list_plans(self, workspace: str) -> list[PlanLine]:
        return self._plan_index.lines(self.storage(), workspace)

    def _list_events(self, workspace: str, plan_id: str) -> list[JournalEvent]:
        return Audit(self.storage(), workspace).events(plan_id=plan_id, skip_damaged=True)

    def _list_report_tables(self, workspace: str, report: str) -> list[TableRow]:
        return tables_of_report(self.snapshots(workspace), report)

    def _list_records(self, workspace: str, hours: int) -> list[UsageRecord]:
        since = datetime.now(UTC) - timedelta(hours=hours)
        return self._usage.records(self.storage(), workspace, since)

    def _make_snapshot(self, workspace: str, taken_at: datetime) -> Path:
        def make() -> None:
            size = sum(_size(snapshot.folder / table_file("reports")) for snapshot in self.snapshots(workspace))
            if size < _SMALL_BYTES:
                prepare_snapshot(self.storage(), workspace, self.cache)
            else:
                self._in_a_process(workspace)

        return self._ensured(prepared_snapshot(self.cache, workspace, taken_at), make)

    def _make_plan(self, workspace: str, plan_id: str) -> Path:
        def make() -> None:
            if _size(plan_path(self.storage(), workspace, plan_id)) < _SMALL_BYTES:
                prepare_plan(self.storage(), workspace, plan_id, self.cache)
            else:
                self._in_a_process(workspace, "--plan", plan_id)

        return self._ensured(prepared_plan(self.cache, workspace, plan_id), make)

    def _make_judged(self, workspace: str, snapshot: Path, plan: Path | None, plan_id: str | None) -> Path:
        def make() -> None:
            if (snapshot / table_file("reports")).stat().st_size < _SMALL_BYTES:
                prepare_judged(snapshot, plan)
            else:
                self._in_a_process(workspace, "--judge", str(snapshot), *(["--plan", plan_id] if plan_id else []))

        return self._ensured(prepared_reports(snapshot, plan), make)

    def _ensured(self, target: Path, make: Callable[[], None]) -> Path:
        """Return a file or folder of the cache, after making it if it does not exist.

        :raises StillPreparingError: a newer one was made instead.
        :raises StorageError: the cache cannot be written.
        """
        try:
            if not target.exists():
                self._make_locked(target, make)
        except OSError as error:
            raise StorageError(
                f"The page cache {self.cache} cannot be written ({error.strerror}). Make it writable for the user of "
                "Airflow's API server, and check that its disk has room."
            ) from error
        if not target.exists():
            raise self._still_preparing()
        return target

    def _make_locked(self, target: Path, make: Callable[[], None]) -> None:
        folder = next(parent for parent in target.parents if parent.parent == self.cache)
        make_private_folder(folder)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released when the process ends, in whichever way
            for leftover in folder.glob(".making-*"):  # of a process that was killed
                shutil.rmtree(leftover, ignore_errors=True)
            if not target.exists():
                make()

    def _in_a_process(self, workspace: str, *more: str) -> None:
        argv = [sys.executable, "-m", "airflow_provider_studio.plugin.materialize"]
        argv += ["--workspace", workspace, "--cache", str(self.cache), *more]
        done = subprocess.run(  # noqa: S603  our own module; names from storage are arguments of their own
            argv, capture_output=True, text=True, timeout=_LONGEST_PREPARATION_SECONDS, check=False
        )
        if done.returncode != 0:
            last = done.stderr.strip().splitlines()[-1:] or [f"the process ended with {done.returncode}"]
            if last[0].startswith(PlanTamperedError.__name__):
                raise PlanTamperedError(last[0].partition(": ")[2])
            raise StorageError(f"The tables of workspace {workspace!r} cannot be prepared: {last[0]}")

    def _too_slow(self) -> Exception:
        return TooSlowError(
            f"Storage at {self.storage()} has not responded yet. The request continues; try again soon."
        )

    @staticmethod
    def _still_preparing() -> Exception:
        return StillPreparingError("The tables of the newest snapshot are being prepared. This page reloads by itself.")


def _size(path: UPath) -> int:
    with explained("read", path):
        return int(path.stat().st_size) if path.exists() else 0


@functools.cache
def repository() -> Repository:
    """Return the API server's repository."""
    return Repository(settings.storage, settings.page_cache())
