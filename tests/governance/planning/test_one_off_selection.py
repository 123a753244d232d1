# SPDX-License-Identifier: Apache-2.0
"""Reports that a person names, or selects with a condition over the newest snapshot, for a one-off plan."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.models import Report, Schedule
from airflow_provider_studio.governance.errors import GovernanceError, GuardRailError, PlanError
from airflow_provider_studio.governance.execution.guard_rails import GuardRails
from airflow_provider_studio.governance.planning.one_off import plan_named
from airflow_provider_studio.governance.plans.models import ActionKind, SpareReason
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.snapshot_query import SelectedReports
from tests.governance.conftest import ACTOR, GENEROUS, Governed, ago, built_once

LEFT = "creator = 'member2' AND NOT archived"


@built_once
def inventoried(governed: Governed) -> dict[str, str]:
    """A snapshot of Reports of two people; of one of them, one Report each is viewed, moved and renamed since."""
    reports = {name: governed.report(name, creator="member2") for name in ("Quiet", "Viewed", "Moved", "Renamed")}
    reports["Running"] = governed.report("Running", creator="member2", schedules=1)
    reports |= {"Twin 1": governed.report("Twin"), "Twin 2": governed.report("twin ")}
    reports["Gone"] = governed.report("Gone", creator="member2", archived_at=ago(3).isoformat())
    governed.night()
    governed.control.view(reports["Viewed"])
    governed.control.change_report(reports["Moved"], collection=None)
    governed.control.change_report(reports["Renamed"], name="New name")
    return reports


def planned(governed: Governed, *reports: str, kind: ActionKind = ActionKind.ARCHIVE_REPORT, **more: Any) -> Plan:
    now = more.pop("now", governed.clock)
    return plan_named(governed.client, governed.storage, reports, kind=kind, actor=ACTOR, now=now, **more)


def test_reports_are_named_and_an_ambiguous_or_unknown_name_sends_no_request(governed: Governed) -> None:
    reports = inventoried(governed)
    for name, match in {"Twin": "2 Reports of the snapshot of", "Quite": rf"Similar names: {reports['Quiet']}"}.items():
        with pytest.raises(StudioConfigurationError, match=match):
            planned(governed, "Quiet", name)
    assert governed.control.requests_sent() == 0
    plan = planned(governed, "quiet", reports["Twin 1"], "Renamed", "quiet", "Quiet")
    assert plan.reports == (reports["Quiet"], reports["Twin 1"])
    (spared,) = plan.spared
    assert spared.reason is SpareReason.CHANGED
    assert "name was 'Renamed' in the snapshot and is 'New name'" in spared.detail


def test_a_condition_selects_reports_that_are_as_in_the_snapshot(governed: Governed) -> None:
    reports = inventoried(governed)
    plan = planned(governed, where=LEFT)
    assert set(plan.reports) == {reports["Quiet"], reports["Running"]}
    assert {item.report: item.reason for item in plan.spared} == dict.fromkeys(
        (reports["Viewed"], reports["Moved"], reports["Renamed"]), SpareReason.CHANGED
    )
    assert f"a person selected the Reports for which: {LEFT}" in plan.to_markdown()
    with pytest.raises(GuardRailError, match=r"touches 25\.0% of the workspace's Reports"):
        governed.apply(plan, guard_rails=GuardRails())
    summary = governed.apply(plan, guard_rails=GENEROUS)
    assert (summary.archived, summary.schedules_deleted) == (2, 1)
    # A retry continues the plan; once it is done, the next one finds nothing that is left.
    assert planned(governed, where=LEFT).actions == ()
    assert planned(governed, where="archived", kind=ActionKind.UNARCHIVE_REPORT).reports == (reports["Gone"],)
    assert governed.undo(plan, where="name = 'Quiet'").unarchived == 1
    assert governed.undo(plan, where="name = 'no such name'").already == 0


def test_a_condition_that_is_no_condition_or_matches_nothing(governed: Governed) -> None:
    inventoried(governed)
    assert planned(governed, where="creator = 'nobody'").actions == ()
    with pytest.raises(GovernanceError, match="cannot be filtered by 'owner = 1'"):
        planned(governed, where="owner = 1")
    assert governed.control.requests_sent() == 0


def test_an_old_snapshot_or_none_selects_nothing(governed: Governed) -> None:
    with pytest.raises(PlanError, match=r"has no snapshot of the workspace 'acme'.*give the tokens"):
        planned(governed, where="true")
    inventoried(governed)
    late = governed.now + timedelta(days=3)
    for options in ({"where": "true"}, {"reports": ["Quiet"]}):
        with pytest.raises(GuardRailError, match=r"3\.0 days ago; max_snapshot_age_days allows 2"):
            planned(governed, *options.get("reports", ()), where=options.get("where"), now=lambda: late)
    with pytest.raises(GuardRailError, match="max_snapshot_age_days is 'soon'"):
        planned(governed, where="true", max_snapshot_age_days="soon")
    assert governed.control.requests_sent() == 0


@pytest.mark.parametrize(("reports", "where"), [([], None), (["0a1b2c3d4e5f"], "true")])
def test_reports_and_a_condition_exclude_each_other(governed: Governed, reports: list[str], where: str | None) -> None:
    with pytest.raises(PlanError, match="reports"):
        planned(governed, *reports, where=where)


def test_an_empty_condition_is_refused(governed: Governed) -> None:
    inventoried(governed)
    with pytest.raises(StudioConfigurationError, match="where is ' '; it must be a SQL condition"):
        planned(governed, where=" ")


@pytest.mark.parametrize(
    ("before", "by_schedule", "is_changed"),
    [(ago(1), False, False), (ago(2), False, True), (ago(2), True, False), (None, False, True), (None, True, False)],
)
def test_a_run_since_the_snapshot_is_a_change_unless_a_schedule_made_it(
    before: datetime | None, by_schedule: bool, is_changed: bool
) -> None:
    live = Report(token="0a1b2c3d4e5f", last_run_at=ago(1))
    row = {} if before is None else {"last_run_at": before}
    schedules = [Schedule(token="1b2c3d4e5f60", last_run_at=ago(1))] if by_schedule else []
    selected = SelectedReports([live.token], {live.token: row}, where="true")
    assert (selected.change(live, schedules, is_restored=False) is not None) is is_changed
    assert selected.change(live, schedules, is_restored=True) is None
