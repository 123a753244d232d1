# SPDX-License-Identifier: Apache-2.0
"""Where a task keeps what it started, so that its next try goes on with that.

Airflow 3.3 and later keep it beside the task (`task_state_store`); before, it is a file under the storage root.
Airflow's own mixin for such operators is not used: it covers only tasks that hold their worker, and a cleared task
would get its old result.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_studio import settings
from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.governance.file_names import KILLED, RUN_RECORD, claims_day_name
from airflow_provider_studio.governance.layout import claims_folder, run_record_folder
from airflow_provider_studio.governance.storage import utcnow, write_once, write_whole

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from upath import UPath

log = logging.getLogger(__name__)

_KEY = "studio_report_run"
_CLAIMS_KEPT = timedelta(days=7)


class TaskRecord:
    """One task's launch, for all its tries.

    :param context: the task's context.
    :param workspace: whose runs are claimed.
    """

    def __init__(self, context: Context, workspace: str) -> None:
        self._store: Any = context.get("task_state_store")
        ti = context["ti"]
        names = (ti.dag_id, ti.run_id, ti.task_id, str(ti.map_index))
        self._owner = "/".join(names)
        self._clears = int(getattr(context.get("dag_run"), "clear_number", 0) or 0)
        folder = run_record_folder(settings.storage(), names)
        self._file, self._kill = folder / RUN_RECORD, folder / KILLED
        self._claims = claims_folder(settings.storage(), workspace)

    def read(self) -> dict[str, Any] | None:
        """What was written last; nothing if a person cleared the task while it was running.

        :raises StudioConfigurationError: it is unreadable, so it is unknown whether a run was started.
        """
        if self._was_cleared():
            return None
        if self._store is not None:
            found, place = self._store.get(_KEY) or None, f"The value {_KEY!r} in Airflow's store of this task"
        else:
            found, place = _json_in(self._file), f"The record {self._file}"
        if found is None:
            return None
        if isinstance(found, Mapping):
            return dict(found)
        raise StudioConfigurationError(
            f"{place} is unreadable, so it is unknown whether an earlier try started a run. "
            "Look at the Report's runs in Studio, then remove it to let the task start one."
        )

    def write(self, values: dict[str, Any]) -> None:
        """Write durably before returning."""
        if self._store is not None:
            self._store.set(_KEY, values)
        else:
            write_whole(self._file, json.dumps(values).encode())
        self._kill.unlink(missing_ok=True)

    def note_kill(self) -> None:
        """Note that this try was told to end. Called in a signal handler: it must not ask Airflow for anything.

        A task that is cleared while it runs keeps its `max_tries`; that it was told to end, and that its DAG run was
        cleared since, is all that tells it from a retry.
        """
        try:
            write_whole(self._kill, json.dumps({"clears": self._clears}).encode())
        except Exception:  # a kill must not fail
            log.warning("Could not note the kill; if the task was cleared, it goes on with its run", exc_info=True)

    def _was_cleared(self) -> bool:
        noted = _json_in(self._kill)
        if noted is None:
            return False
        clears = noted.get("clears") if isinstance(noted, dict) else None
        if not isinstance(clears, int):
            log.warning("The note of a kill in %s is unreadable; the task goes on with its run", self._kill)
        elif self._clears > clears:
            return True
        self._kill.unlink(missing_ok=True)
        return False

    def claim(self, run: str) -> bool:
        """Take a run for this task; False if another task has it. Claims are forgotten after a week."""
        today = self._claims / claims_day_name(utcnow())
        if not today.exists():
            self._forget(before=claims_day_name(utcnow() - _CLAIMS_KEPT))
        for day in self._days():
            earlier = day / run
            if earlier.exists():
                return earlier.read_text() == self._owner
        return write_once(today / run, self._owner.encode()) or (today / run).read_text() == self._owner

    def _days(self) -> list[UPath]:
        return sorted(self._claims.iterdir(), key=lambda day: day.name) if self._claims.exists() else []

    def _forget(self, before: str) -> None:
        for day in self._days():
            if day.name < before:
                with suppress(FileNotFoundError):  # another task was quicker
                    day.fs.rm(day.path, recursive=True)


def _json_in(file: UPath) -> Any:
    """What a file holds: None where there is no file, and a text where it is no JSON."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def epoch_of(context: Context) -> int:
    """Return a number that stays over the retries of a task and changes when a person clears it.

    Airflow raises `max_tries` when it clears a task that is not running, and at no other time; see `note_kill` for one
    that is.
    """
    return int(context["ti"].max_tries)
