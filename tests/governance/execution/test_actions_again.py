# SPDX-License-Identifier: Apache-2.0
"""What a retry makes of the actions of an earlier try, whose outcome may be unknown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_studio.governance.plans import journal as journal_module
from airflow_provider_studio.governance.plans.journal import Event
from airflow_provider_studio.governance.plans.models import Action
from airflow_provider_studio.governance.plans.plan import Plan
from tests.conftest import Killed
from tests.governance.conftest import Governed, ago
from tests.governance.execution.acting import after_writing, archival, deletion, events_of, journal, plan
from tests.governance.execution.test_apply import killing

__all__ = ["plan"]


@pytest.mark.parametrize("which", [deletion, archival])
def test_an_effect_whose_outcome_was_not_journaled_is_said_by_the_retry(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch, which: Callable[[Plan], Action]
) -> None:
    governed.apply(plan)
    action = which(plan)
    (journal(governed, plan).folder / f"{action.action_id}.done.json").unlink()
    governed.control.clear_requests()
    summary = governed.apply(plan)
    assert (summary.already_done, summary.archived + summary.schedules_deleted, summary.failures) == (3, 1, [])
    assert governed.changes() == []
    (done,) = events_of(governed, action, Event.DONE)
    assert done.after == ({"schedule": None} if action.schedule else {"archived": True})
    assert (done.before, done.http_status, done.model_extra) == (None, None, {"resumed": True})


def test_an_intent_without_an_effect_is_carried_out_by_the_retry(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, _ = killing(1, "after")
    monkeypatch.setattr(journal_module, "write_once", write)
    with pytest.raises(Killed):
        governed.apply(plan)
    monkeypatch.undo()
    assert governed.changes() == []
    summary = governed.apply(plan)
    assert (summary.archived, summary.schedules_deleted, summary.already_done) == (2, 2, 0)


@pytest.mark.parametrize("deletions", [1, 2])
def test_a_run_of_a_schedule_that_an_earlier_try_deleted_is_no_sign_of_life(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch, deletions: int
) -> None:
    action = deletion(plan)
    governed.control.set_clock(ago(-2))  # both schedules fire since the plan
    first = plan.actions[0].report == action.report
    write, _ = killing(2 * deletions + (0 if first else 2), "after")
    monkeypatch.setattr(journal_module, "write_once", write)
    with pytest.raises(Killed):
        governed.apply(plan)
    monkeypatch.undo()
    summary = governed.apply(plan)
    assert (dict(summary.skipped), summary.failures) == ({}, [])
    assert governed.control.state()["reports"][action.report]["archived"]


def test_a_run_by_a_person_is_a_sign_of_life_after_an_earlier_try_too(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = deletion(plan)
    write, _ = killing(2 if plan.actions[0].report == action.report else 4, "after")
    monkeypatch.setattr(journal_module, "write_once", write)
    with pytest.raises(Killed):
        governed.apply(plan)
    monkeypatch.undo()
    governed.control.set_clock(ago(-0.01))
    governed.client.create_report_run(action.report)
    assert governed.apply(plan).skipped["run"] == 2
    assert not governed.control.state()["reports"][action.report]["archived"]


@pytest.mark.parametrize(("count", "reason"), [(None, "rescheduled"), (0, None)])
def test_only_a_report_that_surely_has_no_schedules_is_spared_their_list(
    governed: Governed, plan: Plan, count: int | None, reason: str | None
) -> None:
    action = archival(plan)
    governed.control.add_schedule(action.report)
    body = {**governed.client.get_report(action.report).to_json(), "schedules_count": count}
    governed.control.add_fault("status", method="GET", path=f"{action.report}$", status=200, body=body, times=None)
    assert governed.apply(plan).skipped[reason] == (1 if reason else 0)


def archive_and_answer(governed: Governed, action: Action, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the Report be archived right after the intent, and every request to archive it get this status."""

    def go() -> None:
        governed.client.archive_report(action.report)
        governed.control.add_fault("status", path=f"{action.report}/archive", status=status, times=None)

    after_writing(monkeypatch, action, Event.INTENT, go)


@pytest.mark.parametrize("status", [503, 409])
def test_an_archival_that_came_about_despite_an_error_is_done_with_that_status(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    action = archival(plan)
    archive_and_answer(governed, action, status, monkeypatch)
    summary = governed.apply(plan)
    assert (summary.archived, summary.failures) == (2, [])
    (done,) = events_of(governed, action, Event.DONE)
    assert (done.http_status, done.after) == (status, {"archived": True, "schedules_count": 0})


def test_an_archival_whose_every_response_is_lost_is_done_without_a_status(governed: Governed, plan: Plan) -> None:
    action = archival(plan)
    governed.control.add_fault("lose_response", path=f"{action.report}/archive", times=None)
    assert governed.apply(plan).archived == 2
    (done,) = events_of(governed, action, Event.DONE)
    assert done.http_status is None


@pytest.mark.parametrize("status", [401, 403])
def test_an_archival_that_the_token_may_not_do_is_no_ones_effect(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    action = archival(plan)
    archive_and_answer(governed, action, status, monkeypatch)
    assert len(governed.apply(plan).failures) == 1
    assert events_of(governed, action, Event.DONE) == []


def test_a_response_that_does_not_say_whether_it_is_archived_is_checked_in_studio(
    governed: Governed, plan: Plan
) -> None:
    action = archival(plan)
    body = {"token": action.report}
    governed.control.add_fault("status", path=f"{action.report}/archive", status=200, body=body, times=1)
    summary = governed.apply(plan)
    assert (summary.archived, len(summary.failures)) == (1, 1), "the request had no effect"
    assert "should be archived now, but Studio returns archived=False" in summary.failures[0]


def test_a_report_that_is_gone_is_journaled_so_for_each_of_its_actions(governed: Governed, plan: Plan) -> None:
    report = deletion(plan).report
    governed.control.remove_report(report)
    assert governed.apply(plan).skipped == {"not_found": 3}
    for action in plan.actions:
        if action.report == report:
            (skipped,) = events_of(governed, action, Event.SKIPPED)
            assert (skipped.reason, skipped.http_status) == ("not_found", 404)


def test_a_report_that_goes_right_before_the_act_is_skipped_with_what_was_seen_before(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = archival(plan)
    after_writing(monkeypatch, action, Event.INTENT, lambda: governed.control.remove_report(action.report))
    assert governed.apply(plan).skipped == {"not_found": 1}
    (skipped,), (intent,) = (events_of(governed, action, event) for event in (Event.SKIPPED, Event.INTENT))
    assert (skipped.reason, skipped.http_status, skipped.before) == ("not_found", 404, intent.before)
