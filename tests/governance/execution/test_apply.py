# SPDX-License-Identifier: Apache-2.0
"""Carrying a plan out: only what it says, only while it is still true, never without a backup, and never twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_studio.client.errors import StudioServerError
from airflow_provider_studio.governance.errors import GuardRailError, StorageError, WrongWorkspaceError
from airflow_provider_studio.governance.execution.guard_rails import GuardRails
from airflow_provider_studio.governance.plans import journal as journal_module
from airflow_provider_studio.governance.plans.plan import Plan
from tests.conftest import Killed, client_of
from tests.governance.conftest import ACTOR, Governed, ago, built_once


@pytest.fixture
@built_once
def plan(governed: Governed) -> Plan:
    """Three dead Reports, one of them with two schedules, beside a living one."""
    governed.report("Dead 1", schedules=2)
    governed.report("Dead 2")
    governed.report("Dead 3")
    governed.report("Alive", edited_at=ago(3).isoformat(), schedules=1)
    governed.nights(100, 0)
    plan = governed.plan(unrun_days=60)
    assert len(plan.actions) == 5
    return plan


def events(governed: Governed, plan: Plan) -> list[str]:
    folder = governed.storage / "journals" / "workspace=acme" / f"plan={plan.plan_id}"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def read(governed: Governed, plan: Plan, name: str) -> dict[str, Any]:
    folder = governed.storage / "journals" / "workspace=acme" / f"plan={plan.plan_id}"
    return dict(json.loads((folder / name).read_text(encoding="utf-8")))


def scheduled_and_plain(plan: Plan) -> tuple[str, str]:
    """Return the planned Report that has schedules, and one that has none."""
    scheduled = next(action.report for action in plan.actions if action.schedule)
    return scheduled, next(report for report in plan.reports if report != scheduled)


def test_exactly_the_plan_is_carried_out(governed: Governed, plan: Plan) -> None:
    before = governed.control.state()
    summary = governed.apply(plan)
    after = governed.control.state()
    assert (summary.archived, summary.schedules_deleted, summary.failures) == (3, 2, [])
    archived = {token for token, report in after["reports"].items() if report["archived"]}
    assert archived == set(plan.reports)
    assert set(before["schedules"]) - set(after["schedules"]) == {one.schedule for one in plan.actions if one.schedule}
    assert summary.requests_spent == governed.control.requests_sent()


def test_schedules_go_before_their_report(governed: Governed, plan: Plan) -> None:
    governed.apply(plan)
    scheduled, _ = scheduled_and_plain(plan)
    changes = [change for change in governed.changes() if scheduled in change]
    assert [change.split()[0] for change in changes] == ["DELETE", "DELETE", "PATCH"]


def test_a_stale_report_costs_five_requests_and_one_with_schedules_six_and_seven_for_each(
    governed: Governed, plan: Plan
) -> None:
    expected = 5 + 5 + (6 + 2 * 7 - 1)  # the list after the last deletion is empty, and has no second page
    assert governed.apply(plan).requests_spent == expected
    assert governed.control.requests_sent() == expected


def test_nothing_is_touched_that_has_no_durable_backup(
    governed: Governed, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(path: Any, content: bytes) -> bool:
        raise StorageError(f"Cannot write {path}: No space left on device.")

    monkeypatch.setattr(journal_module, "write_once", full_disk)
    with pytest.raises(StorageError, match="No space left"):
        governed.apply(plan)
    assert governed.changes() == []


def test_the_backup_holds_everything_that_an_undo_needs_and_no_presigned_address(
    governed: Governed, plan: Plan
) -> None:
    scheduled, _ = scheduled_and_plain(plan)
    action = next(action for action in plan.actions if action.schedule)
    live = governed.client.get_schedule(scheduled, action.schedule or "")
    governed.apply(plan)
    backup = read(governed, plan, f"{action.action_id}.intent.json")["backup"]
    assert backup["schedule"]["token"] == action.schedule
    assert backup["machine_values"] == live.machine_values().model_dump(mode="json")
    assert backup["subscriptions"][0]["subscription"]["csv_attachments_enabled"] is True
    assert backup["subscriptions"][0]["subscribers"] == {
        "email_subscription_memberships": [],
        "slack_subscription_memberships": [],
    }
    record = read(governed, plan, f"archive_report-{scheduled}.intent.json")
    assert record["backup"]["report"]["view_count"] == 5
    assert record["backup"]["filters"] == []
    assert record["actor"] == ACTOR
    everything = "".join(json.dumps(read(governed, plan, name)) for name in events(governed, plan))
    assert "flamingo_signature" not in everything
    assert "web_preview_image" not in everything
    assert "emulator-secret" not in everything


def two_dead(schedules: int) -> Callable[[Governed], tuple[str, str, Plan]]:
    @built_once
    def made(governed: Governed) -> tuple[str, str, Plan]:
        reports = governed.report(schedules=schedules), governed.report("Dead too")
        governed.nights(100, 0)
        return *reports, governed.plan(unrun_days=60, protected_names=["*keep*"])

    return made


TWO_DEAD = {"scheduled": two_dead(2), "plain": two_dead(0)}


def revive(how: str, governed: Governed, report: str) -> None:
    control = governed.control
    match how:
        case "viewed":
            control.view(report)
        case "edited":
            control.change_report(report, edited_at=ago(0).isoformat())
        case "moved":
            other = [collection.token for collection in governed.client.list_collections()][1]
            control.change_report(report, collection=other)
        case "protected":
            control.change_report(report, name="do not touch: keep")
        case "rescheduled":
            control.add_schedule(report)
        case "run":
            governed.client.create_report_run(report)
        case "not_found":
            control.remove_report(report)
        case "already_archived":
            control.change_report(report, archived_at=ago(0).isoformat())


@pytest.mark.parametrize(
    "how", ["viewed", "edited", "moved", "protected", "rescheduled", "run", "not_found", "already_archived"]
)
@pytest.mark.parametrize("which", ["scheduled", "plain"])
def test_a_report_that_came_alive_since_the_plan_is_left_alone(governed: Governed, how: str, which: str) -> None:
    report, other, plan = TWO_DEAD[which](governed)
    revive(how, governed, report)
    governed.control.clear_requests()
    summary = governed.apply(plan)
    assert dict(summary.skipped) == {how: 3 if which == "scheduled" else 1}
    assert summary.archived == 1
    assert governed.changes() == [f"PATCH /api/acme/reports/{other}/archive"]


def test_a_schedule_that_fired_since_the_plan_is_no_sign_of_life(governed: Governed, plan: Plan) -> None:
    governed.control.set_clock(ago(-2))
    assert governed.apply(plan).archived == 3


def test_what_studio_does_not_tell_is_no_leave_to_act(governed: Governed, plan: Plan) -> None:
    report = scheduled_and_plain(plan)[1]
    body = {"token": report, "archived": False, "schedules_count": 0}
    governed.control.add_fault("status", method="GET", path=f"{report}$", status=200, body=body, times=None)
    assert dict(governed.apply(plan).skipped) == {"unknown": 1}


def test_a_schedule_without_machine_values_is_kept_with_its_report(governed: Governed, plan: Plan) -> None:
    scheduled, _ = scheduled_and_plain(plan)
    listed = [schedule.to_json() | {"_forms": {}} for schedule in governed.client.list_schedules(scheduled)]
    body = {"_embedded": {"report_schedules": listed}, "pagination": {"total_pages": 1}}
    governed.control.add_fault("status", path=f"{scheduled}/schedules$", status=200, body=body, times=None)
    summary = governed.apply(plan)
    assert dict(summary.skipped) == {"no_faithful_backup": 2, "schedule_kept": 1}
    assert not governed.control.state()["reports"][scheduled]["archived"]


@pytest.mark.parametrize(
    ("rails", "match"),
    [
        (GuardRails(max_actions=4, max_share=1.0), "has 5 actions; max_actions allows 4"),
        (GuardRails(max_actions=5, max_share=0.74), r"touches 75\.0% .* max_share allows 74\.0%"),
    ],
)
def test_a_plan_larger_than_its_guard_rails_stops_before_its_first_action(
    governed: Governed, plan: Plan, rails: GuardRails, match: str
) -> None:
    with pytest.raises(GuardRailError, match=match):
        governed.apply(plan, guard_rails=rails)
    assert governed.control.requests_sent() == 0
    assert events(governed, plan) == []


def test_a_plan_exactly_as_large_as_its_guard_rails_is_carried_out(governed: Governed, plan: Plan) -> None:
    assert governed.apply(plan, guard_rails=GuardRails(max_actions=5, max_share=0.75)).archived == 3


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"max_actions": 0}, "max_actions is 0"),
        ({"max_share": 0}, "max_share is 0"),
        ({"max_share": 5}, r"max_share is 5; .*0\.05 is 5 %"),
        ({"max_share": float("nan")}, "max_share is nan"),
        ({"max_failures_in_a_row": 0}, "max_failures_in_a_row is 0"),
    ],
)
def test_guard_rails_that_make_no_sense(values: dict[str, Any], match: str) -> None:
    with pytest.raises(GuardRailError, match=match):
        GuardRails(**values)


def test_a_plan_of_another_workspace_is_refused(governed: Governed, plan: Plan) -> None:
    with pytest.raises(WrongWorkspaceError, match="is for the workspace 'acme', but the connection opens 'other'"):
        governed.apply(plan, client=client_of(governed.emulator, workspace="other"))
    assert governed.control.requests_sent() == 0


def test_one_failure_leaves_the_others_alone_and_is_tried_again(governed: Governed, plan: Plan) -> None:
    report = scheduled_and_plain(plan)[1]
    governed.control.add_fault("status", path=f"{report}/archive", status=403, times=1)
    first = governed.apply(plan)
    assert first.archived == 2
    assert first.failures[0].startswith(f"archive_report-{report}: PATCH /api/acme/reports/{report}/archive")
    assert any(f"archive_report-{report}.failed-" in name for name in events(governed, plan))
    second = governed.apply(plan)
    assert (second.archived, second.already_done, second.failures) == (1, 4, [])


def test_many_failures_in_a_row_stop_the_rest(governed: Governed, plan: Plan) -> None:
    governed.control.add_fault("status", method="PATCH", status=503, times=None)
    rails = GuardRails(max_actions=100, max_share=1.0, max_failures_in_a_row=2)
    summary = governed.apply(plan, guard_rails=rails)
    assert summary.stopped == "2 failures in a row"
    assert len(summary.failures) == 2


def test_a_token_that_is_revoked_on_the_way_stops_at_once(governed: Governed, plan: Plan) -> None:
    governed.control.add_fault("status", method="PATCH", status=401, times=None)
    summary = governed.apply(plan)
    assert summary.stopped == "the token is no longer valid"
    assert len(summary.failures) == 1


def test_an_archive_that_did_not_happen_is_not_called_done(governed: Governed, plan: Plan) -> None:
    report = scheduled_and_plain(plan)[1]
    live = governed.client.get_report(report).to_json()
    governed.control.add_fault("status", path=f"{report}/archive", status=200, body=live, times=1)
    summary = governed.apply(plan)
    assert "Studio returns archived=False" in summary.failures[0]
    assert governed.apply(plan).archived == 1


def killing(at: int, when: str) -> tuple[Callable[..., bool], list[int]]:
    """Return a `write_once` that dies before or after its write number `at`, and its counter."""
    original, count = journal_module.write_once, [0]

    def write(path: Any, content: bytes) -> bool:
        count[0] += 1
        if count[0] == at and when == "before":
            raise Killed
        written = original(path, content)
        if count[0] == at:
            raise Killed
        return written

    return write, count


def undisturbed(governed: Governed) -> dict[str, Any]:
    """What the world of `plan` looks like when everything goes well."""
    state = governed.control.state()
    dead = {token for token, report in state["reports"].items() if report["name"].startswith("Dead")}
    expected = governed.state()
    expected["archived"] = sorted(dead)
    expected["schedules"] = [schedule for schedule in expected["schedules"] if schedule[0] not in dead]
    expected["subscriptions"] = [
        subscription for subscription in expected["subscriptions"] if subscription[0] not in dead
    ]
    return expected


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
@pytest.mark.parametrize("governed", ["http", "https"], indirect=True)
def test_a_lost_answer_to_a_change_changes_nothing(governed: Governed, plan: Plan, method: str) -> None:
    expected = undisturbed(governed)
    governed.control.add_fault("lose_response", method=method, times=1)
    assert governed.apply(plan).failures == []
    assert governed.state() == expected


def test_a_second_apply_does_nothing(governed: Governed, plan: Plan) -> None:
    governed.apply(plan)
    governed.control.clear_requests()
    again = governed.apply(plan)
    assert (again.archived, again.schedules_deleted, again.already_done) == (0, 0, 5)
    assert governed.control.requests_sent() == 0


def test_a_report_taken_back_by_a_person_is_not_archived_again(governed: Governed, plan: Plan) -> None:
    governed.apply(plan)
    governed.client.unarchive_report(plan.reports[0])
    governed.apply(plan)
    assert not governed.control.state()["reports"][plan.reports[0]]["archived"]


def test_a_studio_that_breaks_down_fails_each_report_and_loses_none(governed: Governed, plan: Plan) -> None:
    governed.control.add_fault("status", method="GET", status=503, times=None)
    summary = governed.apply(plan)
    assert len(summary.failures) == 3
    assert StudioServerError.__name__ not in summary.failures[0]
    assert governed.changes() == []
    governed.control.clear_faults()
    assert governed.apply(plan).archived == 3
