# SPDX-License-Identifier: Apache-2.0
"""Recreate the subscriptions of a restored schedule, and see that each belongs to that schedule.

A new subscription is posted to a Report, and which of the Report's schedules it joins is not documented; it was the
newest. So nothing is posted unless the schedule is the newest, and all schedules are read again where one is missing
afterwards. A subscription on another schedule is deleted only if a response of this undo named it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioBadRequestError, StudioError, StudioForbiddenError
from airflow_provider_studio.client.models import Schedule, Subscription

REFUSALS = (StudioBadRequestError, StudioForbiddenError)
Options = Mapping[str, Any]


@dataclass(frozen=True)
class Subscribed:
    """The subscriptions of a restored schedule.

    :param tokens: what names them, as far as that is known.
    :param created: how many were made just now.
    :param problems: what is missing, on another schedule, or not as it was, in words.
    :param is_complete: whether none is missing.
    """

    tokens: tuple[str | None, ...]
    created: int = 0
    problems: tuple[str, ...] = ()
    is_complete: bool = True


def options_of(subscription: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a subscription delivers, under the names that create one."""
    return {key: value for key, value in subscription.items() if key.endswith("_enabled")}


def subscriptions_by_schedule(client: StudioClient, report: str, schedules: Sequence[str]) -> dict[str, list[Options]]:
    """Return what the subscriptions of some schedules deliver, for the journal."""
    return {token: [_options(one) for one in client.list_schedule_subscriptions(report, token)] for token in schedules}


class SubscriptionRestorer:
    """Recreates the subscriptions of one restored schedule.

    :param wanted: what each subscription of the backup delivers.
    :param before: what those of the Report's other schedules delivered before the undo began; None if that is unknown.
    """

    def __init__(
        self,
        client: StudioClient,
        report: str,
        schedule: str,
        wanted: Sequence[Options],
        before: Mapping[str, Sequence[Options]] | None,
    ) -> None:
        self._client = client
        self._report = report
        self._schedule = schedule
        self._wanted = wanted
        self._before = before or {}

    def restore(self) -> Subscribed:
        """Create the subscriptions that are missing.

        :raises StudioError: one may or may not have been created.
        """
        if not self._wanted:
            return Subscribed(())
        present = self._subscriptions(self._schedule)
        missing, problems = _compared(self._wanted, present)
        if not missing:
            return Subscribed(_tokens(present), problems=tuple(problems))
        schedules = list(self._client.list_schedules(self._report))
        others = {one.token: self._subscriptions(one.token) for one in schedules if one.token != self._schedule}
        obstacle = self._not_newest(schedules) or self._added_elsewhere(missing, others)
        if obstacle is not None:
            problems += [f"{_said(one)} is missing: {obstacle}" for one in missing]
            return Subscribed(_tokens(present), problems=tuple(problems), is_complete=False)
        created, refusal = self._create(missing)
        present = self._subscriptions(self._schedule)
        missing, problems = _compared(self._wanted, present)
        problems += [f"{_said(one)} is missing{refusal}" for one in missing]
        if missing and created:
            problems += self._strays(created, others)
        return Subscribed(_tokens(present), len(created), tuple(problems), is_complete=not missing)

    def _subscriptions(self, schedule: str) -> list[Subscription]:
        return list(self._client.list_schedule_subscriptions(self._report, schedule))

    def _not_newest(self, schedules: Sequence[Schedule]) -> str | None:
        """Return why a new subscription would join another schedule; None where this one is the newest."""
        newest = _newest(schedules)
        if newest is None:
            return "Studio adds it to the newest schedule, and which one that is is unknown. Add it in Studio"
        if self._schedule in newest:
            return None
        if self._schedule not in {one.token for one in schedules}:
            return f"schedule {self._schedule} is not among the Report's schedules any more"
        return f"schedule {newest[0]} is newer, and Studio would add it to that one. Add it in Studio"

    def _added_elsewhere(self, missing: Sequence[Options], others: Mapping[str, Sequence[Subscription]]) -> str | None:
        """Return where an earlier try, whose response was lost, may have added what is missing; None if nowhere."""
        for schedule, present in others.items():
            if schedule in self._before and _grown(self._before[schedule], present) & _counted(missing):
                return (
                    f"one that delivers the same is new on schedule {schedule} since this undo began, where Studio may "
                    "have added it. Move it in Studio"
                )
        return None

    def _create(self, missing: Sequence[Options]) -> tuple[list[Subscription], str]:
        """Post subscriptions; return those that were created, and the refusal of the others in words."""
        created, refusal = [], ""
        for options in missing:
            try:
                created.append(self._client.create_subscription(self._report, options))
            except REFUSALS as error:
                refusal = f" ({error})"
        return created, refusal

    def _strays(self, created: Sequence[Subscription], others: Mapping[str, Sequence[Subscription]]) -> Iterator[str]:
        """Delete what was just created and joined another schedule; say what was found.

        :param others: the subscriptions of the Report's other schedules before.
        """
        ours = {one.token for one in created} - {None}
        for schedule in self._client.list_schedules(self._report):
            if schedule.token == self._schedule:
                continue
            before, present = others.get(schedule.token, ()), self._subscriptions(schedule.token)
            for one in present:
                if one.token in ours - {each.token for each in before}:
                    yield f"Studio added it to schedule {schedule.token}; {self._delete(str(one.token))}"
            if not ours and _grown(map(_options, before), present) & _counted(self._wanted):
                yield (
                    f"schedule {schedule.token} has a new one that delivers the same, and no link says whether this "
                    "undo made it. Move it in Studio"
                )

    def _delete(self, subscription: str) -> str:
        try:
            self._client.delete_subscription(self._report, subscription)
        except StudioError as error:
            return f"subscription {subscription} could not be deleted from there ({error})"
        return "it was deleted from there again"


