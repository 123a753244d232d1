# SPDX-License-Identifier: Apache-2.0
"""A plan is carried out only with an approval of exactly this plan, as Airflow runs it: anything missing means no."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import task

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.plans.audit import Audit
from airflow_provider_studio.operators.inventory import StudioInventoryOperator
from airflow_provider_studio.operators.plans import StudioApplyPlanOperator, StudioPlanOperator
from tests.conftest import slow
from tests.operators import test_governance_operators, test_operators
from tests.operators.approvals import ALL, REJECT, SCHEDULES, Answered, applied, asked, planned, storage
from tests.operators.test_governance_operators import POLICY, changes
from tests.operators.test_operators import RunDag

run = test_operators.run
dead = test_governance_operators.dead


def test_an_approved_plan_is_carried_out_in_the_name_of_its_approver(
    run: RunDag, emulator: StudioEmulator, dead: str, tmp_path: Path
) -> None:
    def tasks() -> None:
        plan = planned()
        approve = asked(plan, ALL)
        approve >> applied(plan, approval=approve.output)

    ran = run(tasks)
    assert ran.state == "success"
    assert emulator.control.state()["reports"][dead]["archived"]
    sha256 = ran.xcom("plan")["sha256"]
    assert ran.xcom("approve") == {
        "decision": "all",
        "approver": "ada",
        "plan_id": ran.xcom("plan")["plan_id"],
        "sha256": sha256,
    }
    events = Audit(storage(tmp_path), "acme").events()
    assert {one.actor["approver"] for one in events} == {"ada"}
    assert {one.sha256 for one in events} == {sha256}


def test_the_approval_screen_shows_the_plan_that_the_hash_names(
    run: RunDag, emulator: StudioEmulator, dead: str, tmp_path: Path
) -> None:
    """The text in the plan's XCom is not approved: the file is."""
    bodies: list[str] = []

    def tasks() -> None:
        plan = planned()

        @task
        def beautified(made: dict[str, Any]) -> dict[str, Any]:
            return {**made, "markdown": "Nothing to see here.", "reports_to_archive": 0}

        lie = beautified(plan.output)
        Answered(
            task_id="approve",
            plan=lie,
            choices=[REJECT],
            meanwhile=lambda operator: bodies.extend([operator.subject, operator.body]),
        )

    assert run(tasks).tasks["approve"] == "success"
    subject, body = bodies
    assert "archive 0 Reports" not in subject
    assert dead in body
    assert Audit(storage(tmp_path), "acme").headers()[0].sha256 in body


