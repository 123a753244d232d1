# SPDX-License-Identifier: Apache-2.0
"""An approval holds for the plan, the storage and the answer in the journal that it was given for, and for no other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import task

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.plans import plan as plan_module
from airflow_provider_studio.governance.plans.audit import Audit
from airflow_provider_studio.governance.plans.journal import PLAN, Event
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.operators.plans import (
    StudioApplyPlanOperator,
)
from tests.operators import test_governance_operators, test_operators
from tests.operators.approvals import ALL, REJECT, SCHEDULES, Answered, applied, asked, journal, planned, storage
from tests.operators.test_governance_operators import changes
from tests.operators.test_operators import RunDag

run = test_operators.run
dead = test_governance_operators.dead


def forged(change: Callable[[dict[str, Any], dict[str, Any]], Any], *choices: str) -> Callable[[], None]:
    """Return tasks whose approval is changed on its way, by a function of it and of the plan's XCom."""

    def tasks() -> None:
        plan = planned()
        approve = asked(plan, *choices)

        @task(multiple_outputs=False)
        def on_its_way(approval: Any, made: Any) -> Any:
            return change(approval, made)

        applied(plan, approval=on_its_way(approve.output, plan.output))

    return tasks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda approval, _: {**approval, "decision": "all"}, "but the journal has 'schedules'"),
        (lambda approval, _: {**approval, "sha256": "0" * 64}, "of a plan with the hash 000"),
        (lambda approval, _: {**approval, "sha256": None}, "no hash"),
        (lambda approval, _: {**approval, "plan_id": "0123456789ab"}, "The approval is for plan '0123456789ab'"),
        (lambda approval, _: {**approval, "decision": None}, "was not approved (None)"),
        (lambda approval, _: {**approval, "decision": "everything"}, "was not approved ('everything')"),
    ],
)
def test_an_xcom_that_says_other_than_the_journal_is_refused(
    run: RunDag,
    emulator: StudioEmulator,
    dead: str,
    capsys: pytest.CaptureFixture[str],
    change: Callable[..., Any],
    message: str,
) -> None:
    assert run(forged(change, SCHEDULES)).tasks["apply"] == "failed"
    assert message in capsys.readouterr().out
    assert changes(emulator) == []


