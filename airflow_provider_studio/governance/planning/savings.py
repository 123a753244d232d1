# SPDX-License-Identifier: Apache-2.0
"""What a schedule costs a week: how often it fires, times how long its Report runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_studio.client.models import Frequency
from airflow_provider_studio.governance.plans.records import Saving

_WEEKS_A_MONTH = 365.25 / 12 / 7
_A_WEEK = {
    Frequency.EVERY_15_MINUTES: 7 * 24 * 4.0,
    Frequency.EVERY_30_MINUTES: 7 * 24 * 2.0,
    Frequency.HOURLY: 7 * 24.0,
    Frequency.DAILY: 7.0,
    Frequency.MONTHLY: 1 / _WEEKS_A_MONTH,
}


def saving_of(schedule: Mapping[str, Any], mean_runtime_seconds: float | None) -> Saving | None:
    """Return what deleting a schedule saves, or None where nobody knows how often it fires.

    :param schedule: a row of a night's `schedules`.
    """
    frequency = schedule["freq"] or schedule["frequency"]
    if frequency == Frequency.WEEKLY:
        days = schedule["day_of_week"]
        runs = float(max(1, len(str(days).split(",")))) if days else 1.0
    elif frequency in _A_WEEK:
        runs = _A_WEEK[Frequency(frequency)]
    else:
        return None
    seconds = None if mean_runtime_seconds is None else round(runs * mean_runtime_seconds, 3)
    return Saving(runs_a_week=round(runs, 3), seconds_a_week=seconds)
