# SPDX-License-Identifier: Apache-2.0
"""Recreate each schedule exactly once from its backup, and compare the result with the backup field by field.

The response to a creation may be lost. The created schedule is then found among those that are new since the undo wrote
its intent, which lists the schedules that the Report had before. The backup is compared with the schedule in a later
list, never with the response to the creation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioAPIError,
    StudioConnectionError,
    StudioError,
    StudioNotFoundError,
    StudioResponseError,
    StudioServerError,
)
from airflow_provider_studio.client.models import Schedule, ScheduleInput
from airflow_provider_studio.client.visibility import read_until
from airflow_provider_studio.governance.errors import NoEffectError
from airflow_provider_studio.governance.execution.schedule_comparison import (
    Backup,
    differences,
    find_restored,
    original_parameters,
)
from airflow_provider_studio.governance.execution.subscriptions import (
    REFUSALS,
    SubscriptionRestorer,
    options_of,
    subscriptions_by_schedule,
)
from airflow_provider_studio.governance.plans.journal import Event, Journal


@dataclass(frozen=True)
class RestoredSchedule:
    """A restored schedule.

    :param http_status: the status of its creation; None if an earlier try created it.
    :param subscriptions: the tokens of its subscriptions.
    :param subscriptions_created: the number of subscriptions that this call created.
    :param subscribers: the number of subscribers in the backup, which the API cannot add.
    :param differs: the differences from the backup, in words.
    :param is_complete: whether it has all its subscriptions.
    """

    schedule: Schedule
    http_status: int | None
    subscriptions: tuple[str | None, ...]
    subscriptions_created: int
    subscribers: int
    differs: tuple[str, ...]
    is_complete: bool


class ScheduleRestorer:
    """Recreates schedules and journals each of them.

    `created` has the tokens of the created schedules by action id, for errors that occur after the creation.
    """

    def __init__(self, client: StudioClient, journal: Journal) -> None:
        self._client = client
        self._journal = journal
        self.created: dict[str, str] = {}

    def restore(
        self, action_id: str, about: Mapping[str, Any], backup: Backup, live: Sequence[Schedule]
    ) -> RestoredSchedule:
        """Recreate a schedule with its subscriptions, or resume an earlier try.

        :param live: the current schedules of the Report.
        :raises StudioError: it was not completely restored; `created` says whether the schedule itself exists.
        """
        resumed = self._journal.has(action_id, Event.UNDO_INTENT) or not self._intend(action_id, about, backup, live)
        intent = self._journal.read(action_id, Event.UNDO_INTENT)
        schedule = self._from_earlier_try(action_id, about["report"], backup, intent) if resumed else None
        status = None
        if schedule is None:
            schedule, status = self._create(about["report"], backup, live)
        return self.complete(action_id, about["report"], backup, schedule, http_status=status)

    def complete(
        self, action_id: str, report: str, backup: Backup, schedule: Schedule, *, http_status: int | None = None
    ) -> RestoredSchedule:
        """Create the missing subscriptions of a restored schedule, and compare it with its backup.

        :raises StudioError: its subscriptions are unknown.
        """
        self.created[action_id] = schedule.token
        before = None
        if self._journal.has(action_id, Event.UNDO_INTENT):
            before = self._journal.read(action_id, Event.UNDO_INTENT).get("subscriptions_before")
        options = [options_of(entry["subscription"]) for entry in backup["subscriptions"]]
        subscribed = SubscriptionRestorer(self._client, report, schedule.token, options, before).restore()
        return RestoredSchedule(
            schedule=schedule,
            http_status=http_status,
            subscriptions=subscribed.tokens,
            subscriptions_created=subscribed.created,
            subscribers=sum(map(_subscribers, backup["subscriptions"])),
            differs=(*differences(backup, schedule), *subscribed.problems),
            is_complete=subscribed.is_complete,
        )

    def _intend(self, action_id: str, about: Mapping[str, Any], backup: Backup, live: Sequence[Schedule]) -> bool:
        """Write the intent. Return False if another undo of this plan has just written it."""
        known = sorted(schedule.token for schedule in live)
        listed = subscriptions_by_schedule(self._client, about["report"], known if backup["subscriptions"] else [])
        return self._journal.write(
            action_id,
            Event.UNDO_INTENT,
            about=about,
            before={"schedule": None},
            schedules_before=known,
            subscriptions_before=listed,
        )

    def _from_earlier_try(
        self, action_id: str, report: str, backup: Backup, intent: Mapping[str, Any]
    ) -> Schedule | None:
        """Return the schedule that an earlier try created, or None.

        :raises StudioResponseError: several schedules may be the created one.
        """
        named = {event["after"]["schedule"] for event in self._failures(action_id)}
        known = {*intent["schedules_before"], *self._restored_by_others(action_id, report)}

        def find() -> Schedule | None:
            live = list(self._client.list_schedules(report))
            created = next((schedule for schedule in live if schedule.token in named), None)
            return created or find_restored(backup, [schedule for schedule in live if schedule.token not in known])

        if self._journal.has(action_id, Event.UNDO_FAILED):
            return find()  # the earlier try was not killed, and waited itself
        return self._when_visible(find)

    def _when_visible(self, find: Callable[[], Schedule | None]) -> Schedule | None:
        return read_until(find, lambda schedule: schedule is not None, sleep=self._client.sleep)

    def _failures(self, action_id: str) -> list[dict[str, Any]]:
        """Return the failures of an action that occurred after its schedule was created."""
        failures = self._journal.read_all(action_id, Event.UNDO_FAILED)
        return [event for event in failures if (event.get("after") or {}).get("schedule")]

    def _restored_by_others(self, action_id: str, report: str) -> set[str]:
        """Return the tokens of the schedules that other actions of this plan created for the Report."""
        prefix = action_id[: action_id.index(report) + len(report)]
        found = set()
        for event in (Event.UNDONE, Event.UNDO_FAILED):
            for other in self._journal.action_ids(event):
                if other != action_id and other.startswith(f"{prefix}-"):
                    records = [self._journal.read(other, event)] if event is Event.UNDONE else self._failures(other)
                    found |= {record["after"]["schedule"] for record in records}
        return found

    def _create(self, report: str, backup: Backup, live: Collection[Schedule]) -> tuple[Schedule, int | None]:
        """Create a schedule, and return it as listed; after a lost response, if it can be identified.

        :param live: the Report's schedules before the creation.
        """
        machine_values = {**backup["machine_values"], "params": original_parameters(backup)}
        try:
            created = self._client.create_schedule(report, ScheduleInput.model_validate(machine_values)).token
            status = self._client.last_status
        except (StudioConnectionError, StudioResponseError, StudioServerError) as error:
            if isinstance(error, StudioConnectionError) and not error.may_have_arrived:
                raise
            found = self._when_visible(lambda: self._new_schedule(report, backup, live))
            if found is None:
                raise
            return found, error.status if isinstance(error, StudioAPIError) else None
        found = self._when_visible(
            lambda: next(
                (schedule for schedule in self._client.list_schedules(report) if schedule.token == created), None
            )
        )
        if found is None:
            raise NoEffectError(
                f"Studio accepted a new schedule of Report {report} as {created}, but a list of the Report's schedules "
                "lacks it. Check it in Studio, then undo again."
            )
        return found, status

    def _new_schedule(self, report: str, backup: Backup, live: Collection[Schedule]) -> Schedule | None:
        """Return the schedule that is new, or of several the one that fits; None if none is new or fits."""
        before = {schedule.token for schedule in live}
        new = [schedule for schedule in self._client.list_schedules(report) if schedule.token not in before]
        return new[0] if len(new) == 1 else find_restored(backup, new)


def is_refused_whole(error: StudioError) -> bool:
    """Whether Studio refused to create a schedule, so that no part of it exists."""
    return isinstance(error, REFUSALS) and error.method == "POST" and error.path.endswith("/schedules")


def reason_in_words(error: StudioError, intent: Mapping[str, Any]) -> str:
    """Return why an action cannot be undone, and what a person can do."""
    about = intent["action"]
    if isinstance(error, StudioNotFoundError) and not error.path.endswith("/subscriptions"):
        return (
            f"Report {about['report']} does not exist any more, or this token may not see it. Its backup is in the "
            f"journal. ({error})"
        )
    if isinstance(error, REFUSALS) and about["schedule"]:
        return (
            f"Studio refuses this schedule; the cause may be an admin's frequency policy or missing permissions. Its "
            f"backup is in the journal. ({error})"
        )
    return str(error)


def _subscribers(backup: Mapping[str, Any]) -> int:
    return int(backup["subscription"].get("email_subscriber_count") or 0)
