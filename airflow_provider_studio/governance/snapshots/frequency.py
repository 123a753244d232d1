# SPDX-License-Identifier: Apache-2.0
"""How many runs a week a schedule makes, and when, in words: the only reading of the values of its cron."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_studio.client.due_times import days_of_week
from airflow_provider_studio.client.models import Frequency

if TYPE_CHECKING:
    import duckdb

_A_WEEK = {
    Frequency.EVERY_15_MINUTES: 7 * 24 * 4.0,
    Frequency.EVERY_30_MINUTES: 7 * 24 * 2.0,
    Frequency.HOURLY: 7 * 24.0,
    Frequency.DAILY: 7.0,
    Frequency.MONTHLY: 12 * 7 / 365.25,
}
_DAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def runs_a_week(schedule: Mapping[str, Any]) -> float | None:
    """Return the runs a week; None where the frequency is unknown.

    A weekly schedule runs once on each of its days, however they are written: `1`, `[1, 3]`, `Monday,Tuesday`, `1-5`.
    If its days are unknown, it runs at least once.

    :param schedule: a row of a snapshot's `schedules`, or the cron of a backup.
    """
    frequency = str(schedule.get("freq") or schedule.get("frequency") or "").strip().lower().replace(" ", "_")
    if frequency == Frequency.WEEKLY:
        return float(max(1, len(days_of_week(schedule.get("day_of_week")))))
    found = next((runs for name, runs in _A_WEEK.items() if name == frequency), None)
    return None if found is None else round(found, 3)


def times_in_words(schedule: Mapping[str, Any], time_zone: str | None = None) -> str:
    """Return when a schedule runs: `daily at 06:00`, `weekly on Monday at 08:30 (UTC)`; empty where that is unknown.

    :param schedule: as in `runs_a_week`.
    """
    frequency = str(schedule.get("freq") or schedule.get("frequency") or "").strip().lower().replace("_", " ")
    hour, minute, day_of_month = (schedule.get(name) for name in ("hour", "minute", "day_of_month"))
    words = [frequency]
    if frequency == Frequency.WEEKLY and (days := sorted(days_of_week(schedule.get("day_of_week")))):
        words.append(f"on {', '.join(_DAY_NAMES[day] for day in days)}")
    if frequency == Frequency.MONTHLY and day_of_month is not None:
        words.append(f"on day {day_of_month}")
    if hour is not None and frequency in {Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY}:
        words.append(f"at {hour:02}:{minute or 0:02}{f' ({time_zone})' if time_zone else ''}")
    return " ".join(words)


def with_runs_a_week(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the SQL of a table expression: the connection's `schedules` with the column `runs_a_week`."""
    names = ("freq", "frequency", "day_of_week")
    kinds = connection.execute(f"SELECT DISTINCT {', '.join(names)} FROM schedules").fetchall()
    connection.execute(
        "CREATE TEMP TABLE frequencies (freq VARCHAR, frequency VARCHAR, day_of_week VARCHAR, runs_a_week DOUBLE)"
    )
    for kind in kinds:
        connection.execute(
            "INSERT INTO frequencies VALUES (?, ?, ?, ?)", [*kind, runs_a_week(dict(zip(names, kind, strict=True)))]
        )
    same = " AND ".join(f"schedules.{name} IS NOT DISTINCT FROM frequencies.{name}" for name in names)
    return f"(SELECT schedules.*, runs_a_week FROM schedules LEFT JOIN frequencies ON {same})"
