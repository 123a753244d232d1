# SPDX-License-Identifier: Apache-2.0
"""Bring schedules back from their backups, once, and hold what came back against the backup field by field."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_studio.client.api import StudioClient
from airflow_provider_studio.client.errors import (
    StudioBadRequestError,
    StudioConnectionError,
    StudioError,
    StudioForbiddenError,
    StudioNotFoundError,
)
from airflow_provider_studio.client.models import Schedule, ScheduleInput, Subscription
from airflow_provider_studio.governance.plans.journal import Event, Journal

_REFUSALS = (StudioBadRequestError, StudioForbiddenError)


@dataclass(frozen=True)
class Restored:
    """A schedule that is back.

    :param subscriptions: tokens of its subscriptions.
    :param subscribers: how many people its subscriptions had, whom the API has no way to add.
    :param differs: what is not as the backup has it, in words.
    """

    schedule: Schedule
    http_status: int | None
    subscriptions: tuple[str, ...]
    subscribers: int
    differs: tuple[str, ...]


class Restoring:
    """Brings schedules back under a journal."""

    def __init__(self, client: StudioClient, journal: Journal) -> None:
        self._client = client
        self._journal = journal

    def schedule(
        self, action_id: str, about: Mapping[str, Any], backup: Mapping[str, Any], live: Sequence[Schedule]
    ) -> Restored:
        """Recreate a schedule with its subscriptions, or go on where an earlier try was killed.

        :param live: the Report's schedules as they are now.
        """
        report, values = about["report"], ScheduleInput.model_validate(backup["machine_values"])
        resumed = self._journal.has(action_id, Event.UNDO_INTENT)
        if not resumed:
            known = sorted(schedule.token for schedule in live)
            self._journal.write(
                action_id, Event.UNDO_INTENT, about=about, before={"schedule": None}, schedules_before=known
            )
        before = set(self._journal.read(action_id, Event.UNDO_INTENT)["schedules_before"])
        made = self._adopted(live, before, values) if resumed else None
        status = None
        if made is None:
            made = self._created(report, before, values)
            status = self._client.last_status
        wanted = [_options(one) for one in backup["subscriptions"]]
        subscriptions, missing = self._subscribe(report, made.token, wanted)
        differs = [*differences(backup["machine_values"], made.machine_values().model_dump(mode="json")), *missing]
        subscribers = sum(map(_subscribers, backup["subscriptions"]))
        return Restored(made, status, subscriptions, subscribers, tuple(differs))

    def _created(self, report: str, before: Collection[str], values: ScheduleInput) -> Schedule:
        try:
            return self._client.create_schedule(report, values)
        except StudioConnectionError as error:
            # The answer was lost; the schedule may be there.
            live = list(self._client.list_schedules(report)) if error.may_have_arrived else []
            adopted = self._adopted(live, before, values)
            if adopted is None:
                raise
            return adopted

    @staticmethod
    def _adopted(live: Collection[Schedule], before: Collection[str], values: ScheduleInput) -> Schedule | None:
        """Return a schedule that was made since, with the same values, if there is one."""
        made = (schedule for schedule in live if schedule.token not in before)
        return next((schedule for schedule in made if schedule.machine_values() == values), None)

    def _subscribe(
        self, report: str, schedule: str, wanted: Sequence[Mapping[str, Any]]
    ) -> tuple[tuple[str, ...], list[str]]:
        """Recreate the subscriptions that are not there yet; return all there are, and what is missing, in words."""
        if not wanted:
            return (), []
        present = list(self._client.list_schedule_subscriptions(report, schedule))
        missing = _missing(wanted, present)
        refusal = ""
        for options in missing:
            try:
                self._client.create_subscription(report, options)
            except _REFUSALS as error:
                refusal = f" ({error})"
        if missing:
            present = list(self._client.list_schedule_subscriptions(report, schedule))
            missing = _missing(wanted, present)
        said = [f"a subscription with {_said(one)} is missing{refusal}" for one in missing]
        return tuple(one.token for one in present), said


def differences(backup: Mapping[str, Any], live: Mapping[str, Any], *, place: str = "") -> list[str]:
    """Return what differs, field by field, in words."""
    found = []
    for name in sorted({*backup, *live}):
        was, now = backup.get(name), live.get(name)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            found += differences(was, now, place=f"{place}{name}.")
        elif was != now:
            found.append(f"{place}{name} was {was!r} and is {now!r}")
    return found


def reason_in_words(error: StudioError, intent: Mapping[str, Any]) -> str:
    """Return why something cannot be restored, with what a person may do about it."""
    about = intent["action"]
    if isinstance(error, StudioNotFoundError):
        return f"Report {about['report']} is gone; somebody deleted it since. Its backup is in the journal. ({error})"
    if isinstance(error, _REFUSALS) and about["schedule"]:
        return (
            f"Studio refuses this schedule; an admin's frequency policy or missing rights may be why. Its backup is in "
            f"the journal. ({error})"
        )
    return str(error)


def _missing(wanted: Sequence[Mapping[str, Any]], present: Sequence[Subscription]) -> list[Mapping[str, Any]]:
    """Return what is wanted and not there; two that are alike are two."""
    missing = list(wanted)
    for one in present:
        options = _options({"subscription": one.to_json()})
        if options in missing:
            missing.remove(options)
    return missing


def _options(backup: Mapping[str, Any]) -> dict[str, Any]:
    """What a subscription delivers, under the names that create one."""
    return {key: value for key, value in backup["subscription"].items() if key.endswith("_enabled")}


def _subscribers(backup: Mapping[str, Any]) -> int:
    return int(backup["subscription"].get("email_subscriber_count") or 0)


def _said(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(options.items()))
