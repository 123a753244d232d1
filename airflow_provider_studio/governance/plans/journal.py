# SPDX-License-Identifier: Apache-2.0
"""The write-ahead journal of a plan: one immutable JSON object per event, because object stores cannot append.

Most names are fixed (`<action>.intent.json`, `<action>.done.json`, …), so that writing the same event twice is
impossible and reading the folder's names tells what is settled; what may happen often carries a stamp. The backup
stands in the intent. Every event says of which plan (the whole hash), who, when, what, before, after and with which
HTTP status.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from typing import Any

from upath import UPath

from airflow_provider_studio.governance.errors import JournalError
from airflow_provider_studio.governance.file_names import event_file, is_event, parsed_event_file
from airflow_provider_studio.governance.layout import journal_folder
from airflow_provider_studio.governance.plans.models import Action
from airflow_provider_studio.governance.storage import check_writable, explained, file_stamp, utcnow, write_once

PLAN = "plan"
"""Stands for the plan as a whole where an event belongs to no action of it."""
_NOT_KEPT = frozenset({"web_preview_image", "flamingo_signature"})
"""Values of the API that open something by themselves."""


class Event(StrEnum):
    """What happened to an action, or to the plan as a whole (the first three)."""

    APPROVED = "approved"
    REJECTED = "rejected"
    STOPPED = "stopped"
    INTENT = "intent"
    RESUMED = "resumed"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNDO_INTENT = "undo-intent"
    UNDONE = "undone"
    UNDO_FAILED = "undo-failed"


REPEATABLE = {Event.APPROVED, Event.REJECTED, Event.STOPPED, Event.RESUMED, Event.FAILED, Event.UNDO_FAILED}
"""What may happen to an action more than once."""


def parsed_name(name: str) -> tuple[str, Event] | None:
    """Return the action and the event that a file's name tells, or None for any other file."""
    parsed = parsed_event_file(name)
    if parsed is None:
        return None
    action_id, rest = parsed
    found = (one for one in Event if is_event(rest, one.value, may_be_stamped=one in REPEATABLE))
    return next(((action_id, event) for event in found), None)