def _newest(schedules: Sequence[Schedule]) -> list[str] | None:
    """Return the newest schedules, which are several where they were made at one time; None where a time is unknown."""
    times = {one.token: one.created_at for one in schedules}
    if None in times.values():
        return None
    latest = max((time for time in times.values() if time is not None), default=None)
    return [token for token, time in times.items() if time == latest]


def _compared(wanted: Sequence[Options], present: Sequence[Subscription]) -> tuple[list[Options], list[str]]:
    """Return what is wanted and not there, and what is there otherwise than it is wanted, in words.

    Two that are alike are two. One that is there and not wanted stands for the wanted one that it is most like: Studio
    may have stored it so, and posting it once more would only add another.
    """
    missing, left = [], [_options(one) for one in present]
    for options in wanted:
        same = next((one for one in left if not _changes(options, one)), None)
        if same is None:
            missing.append(options)
        else:
            left.remove(same)
    altered = []
    for one in left[: len(missing)]:
        nearest = min(missing, key=lambda options: len(_changes(options, one)))
        missing.remove(nearest)
        altered.append(f"{_said(nearest)} came back with {', '.join(_changes(nearest, one))}")
    return missing, altered


def _changes(wanted: Options, present: Options) -> list[str]:
    """Return the options that differ; those that the backup does not know do not count."""
    return [f"{name}={present.get(name)}" for name, value in sorted(wanted.items()) if present.get(name) != value]


def _options(subscription: Subscription) -> Options:
    return options_of(subscription.to_json())


def _grown(before: Iterable[Options], present: Iterable[Subscription]) -> Counter[tuple[tuple[str, Any], ...]]:
    """Return what is delivered by more subscriptions than before."""
    return _counted(map(_options, present)) - _counted(before)


def _counted(options: Iterable[Options]) -> Counter[tuple[tuple[str, Any], ...]]:
    return Counter(tuple(sorted(one.items())) for one in options)


def _tokens(subscriptions: Sequence[Subscription]) -> tuple[str | None, ...]:
    return tuple(one.token for one in subscriptions)


def _said(options: Options) -> str:
    return f"a subscription with {', '.join(f'{name}={value}' for name, value in sorted(options.items()))}"
