# SPDX-License-Identifier: Apache-2.0
"""The write-ahead journal of a plan: one immutable JSON file per event, because object stores cannot append.

Most names are fixed (`<action>.intent.json`, `<action>.done.json`, …), so that no event is written twice and the names
in the folder show which actions are settled; events that may repeat have a time stamp in the name. The intent contains
the backup. Every event has the full hash of the plan, who acted, when, what, the state before and after, and the HTTP
status.
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
from airflow_provider_studio.governance.plans.scrubbing import scrubbed
from airflow_provider_studio.governance.signing import UNSIGNED, Signer
from airflow_provider_studio.governance.storage import check_writable, explained, file_stamp, utcnow, write_once

PLAN = "plan"
"""The action id of events that belong to the whole plan."""


class Event(StrEnum):
    """An event of an action, or of the whole plan (the first three)."""

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
"""Events that an action may have more than once."""


def parsed_name(name: str) -> tuple[str, Event] | None:
    """Return the action id and the event in a file name, or None for another file."""
    parsed = parsed_event_file(name)
    if parsed is None:
        return None
    action_id, rest = parsed
    events = (event for event in Event if is_event(rest, event.value, may_be_stamped=event in REPEATABLE))
    return next(((action_id, event) for event in events), None)


class Journal:
    """The journal of one plan.

    :param storage: the storage root.
    :param actor: who acts: DAG, run, task, try, approver. Written into every event.
    :param sha256: the plan's hash, if it is known. Written into every event.
    :param signer: signs events and verifies their signatures.
    :param now: the clock.
    :raises PlanError: the id is not a plan's id.
    :raises JournalError: the journal belongs to another plan with the same id.
    """

    def __init__(
        self,
        storage: UPath,
        workspace: str,
        plan_id: str,
        *,
        actor: Mapping[str, str],
        sha256: str | None = None,
        signer: Signer = UNSIGNED,
        now: Callable[[], datetime] = utcnow,
    ) -> None:
        self.folder = journal_folder(storage, workspace, plan_id)
        self._workspace, self._plan_id, self._sha256 = workspace, plan_id, sha256
        self._actor = dict(actor)
        self._signer = signer
        self._now = now
        self._known: dict[str, set[Event]] = {}
        self._read: dict[str, dict[str, Any]] = {}
        with explained("list the journal", self.folder):
            names = [path.name for path in self.folder.iterdir()] if self.folder.exists() else []
        events = {name: parsed for name in names if (parsed := parsed_name(name)) is not None}
        for action_id, event in events.values():
            self._add(action_id, event)
        # One event is enough: no event is written into the journal of another plan.
        self._check_one_plan(sorted(events)[:1])

    def check_intents(self, action_ids: Iterable[str]) -> None:
        """Check that actions belong to one plan: to this plan, if its hash is known.

        :raises JournalError: an action belongs to another plan.
        """
        self._check_one_plan(event_file(action_id, Event.INTENT.value) for action_id in action_ids)

    def _check_one_plan(self, names: Iterable[str]) -> None:
        """Accept events without a hash, which earlier versions wrote, and damaged ones, which `read` reports."""
        for name in names:
            with suppress(_DamagedEventError):
                self._sha256 = self._checked(self.folder / name).get("sha256") or self._sha256

    def _checked(self, path: UPath) -> dict[str, Any]:
        """Read an event once and check that it belongs to this plan."""
        if path.name not in self._read:
            found = read_event(path)
            expected = {"plan_id": self._plan_id, "workspace": self._workspace, "sha256": self._sha256}
            wrong = [name for name, value in expected.items() if value and found.get(name) and found[name] != value]
            if wrong:
                raise JournalError(
                    f"The journal's event {path} is of another plan: {wrong[0]} is {found[wrong[0]]!r}, not "
                    f"{expected[wrong[0]]!r}. Two plans share the id {self._plan_id}. Create a new plan."
                )
            check_event(path, found, self._signer)
            self._read[path.name] = found
        return self._read[path.name]

    def _add(self, action_id: str, event: Event) -> None:
        self._known.setdefault(action_id, set()).add(event)

    def exists(self) -> bool:
        """Whether the journal has an event."""
        return bool(self._known)

    def check_writable(self) -> None:
        """Raise StorageError if the journal is not writable."""
        check_writable(self.folder)

    def has(self, action_id: str, *events: Event) -> bool:
        """Whether an action has any of these events."""
        return not self._known.get(action_id, set()).isdisjoint(events)

    def has_by_now(self, action_id: str, event: Event) -> bool:
        """Whether a non-repeatable event exists by now, even if it was written after this journal was opened."""
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
        """Write an event durably. Return False if it exists already.

        :param action: the action; its id if `about` has the other fields; `PLAN` for the whole plan.
        :param before: a summary of the state before.
        :param after: a summary of the state after.
        :param http_status: the status of the request, if there was a response.
        :raises StorageError: the event was not written; nothing that depends on it may be done.
        """
        action_id = action if isinstance(action, str) else action.action_id
        at = self._now()
        # Two processes, or one whose clock was set back, must not overwrite each other's events.
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
        plain = json.loads(json.dumps(record, ensure_ascii=False))  # as it will be read, which the signature covers
        written = write_once(path, json.dumps(self._signer.signed(plain), indent=1, ensure_ascii=False).encode())
        self._add(action_id, event)
        return written

    def read(self, action_id: str, event: Event) -> dict[str, Any]:
        """Return a non-repeatable event.

        :raises JournalError: it is missing, damaged or of another plan.
        """
        return self._checked(self.folder / event_file(action_id, event.value))

    def read_all(self, action_id: str, event: Event) -> list[dict[str, Any]]:
        """Return all occurrences of a repeatable event of an action, the oldest first.

        :raises JournalError: one is damaged or of another plan.
        """
        if not self.has(action_id, event):
            return []
        with explained("list the journal", self.folder):
            paths = [path for path in self.folder.iterdir() if parsed_name(path.name) == (action_id, event)]
        return sorted(map(self._checked, paths), key=lambda event: str(event["at"]))


class _DamagedEventError(JournalError):
    """An event is missing or not JSON."""


def check_event(path: UPath, event: Mapping[str, Any], signer: Signer) -> None:
    """Check that a process with the deployment's key wrote an event, under its own name.

    :raises JournalError: the event must not be acted on.
    """
    refusal = signer.refusal(signer.status(event))
    if refusal is None and signer.keys and parsed_name(path.name) != (event.get("action_id"), event.get("event")):
        refusal = "is another event that was copied to this name"
    if refusal is not None:
        raise JournalError(f"The journal's event {path} {refusal}. Nothing was done about it.")


def read_event(path: UPath) -> dict[str, Any]:
    """Read the event in a file.

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