def test_an_approve_task_marked_success_by_hand_approves_nothing(
    run: RunDag, emulator: StudioEmulator, dead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def tasks() -> None:
        plan = planned()
        approve = asked(plan, ALL)
        approve >> applied(plan, approval=approve.output)

    ran = run(tasks, mark_success="approve")
    assert (ran.tasks["approve"], ran.tasks["apply"]) == ("success", "failed")
    assert changes(emulator) == []
    assert "approval is None" in capsys.readouterr().out


def test_an_approval_that_is_gone_from_xcom_approves_nothing(run: RunDag, emulator: StudioEmulator, dead: str) -> None:
    def tasks() -> None:
        plan = planned()
        approve = asked(plan, ALL, do_xcom_push=False)
        approve >> applied(plan, approval=approve.output)

    assert run(tasks).tasks["apply"] == "failed"
    assert changes(emulator) == []


NO_APPROVALS: tuple[Any, ...] = (None, "approved", {}, "", "None", "null", "false", "no", [], False, 0, ["all"])


def test_a_value_that_is_no_approval_approves_nothing(run: RunDag, emulator: StudioEmulator, dead: str) -> None:
    def tasks() -> None:
        plan = planned()
        for number, value in enumerate(NO_APPROVALS):

            @task(task_id=f"answer_{number}", multiple_outputs=False)
            def answer(value: Any = value) -> Any:
                return value

            applied(plan, task_id=f"apply_{number}", approval=answer()).set_upstream(plan)

    ran = run(tasks)
    assert [ran.tasks[f"apply_{number}"] for number in range(len(NO_APPROVALS))] == ["failed"] * len(NO_APPROVALS)
    assert changes(emulator) == []


def test_of_a_plan_with_nothing_to_do_nobody_is_asked(run: RunDag, emulator: StudioEmulator, dead: str) -> None:
    def tasks() -> None:
        plan = StudioPlanOperator(task_id="plan", policy={**POLICY, "protected_reports": [dead]})
        StudioInventoryOperator(task_id="inventory") >> plan
        approve = asked(plan, ALL)
        approve >> applied(plan, approval=approve.output)

    ran = run(tasks)
    assert (ran.state, ran.tasks["approve"], ran.tasks["apply"]) == ("success", "skipped", "skipped")
    assert changes(emulator) == []


SWITCH = "{{ 'not_required' if 1 > 2 else ti.xcom_pull(task_ids='approve') | tojson }}"
"""What the example DAGs write, in a run that needs an approval."""


@pytest.mark.parametrize("template", [SWITCH, *slow(None, "{{ ti.xcom_pull(task_ids='approve') }}")])
def test_not_required_in_an_xcom_is_not_what_the_author_of_the_dag_wrote(
    run: RunDag, emulator: StudioEmulator, dead: str, template: str | None
) -> None:
    def tasks() -> None:
        plan = planned()

        @task(task_id="approve")
        def answer() -> str:
            return "not_required"

        said = answer()
        apply = applied(plan, approval=template or said)
        [plan, said] >> apply

    assert run(tasks).tasks["apply"] == "failed"
    assert changes(emulator) == []


def test_an_approval_skipped_by_a_branch_approves_nothing(run: RunDag, emulator: StudioEmulator, dead: str) -> None:
    def tasks() -> None:
        plan = planned()

        @task.branch
        def decide(made: dict[str, Any]) -> str:
            return "apply"

        approve = asked(plan, ALL)
        apply = applied(plan, approval=approve.output, trigger_rule="none_failed_min_one_success")
        decide(plan.output) >> [approve, apply]
        approve >> apply

    ran = run(tasks)
    assert (ran.tasks["approve"], ran.tasks["apply"]) == ("skipped", "failed")
    assert changes(emulator) == []


@pytest.mark.parametrize("approval", ["not_required", "{{ 'not_required' if 1 else '' }}"])
def test_without_a_person_only_where_the_dag_says_so(
    run: RunDag, emulator: StudioEmulator, dead: str, approval: str
) -> None:
    assert run(lambda: applied(planned(), approval=approval) and None).state == "success"
    assert emulator.control.state()["reports"][dead]["archived"]


def test_not_required_is_no_way_round_a_rejection(run: RunDag, emulator: StudioEmulator, dead: str) -> None:
    def tasks() -> None:
        plan = planned()
        approve = asked(plan, REJECT)

        @task(trigger_rule="all_done")
        def later() -> None:
            pass

        approve >> later() >> applied(plan, approval="not_required", trigger_rule="all_done")

    ran = run(tasks)
    assert ran.tasks["apply"] == "failed"
    assert changes(emulator) == []


def test_a_template_chooses_between_an_approval_and_none(run: RunDag, emulator: StudioEmulator, dead: str) -> None:
    def tasks() -> None:
        plan = planned()
        asked(plan, SCHEDULES) >> applied(plan, approval=SWITCH)

    ran = run(tasks)
    assert set(ran.xcom("apply")["skipped"]) == {"not_approved"}
    assert not emulator.control.state()["reports"][dead]["archived"]


def test_of_an_approval_of_schedules_alone_no_report_is_archived(
    run: RunDag, emulator: StudioEmulator, dead: str
) -> None:
    def tasks() -> None:
        plan = planned()
        approve = asked(plan, SCHEDULES)
        approve >> applied(plan, approval=approve.output)

    ran = run(tasks)
    assert set(ran.xcom("apply")["skipped"]) == {"not_approved"}
    truth = emulator.control.state()["reports"][dead]
    assert (truth["archived"], truth["schedules"]) == (False, [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"approval=approve\.output .*approval=\"not_required\""),
        ({"approval": None}, r"approval is None"),
        ({"approval": ""}, r"approval is ''"),
        ({"approval": "no"}, r"approval is 'no'"),
        ({"approval": {}}, r"approval is {}"),
        ({"approval": False}, r"approval is False"),
    ],
)
def test_a_dag_that_does_not_say_who_approves_does_not_parse(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        StudioApplyPlanOperator(task_id="apply", plan="plans/workspace=acme/0123456789ab.jsonl", **options)