def test_an_xcom_without_an_answer_in_the_journal_is_refused(
    run: RunDag, emulator: StudioEmulator, dead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def tasks() -> None:
        plan = planned()

        @task(multiple_outputs=False)
        def invented(made: dict[str, Any]) -> dict[str, Any]:
            return {"decision": "all", "approver": "ada", "plan_id": made["plan_id"], "sha256": made.get("sha256")}

        applied(plan, approval=invented(plan.output))

    assert run(tasks).tasks["apply"] == "failed"
    assert "has no answer to this plan" in capsys.readouterr().out
    assert changes(emulator) == []


def test_a_later_rejection_beats_an_approval(
    run: RunDag, emulator: StudioEmulator, dead: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change_their_mind(approval: Any, made: Any) -> Any:
        journal(tmp_path, made).write(PLAN, Event.REJECTED, decision="reject")
        return approval

    assert run(forged(change_their_mind, ALL)).tasks["apply"] == "failed"
    assert "rejected by eve" in capsys.readouterr().out
    assert changes(emulator) == []


def test_answered_twice_the_second_answer_counts_and_the_first_is_refused(
    run: RunDag, emulator: StudioEmulator, dead: str
) -> None:
    def tasks() -> None:
        plan = planned()
        first, second = asked(plan, ALL, task_id="first"), asked(plan, SCHEDULES, task_id="second")
        stale = applied(plan, approval=first.output)
        good = StudioApplyPlanOperator(
            task_id="good",
            plan=plan.output,
            approval=second.output,
            max_share=1.0,
            max_actions=1000,
            trigger_rule="all_done",
        )
        first >> second >> stale >> good

    ran = run(tasks)
    assert (ran.tasks["apply"], ran.tasks["good"]) == ("failed", "success")
    truth = emulator.control.state()["reports"][dead]
    assert (truth["archived"], truth["schedules"]) == (False, [])


def test_an_answer_in_another_storage_is_none(run: RunDag, emulator: StudioEmulator, dead: str, tmp_path: Path) -> None:
    def tasks() -> None:
        plan = planned()
        approve = asked(plan, ALL, storage_path=f"file://{tmp_path}/elsewhere")
        approve >> applied(plan, approval=approve.output)

    ran = run(tasks)
    assert (ran.tasks["approve"], ran.tasks["apply"]) == ("failed", "upstream_failed"), "the plan is not there"
    assert changes(emulator) == []


def replace_plan(tmp_path: Path, made: dict[str, Any]) -> None:
    """Put another valid plan with the same id in the place of a plan: it names other Reports."""
    path = storage(tmp_path) / "plans" / "workspace=acme" / f"{made['plan_id']}.jsonl"
    plan = Plan.read(path, workspace="acme")
    actions = [one.model_copy(update={"report_name": "quite another"}) for one in plan.actions]
    for number in range(1_000_000):
        header = plan.header.model_copy(update={"policy_in_words": f"{number}", "plan_id": "", "sha256": ""})
        other = Plan(header, actions, [])
        if other.plan_id == plan.plan_id:
            break
    path.unlink()
    path.with_suffix(".md").unlink()
    other.write(storage(tmp_path))
    assert Plan.read(path, workspace="acme").header.sha256 != plan.header.sha256


@pytest.fixture
def short_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids of two digits, so that two plans with one id are found at once; 12 digits took a minute of one core."""
    monkeypatch.setattr(plan_module, "PLAN_ID_DIGITS", 2)


def test_a_plan_that_was_replaced_by_one_with_the_same_id_after_its_approval_is_refused(
    run: RunDag, emulator: StudioEmulator, dead: str, tmp_path: Path, short_ids: None
) -> None:
    def replaced(approval: Any, made: Any) -> Any:
        replace_plan(tmp_path, made)
        return approval

    assert run(forged(replaced, ALL)).tasks["apply"] == "failed"
    assert changes(emulator) == []


def test_an_approval_of_another_plan_with_the_same_id_is_refused(
    run: RunDag, emulator: StudioEmulator, dead: str, tmp_path: Path, short_ids: None
) -> None:
    """The XCom of the plan may follow the file: the approval does not."""

    def tasks() -> None:
        plan = planned()
        approve = asked(plan, ALL)

        @task(multiple_outputs=False)
        def replaced(_approval: Any, made: Any) -> Any:
            replace_plan(tmp_path, made)
            (header,) = Audit(storage(tmp_path), "acme").headers()
            return {**made, "sha256": header.sha256}

        applied(plan, plan=replaced(approve.output, plan.output), approval=approve.output)

    assert run(tasks).tasks["apply"] == "failed"
    assert changes(emulator) == []


@pytest.mark.parametrize("what", ["file", "xcom"])
def test_a_plan_that_changes_between_question_and_answer_is_not_approved(
    run: RunDag, emulator: StudioEmulator, dead: str, tmp_path: Path, short_ids: None, what: str
) -> None:
    def meanwhile(operator: Any) -> None:
        replace_plan(tmp_path, operator.plan)
        if what == "xcom":
            (header,) = Audit(storage(tmp_path), "acme").headers()
            operator.plan = {**operator.plan, "sha256": header.sha256}

    def tasks() -> None:
        plan = planned()
        approve = asked(plan, ALL, meanwhile=meanwhile)
        approve >> applied(plan, approval=approve.output)

    assert run(tasks).tasks["approve"] == "failed"
    assert Audit(storage(tmp_path), "acme").events() == []


def test_two_answers_at_once_are_none(run: RunDag, emulator: StudioEmulator, dead: str, tmp_path: Path) -> None:
    def tasks() -> None:
        plan = planned()
        approve = asked(plan, ALL, REJECT)
        approve >> applied(plan, approval=approve.output)

    assert run(tasks).tasks["approve"] == "failed"
    assert Audit(storage(tmp_path), "acme").events() == []
    assert changes(emulator) == []


def elsewhere(tmp_path: Path, made: dict[str, Any]) -> dict[str, str]:
    """Return paths at which the same plan's content lies, none of which is the plan's place."""
    place = Path(tmp_path / "studio" / "plans" / "workspace=acme" / f"{made['plan_id']}.jsonl")
    content = place.read_text(encoding="utf-8")
    copies = {
        "outside": tmp_path / "outside" / place.name,
        "another workspace": tmp_path / "studio" / "plans" / "workspace=other" / place.name,
        "another folder": tmp_path / "studio" / "journals" / "workspace=acme" / place.name,
        "another storage": tmp_path / "other" / "plans" / "workspace=acme" / place.name,
    }
    for copy in copies.values():
        copy.parent.mkdir(parents=True)
        copy.write_text(content, encoding="utf-8")
    (tmp_path / "studio" / "plans" / "workspace=linked").symlink_to(place.parent)
    return {name: str(copy) for name, copy in copies.items()} | {
        "dots": f"{place.parent}/../workspace=acme/{place.name}",
        "dots outside": f"{place.parent}/../../../outside/{place.name}",
        "encoded": str(place).replace("/workspace", "%2Fworkspace"),
        "encoded dots": f"{place.parent}/%2e%2e/workspace=acme/{place.name}",
        "bucket": f"s3://bucket/plans/workspace=acme/{place.name}",
        "memory": f"memory://studio/plans/workspace=acme/{place.name}",
        "linked": str(place).replace("workspace=acme", "workspace=linked"),
        "text": str(place).replace(".jsonl", ".md"),
        "none": "None",
        "empty": "",
    }


def test_a_plan_is_read_from_its_own_place_alone(
    run: RunDag, emulator: StudioEmulator, dead: str, tmp_path: Path
) -> None:
    names: list[str] = list(elsewhere_names())

    def tasks() -> None:
        plan = planned()

        @task(multiple_outputs=False)
        def paths(made: dict[str, Any]) -> list[Any]:
            found = elsewhere(tmp_path, made)
            assert list(found) == names
            return [{**made, "path": path} for path in found.values()] + list(found.values())

        StudioApplyPlanOperator.partial(
            task_id="apply", approval="not_required", max_share=1.0, max_actions=1000
        ).expand(plan=paths(plan.output))

    ran = run(tasks)
    assert ran.mapped["apply"] == ["failed"] * 2 * len(names)
    assert changes(emulator) == []


def elsewhere_names() -> tuple[str, ...]:
    return (
        "outside",
        "another workspace",
        "another folder",
        "another storage",
        "dots",
        "dots outside",
        "encoded",
        "encoded dots",
        "bucket",
        "memory",
        "linked",
        "text",
        "none",
        "empty",
    )


def test_a_retry_after_a_partial_apply_needs_no_second_approval(
    run: RunDag, emulator: StudioEmulator, dead: str
) -> None:
    emulator.control.add_fault("status", path=f"{dead}/archive", status=503, times=6)

    def tasks() -> None:
        plan = planned()
        approve = asked(plan, ALL)
        approve >> applied(plan, approval=approve.output, retries=1, retry_delay=timedelta(0))

    assert run(tasks).state == "success"
    assert emulator.control.state()["reports"][dead]["archived"]


def test_an_approval_does_not_make_an_old_plan_young(
    run: RunDag, emulator: StudioEmulator, dead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def tasks() -> None:
        plan = planned()
        approve = asked(plan, ALL)
        approve >> applied(plan, approval=approve.output, max_age_days=1e-7)

    assert run(tasks).tasks["apply"] == "failed"
    assert "max_age_days allows" in capsys.readouterr().out
    assert changes(emulator) == []


def test_mapped_plans_each_need_their_own_approval(
    run: RunDag, emulator: StudioEmulator, dead: str, tmp_path: Path
) -> None:
    def tasks() -> None:
        plan = planned()

        @task(multiple_outputs=False)
        def twice(made: Any) -> list[Any]:
            return [made, made]

        approve = Answered.partial(task_id="approve", choices=[ALL]).expand(plan=twice(plan.output))
        StudioApplyPlanOperator.partial(task_id="all", approval=approve.output, max_share=1.0, max_actions=1000).expand(
            plan=twice.override(task_id="again")(plan.output)
        )
        StudioApplyPlanOperator.partial(
            task_id="each", max_share=1.0, max_actions=1000, trigger_rule="all_done"
        ).expand_kwargs(approve.output.map(lambda approval: {"approval": approval, "plan": made_of(tmp_path)}))

    ran = run(tasks)
    assert ran.mapped["all"] == ["failed", "failed"], "a list of approvals is none"
    assert ran.mapped["each"] == ["success", "success"]


def made_of(tmp_path: Path) -> str:
    (header,) = Audit(storage(tmp_path), "acme").headers()
    return f"plans/workspace=acme/{header.plan_id}.jsonl"
