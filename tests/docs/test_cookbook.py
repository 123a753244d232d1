# SPDX-License-Identifier: Apache-2.0
"""Each recipe of the policy cookbook with a condition selects exactly the Reports that the page describes."""

from __future__ import annotations

from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from tests.docs.pages import ROOT, blocks
from tests.governance.nights import NOW, ago, write_night

PAGE = ROOT / "docs" / "policy-cookbook.md"
NIGHTS = (200.0, 100.0, 60.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0)
BASE = {
    "type": "Report",
    "source": "rest",
    "collection": "0a1b2c3d4e5f",
    "archived": False,
    "created_at": ago(800),
    "edited_at": ago(400),
    "view_count": 9,
    "runs_count": 9,
    "query_count": 1,
    "schedules_count": 0,
    "last_run_at": ago(400),
    "last_successfully_run_at": ago(400),
    "last_run_by_schedule": False,
    "last_run_failed": False,
}
SCHEDULED = {"schedules_count": 1, "last_run_by_schedule": True}


def on(days_ago: float) -> dict[str, dict[str, Any]]:
    """The rows of a snapshot of this many days ago, by the purpose of each Report."""
    recently = ago(days_ago + 0.1)
    ran = {"runs_count": int(900 - days_ago), "last_run_at": recently}
    good, bad = {**ran, "last_successfully_run_at": recently}, {**ran, "last_run_failed": True}
    reports = {
        "unread_and_idle": {},
        "unread_and_scheduled": {**SCHEDULED, **good},
        "unread_and_run_by_people": {**good},
        "idle_since_a_person_ran_it": {"last_run_at": ago(210)},
        "read": {**SCHEDULED, **good, "view_count": int(900 - days_ago)},
        "read_twice_since_spring": {"view_count": 9 if days_ago > 60 else 11},
        "only_fails": {**SCHEDULED, **bad, "last_run_by_schedule": True},
        "edited_lately": {"edited_at": ago(20), "view_count": 9 if days_ago > 60 else 11},
        "idle_with_a_schedule": {**SCHEDULED, "last_run_at": ago(300)},
    }
    if days_ago <= 60:
        reports["seen_first_60_days_ago"] = {"schedules_count": 1}
    return {token: {**BASE, "name": token, **row} for token, row in reports.items()}


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> UPath:
    """Snapshots of 200 days."""
    storage = UPath(tmp_path_factory.mktemp("cookbook"))
    for days in NIGHTS:
        failed = {"report": "only_fails", "last_run_failed": True, "last_run_at": ago(days + 0.1)}
        well = {"report": "unread_and_scheduled", "last_run_failed": False, "last_succeeded_at": ago(days + 0.1)}
        idle = {"report": "idle_with_a_schedule"}
        write_night(storage, days, on(days), {"failing": failed, "good": well, "idle": idle})
    return storage


@pytest.fixture(scope="module")
def recipes() -> dict[str, dict[str, Any]]:
    """The page's policies, by the names of their variables."""
    names: dict[str, Any] = {}
    for block in blocks(PAGE, "python"):
        if "task_id" not in block.text:  # operators check their own policies
            exec(block.text, names)
    return {name: value for name, value in names.items() if isinstance(value, dict) and not name.startswith("__")}


SELECTED = {
    "scheduled_unread": {"unread_and_scheduled", "only_fails", "idle_with_a_schedule"},
    "idle": {"unread_and_idle", "idle_since_a_person_ran_it", "idle_with_a_schedule"},
    "only_failing": {"only_fails"},
    "failing_schedule": {"only_fails"},
    "left_by_people": {"unread_and_idle"},
    "little_read": {"unread_and_idle", "idle_since_a_person_ran_it", "idle_with_a_schedule", "read_twice_since_spring"},
}


@pytest.mark.parametrize("recipe", SELECTED)
def test_a_recipe_selects_what_the_page_says(recipe: str, recipes: dict[str, dict[str, Any]], storage: UPath) -> None:
    plan = make_plan(storage, "acme", StalenessPolicy.of(recipes[recipe]), now=lambda: NOW)
    assert set(plan.reports) == SELECTED[recipe]


def test_every_recipe_is_a_policy_and_those_with_a_condition_are_tried(recipes: dict[str, dict[str, Any]]) -> None:
    assert all(StalenessPolicy.of(policy).describe() for policy in recipes.values())
    assert {name for name, policy in recipes.items() if "where" in policy} == set(SELECTED)
