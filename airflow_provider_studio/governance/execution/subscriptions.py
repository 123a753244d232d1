# SPDX-License-Identifier: Apache-2.0
"""Recreate the subscriptions of a restored schedule, and verify that each belongs to that schedule.

A new subscription is posted to a Report. To which of the Report's schedules Studio adds it is not documented; the
observed behaviour is the newest. Therefore nothing is posted unless the schedule is the newest, and all schedules are
read again if a subscription is missing afterwards. A subscription on another schedule is deleted only if a response of
this undo contained its token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioBadRequestError, StudioError, StudioForbiddenError
from airflow_provider_studio.client.models import Schedule, Subscription
from airflow_provider_studio.client.visibility import read_until

REFUSALS = (StudioBadRequestError, StudioForbiddenError)
Options = Mapping[str, Any]


@dataclass(frozen=True)
class Subscribed:
    """The subscriptions of a restored schedule.

    :param tokens: their tokens; None for a subscription without one.
    :param created: the number of subscriptions that this call created.
    :param problems: missing, misplaced and changed subscriptions, in words.
    :param is_complete: whether no subscription is missing.
    """

    tokens: tuple[str | None, ...]
    created: int = 0
    problems: tuple[str, ...] = ()
    is_complete: bool = True


def options_of(subscription: Mapping[str, Any]) -> dict[str, Any]:
    """Return the delivery options of a subscription, under the names that the API takes."""
    return {key: value for key, value in subscription.items() if key.endswith("_enabled")}


def subscriptions_by_schedule(client: StudioClient, report: str, schedules: Sequence[str]) -> dict[str, list[Options]]:
    """Return the delivery options of the subscriptions of each schedule, for the journal."""
    return {
        token: [_options(subscription) for subscription in client.list_schedule_subscriptions(report, token)]
        for token in schedules
    }


class SubscriptionRestorer:
    """Recreates the subscriptions of one restored schedule.

    :param expected: the delivery options of each subscription in the backup.
    :param before: the same of the Report's other schedules before the undo began; None if unknown.
    """

    def __init__(
        self,
        client: StudioClient,
        report: str,
        schedule: str,
        expected: Sequence[Options],
        before: Mapping[str, Sequence[Options]] | None,
    ) -> None:
        self._client = client
        self._report = report
        self._schedule = schedule
        self._expected = expected
        self._before = before or {}

    def restore(self) -> Subscribed:
        """Create the missing subscriptions.

        :raises StudioError: it is unknown whether a subscription was created.
        """
        if not self._expected:
            return Subscribed(())
        present = self._subscriptions(self._schedule)
        missing, problems = _compared(self._expected, present)
        if not missing:
            return Subscribed(_tokens(present), problems=tuple(problems))
        schedules = list(self._client.list_schedules(self._report))
        others = {
            schedule.token: self._subscriptions(schedule.token)
            for schedule in schedules
            if schedule.token != self._schedule
        }
        obstacle = self._not_newest(schedules) or self._added_elsewhere(missing, others)
        if obstacle is not None:
            problems += [f"{_in_words(options)} is missing: {obstacle}" for options in missing]
            return Subscribed(_tokens(present), problems=tuple(problems), is_complete=False)
        created, refusal = self._create(missing)
        if created:
            present = read_until(
                lambda: self._subscriptions(self._schedule),
                lambda present: len(present) >= len(self._expected),
                sleep=self._client.sleep,
            )
        missing, problems = _compared(self._expected, present)
        problems += [f"{_in_words(options)} is missing{refusal}" for options in missing]
        if missing and created:
            problems += self._strays(created, others)
        return Subscribed(_tokens(present), len(created), tuple(problems), is_complete=not missing)

    def _subscriptions(self, schedule: str) -> list[Subscription]:
        return list(self._client.list_schedule_subscriptions(self._report, schedule))

    def _not_newest(self, schedules: Sequence[Schedule]) -> str | None:
        """Return why a new subscription would be added to another schedule; None if this schedule is the newest."""
        newest = _newest(schedules)
        if newest is None:
            return "Studio adds it to the newest schedule, which is unknown. Add it in Studio"
        if self._schedule in newest:
            return None
        if self._schedule not in {schedule.token for schedule in schedules}:
            return f"schedule {self._schedule} is no longer a schedule of the Report"
        return f"schedule {newest[0]} is newer, and Studio would add it to that one. Add it in Studio"

    def _added_elsewhere(self, missing: Sequence[Options], others: Mapping[str, Sequence[Subscription]]) -> str | None:
        """Return to which schedule an earlier try may have added a missing subscription; None if to none."""
        for schedule, present in others.items():
            if schedule in self._before and _grown(self._before[schedule], present) & _counted(missing):
                return (
                    f"schedule {schedule} has a new one with the same options since this undo began; Studio may have "
                    "added it there. Move it in Studio"
                )
        return None

    def _create(self, missing: Sequence[Options]) -> tuple[list[Subscription], str]:
        """Post subscriptions; return the created ones, and the reason of a refusal in words."""
        created, refusal = [], ""
        for options in missing:
            try:
                created.append(self._client.create_subscription(self._report, options))
            except REFUSALS as error:
                refusal = f" ({error})"
        return created, refusal

    def _strays(self, created: Sequence[Subscription], others: Mapping[str, Sequence[Subscription]]) -> Iterator[str]:
        """Delete created subscriptions that Studio added to another schedule; yield what was found, in words.

        :param others: the earlier subscriptions of the Report's other schedules.
        """
        ours = {subscription.token for subscription in created} - {None}
        for schedule in self._client.list_schedules(self._report):
            if schedule.token == self._schedule:
                continue
            before, present = others.get(schedule.token, ()), self._subscriptions(schedule.token)
            for subscription in present:
                if subscription.token in ours - {each.token for each in before}:
                    yield f"Studio added it to schedule {schedule.token}; {self._delete(str(subscription.token))}"
            if not ours and _grown(map(_options, before), present) & _counted(self._expected):
                yield (
                    f"schedule {schedule.token} has a new one with the same options; without a link it is unknown "
                    "whether this undo created it. Move it in Studio"
                )

    def _delete(self, subscription: str) -> str:
        try:
            self._client.delete_subscription(self._report, subscription)
        except StudioError as error:
            return f"subscription {subscription} could not be deleted from there ({error})"
        return "it was deleted there"


def _newest(schedules: Sequence[Schedule]) -> list[str] | None:
    """Return the newest schedules, several if they were created at the same time; None if a time is unknown."""
    times = {schedule.token: schedule.created_at for schedule in schedules}
    if None in times.values():
        return None
    latest = max((time for time in times.values() if time is not None), default=None)
    return [token for token, time in times.items() if time == latest]


def _compared(expected: Sequence[Options], present: Sequence[Subscription]) -> tuple[list[Options], list[str]]:
    """Return the options of missing subscriptions, and the changed subscriptions in words.

    Duplicates count separately. An unexpected subscription is matched with the most similar missing one: Studio may
    have changed it when storing it, and posting it again would add a duplicate.
    """
    missing, unmatched = [], [_options(subscription) for subscription in present]
    for options in expected:
        same = next((found for found in unmatched if not _changes(options, found)), None)
        if same is None:
            missing.append(options)
        else:
            unmatched.remove(same)
    altered = []
    for found in unmatched[: len(missing)]:
        nearest = min(missing, key=lambda options: len(_changes(options, found)))
        missing.remove(nearest)
        altered.append(f"{_in_words(nearest)} came back with {', '.join(_changes(nearest, found))}")
    return missing, altered


def _changes(expected: Options, present: Options) -> list[str]:
    """Return the options that differ; options that are not in the backup are ignored."""
    return [f"{name}={present.get(name)}" for name, value in sorted(expected.items()) if present.get(name) != value]


def _options(subscription: Subscription) -> Options:
    return options_of(subscription.to_json())


def _grown(before: Iterable[Options], present: Iterable[Subscription]) -> Counter[tuple[tuple[str, Any], ...]]:
    """Return the options that more subscriptions have than before."""
    return _counted(map(_options, present)) - _counted(before)


def _counted(options: Iterable[Options]) -> Counter[tuple[tuple[str, Any], ...]]:
    return Counter(tuple(sorted(each.items())) for each in options)


def _tokens(subscriptions: Sequence[Subscription]) -> tuple[str | None, ...]:
    return tuple(subscription.token for subscription in subscriptions)


def _in_words(options: Options) -> str:
    return f"a subscription with {', '.join(f'{name}={value}' for name, value in sorted(options.items()))}"
