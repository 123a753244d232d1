# SPDX-License-Identifier: Apache-2.0
"""How many runs a week a schedule makes, from the machine's values of its cron; in Python and in SQL."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_studio.client.models import Frequency

_A_WEEK = {
    Frequency.EVERY_15_MINUTES: 7 * 24 * 4.0,
    Frequency.EVERY_30_MINUTES: 7 * 24 * 2.0,
    Frequency.HOURLY: 7 * 24.0,
    Frequency.DAILY: 7.0,
    Frequency.WEEKLY: 1.0,
    Frequency.MONTHLY: 12 * 7 / 365.25,
}

RUNS_A_WEEK_SQL = (
    "CASE freq "
    + " ".join(f"WHEN '{name}' THEN {runs}" for name, runs in _A_WEEK.items() if name is not Frequency.WEEKLY)
    + " WHEN 'weekly' THEN greatest(1, len(regexp_extract_all(day_of_week, '[0-9]+'))) END"
)
"""The same of the columns `freq` and `day_of_week`; NULL where the frequency is not known."""


def runs_a_week(cron: dict[str, Any]) -> float | None:
    """Return the runs a week of a cron as schedules carry it; None where its frequency is not known."""
    freq = cron.get("freq")
    if freq not in _A_WEEK:
        return None
    days = len(re.findall("[0-9]+", str(cron.get("day_of_week"))))  # one day, or a list of days
    return float(max(1, days)) if freq == Frequency.WEEKLY else _A_WEEK[freq]
