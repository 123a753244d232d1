# SPDX-License-Identifier: Apache-2.0
"""Which schedules were late when a snapshot was taken; unknown where it is unknown."""

from __future__ import annotations

from typing import Any

import pytest
from upath import UPath

from tests.governance.nights import NOW, ago, everything, write_night

REPORT: dict[str, Any] = {"type": "Report", "archived": False, "schedules_count": 1}
DAILY = {"freq": "daily", "hour": 1, "minute": 0, "time_zone": "UTC"}
DUE = NOW.replace(hour=1)
DAY_BEFORE = ago(1).replace(hour=1, minute=1)
CASES: list[tuple[dict[str, Any], list[dict[str, Any]], float | None]] = [
    ({}, [{"last_run_at": DUE}], 0),
    ({}, [{"last_run_at": DAY_BEFORE}], 2),
    ({"last_run_at": NOW.replace(hour=2)}, [{"last_run_at": DAY_BEFORE}], 0),
    ({}, [{"last_run_at": ago(3).replace(hour=1)}], 50),
    ({}, [{"last_run_at": DUE}, {"last_run_at": DAY_BEFORE}], 2),
    ({"archived": True}, [{"last_run_at": DAY_BEFORE}], 0),
    ({"schedules_count": 0}, [], 0),
    ({"last_run_at": ago(200)}, [{"created_at": NOW.replace(hour=2)}], 0),
    ({"last_run_at": ago(200)}, [{"created_at": ago(2)}], 26),
    ({"last_run_at": ago(200)}, [{}], None),
    ({}, [{"last_run_at": DAY_BEFORE, "time_zone": None}], None),
    ({}, [{"last_run_at": DUE}, {"last_run_at": DAY_BEFORE, "hour": None}], None),
    ({"archived": None}, [{"last_run_at": DAY_BEFORE}], None),
    ({"unknown": True}, [{"last_run_at": DAY_BEFORE}], None),
    ({}, [], None),
]
"""What a Report and its schedules say, and for how many hours it is late; None if that is unknown."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, dict[str, Any]]]:
    """The tables of one snapshot that has each case as a Report."""
    storage = UPath(tmp_path_factory.mktemp("lateness"))
    reports = {str(case): {**REPORT, **report} for case, (report, _, _) in enumerate(CASES)}
    schedules = {
        f"{case}-{number}": {"report": str(case), **DAILY, **schedule}
        for case, (_, listed, _) in enumerate(CASES)
        for number, schedule in enumerate(listed)
    }
    write_night(storage, 0, reports, schedules)
    return everything(storage)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_a_report_is_late_against_its_own_schedules(found: dict[str, dict[str, dict[str, Any]]], case: int) -> None:
    _, schedules, late_hours = CASES[case]
    fact = found["facts"][str(case)]
    assert fact["late_hours"] == late_hours
    assert (fact["late_since"] is not None) is bool(late_hours)
    if late_hours and len(schedules) == 1:
        assert found["schedules"][f"{case}-0"]["late_hours"] == late_hours
