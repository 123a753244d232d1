# SPDX-License-Identifier: Apache-2.0
"""One page about a night, whatever of it ran."""

from __future__ import annotations

from airflow_provider_studio.operators.summary import StudioNightSummaryOperator, night_in_markdown
from tests.task_instance import TaskInstance

INVENTORY = {"workspace": "acme", "reports": 1854, "archived": 20, "schedules": 300, "requests_spent": 329}
PLAN = {"workspace": "acme", "stale": 3, "reports_to_archive": 3, "spared": {"unproven": 1200}, "markdown": "## Plan x"}
APPLIED = {"archived": 2, "schedules_deleted": 1, "skipped": {"viewed": ["0a1b2c3d4e5f"]}, "already_done": 0}


def test_a_whole_night_is_in_numbers_with_its_plan() -> None:
    page = night_in_markdown(inventory=INVENTORY, plan=PLAN, applied=APPLIED)
    for line in (
        "# The night of workspace `acme`",
        "| Inventory | reports | 1,854 |",
        "| Plan | spared: unproven | 1,200 |",
        "| Done | archived | 2 |",
        "| Done | skipped: viewed | 1 |",
        "## Plan x",
    ):
        assert line in page.splitlines()


def test_a_step_that_did_not_run_is_said_to_be_missing() -> None:
    page = night_in_markdown(inventory=INVENTORY, plan=None, applied=None)
    assert "| Plan | did not run, or returned nothing | |" in page
    assert "| Done | did not run, or returned nothing | |" in page


def test_the_operator_pushes_the_page() -> None:
    task = TaskInstance()
    operator = StudioNightSummaryOperator(task_id="summary", inventory=INVENTORY)
    page = operator.execute(task.context_of())
    assert task.xcoms == {"markdown": page}
    assert "1,854" in page
