# SPDX-License-Identifier: Apache-2.0
"""A number has one definition: what the plan says and what the pages say of one workspace is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from airflow_provider_studio.plugin.materialize import prepare_plan, prepare_snapshot
from airflow_provider_studio.plugin.queries import ReportQuery, SnapshotTables, verdict_counts
from tests.governance.nights import NOW, ago, write_night

CRONS: dict[str, tuple[dict[str, Any], float | None]] = {
    "daily": ({"freq": "daily"}, 7.0),
    "hourly": ({"freq": "hourly"}, 168.0),
    "every 15 minutes": ({"freq": "every_15_minutes"}, 672.0),
    "monthly": ({"freq": "monthly", "day_of_month": 31}, 0.23),
    "one day": ({"freq": "weekly", "day_of_week": "1"}, 1.0),
    "a list of days": ({"freq": "weekly", "day_of_week": "[1, 3, 5]"}, 3.0),
    "days with commas": ({"freq": "weekly", "day_of_week": "1,3"}, 2.0),
    "a comma at the end": ({"freq": "weekly", "day_of_week": "1,"}, 1.0),
    "one day twice": ({"freq": "weekly", "day_of_week": "1,1"}, 1.0),
    "names of days": ({"freq": "weekly", "day_of_week": "Monday,Tuesday"}, 2.0),
    "a range": ({"freq": "weekly", "day_of_week": "1-5"}, 5.0),
    "a range over the weekend": ({"freq": "weekly", "day_of_week": "Fri-Mon"}, 4.0),
    "days that are not known": ({"freq": "weekly"}, 1.0),
    "no days": ({"freq": "weekly", "day_of_week": "[]"}, 1.0),
    "every day": ({"freq": "weekly", "day_of_week": "1,2,3,4,5,6,7"}, 7.0),
    "words only": ({"frequency": "daily"}, 7.0),
    "words of a week": ({"frequency": "weekly", "day_of_week": "Monday"}, 1.0),
    "as a page words it": ({"frequency": "Every 30 minutes"}, 336.0),
    "a frequency of later": ({"freq": "fortnightly"}, None),
    "nothing": ({}, None),
}
OLD = {"collection": "c1", "archived": False, "created_at": ago(900), "edited_at": ago(400), "view_count": 5}


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> UPath:
    """The storage of all tests of this module, which only read it."""
    return UPath(tmp_path_factory.mktemp("numbers") / "studio")


@pytest.fixture(scope="module")
def planned(storage: UPath) -> Plan:
    """A plan for a snapshot with dead Reports of odd schedules, a live Report with a failing one, and datasets."""
    dead = {f"{number:04x}": {**OLD, "type": "Report", "schedules_count": 1} for number in range(len(CRONS))}
    schedules = {
        f"5{number:04x}": {"report": f"{number:04x}", "name": name, **cron}
        for number, (name, (cron, _)) in enumerate(CRONS.items())
    }
    others = {
        "aaa1": {**OLD, "type": "Report", "view_count": 9, "schedules_count": 2},
        "aaa2": {**OLD, "type": "Report", "archived": True, "schedules_count": 1},
        "ddd1": {**OLD, "type": "DatasetReport", "archived": None, "schedules_count": 1},
        "ddd2": {**OLD, "type": "DatasetReport", "archived": None, "view_count": 0, "schedules_count": 0},
    }
    failing = {"last_run_failed": True, "freq": "daily"}
    schedules |= {
        "f1": {"report": "aaa1", **failing},
        "f2": {"report": "aaa1", **failing},
        "f3": {"report": "aaa2", "freq": "daily"},
        "f4": {"report": "ddd1", **failing},
    }
    for days in (100, 3, 2, 1, 0):
        ran = {name: {"last_run_at": ago(days), **row} for name, row in schedules.items() if name[0] == "f"}
        rows = {**dead, **others, "aaa1": {**others["aaa1"], "view_count": 9 - (days > 50)}}
        write_night(storage, days, rows, {**schedules, **ran})
    policy = StalenessPolicy(unviewed_days=90, failing_schedule_runs=3, schedules_of_archived=True)
    plan = make_plan(storage, "acme", policy, now=lambda: NOW)
    plan.write(storage)
    return plan


@pytest.fixture(scope="module")
def page(storage: UPath, planned: Plan) -> SnapshotTables:
    cache = Path(storage.parent.path) / "cache"
    return SnapshotTables(
        prepare_snapshot(storage, "acme", cache), prepare_plan(storage, "acme", planned.plan_id, cache)
    )


@pytest.mark.parametrize("name", CRONS)
def test_plan_and_page_count_the_same_runs_a_week(planned: Plan, page: SnapshotTables, name: str) -> None:
    (action,) = [one for one in planned.actions if one.schedule_name == name]
    (row,) = page.schedules(action.report)
    saved = None if action.saving is None else action.saving.runs_a_week
    assert (saved, row["runs_a_week"]) == (CRONS[name][1], CRONS[name][1])


def test_a_report_is_listed_once_whatever_the_plan_says_of_its_schedules(page: SnapshotTables, planned: Plan) -> None:
    assert {"f1", "f2"} <= {one.schedule for one in planned.actions}, "a Report that stays loses two schedules"
    tokens = [row["token"] for row in page.page(ReportQuery(), 1)[0]]
    assert len(tokens) == len(set(tokens)) == len(CRONS) + 4
    assert page.page(ReportQuery(), 1)[1] == len(tokens)


def test_stale_is_what_the_plan_archives(page: SnapshotTables, planned: Plan) -> None:
    assert planned.summary()["stale"] == page.numbers()["stale"] == len(CRONS)
    assert page.page(ReportQuery(verdict="stale"), 1)[1] == len(CRONS)
    tables = prepare_plan_folder(page)
    assert dict(verdict_counts(tables))["stale"] == len(CRONS)


def prepare_plan_folder(page: SnapshotTables) -> Path:
    return next(page.folder.parent.glob("plan=*"))


def test_reports_are_no_datasets_in_the_plan_the_headline_and_the_chart(
    storage: UPath, planned: Plan, page: SnapshotTables
) -> None:
    reports = len(CRONS) + 2
    assert planned.header.reports_in_snapshot == planned.summary()["reports"] == reports
    assert page.numbers()["reports"] == reports
    assert page.snapshots[-1]["reports"] == reports
    assert len(SnapshotStore(storage, "acme").all()) == len(page.snapshots)


@pytest.mark.parametrize("number", ["reports", "archived", "scheduled", "unviewed", "scheduled_unviewed"])
def test_the_headline_is_the_newest_point_of_its_chart(page: SnapshotTables, number: str) -> None:
    assert page.numbers()[number] == page.snapshots[-1][number]


@pytest.mark.parametrize(
    ("number", "query"),
    [
        ("reports", ReportQuery(state="reports")),
        ("archived", ReportQuery(state="archived")),
        ("unviewed", ReportQuery(state="unviewed")),
        ("scheduled", ReportQuery(schedule="scheduled")),
        ("scheduled_unviewed", ReportQuery(schedule="unviewed")),
        ("stale", ReportQuery(verdict="stale")),
    ],
)
def test_the_list_behind_a_headline_has_as_many_rows(page: SnapshotTables, number: str, query: ReportQuery) -> None:
    assert page.page(query, 1)[1] == page.numbers()[number]


def test_what_no_history_proves_is_not_known_rather_than_none(tmp_path: Path) -> None:
    storage = UPath(tmp_path / "studio")
    write_night(storage, 0, {"aaa1": {**OLD, "type": "Report"}})
    page = SnapshotTables(prepare_snapshot(storage, "acme", tmp_path / "cache"))
    assert (page.numbers()["unviewed"], page.snapshots[-1]["unviewed"]) == (None, None)
