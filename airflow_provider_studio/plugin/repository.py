# SPDX-License-Identifier: Apache-2.0
"""What storage knows, as the pages ask for it: quick when it was asked before, honest when storage is slow or gone.

Listings are looked up again after a few seconds. What never changes (a night, a plan, a spending record) is made into
small tables on the API server's own disk, once; large ones in a process of their own.
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
from airflow_provider_studio.governance.errors import StorageError
from airflow_provider_studio.governance.file_names import table_file
from airflow_provider_studio.governance.layout import (
    SHOWN,
    plan_path,
    prepared_night,
    prepared_plan,
    prepared_reports,
    workspaces_in,
)
from airflow_provider_studio.governance.plans.audit import Audit, JournalEvent
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore
from airflow_provider_studio.governance.storage import explained
from airflow_provider_studio.hooks.usage import Spent
from airflow_provider_studio.plugin.cache import AsyncCache, StillPreparingError, TooSlowError
from airflow_provider_studio.plugin.materialize import (
    prepare_judged,
    prepare_night,
    prepare_plan,
)
from airflow_provider_studio.plugin.plan_index import PlanIndex, PlanLine
from airflow_provider_studio.plugin.queries import NightTables
from airflow_provider_studio.plugin.usage import SpendingReader

_LISTING_SECONDS = 15.0
_SMALL_BYTES = 4 * 2**20
"""Tables from less than this are made in the API server itself, which spares the start of a process."""
_LONGEST_PREPARATION_SECONDS = 1800


class Library:
    """The tables of all workspaces.

    :param storage: returns the storage root.
    :param cache: a folder on this machine's disk for what is made of the tables.
    :param patience_seconds: how long a request waits for storage.
    """

    def __init__(self, storage: Callable[[], UPath], cache: Path, *, patience_seconds: float = 5.0) -> None:
        self._root = storage
        self.cache = cache
        self._spending = SpendingReader()
        self._plan_shelf = PlanIndex()
        listing = functools.partial(
            AsyncCache,
            good_for_seconds=_LISTING_SECONDS,
            patience_seconds=patience_seconds,
            too_slow=self._too_slow,
            threads=4,
        )
        self._workspaces: AsyncCache[list[str]] = listing(self._list_workspaces)
        self._nights: AsyncCache[list[Snapshot]] = listing(self._list_nights)
        self._plans: AsyncCache[list[PlanLine]] = listing(self._list_plans)
        self._events: AsyncCache[list[JournalEvent]] = listing(self._list_events)
        self._records: AsyncCache[list[Spent]] = listing(self._list_records)
        preparing = functools.partial(
            AsyncCache,
            good_for_seconds=None,
            still_good=Path.exists,  # the folder may be deleted at any time
            patience_seconds=2.0,
            too_slow=self._still_preparing,
            threads=1,
        )
        self._night_tables: AsyncCache[Path] = preparing(self._make_night)
        self._plan_tables: AsyncCache[Path] = preparing(self._make_plan)
        self._judged_tables: AsyncCache[Path] = preparing(self._make_judged)

    def storage(self) -> UPath:
        """Return the storage root."""
        return self._root()

    def workspaces(self) -> list[str]:
        """Return the workspaces that storage knows anything of."""
        return self._workspaces.get()

    def nights(self, workspace: str) -> list[Snapshot]:
        """Return a workspace's nights, oldest first."""
        return self._nights.get(workspace)

    def plans(self, workspace: str) -> list[PlanLine]:
        """Return a workspace's plans with what became of them, newest first."""
        return self._plans.get(workspace)

    def events(self, workspace: str, plan_id: str) -> list[JournalEvent]:
        """Return a plan's whole journal, oldest first."""
        return self._events.get(workspace, plan_id)

    def records(self, workspace: str, hours: int) -> list[Spent]:
        """Return what was spent in the last hours, oldest first."""
        return self._records.get(workspace, hours)

    def night_tables(self, workspace: str) -> Path | None:
        """Return the folder with the newest night's tables, or None before the first night.

        :raises StillPreparingError: they are being made.
        """
        nights = self.nights(workspace)
        return self._night_tables.get(workspace, nights[-1].taken_at) if nights else None

    def plan_tables(self, workspace: str, plan_id: str) -> Path:
        """Return the folder with a plan's tables.

        :raises StillPreparingError: they are being made.
        :raises PlanTamperedError: the plan was changed.
        """
        return self._plan_tables.get(workspace, plan_id)

    def tables(self, workspace: str, plan_id: str | None) -> NightTables | None:
        """Return the newest night with a plan's verdicts, or None before the first night.

        :raises StillPreparingError: they are being made.
        """
        night = self.night_tables(workspace)
        if night is None:
            return None
        plan = None if plan_id is None else self.plan_tables(workspace, plan_id)
        self._judged_tables.get(workspace, night, plan, plan_id)
        return NightTables(night, plan)

    def _list_workspaces(self) -> list[str]:
        return workspaces_in(self.storage(), *SHOWN)

    def _list_nights(self, workspace: str) -> list[Snapshot]:
        return SnapshotStore(self.storage(), workspace).all()

    def _list_plans(self, workspace: str) -> list[PlanLine]:
        return self._plan_shelf.lines(self.storage(), workspace)

    def _list_events(self, workspace: str, plan_id: str) -> list[JournalEvent]:
        return Audit(self.storage(), workspace).events(plan_id=plan_id)

    def _list_records(self, workspace: str, hours: int) -> list[Spent]:
        since = datetime.now(UTC) - timedelta(hours=hours)
        return self._spending.records(self.storage(), workspace, since)

    def _make_night(self, workspace: str, taken_at: datetime) -> Path:
        def make() -> None:
            size = sum(_size(one.folder / table_file("reports")) for one in self.nights(workspace))
            if size < _SMALL_BYTES:
                prepare_night(self.storage(), workspace, self.cache)
            else:
                self._in_its_own_process(workspace)

        return self._made(prepared_night(self.cache, workspace, taken_at), make)

    def _make_plan(self, workspace: str, plan_id: str) -> Path:
        def make() -> None:
            if _size(plan_path(self.storage(), workspace, plan_id)) < _SMALL_BYTES:
                prepare_plan(self.storage(), workspace, plan_id, self.cache)
            else:
                self._in_its_own_process(workspace, "--plan", plan_id)

        return self._made(prepared_plan(self.cache, workspace, plan_id), make)

    def _make_judged(self, workspace: str, night: Path, plan: Path | None, plan_id: str | None) -> Path:
        def make() -> None:
            if (night / table_file("reports")).stat().st_size < _SMALL_BYTES:
                prepare_judged(night, plan)
            else:
                self._in_its_own_process(workspace, "--judge", str(night), *(["--plan", plan_id] if plan_id else []))

        return self._made(prepared_reports(night, plan), make)

    def _made(self, target: Path, make: Callable[[], None]) -> Path:
        """Return a table or a folder of tables, and make it unless another process did.

        :raises StillPreparingError: a newer one was made instead.
        """
        if not target.exists():
            folder = next(one for one in target.parents if one.parent == self.cache)
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process, however that ends
                for left in folder.glob(".making-*"):  # of a process that was killed
                    shutil.rmtree(left, ignore_errors=True)
                if not target.exists():
                    make()
        if not target.exists():
            raise self._still_preparing()
        return target

    def _in_its_own_process(self, workspace: str, *more: str) -> None:
        argv = [sys.executable, "-m", "airflow_provider_studio.plugin.materialize"]
        argv += ["--workspace", workspace, "--cache", str(self.cache), *more]
        done = subprocess.run(  # noqa: S603  our own module; the names come from storage and stand alone
            argv, capture_output=True, text=True, timeout=_LONGEST_PREPARATION_SECONDS, check=False
        )
        if done.returncode != 0:
            last = done.stderr.strip().splitlines()[-1:] or [f"the process ended with {done.returncode}"]
            raise StorageError(f"The tables of workspace {workspace!r} cannot be made: {last[0]}")

    def _too_slow(self) -> Exception:
        return TooSlowError(f"Storage at {self.storage()} has not answered yet. The question goes on; ask again soon.")

    @staticmethod
    def _still_preparing() -> Exception:
        return StillPreparingError("The tables of the newest night are being made. This page comes back by itself.")


def _size(path: UPath) -> int:
    with explained("read", path):
        return int(path.stat().st_size)


@functools.cache
def library() -> Library:
    """Return the API server's library."""
    return Library(settings.storage, settings.page_cache())
