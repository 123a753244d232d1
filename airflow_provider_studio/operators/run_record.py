# SPDX-License-Identifier: Apache-2.0
"""A task's record of the run that it started, so that its next try resumes that run.

Airflow 3.3 and later store it with the task (`task_state_store`); earlier versions use a file under the storage root.
Airflow's own mixin for durable operators is not used: it covers only tasks that hold their worker, and a cleared task
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
from airflow_provider_studio.governance import storage
from airflow_provider_studio.governance.file_names import KILLED, RUN_RECORD, claims_day_name
from airflow_provider_studio.governance.layout import claim_file, claims_folder, run_record_folder

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from upath import UPath

log = logging.getLogger(__name__)

_KEY = "studio_report_run"
_CLAIMS_RETENTION = timedelta(days=7)


class TaskRecord:
    """The start of one task's run, shared by all its tries.

    :param context: the task's context.
    :param workspace: the workspace whose runs are claimed.
    :param part: distinguishes the records of a task that starts several runs.
    """

    def __init__(self, context: Context, workspace: str, *, part: str | None = None) -> None:
        self._store: Any = context.get("task_state_store")
        ti = context["ti"]
        names = (ti.dag_id, ti.run_id, ti.task_id, str(ti.map_index), *([part] if part else []))
        self._key = f"{_KEY}_{part}" if part else _KEY
        self._owner = "/".join(names)
        self._clears = int(getattr(context.get("dag_run"), "clear_number", 0) or 0)
        folder = run_record_folder(settings.storage(), names)
        self._file, self._kill = folder / RUN_RECORD, folder / KILLED
        self._claims = claims_folder(settings.storage(), workspace)

    def read(self) -> dict[str, Any] | None:
        """Return the last written values; None if a person cleared the task while it was running.

        :raises StudioConfigurationError: the record is unreadable, so it is unknown whether a run was started.
        """
        if self._was_cleared():
            return None
        if self._store is not None:
            values, place = (
                self._store.get(self._key) or None,
                f"The value {self._key!r} in Airflow's store of this task",
            )
        else:
            values, place = _json_in(self._file), f"The record {self._file}"
        if values is None:
            return None
        if isinstance(values, Mapping):
            return dict(values)
        raise StudioConfigurationError(
            f"{place} is unreadable, so it is unknown whether an earlier try started a run. "
            "Check the Report's runs in Studio, then remove it to let the task start one."
        )

    def write(self, values: dict[str, Any]) -> None:
        """Write durably before returning."""
        if self._store is not None:
            self._store.set(self._key, values)
        else:
            storage.write_atomically(self._file, json.dumps(values).encode())
        self._kill.unlink(missing_ok=True)

    def note_kill(self) -> None:
        """Record that this try was killed. Runs in a signal handler, so it sends no request to Airflow.

        A task that is cleared while it runs keeps its `max_tries`. Only this note, and a later clear of the DAG run,
        distinguish it from a retry.
        """
        try:
            storage.write_atomically(self._kill, json.dumps({"clears": self._clears}).encode())
        except Exception:  # a kill must not fail
            log.warning("Could not record the kill; a cleared task will resume its run", exc_info=True)

    def _was_cleared(self) -> bool:
        note = _json_in(self._kill)
        if note is None:
            return False
        clears = note.get("clears") if isinstance(note, dict) else None
        if not isinstance(clears, int):
            log.warning("The record of a kill in %s is unreadable; the task resumes its run", self._kill)
        elif self._clears > clears:
            return True
        self._kill.unlink(missing_ok=True)
        return False

    def claim(self, run: str) -> bool:
        """Claim a run for this task; False if another task has it. Claims are deleted after a week."""
        today = self._claims / claims_day_name(storage.utcnow())
        if not today.exists():
            self._delete_days(before=claims_day_name(storage.utcnow() - _CLAIMS_RETENTION))
        for day in self._days():
            earlier = claim_file(day, run)
            if earlier.exists():
                return earlier.read_text() == self._owner
        claim = claim_file(today, run)
        return storage.write_once(claim, self._owner.encode()) or claim.read_text() == self._owner

    def _days(self) -> list[UPath]:
        return sorted(self._claims.iterdir(), key=lambda day: day.name) if self._claims.exists() else []

    def _delete_days(self, before: str) -> None:
        for day in self._days():
            if day.name < before:
                with suppress(FileNotFoundError):  # another task deleted it
                    day.fs.rm(day.path, recursive=True)


def _json_in(file: UPath) -> Any:
    """Return the decoded content of a file: None if there is no file, its text if it is no JSON."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def epoch_of(context: Context) -> int:
    """Return a number that retries of a task keep, and that changes when a person clears the task.

    Airflow raises `max_tries` only when it clears a task that is not running; `note_kill` covers a running task.
    """
    return int(context["ti"].max_tries)
