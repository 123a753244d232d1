# SPDX-License-Identifier: Apache-2.0
"""The write-ahead journal of a plan: one immutable JSON object per event, because object stores cannot append.

An action's names are fixed (`<action>.intent.json`, `<action>.done.json`, …), so that writing the same event twice is
impossible and reading the folder's names tells what is settled. The backup stands in the intent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from upath import UPath

from airflow_provider_studio.governance.errors import JournalError
from airflow_provider_studio.governance.plan import Action
from airflow_provider_studio.governance.storage import check_writable, explained, file_stamp, utcnow, write_once

_NOT_KEPT = frozenset({"web_preview_image", "flamingo_signature"})
"""Values of the API that open something by themselves."""


class Event(StrEnum):
    """What happened to an action."""

    INTENT = "intent"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNDO_INTENT = "undo-intent"
    UNDONE = "undone"
    UNDO_FAILED = "undo-failed"


_REPEATABLE = {Event.FAILED, Event.UNDO_FAILED}


class Journal:
    """The journal of one plan.

    :param storage: the storage root.
    :param actor: who acts: DAG, run, task, try, approver. Stands in every event.
    :param now: the clock.
    """

    def __init__(
        self,
        storage: UPath,
        workspace: str,
        plan_id: str,
        *,
        actor: Mapping[str, str],
        now: Callable[[], datetime] = utcnow,
    ) -> None:
        self.folder = storage / "journals" / f"workspace={workspace}" / f"plan={plan_id}"
        self._workspace, self._plan_id = workspace, plan_id
        self._actor = dict(actor)
        self._now = now
        self._names = self._listed()

    def _listed(self) -> set[str]:
        with explained("list the journal", self.folder):
            return {one.name for one in self.folder.iterdir()} if self.folder.exists() else set()

    def exists(self) -> bool:
        """Whether anything was ever journaled."""
        return bool(self._names)

    def check_writable(self) -> None:
        """Raise StorageError now if nothing can be written here."""
        check_writable(self.folder)

    def has(self, action_id: str, *events: Event) -> bool:
        """Whether any of these events is journaled for an action."""
        return any(f"{action_id}.{event.value}.json" in self._names for event in events)

    def action_ids(self, event: Event) -> list[str]:
        """Return the actions that have this event."""
        ending = f".{event.value}.json"
        return sorted(name.removesuffix(ending) for name in self._names if name.endswith(ending))

    def write(self, action: Action | str, event: Event, **facts: Any) -> bool:
        """Make an event durable. Returns False if it was journaled already.

        :raises StorageError: it could not be written; nothing may be done that depends on it.
        """
        action_id = action if isinstance(action, str) else action.action_id
        at = self._now()
        suffix = f"-{file_stamp(at)}" if event in _REPEATABLE else ""
        name = f"{action_id}.{event.value}{suffix}.json"
        about = {} if isinstance(action, str) else {"action": action.model_dump(mode="json", exclude={"evidence"})}
        record = {
            "event": event.value,
            "action_id": action_id,
            "at": at.isoformat(),
            "workspace": self._workspace,
            "plan_id": self._plan_id,
            "actor": self._actor,
            **about,
            **scrubbed(facts),
        }
        written = write_once(self.folder / name, json.dumps(record, indent=1, ensure_ascii=False).encode())
        self._names.add(name)
        return written

    def read(self, action_id: str, event: Event) -> dict[str, Any]:
        """Return an event.

        :raises JournalError: it is missing or damaged.
        """
        path = self.folder / f"{action_id}.{event.value}.json"
        with explained("read the journal", path):
            text = path.read_text(encoding="utf-8") if path.exists() else ""
        try:
            return dict(json.loads(text))
        except ValueError:
            raise JournalError(
                f"The journal's event {path} is missing or damaged; nothing was done about it."
            ) from None


def scrubbed(value: Any) -> Any:
    """Return JSON without the values that open something by themselves."""
    if isinstance(value, Mapping):
        return {key: scrubbed(one) for key, one in value.items() if key not in _NOT_KEPT}
    if isinstance(value, list | tuple):
        return [scrubbed(one) for one in value]
    return value
