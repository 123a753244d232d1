# SPDX-License-Identifier: Apache-2.0
"""What an undo restores: actions and Reports by id, token, address or name, and a warning of what helps nobody."""

from __future__ import annotations

import pytest

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.governance.execution.archived_reports import warning_before
from airflow_provider_studio.governance.execution.undo_selection import selected_actions
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.governance.plans.plan import Plan
from tests.governance.conftest import Governed, built_once


@built_once
def carried_out(governed: Governed) -> Plan:
    """A plan that archived two Reports of the same name, and one with two schedules."""
    governed.report("Old sales", schedules=2)
    governed.report("Twin")
    governed.report("Twin")
    governed.nights(100, 0)
    plan = governed.plan()
    assert governed.apply(plan).archived == 3
    return plan


def test_a_report_is_selected_by_its_name_and_an_ambiguous_one_sends_no_request(governed: Governed) -> None:
    plan = carried_out(governed)
    of_sales = [action for action in plan.actions if action.report_name == "Old sales"]
    address = f"https://app.mode.com/acme/reports/{of_sales[0].report}"
    for name in ("old sales", of_sales[0].report, address):
        selected = selected_actions(plan, (action.action_id for action in plan.actions), [name])
        assert selected == [action.action_id for action in of_sales]
    with pytest.raises(StudioConfigurationError, match="only names 'Twin', and 2 Reports of plan"):
        governed.undo(plan, only=["Twin"])
    assert governed.control.requests_sent() == 0
    assert governed.undo(plan, only=["Old sales"]).unarchived == 1
    assert len(governed.state()["archived"]) == 2


def test_a_schedule_that_is_restored_while_its_report_stays_archived_is_warned_of(governed: Governed) -> None:
    plan = carried_out(governed)
    deletions = [action for action in plan.actions if action.kind is ActionKind.DELETE_SCHEDULE]
    ids, report = [action.action_id for action in deletions], deletions[0].report
    summary = governed.undo(plan, only=ids)
    assert len(summary.schedules_recreated) == 2
    (warning,) = summary.warnings
    assert f"Schedules of Report {report} exist again, but the Report is archived: Studio may never run" in warning
    assert summary.to_dict()["warnings"] == summary.warnings
    (before,) = warning_before(plan.actions, ids)
    assert f"Schedules of Report {report} will exist again, but the Report stays archived" in before
    assert warning_before(plan.actions, [action.action_id for action in plan.actions]) == []


def test_with_its_report_a_restored_schedule_needs_no_warning(governed: Governed) -> None:
    plan = carried_out(governed)
    summary = governed.undo(plan, only=["Old sales"])
    assert (len(summary.schedules_recreated), summary.warnings) == (2, [])