class Journal:
    """The journal of one plan.

    :param storage: the storage root.
    :param actor: who acts: DAG, run, task, try, approver. Stands in every event.
    :param sha256: the plan's hash, where it is known. Stands in every event.
    :param now: the clock.
    :raises PlanError: the id is none.
    :raises JournalError: the journal is that of another plan with the same id.
    """

    def __init__(
        self,
        storage: UPath,
        workspace: str,
        plan_id: str,
        *,
        actor: Mapping[str, str],
        sha256: str | None = None,
        now: Callable[[], datetime] = utcnow,
    ) -> None:
        self.folder = journal_folder(storage, workspace, plan_id)
        self._workspace, self._plan_id, self._sha256 = workspace, plan_id, sha256
        self._actor = dict(actor)
        self._now = now
        self._known: dict[str, set[Event]] = {}
        self._read: dict[str, dict[str, Any]] = {}
        with explained("list the journal", self.folder):
            names = [one.name for one in self.folder.iterdir()] if self.folder.exists() else []
        events = {name: known for name in names if (known := parsed_name(name)) is not None}
        for known in events.values():
            self._remember(*known)
        # One is enough: nobody writes an event into the journal of another plan.
        self._check_one_plan(sorted(events)[:1])

    def check_intents(self, action_ids: Iterable[str]) -> None:
        """Make sure, before anything is done, that actions belong to one plan: this one, where its hash is known.

        :raises JournalError: an action belongs to another plan.
        """
        self._check_one_plan(event_file(action_id, Event.INTENT.value) for action_id in action_ids)

    def _check_one_plan(self, names: Iterable[str]) -> None:
        """Take events without a hash, which earlier versions wrote, for this plan's; leave damaged ones to `read`."""
        for name in names:
            with suppress(_DamagedEventError):
                self._sha256 = self._checked(self.folder / name).get("sha256") or self._sha256

    def _checked(self, path: UPath) -> dict[str, Any]:
        """Read an event, once, and make sure that it is of this plan."""
        if path.name not in self._read:
            found = read_event(path)
            known = {"plan_id": self._plan_id, "workspace": self._workspace, "sha256": self._sha256}
            wrong = [name for name, value in known.items() if value and found.get(name) and found[name] != value]
            if wrong:
                raise JournalError(
                    f"The journal's event {path} is of another plan: {wrong[0]} is {found[wrong[0]]!r}, not "
                    f"{known[wrong[0]]!r}. Two plans share the id {self._plan_id}. Make a new plan."
                )
            self._read[path.name] = found
        return self._read[path.name]

    def _remember(self, action_id: str, event: Event) -> None:
        self._known.setdefault(action_id, set()).add(event)

    def exists(self) -> bool:
        """Whether anything was ever journaled."""
        return bool(self._known)

    def check_writable(self) -> None:
        """Raise StorageError now if nothing can be written here."""
        check_writable(self.folder)

    def has(self, action_id: str, *events: Event) -> bool:
        """Whether any of these events is journaled for an action."""
        return not self._known.get(action_id, set()).isdisjoint(events)

    def has_by_now(self, action_id: str, event: Event) -> bool:
        """Whether anybody has journaled an event that happens once, since this journal was opened or before."""
        path = self.folder / event_file(action_id, event.value)
        with explained("read the journal", path):
            return self.has(action_id, event) or path.exists()

    def action_ids(self, event: Event) -> list[str]:
        """Return the actions that have this event."""
        return sorted(action_id for action_id, events in self._known.items() if event in events)

    def write(
        self,
        action: Action | str,
        event: Event,
        *,
        before: Any = None,
        after: Any = None,
        http_status: int | None = None,
        about: Mapping[str, Any] | None = None,
        **facts: Any,
    ) -> bool:
        """Make an event durable. Returns False if it was journaled already.

        :param action: the action; its id where `about` tells the rest; `PLAN` for the plan as a whole.
        :param before: what is acted on as it was, in short.
        :param after: what became of it, in short.
        :param http_status: of the request that acted, where one was answered.
        :raises StorageError: it could not be written; nothing may be done that depends on it.
        """
        action_id = action if isinstance(action, str) else action.action_id
        at = self._now()
        # Two processes, or one whose clock was put back, must not overwrite each other's.
        stamp = f"{file_stamp(at)}-{uuid.uuid4().hex[:6]}" if event in REPEATABLE else ""
        record = {
            "event": event.value,
            "action_id": action_id,
            "at": at.isoformat(),
            "workspace": self._workspace,
            "plan_id": self._plan_id,
            "sha256": self._sha256,
            "actor": self._actor,
            "action": about if isinstance(action, str) else action.model_dump(mode="json", exclude={"evidence"}),
            "before": scrubbed(before),
            "after": scrubbed(after),
            "http_status": http_status,
            **scrubbed(facts),
        }
        path = self.folder / event_file(action_id, event.value, stamp)
        written = write_once(path, json.dumps(record, indent=1, ensure_ascii=False).encode())
        self._remember(action_id, event)
        return written

    def read(self, action_id: str, event: Event) -> dict[str, Any]:
        """Return an event of those that happen once.

        :raises JournalError: it is missing, damaged or of another plan.
        """
        return self._checked(self.folder / event_file(action_id, event.value))

    def read_all(self, action_id: str, event: Event) -> list[dict[str, Any]]:
        """Return the events of an action of a kind that may happen more than once, the oldest first.

        :raises JournalError: one is damaged or of another plan.
        """
        if not self.has(action_id, event):
            return []
        with explained("list the journal", self.folder):
            paths = [one for one in self.folder.iterdir() if parsed_name(one.name) == (action_id, event)]
        return sorted(map(self._checked, paths), key=lambda one: str(one["at"]))


class _DamagedEventError(JournalError):
    """An event that is missing or no JSON."""


def read_event(path: UPath) -> dict[str, Any]:
    """Return the event in a file.

    :raises JournalError: it is missing or damaged.
    """
    with explained("read the journal", path):
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    try:
        event = json.loads(text)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise _DamagedEventError(f"The journal's event {path} is missing or damaged; nothing was done about it.")
    return event


def scrubbed(value: Any) -> Any:
    """Return JSON without the values that open something by themselves."""
    if isinstance(value, Mapping):
        return {key: scrubbed(one) for key, one in value.items() if key not in _NOT_KEPT}
    if isinstance(value, list | tuple):
        return [scrubbed(one) for one in value]
    return value
