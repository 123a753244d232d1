# SPDX-License-Identifier: Apache-2.0
"""What was done is read from the workspace: a response may lie, lag, deny its effect, or mean another Report."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.governance.execution.apply import ApplySummary
from airflow_provider_studio.governance.planning.one_off import plan_named
from airflow_provider_studio.governance.plans.models import Action, ActionKind
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.storage import utcnow
from tests.conftest import client_of, slow
from tests.governance.conftest import ACTOR, Governed
from tests.governance.execution.acting import plan

__all__ = ["plan"]


def deletions(plan: Plan) -> list[Action]:
    return [action for action in plan.actions if action.schedule]


def archived(governed: Governed) -> set[str]:
    reports = governed.control.state()["reports"]
    return {token for token, report in reports.items() if report["archived"]}


def waiting_client(governed: Governed) -> StudioClient:
    """A client whose waits pass in the workspace's time."""

    def sleep(seconds: float) -> None:
        governed.control.advance(timedelta(seconds=seconds))

    return client_of(governed.emulator, sleep=sleep)


def lagging(governed: Governed, seconds: float) -> StudioClient:
    """Let reads lag, and return a client whose waits pass in the workspace's time."""
    governed.control.set_speed(0)
    governed.control.set_quirks(read_lag_seconds=seconds)
    return waiting_client(governed)


def one_off(governed: Governed, report: str, kind: ActionKind = ActionKind.ARCHIVE_REPORT) -> Plan:
    return plan_named(governed.client, governed.storage, [report], kind=kind, actor=ACTOR)


# A success is no proof of an effect


@pytest.mark.parametrize("kind", [ActionKind.ARCHIVE_REPORT, *slow(ActionKind.UNARCHIVE_REPORT)])
def test_a_response_that_claims_what_was_not_done_is_a_failure(governed: Governed, kind: ActionKind) -> None:
    back = kind is ActionKind.UNARCHIVE_REPORT
    report = governed.report(**({"archived_at": "2026-01-01T00:00:00+00:00"} if back else {}))
    plan = one_off(governed, report, kind)
    governed.control.add_fault("no_effect", method="PATCH", times=None)
    summary = governed.apply(plan, now=utcnow)
    assert (summary.archived, summary.unarchived) == (0, 0)
    assert f"Report {report} should be {'unarchived' if back else 'archived'} now" in summary.failures[0]
    governed.control.clear_faults()
    summary = governed.apply(plan, now=utcnow)
    assert summary.archived + summary.unarchived == 1, "a retry does it"


def test_a_deletion_that_claims_what_was_not_done_is_a_failure(governed: Governed, plan: Plan) -> None:
    governed.control.add_fault("no_effect", method="DELETE", times=None)
    summary = governed.apply(plan)
    assert (summary.schedules_deleted, len(summary.failures)) == (0, 2)
    assert archived(governed) == {action.report for action in plan.actions} - {deletions(plan)[0].report}


def test_a_restored_schedule_that_was_never_created_is_a_failure(governed: Governed, plan: Plan) -> None:
    before = governed.state()
    governed.apply(plan)
    governed.control.add_fault("no_effect", method="POST", path="/schedules$", times=1)
    (failure,) = governed.undo(plan).failures
    assert "accepted a new schedule" in failure
    assert governed.undo(plan).failures == []
    assert governed.state() == before


# A 404 is no proof that something is gone


def test_a_schedule_that_may_not_be_deleted_keeps_its_report(governed: Governed, plan: Plan) -> None:
    for method in ("DELETE", "GET"):
        governed.control.add_fault("status", method=method, path=r"/schedules/\w+$", status=404, times=None)
    summary = governed.apply(plan)
    assert (summary.schedules_deleted, len(summary.failures)) == (0, 2)
    assert deletions(plan)[0].report not in archived(governed)
    assert all(action.schedule in governed.control.state()["schedules"] for action in deletions(plan))


def test_a_deletion_that_is_denied_after_its_effect_is_undone(governed: Governed, plan: Plan) -> None:
    before = governed.state()
    governed.control.add_fault("status_after_effect", method="DELETE", status=404, times=None)
    summary = governed.apply(plan)
    assert (summary.schedules_deleted, summary.archived, summary.failures) == (2, 2, [])
    assert all("somebody else may have deleted it" in warning for warning in summary.warnings)
    assert len(summary.warnings) == 2
    governed.control.clear_faults()
    governed.undo(plan)
    assert governed.state() == before


def test_an_archival_that_is_denied_after_its_effect_is_done_and_undone(governed: Governed, plan: Plan) -> None:
    before = governed.state()
    governed.control.add_fault("status_after_effect", method="PATCH", status=404, times=None)
    assert governed.apply(plan).archived == 2
    governed.control.clear_faults()
    governed.undo(plan)
    assert governed.state() == before


def test_a_report_that_may_not_be_archived_is_a_failure(governed: Governed, plan: Plan) -> None:
    governed.control.add_fault("status", method="PATCH", status=404, times=None)
    summary = governed.apply(plan)
    assert (dict(summary.skipped), len(summary.failures), archived(governed)) == ({}, 2, set())


