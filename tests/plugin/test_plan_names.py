# SPDX-License-Identifier: Apache-2.0
"""The pages compare plans of one name, and show when items in their grace are due."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from airflow_provider_studio.governance.layout import plan_path
from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.audit import newest_plan_path
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.plugin.routes.overview import SERIES
from tests.governance.conftest import Governed, governed
from tests.plugin.conftest import bearer

__all__ = ["governed"]


def planned(governed: Governed, name: str, **policy: Any) -> Plan:
    plan = make_plan(governed.storage, "acme", StalenessPolicy(**policy), name=name, now=governed.clock)
    plan.write(governed.storage)
    return plan


@pytest.fixture
def pages(users: None, governed: Governed, tmp_path: Path) -> Iterator[TestClient]:
    """A viewer's browser, in front of the pages over a small workspace."""
    from airflow_provider_studio.plugin import access
    from airflow_provider_studio.plugin.app import create_app
    from airflow_provider_studio.plugin.repository import Repository, repository

    pages_of_workspace = Repository(
        lambda: governed.storage, tmp_path / "page-cache", patience_seconds=60, preparation_seconds=60
    )
    app = create_app()
    app.dependency_overrides[repository] = lambda: pages_of_workspace
    app.dependency_overrides[access._readable_dags] = lambda: {"nightly"}
    with TestClient(app, headers=bearer("viewer")) as client:
        yield client


def test_no_plan_is_forgotten_however_many_follow(governed: Governed, pages: TestClient) -> None:
    governed.report("Dead", schedules=1)
    governed.nights(100, 0)
    plan = planned(governed, "nightly.plan")
    path = plan_path(governed.storage, "acme", plan.plan_id)
    text = path.read_text(encoding="utf-8")
    ids = [f"{number:012x}" for number in range(130)]
    for number, plan_id in enumerate(ids):
        later = (plan.header.created_at + timedelta(minutes=1 + number)).isoformat()
        copy = re.sub(r'"created_at":"[^"]+"', f'"created_at":"{later}"', text.replace(plan.plan_id, plan_id), count=1)
        plan_path(governed.storage, "acme", plan_id).write_text(copy, encoding="utf-8")
    shown = [re.findall(r"<code>(\w{12})</code>", pages.get(f"/plans?page={page}").text) for page in (1, 2, 3, 4)]
    assert [*shown[0], *shown[1], *shown[2]] == [*reversed(ids), plan.plan_id]
    assert shown[3] == shown[2], "a page beyond the last is the last"
    assert pages.get(f"/plans/{plan.plan_id}").status_code == 200


def test_the_day_on_which_something_is_due_is_shown(governed: Governed, pages: TestClient) -> None:
    report = governed.report("Waiting", schedules=1)
    governed.nights(100, 0)
    plan = planned(governed, "nightly.plan", grace_days=3)
    shown = pages.get(f"/plans/{plan.plan_id}").text
    assert "due on 2026-06-04" in shown
    assert "nightly.plan" in shown
    assert "due on 2026-06-04" in pages.get(f"/reports/{report}").text
    (row,) = csv.DictReader(io.StringIO(pages.get("/reports.csv").text.lstrip("\ufeff")))
    assert (row["verdict"], row["due_on"]) == ("grace", "2026-06-04")


def test_a_plan_of_another_name_or_for_schedules_alone_does_not_replace_the_verdicts(
    governed: Governed, pages: TestClient
) -> None:
    governed.report("Dead")
    governed.nights(100, 0)
    nightly = planned(governed, "nightly.plan")
    planned(governed, "cleanup.plan", unviewed_days=None, schedules_of_archived=True)
    shown = pages.get("/").text
    assert f"/plans/{nightly.plan_id}" in shown
    assert "1 Report to archive" in shown
    assert "cleanup.plan" in pages.get("/plans").text


def test_the_number_of_stale_reports_is_that_of_the_plan_that_is_shown(governed: Governed, pages: TestClient) -> None:
    governed.report("Dead")
    governed.nights(100, 0)
    planned(governed, "strict.plan", unviewed_days=200)
    planned(governed, "nightly.plan")
    planned(governed, "cleanup.plan", unviewed_days=None, schedules_of_archived=True)
    newest = re.findall(r"<tr><th scope=\"row\" data-time=.*?</tr>", pages.get("/").text, re.DOTALL)[-1]
    stale = [key for key, _ in SERIES].index("stale")
    assert re.findall(r'data-value="(\d*)"', newest)[stale] == "1"


def test_a_report_with_two_schedules_in_their_grace_is_one_row(governed: Governed, pages: TestClient) -> None:
    governed.report("Done with", schedules=2, archived_at="2026-05-01T00:00:00+00:00")
    governed.nights(100, 0)
    planned(governed, "nightly.plan", schedules_of_archived=True, grace_days=3)
    rows = list(csv.DictReader(io.StringIO(pages.get("/reports.csv").text.lstrip("\ufeff"))))
    assert [row["name"] for row in rows] == ["Done with"]


def test_the_newest_plan_of_a_name_is_found(governed: Governed) -> None:
    governed.report("Dead")
    governed.nights(100, 0)
    nightly = planned(governed, "nightly.plan")
    other = planned(governed, "trial.plan", unviewed_days=30)
    assert newest_plan_path(governed.storage).stem == other.plan_id
    assert newest_plan_path(governed.storage, name="nightly.plan").stem == nightly.plan_id
