# SPDX-License-Identifier: Apache-2.0
"""The operators that change a workspace, as Airflow runs them: direct ones, the stop switch, approvals, notifiers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.plans.audit import ActionState, Audit
from airflow_provider_studio.notifications import StudioPlanNotifier
from airflow_provider_studio.operators.inventory import StudioInventoryOperator
from airflow_provider_studio.operators.one_off import (
    StudioArchiveReportsOperator,
    StudioDeleteSchedulesOperator,
    StudioUnarchiveReportsOperator,
)
from airflow_provider_studio.operators.plans import (
    StudioApplyPlanOperator,
    StudioPlanOperator,
    StudioUndoPlanOperator,
)
from tests.operators import test_operators
from tests.operators.test_operators import RunDag
from tests.test_notifications import Slack

run = test_operators.run
LONG_AGO = {"created_at": "2020-01-01T00:00:00+00:00", "edited_at": "2020-01-01T00:00:00+00:00"}
POLICY = {"unviewed_days": 90}


@pytest.fixture
def dead(emulator: StudioEmulator) -> str:
    """A dead Report with a schedule."""
    token = emulator.control.add_report(name="Dead", **LONG_AGO)
    emulator.control.add_schedule(token)
    return token


def changes(emulator: StudioEmulator) -> list[str]:
    return [one["method"] for one in emulator.control.requests_summary()["requests"] if one["method"] != "GET"]


def audit(tmp_path: Path) -> Audit:
    from upath import UPath

    return Audit(UPath(tmp_path / "studio"), "acme")


def test_named_reports_are_archived_and_taken_back_through_the_journal(
    run: RunDag, emulator: StudioEmulator, dead: str, tmp_path: Path
) -> None:
    before = emulator.control.state()

    def tasks() -> None:
        archive = StudioArchiveReportsOperator(task_id="archive", reports=[dead, "0123456789ab"])
        undo = StudioUndoPlanOperator(
            task_id="undo", plan_id="{{ ti.xcom_pull(task_ids='archive')['plan_id'] }}", concurrency="2"
        )
        archive >> undo

    ran = run(tasks)
    assert ran.state == "success"
    archived = ran.xcom("archive")
    assert (archived["archived"], archived["schedules_deleted"]) == (1, 1)
    assert archived["left_alone"] == {"0123456789ab": "there is no such Report, or the token cannot see it"}
    after = emulator.control.state()
    assert not after["reports"][dead]["archived"]
    assert len(after["schedules"]) == len(before["schedules"])
    assert {one.state for one in audit(tmp_path).action_statuses(archived["plan_id"])} == {ActionState.UNDONE}
    assert Path(archived["path"].removeprefix("file://")).exists()


def test_schedules_are_deleted_and_reports_unarchived_directly(
    run: RunDag, emulator: StudioEmulator, dead: str
) -> None:
    archived = emulator.control.add_report(**LONG_AGO, archived_at="2026-01-01T00:00:00+00:00")

    def tasks() -> None:
        StudioDeleteSchedulesOperator(task_id="delete", reports=f"https://app.mode.com/acme/reports/{dead}")
        StudioUnarchiveReportsOperator(task_id="unarchive", reports=archived)

    ran = run(tasks)
    assert ran.xcom("delete")["schedules_deleted"] == 1
    assert ran.xcom("unarchive")["unarchived"] == 1
    state = emulator.control.state()["reports"]
    assert (state[dead]["archived"], state[dead]["schedules"], state[archived]["archived"]) == (False, [], False)


def test_a_retry_of_a_one_off_operator_resumes_its_plan(
    run: RunDag, emulator: StudioEmulator, dead: str, tmp_path: Path
) -> None:
    emulator.control.add_fault("status", path=f"{dead}/archive", status=503, times=6)
    ran = run(
        lambda: StudioArchiveReportsOperator(task_id="t", reports=[dead], retries=1, retry_delay=timedelta(0)) and None
    )
    assert ran.state == "success"
    assert len(audit(tmp_path).headers()) == 1
    (done,) = [one for one in audit(tmp_path).events(report=dead) if one.event == "done" and "archive" in one.action_id]
    assert done.actor["try"] == "2"


def test_the_stop_switch_ends_it_at_once(
    run: RunDag,
    emulator: StudioEmulator,
    dead: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_STUDIO_STOP", "inventory audit this week")
    ran = run(
        lambda: StudioArchiveReportsOperator(task_id="t", reports=[dead], retries=3, retry_delay=timedelta(0)) and None
    )
    assert ran.state == "failed"
    assert changes(emulator) == []
    assert "the Airflow Variable studio_stop is set" in capsys.readouterr().out
    monkeypatch.setenv("AIRFLOW_VAR_STUDIO_STOP", "off")
    assert run(lambda: StudioArchiveReportsOperator(task_id="t", reports=[dead]) and None).state == "success"


@pytest.mark.parametrize(
    ("approval", "state", "message"),
    [
        ({"decision": "all", "plan_id": "0123456789ab"}, "failed", "The approval is for plan '0123456789ab'"),
        ({"decision": "maybe"}, "failed", "was not approved ('maybe')"),
        ({"decision": "reject"}, "skipped", "was rejected by ada: nothing is carried out"),
    ],
)
def test_an_approval_of_another_plan_or_none_is_refused(
    run: RunDag,
    emulator: StudioEmulator,
    dead: str,
    capsys: pytest.CaptureFixture[str],
    approval: dict[str, Any],
    state: str,
    message: str,
) -> None:
    def tasks() -> None:
        inventory = StudioInventoryOperator(task_id="inventory")
        plan = StudioPlanOperator(task_id="plan", policy=POLICY)
        given = {"approver": "ada", "plan_id": "{{ ti.xcom_pull('plan')['plan_id'] }}", **approval}
        inventory >> plan >> StudioApplyPlanOperator(task_id="apply", plan=plan.output, approval=given, max_share=1.0)

    assert run(tasks).tasks["apply"] == state
    assert message in capsys.readouterr().out
    assert changes(emulator) == []


def test_a_notifier_hangs_on_the_task_that_plans(run: RunDag, emulator: StudioEmulator, dead: str) -> None:
    slack = Slack("{{ studio_plan.subject }}")

    def tasks() -> None:
        inventory = StudioInventoryOperator(task_id="inventory")
        plan = StudioPlanOperator(task_id="plan", policy=POLICY, on_success_callback=StudioPlanNotifier(slack))
        inventory >> plan

    assert run(tasks).state == "success"
    (text,) = slack.sent
    assert text.startswith("Studio workspace acme: archive ")


def test_a_refusal_fails_the_task_once_and_at_once_and_its_repetition_only_warns(
    run: RunDag, emulator: StudioEmulator, dead: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    emulator.control.add_fault("status", path=f"{dead}/archive", status=403, times=None)

    def tasks() -> None:
        inventory = StudioInventoryOperator(task_id="inventory")
        plan = StudioPlanOperator(task_id="plan", policy={**POLICY, "retry_refused_days": 0})
        apply = StudioApplyPlanOperator(
            task_id="apply",
            plan=plan.output,
            approval="not_required",
            max_share=1.0,
            retries=2,
            retry_delay=timedelta(0),
        )
        inventory >> plan >> apply

    first = run(tasks)
    assert first.tasks["apply"] == "failed"
    assert (first.xcom("apply")["refused"], len(first.xcom("apply")["failures"])) == (1, 1)
    out = capsys.readouterr().out
    assert "RefusedError: 1 action of plan" in out
    assert "No retry helps: give the token the rights that it lacks, or protect these Reports in the policy" in out
    failed = [one for one in audit(tmp_path).events(report=dead) if one.event == "failed"]
    assert [one.actor["try"] for one in failed] == ["1"]
    second = run(tasks)
    assert second.tasks["apply"] == "success"
    assert "with 403: PATCH" in second.xcom("plan")["markdown"]
    assert (second.xcom("apply")["refused"], second.xcom("apply")["failures"]) == (1, [])
    assert "Studio refused it again, as the plan expects" in capsys.readouterr().out


def test_a_named_report_that_studio_refuses_fails_the_task_after_the_others(
    run: RunDag, emulator: StudioEmulator, dead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = emulator.control.add_report(name="Other", **LONG_AGO)
    emulator.control.add_fault("status", path=f"{dead}$", status=403, times=None)
    ran = run(lambda: StudioArchiveReportsOperator(task_id="t", reports=[dead, other]) and None)
    assert ran.state == "failed"
    assert (ran.xcom("t")["archived"], list(ran.xcom("t")["left_alone"])) == (1, [dead])
    assert emulator.control.state()["reports"][other]["archived"]
    assert "Studio refused 1 Report; everything else is done" in capsys.readouterr().out


def test_a_plan_is_named_after_its_task_unless_plan_name_says_otherwise(
    run: RunDag, emulator: StudioEmulator, dead: str, tmp_path: Path
) -> None:
    def tasks() -> None:
        inventory = StudioInventoryOperator(task_id="inventory")
        plan = StudioPlanOperator(task_id="plan", policy=POLICY)
        other = StudioPlanOperator(task_id="other", policy=POLICY, plan_name="{{ 'kept' }}.name")
        mapped = StudioPlanOperator.partial(task_id="mapped").expand(policy=[POLICY, {"unviewed_days": 30}])
        archive = StudioArchiveReportsOperator(task_id="archive", reports=[dead])
        inventory >> plan >> other >> mapped >> archive

    ran = run(tasks)
    assert ran.state == "success"
    dag = ran.xcom("plan")["name"].removesuffix(".plan")
    assert ran.xcom("other")["name"] == "kept.name"
    names = {header.name for header in audit(tmp_path).headers()}
    assert names == {f"{dag}.plan", "kept.name", f"{dag}.mapped[0]", f"{dag}.mapped[1]", f"{dag}.archive"}


def test_the_reports_of_a_person_are_archived_and_undone_by_a_condition(
    run: RunDag, emulator: StudioEmulator, dead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.control.change_report(dead, creator="member3")
    others = emulator.control.state()["reports"].keys() - {dead}

    def tasks() -> None:
        of_person = "creator = '{{ params.person }}' AND name = 'Dead'"
        archive = StudioArchiveReportsOperator(
            task_id="archive", where=of_person, max_share=1, params={"person": "member3"}
        )
        nobody = StudioArchiveReportsOperator(task_id="nobody", where="creator = 'nobody'")
        undo = StudioUndoPlanOperator(
            task_id="undo", plan_id="{{ ti.xcom_pull(task_ids='archive')['plan_id'] }}", where="name = 'Dead'"
        )
        StudioInventoryOperator(task_id="inventory") >> archive >> undo >> nobody

    before = emulator.control.state()["reports"]
    ran = run(tasks)
    assert ran.state == "success"
    assert (ran.xcom("archive")["archived"], ran.xcom("undo")["unarchived"], ran.xcom("nobody")["archived"]) == (
        1,
        1,
        0,
    )
    assert "matches creator = 'nobody': nothing to do" in capsys.readouterr().out
    after = emulator.control.state()["reports"]
    assert [after[token]["archived"] for token in others] == [before[token]["archived"] for token in others]


@pytest.mark.parametrize("given", [{}, {"reports": ["0a1b2c3d4e5f"], "where": "true"}])
def test_reports_and_a_condition_exclude_each_other(given: dict[str, Any]) -> None:
    with pytest.raises(StudioConfigurationError, match="give the Reports, or a condition that selects them"):
        StudioArchiveReportsOperator(task_id="archive", **given)