def test_what_an_earlier_try_may_have_done_is_undone_although_its_report_was_hidden_since(
    governed: Governed, plan: Plan
) -> None:
    before = governed.state()
    report = deletions(plan)[0].report
    governed.control.add_fault("status_after_effect", method="DELETE", status=403, times=None)
    assert len(governed.apply(plan).failures) == 2
    governed.control.clear_faults()
    governed.control.add_fault("status", method="GET", path=f"{report}$", status=404, times=1)
    summary = governed.apply(plan)
    assert (dict(summary.skipped), len(summary.failures)) == ({}, 1), "its result is unknown"
    governed.undo(plan)
    assert governed.state() == before


def test_a_list_of_schedules_that_is_not_found_is_a_failure(governed: Governed, plan: Plan) -> None:
    report = deletions(plan)[0].report
    governed.control.add_fault("status", method="GET", path=f"{report}/schedules$", status=404, times=None)
    summary = governed.apply(plan)
    assert (dict(summary.skipped), len(summary.failures)) == ({}, 1)
    assert report not in archived(governed)


def test_a_report_whose_schedules_are_hidden_is_not_called_gone_by_a_one_off_plan(governed: Governed) -> None:
    report = governed.report(schedules=1)
    governed.control.add_fault("status", method="GET", path="/schedules$", status=404, times=None)
    (spared,) = one_off(governed, report).spared
    assert spared.reason == "refused"


# An effect may be visible late


@pytest.mark.parametrize("seconds", [3.0, *slow(6.5)])
def test_an_effect_that_is_visible_late_is_found_by_the_first_try(
    governed: Governed, plan: Plan, seconds: float
) -> None:
    before = governed.state()
    client = lagging(governed, seconds)
    summary = governed.apply(plan, client=client)
    assert (summary.archived, summary.schedules_deleted, summary.failures) == (2, 2, [])
    undone = governed.undo(plan, client=client)
    assert (undone.failures, undone.unarchived, len(undone.schedules_recreated)) == ([], 2, 2)
    assert governed.state() == before


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/schedules/"), ("PATCH", "/archive$")])
def test_a_lost_response_whose_effect_is_visible_late_is_found(
    governed: Governed, plan: Plan, method: str, path: str, sent_once: None
) -> None:
    client = lagging(governed, 3.0)
    governed.control.add_fault("lose_response", method=method, path=path)
    summary = governed.apply(plan, client=client)
    assert (summary.archived, summary.schedules_deleted, summary.failures) == (2, 2, [])


def test_an_undo_right_after_a_kill_restores_what_is_visible_late(governed: Governed, plan: Plan) -> None:
    before = governed.state()
    client = lagging(governed, 3.0)
    done: list[str] = []

    def stop() -> str | None:  # what a kill leaves behind: intents without results
        done.append("")
        return "a kill" if len(done) > 4 else None

    governed.apply(plan, client=client, stop=stop)
    for path in (governed.storage / "plans").glob("**/*.done.json"):
        path.unlink()
    governed.undo(plan, client=client)
    assert governed.state() == before


def test_an_effect_that_never_shows_is_a_failure_after_a_bounded_wait(governed: Governed) -> None:
    plan = one_off(governed, governed.report())
    governed.control.set_speed(0)
    governed.control.set_quirks(read_lag_seconds=60.0)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        governed.control.advance(timedelta(seconds=seconds))

    summary = governed.apply(plan, client=client_of(governed.emulator, sleep=sleep), now=utcnow)
    assert (len(summary.failures), waits) == (1, [1.0, 2.0, 4.0])


# A counter is no list


def miscounted(governed: Governed, report: str, count: int) -> None:
    """Let a Report claim another number of schedules than it has."""
    body: dict[str, Any] = governed.client.get_report(report).to_json() | {"schedules_count": count}
    governed.control.add_fault("status", method="GET", path=f"{report}$", status=200, body=body, times=1)


def test_a_schedule_that_is_not_counted_keeps_its_report(governed: Governed) -> None:
    governed.report("Dead")
    governed.nights(100, 0)
    plan = governed.plan()
    report = plan.actions[0].report
    schedule = governed.control.add_schedule(report)
    miscounted(governed, report, 0)
    summary: ApplySummary = governed.apply(plan)
    assert (dict(summary.skipped), archived(governed)) == ({"rescheduled": 1}, set())
    assert schedule in governed.control.state()["schedules"]


def test_a_one_off_archival_finds_the_schedules_that_are_not_counted(governed: Governed) -> None:
    report = governed.report(schedules=2)
    miscounted(governed, report, 0)
    plan = one_off(governed, report)
    assert len(deletions(plan)) == 2
    added = governed.control.add_schedule(report)
    miscounted(governed, report, 2)
    summary = governed.apply(plan, now=utcnow)
    assert (dict(summary.skipped), summary.schedules_deleted) == ({"schedule_kept": 1}, 2)
    assert list(governed.control.state()["schedules"]) == [added]
