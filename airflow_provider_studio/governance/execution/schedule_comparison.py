# SPDX-License-Identifier: Apache-2.0
"""Compare a schedule in a backup with live schedules: list the differences, and find the restored schedule.

Studio changes some values when it stores them: it sets missing names, rounds minutes, renames time zones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_studio.client.errors import StudioResponseError
from airflow_provider_studio.client.models import Schedule
from airflow_provider_studio.client.schedule_values import is_same_json, plain

Backup = Mapping[str, Any]
_ROUNDED_BY_MINUTES = 30
"""The largest difference between a stored and a sent time of day."""
_DAY_MINUTES, _HOUR_MINUTES = 24 * 60, 60
_DAYS = {"weekly": "day_of_week", "monthly": "day_of_month"}


def original_parameters(backup: Backup) -> dict[str, Any]:
    """Return the parameters of the deleted schedule as Studio returned them."""
    original = backup["schedule"]
    return dict((original["parameters"] if "parameters" in original else backup["machine_values"].get("params")) or {})


def differences(backup: Backup, live: Schedule) -> list[str]:
    """Return the differences between a backup and a live schedule, field by field, in words."""
    try:
        now = live.machine_values().model_dump(mode="json")
    except StudioResponseError as error:
        return [f"its values are unknown ({error})"]
    was, original = backup["machine_values"], backup["schedule"]
    found = [
        f"cron.{name} was {was['cron'].get(name)!r} and is {now['cron'].get(name)!r}"
        for name in sorted({*was["cron"], *now["cron"]})
        if plain(was["cron"].get(name)) != plain(now["cron"].get(name))
    ]
    if (was.get("name") or original.get("name")) != (now["name"] or live.name):
        found.append(f"name was {was.get('name')!r} and is {now['name']!r}")
    found += _parameter_differences(original_parameters(backup), live)
    if (was.get("timeout") or original.get("timeout")) != (now["timeout"] or live.timeout):
        found.append(f"timeout was {was.get('timeout')!r} and is {now['timeout']!r}")
    return found


def find_restored(backup: Backup, candidates: Iterable[Schedule]) -> Schedule | None:
    """Return the new schedule that is the restored one; None if no candidate can be.

    :raises StudioResponseError: several candidates fit equally well.
    """
    possible = sorted(
        (
            (len(differences(backup, candidate)), candidate.token, candidate)
            for candidate in candidates
            if _may_be(backup, candidate)
        ),
        key=lambda entry: entry[:2],
    )
    if not possible:
        return None
    best = [candidate for count, _, candidate in possible if count == possible[0][0]]
    if len(best) > 1:
        raise StudioResponseError(
            f"Schedule {backup['schedule']['token']} may have been restored by an earlier try as any of "
            f"{', '.join(candidate.token for candidate in best)}. Delete the surplus ones in Studio, then undo again."
        )
    return best[0]


def _may_be(backup: Backup, live: Schedule) -> bool:
    """Whether a new schedule may be the restored one: values that Studio never changes are equal, times are close.

    :raises StudioResponseError: the values of the new schedule are unknown.
    """
    was, now = backup["machine_values"]["cron"], live.cron().model_dump(mode="json")
    if was["freq"] != now["freq"] or not is_same_json(original_parameters(backup), live.parameters or {}):
        return False
    days = _DAYS.get(was["freq"])
    if days is not None and plain(was.get(days)) != plain(now.get(days)):
        return False
    period = _HOUR_MINUTES if was["freq"] == "hourly" else _DAY_MINUTES
    before, after = _minutes(was), _minutes(now)
    if before is None or after is None:
        return True
    distance = abs(before - after) % period
    return min(distance, period - distance) <= _ROUNDED_BY_MINUTES


def _minutes(cron: Mapping[str, Any]) -> int | None:
    """Return the time of day in minutes; None if it is not set."""
    if cron["freq"] == "hourly":
        return cron.get("minute")
    return None if cron.get("hour") is None else cron["hour"] * _HOUR_MINUTES + (cron.get("minute") or 0)


def _parameter_differences(was: dict[str, Any], live: Schedule) -> Iterator[str]:
    if "parameters" not in live.model_fields_set:
        yield "its parameters are unknown"
        return
    now = live.parameters or {}
    for name in sorted({*was, *now}):
        if name not in now:
            yield f"params.{name} was {was[name]!r} and is missing"
        elif name not in was:
            yield f"params.{name} was missing and is {now[name]!r}"
        elif not is_same_json(was[name], now[name]):
            yield f"params.{name} was {was[name]!r} and is {now[name]!r}"
