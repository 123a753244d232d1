# SPDX-License-Identifier: Apache-2.0
"""What stops a plan: its age, a Collection, a switch, and what others did in the meantime."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_studio.governance.errors import GuardRailError
from airflow_provider_studio.governance.execution.guard_rails import GuardRails
from airflow_provider_studio.governance.plans.audit import ActionState, Audit
from airflow_provider_studio.governance.plans.journal import Event, Journal
from airflow_provider_studio.governance.plans.models import ActionKind
from airflow_provider_studio.governance.plans.plan import Plan
from tests.governance.conftest import Governed, ago
from tests.governance.execution.acting import plan

__all__ = ["plan"]


def states(governed: Governed, plan: Plan) -> dict[str, ActionState]:
    return Audit(governed.storage, "acme").states(plan.plan_id)


@pytest.mark.parametrize(
    ("days", "match"),
    [(8, "created at 2026-06-01 03:00 UTC, 8 days ago; max_age_days allows 7"), (-1, "a clock was wrong, then or now")],
)
def test_a_plan_that_is_too_old_or_from_the_future_is_refused(
    governed: Governed, plan: Plan, days: int, match: str
) -> None:
    with pytest.raises(GuardRailError, match=match):
        governed.apply(plan, guard_rails=GuardRails(max_share=1.0), now=lambda: governed.now + timedelta(days=days))
    assert governed.control.requests_sent() == 0


def test_a_share_of_one_collection(governed: Governed) -> None:
    other = [collection.token for collection in governed.client.list_collections()][1]
    governed.report("Dead", collection=other)
    for number in range(3):
        governed.report(f"Alive {number}", edited_at=ago(1).isoformat(), collection=other)
    governed.nights(100, 0)
    plan = governed.plan()
    assert plan.header.reports_by_collection == {other: 4}
    with pytest.raises(GuardRailError, match=rf"touches 25\.0% of the Reports in Collection {other}"):
        governed.apply(plan, guard_rails=GuardRails(max_share=1.0, max_collection_share=0.24))
    assert governed.apply(plan, guard_rails=GuardRails(max_share=1.0, max_collection_share=0.25)).archived == 1


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"max_actions": "many"}, "max_actions is 'many'; it must be a whole number"),
        ({"max_share": None}, "max_share is None; it must be a number"),
        ({"max_collection_share": "2"}, "max_collection_share is 2.0"),
        ({"max_age_days": 0}, "max_age_days is 0.0"),
    ],
)
def test_texts_that_are_no_guard_rails(values: dict[str, Any], match: str) -> None:
    with pytest.raises(GuardRailError, match=match):
        GuardRails.of(**values)


def test_the_stop_switch_is_asked_before_each_action(governed: Governed, plan: Plan) -> None:
    calls: list[int] = []

    def stop() -> str | None:
        calls.append(len(governed.changes()))
        return "a freeze" if len(governed.changes()) == 2 else None

    summary = governed.apply(plan, stop=stop)
    assert (summary.stopped, len(governed.changes())) == ("a freeze", 2)
    assert calls[-1] == 2
    stopped = [event for event in Audit(governed.storage, "acme").events() if event.event is Event.STOPPED]
    assert [event.reason for event in stopped] == ["a freeze"]
    governed.apply(plan)
    assert set(states(governed, plan).values()) == {ActionState.DONE}


def test_a_stop_switch_that_cannot_be_read_stops(governed: Governed, plan: Plan) -> None:
    def stop() -> str | None:
        raise ConnectionError("the API server is away")

    summary = governed.apply(plan, stop=stop)
    assert summary.stopped == "the stop switch cannot be read (ConnectionError)"
    assert governed.changes() == []


def test_what_was_not_approved_is_not_done(governed: Governed, plan: Plan) -> None:
    summary = governed.apply(plan, kinds=[ActionKind.DELETE_SCHEDULE])
    assert (summary.schedules_deleted, summary.archived, dict(summary.skipped)) == (2, 0, {"not_approved": 2})
    assert governed.apply(plan).archived == 0, "one plan, one answer"


def test_reports_are_worked_on_side_by_side_with_the_same_end(governed: Governed) -> None:
    for number in range(12):
        governed.report(f"Dead {number}", schedules=number % 3)
    before = governed.state()
    governed.nights(100, 0)
    plan = governed.plan()
    summary = governed.apply(plan, concurrency=6)
    assert (summary.archived, summary.schedules_deleted, summary.failures) == (12, 12, [])
    assert governed.undo(plan, concurrency=6).failures == []
    assert governed.state() == before


# What others do while a plan is on its way


def racing(governed: Governed, monkeypatch: pytest.MonkeyPatch, when: Event, others: Callable[[str], None]) -> None:
    """Let others act right after an event of the journal was written."""
    from airflow_provider_studio.governance.plans import journal

    original = journal.write_once

    def write(path: Any, content: bytes) -> bool:
        written = original(path, content)
        if path.name.endswith(f".{when.value}.json"):
            others(path.name)
        return written

    monkeypatch.setattr(journal, "write_once", write)


def test_a_schedule_that_somebody_else_deletes_first_may_be_ours_and_is_restored_by_an_undo(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = next(action for action in plan.actions if action.schedule)

    def delete(name: str) -> None:
        if action.action_id in name:
            governed.client.delete_schedule(action.report, action.schedule or "")

    racing(governed, monkeypatch, Event.INTENT, delete)
    summary = governed.apply(plan)
    assert (dict(summary.skipped), summary.schedules_deleted, summary.archived) == ({}, 2, 2)
    (warning,) = summary.warnings
    assert f"Schedule {action.schedule} of Report {action.report} is gone, but Studio's response" in warning
    status = next(
        found
        for found in Audit(governed.storage, "acme").action_statuses(_written(governed, plan))
        if found.action == action
    )
    assert status.last is not None
    assert (status.state, status.last.http_status) == (ActionState.DONE, 404)
    assert len(governed.undo(plan).schedules_recreated) == 2, "a response of 404 does not show who deleted it"


def _written(governed: Governed, plan: Plan) -> str:
    plan.write(governed.storage)
    return plan.plan_id


def test_a_report_that_somebody_else_deletes_first_is_skipped(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = next(action for action in plan.actions if not action.baseline.schedules)
    racing(
        governed,
        monkeypatch,
        Event.INTENT,
        lambda name: governed.control.remove_report(plain.report) if plain.action_id in name else None,
    )
    summary = governed.apply(plan)
    assert (dict(summary.skipped), summary.archived, summary.failures) == ({"not_found": 1}, 1, [])


def test_a_schedule_made_between_the_last_look_and_the_archive_is_told(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = next(action for action in plan.actions if not action.baseline.schedules)
    racing(
        governed,
        monkeypatch,
        Event.INTENT,
        lambda name: governed.control.add_schedule(plain.report) and None if plain.action_id in name else None,
    )
    summary = governed.apply(plan)
    assert summary.archived == 2
    assert f"Report {plain.report} is archived but has schedules, which may continue to fire" in summary.warnings[0]


def test_an_edited_schedule_is_a_sign_of_life_of_its_report(governed: Governed, plan: Plan) -> None:
    action = next(action for action in plan.actions if action.schedule)
    live = governed.client.get_schedule(action.report, action.schedule or "")
    values = live.machine_values().model_dump(mode="json")
    changed = live.machine_values().model_validate({**values, "cron": {**values["cron"], "minute": 45}})
    governed.client.update_schedule(action.report, action.schedule or "", changed)
    assert dict(governed.apply(plan).skipped) == {"rescheduled": 3}


@pytest.mark.parametrize("second_archive", [200, 400])
def test_a_lost_answer_to_an_archive_is_held_against_studio(
    governed: Governed, plan: Plan, second_archive: int
) -> None:
    governed.control.set_quirks(second_archive=second_archive)
    governed.control.add_fault("lose_response", method="PATCH", times=1)
    summary = governed.apply(plan)
    assert (summary.archived, summary.failures) == (2, [])


def test_a_lost_answer_to_a_delete_is_journaled_with_its_status(governed: Governed, plan: Plan) -> None:
    governed.control.add_fault("lose_response", method="DELETE", times=1)
    assert governed.apply(plan).schedules_deleted == 2
    done = [event for event in Audit(governed.storage, "acme").events() if event.event is Event.DONE]
    assert sorted(event.http_status or 0 for event in done if event.action_id.startswith("delete")) == [204, 404]


def test_every_event_says_who_when_what_before_after_and_the_status(governed: Governed, plan: Plan) -> None:
    governed.apply(plan, actor={"dag": "d", "run": "r", "task": "t", "try": "1", "approver": "ada"})
    for event in Audit(governed.storage, "acme").events():
        assert event.actor == {"dag": "d", "run": "r", "task": "t", "try": "1", "approver": "ada"}
        assert event.action is not None
        assert event.before is not None
        if event.event is Event.DONE:
            assert event.after is not None
            assert event.http_status in {200, 202, 204}


def test_forbidden_half_way_leaves_the_rest_and_a_retry_ends_it(governed: Governed, plan: Plan) -> None:
    governed.control.add_fault("status", method="DELETE", status=403, after=1, times=1)
    first = governed.apply(plan)
    assert (first.schedules_deleted, first.archived, dict(first.skipped)) == (1, 1, {"schedule_failed": 1})
    assert "answered 403" in first.failures[0]
    second = governed.apply(plan)
    assert (second.schedules_deleted, second.archived, second.failures) == (1, 1, [])


def test_a_report_whose_kept_schedule_is_settled_is_not_archived_by_a_retry(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_studio.governance.plans import journal
    from tests.conftest import Killed
    from tests.governance.execution.test_apply import killing

    scheduled = next(action.report for action in plan.actions if action.schedule)
    listed = [schedule.to_json() | {"_forms": {}} for schedule in governed.client.list_schedules(scheduled)]
    page = {"_embedded": {"report_schedules": listed}, "pagination": {"total_pages": 1}}
    governed.control.add_fault("status", path=f"{scheduled}/schedules$", status=200, body=page, times=None)
    scheduled_first = plan.actions[0].report == scheduled
    write, _ = killing(3 if scheduled_first else 5, "before")
    original = journal.write_once
    monkeypatch.setattr(journal, "write_once", write)
    with pytest.raises(Killed):
        governed.apply(plan)
    monkeypatch.setattr(journal, "write_once", original)
    governed.apply(plan)
    assert not governed.control.state()["reports"][scheduled]["archived"]


def test_a_clock_that_is_put_back_loses_no_event(governed: Governed, plan: Plan) -> None:
    governed.control.add_fault("status", method="PATCH", status=403, times=None)
    for _ in range(3):
        governed.apply(plan, now=lambda: governed.now)
    failed = [event for event in Audit(governed.storage, "acme").events() if event.event is Event.FAILED]
    assert len(failed) == 6, "two Reports, three times, all at one instant"


def test_a_delete_that_did_not_happen_is_not_called_done(governed: Governed, plan: Plan) -> None:
    governed.control.add_fault("status", method="DELETE", status=204, body={"said": "done"}, times=1)
    first = governed.apply(plan)
    assert "still exists after Studio accepted its deletion" in first.failures[0]
    assert (first.schedules_deleted, first.archived) == (1, 1)
    assert governed.apply(plan).schedules_deleted == 1


def test_what_a_second_apply_took_over_comes_back_even_if_the_first_found_it_gone(
    governed: Governed, plan: Plan
) -> None:
    before = governed.state()
    governed.apply(plan)
    action = next(action for action in plan.actions if action.schedule)
    journal = Journal(governed.storage, "acme", plan.plan_id, actor={})
    (journal.folder / f"{action.action_id}.done.json").unlink()  # the second was killed before it could say so
    journal.write(action, Event.RESUMED)
    journal.write(action, Event.SKIPPED, reason="gone", http_status=404)
    governed.undo(plan)
    assert governed.state() == before
