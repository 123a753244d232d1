# SPDX-License-Identifier: Apache-2.0
"""What others do at the moment of an action: another apply of the plan, or people."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_studio.governance.plans.journal import Event
from airflow_provider_studio.governance.plans.models import Action
from airflow_provider_studio.governance.plans.plan import Plan
from tests.governance.conftest import Governed
from tests.governance.execution.acting import after_writing, applied_while, archival, deletion, events_of, journal, plan

__all__ = ["plan"]


def test_a_schedule_that_is_gone_already_is_skipped_and_its_report_archived(governed: Governed, plan: Plan) -> None:
    action = deletion(plan)
    governed.client.delete_schedule(action.report, action.schedule or "")
    governed.control.clear_requests()
    summary = governed.apply(plan)
    assert (dict(summary.skipped), summary.schedules_deleted, summary.archived) == ({"gone": 1}, 1, 2)
    (skipped,) = events_of(governed, action, Event.SKIPPED)
    assert (skipped.reason, skipped.http_status) == ("gone", None)
    assert events_of(governed, action, Event.INTENT) == []


@pytest.mark.parametrize(("which", "deleted"), [(deletion, 0), (archival, 2)])
def test_an_act_that_another_apply_intends_is_left_to_it(
    governed: Governed, plan: Plan, which: Callable[[Plan], Action], deleted: int
) -> None:
    action = which(plan)
    others = journal(governed, plan)
    summary = applied_while(governed, plan, lambda: others.write(action, Event.INTENT, backup={"of": "another"}))
    assert (dict(summary.skipped), summary.archived, summary.schedules_deleted) == ({"another_apply": 1}, 1, deleted)
    assert not governed.control.state()["reports"][action.report]["archived"]
    assert [each for each in governed.changes() if action.report in each] == []
    assert events_of(governed, action, Event.SKIPPED) == []
    (intent,) = events_of(governed, action, Event.INTENT)
    assert intent.backup == {"of": "another"}


@pytest.mark.parametrize("which", [deletion, archival])
def test_the_effect_of_another_apply_is_not_called_somebody_elses(
    governed: Governed, plan: Plan, which: Callable[[Plan], Action]
) -> None:
    action = which(plan)
    others = journal(governed, plan)

    def act() -> None:
        others.write(action, Event.INTENT, backup={"of": "another"})
        if action.schedule:
            governed.client.delete_schedule(action.report, action.schedule)
        else:
            governed.client.archive_report(action.report)

    assert applied_while(governed, plan, act).skipped["another_apply"] == 1
    assert events_of(governed, action, Event.SKIPPED) == []


def test_an_archival_by_a_person_is_called_that_though_another_act_is_intended(governed: Governed, plan: Plan) -> None:
    action, other = archival(plan), deletion(plan)
    others = journal(governed, plan)

    def act() -> None:
        others.write(other, Event.INTENT, backup={"of": "another"})
        governed.client.archive_report(action.report)

    assert applied_while(governed, plan, act).skipped["already_archived"] == 1
    (skipped,) = events_of(governed, action, Event.SKIPPED)
    assert skipped.reason == "already_archived"


@pytest.mark.parametrize("which", [deletion, archival])
def test_an_act_that_another_apply_journals_first_is_counted_once(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch, which: Callable[[Plan], Action]
) -> None:
    action = which(plan)
    others = journal(governed, plan)
    after_writing(monkeypatch, action, Event.INTENT, lambda: others.write(action, Event.DONE, http_status=200))
    summary = governed.apply(plan)
    counted = (summary.archived, summary.schedules_deleted, summary.already_done)
    assert counted == ((2, 1, 1) if action.schedule else (1, 2, 1))
    (done,) = events_of(governed, action, Event.DONE)
    assert done.actor == {"run": "another"}


def test_a_lost_response_to_each_delete_is_settled_by_a_look_at_studio(governed: Governed, plan: Plan) -> None:
    action = deletion(plan)
    governed.control.add_fault("lose_response", method="DELETE", path=action.schedule, times=None)
    summary = governed.apply(plan)
    assert (summary.failures, summary.schedules_deleted, summary.archived) == ([], 2, 2)


@pytest.mark.parametrize(("status", "deleted"), [(503, True), (400, True), (403, False), (401, False)])
def test_an_error_that_may_have_come_after_the_effect_is_checked_in_studio(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch, status: int, deleted: bool
) -> None:
    """A token that is rejected, or may not delete, has not deleted anything, whatever is gone meanwhile."""
    action = deletion(plan)

    def go() -> None:
        governed.client.delete_schedule(action.report, action.schedule or "")
        governed.control.add_fault("status", method="DELETE", path=action.schedule, status=status, times=None)

    after_writing(monkeypatch, action, Event.INTENT, go)
    summary = governed.apply(plan)
    assert len(summary.failures) == (0 if deleted else 1)
    assert [each.http_status for each in events_of(governed, action, Event.DONE)] == ([status] if deleted else [])


def test_a_schedule_that_goes_while_a_retry_deletes_it_is_deleted(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier try may have sent the request that deleted it."""
    action = deletion(plan)
    governed.control.add_fault("status", method="DELETE", path=action.schedule, status=403, times=1)
    assert len(governed.apply(plan).failures) == 1
    after_writing(
        monkeypatch,
        action,
        Event.RESUMED,
        lambda: governed.client.delete_schedule(action.report, action.schedule or ""),
    )
    summary = governed.apply(plan)
    assert (summary.schedules_deleted, dict(summary.skipped), summary.archived) == (1, {}, 1)
    (done,), (resumed,) = (events_of(governed, action, event) for event in (Event.DONE, Event.RESUMED))
    assert done.http_status == 404
    assert resumed.before == done.before
