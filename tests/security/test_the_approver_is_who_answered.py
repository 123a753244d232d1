# SPDX-License-Identifier: Apache-2.0
"""The attacker writes a DAG or an XCom, and wants the journal to say that somebody else approved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.execution_time.hitl import HITLUser, upsert_hitl_detail

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.plans.approval import approver_in_words
from airflow_provider_studio.governance.plans.audit import Audit
from tests.operators import test_governance_operators, test_operators
from tests.operators.approvals import ALL, REJECT, Answered, applied, asked, planned, storage
from tests.operators.test_governance_operators import changes
from tests.operators.test_operators import RunDag

run, dead = test_operators.run, test_governance_operators.dead
CEO = "ceo@example.com"


class AnsweredBy(Answered):
    """Gets an answer from a person, as Airflow passes it on.

    :param person: the person in Airflow's record; None if Airflow answered because nobody did in time.
    """

    def __init__(self, *, person: dict[str, str] | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.person = person

    def execute_complete(self, context: Any, event: dict[str, Any]) -> dict[str, Any]:
        return super().execute_complete(context, {**event, "responded_by_user": self.person})


def test_an_approver_whom_the_dag_names_has_not_approved(
    run: RunDag, emulator: StudioEmulator, dead: str, tmp_path: Path
) -> None:
    assert run(lambda: applied(planned(), approval="not_required", approver=CEO) and None).state == "success"
    events = Audit(storage(tmp_path), "acme").events()
    assert events
    for event in events:
        assert "approver" not in event.actor
        assert approver_in_words(event.actor) == f"the DAG's approval= argument, which names {CEO}"


def test_nor_does_the_dag_replace_the_person_who_answered(
    run: RunDag, emulator: StudioEmulator, dead: str, tmp_path: Path
) -> None:
    def tasks() -> None:
        plan = planned()
        approve = asked(plan, ALL)
        approve >> applied(plan, approval=approve.output, approver=CEO)

    assert run(tasks).state == "success"
    assert {event.actor["approver"] for event in Audit(storage(tmp_path), "acme").events()} == {"ada"}


@pytest.mark.parametrize(
    ("person", "message"),
    [
        (None, "names no person"),
        pytest.param({"id": "", "name": "ada"}, "names no person", marks=pytest.mark.slow),
        ({"id": "7", "name": "eve"}, "eve (id 7) answered 'Approve all', but assigned_users are 1"),
    ],
)
def test_only_a_person_who_may_answer_approves(
    run: RunDag,
    emulator: StudioEmulator,
    dead: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    person: dict[str, str] | None,
    message: str,
) -> None:
    def tasks() -> None:
        plan = planned()
        approve = AnsweredBy(
            task_id="approve",
            plan=plan.output,
            choices=[ALL],
            person=person,
            assigned_users=HITLUser(id="1", name="ada"),
        )
        approve >> applied(plan, approval=approve.output, trigger_rule="all_done")

    ran = run(tasks)
    assert (ran.tasks["approve"], ran.tasks["apply"]) == ("failed", "failed")
    assert message in capsys.readouterr().out
    assert changes(emulator) == []
    assert Audit(storage(tmp_path), "acme").events() == []


def test_a_rejection_needs_no_person(run: RunDag, emulator: StudioEmulator, dead: str, tmp_path: Path) -> None:
    run(lambda: AnsweredBy(task_id="approve", plan=planned().output, choices=[REJECT], person=None) and None)
    (rejection,) = Audit(storage(tmp_path), "acme").events()
    assert (rejection.event, rejection.actor["approver"]) == ("rejected", "nobody in time")


def test_a_question_about_another_plan_is_not_answered_for_this_one(
    run: RunDag, emulator: StudioEmulator, dead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Airflow keeps the text of a task's first question when the task is cleared, and shows it again."""

    class AskedBefore(Answered):
        def execute(self, context: Any) -> Any:
            upsert_hitl_detail(context["ti"].id, self.options, "Archive nothing?", "An empty plan.", params={})
            return super().execute(context)

    def tasks() -> None:
        plan = planned()
        approve = AskedBefore(task_id="approve", plan=plan.output, choices=[ALL])
        approve >> applied(plan, approval=approve.output)

    assert run(tasks).tasks["approve"] == "failed"
    assert "Airflow still shows an earlier plan" in capsys.readouterr().out
    assert changes(emulator) == []


@pytest.mark.parametrize(
    ("claim", "is_there"),
    [({}, True), ({"approver": CEO}, False), ({"task": "other"}, False), ({"run": "another"}, False)],
)
def test_the_page_compares_the_journal_with_airflows_own_record(
    run: RunDag, emulator: StudioEmulator, dead: str, claim: dict[str, str], is_there: bool
) -> None:
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from airflow_provider_studio.plugin.airflow_db import has_answer

    run(lambda: asked(planned(), ALL) and None)
    with create_session() as session:  # as the API server stores an answer
        asked_by = session.scalars(select(HITLDetail).join(TaskInstance).order_by(HITLDetail.created_at.desc())).first()
        asked_by.responded_by, asked_by.chosen_options = {"id": "1", "name": "ada"}, [ALL]
        task = asked_by.task_instance
        actor = {"dag": task.dag_id, "run": task.run_id, "task": task.task_id, "approver": "ada", **claim}
    assert has_answer(actor, [ALL]) is is_there
    assert not has_answer(actor, ["Approve schedules only"])


def test_an_approval_is_open_from_the_question_to_the_answer(run: RunDag, emulator: StudioEmulator, dead: str) -> None:
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from airflow_provider_studio.plugin.open_approvals import open_approvals

    ran = run(lambda: asked(planned(), ALL) and None)
    until = datetime.now(UTC) + timedelta(hours=20)
    with create_session() as session:  # as Airflow's supervisor and scheduler store a task that waits
        waiting = session.scalars(select(HITLDetail).join(TaskInstance).order_by(HITLDetail.created_at.desc())).first()
        task = waiting.task_instance
        task.state, task.trigger_timeout = "awaiting_input", until
        dag_id = task.dag_id
    (found,) = open_approvals({dag_id})
    assert found.plan_id == ran.xcom("plan")["plan_id"]
    assert (found.task_id, found.map_index, found.until) == ("approve", -1, until)
    assert open_approvals({"another"}) == [], "a DAG that the user may not read"
    with create_session() as session:
        session.scalars(select(HITLDetail).order_by(HITLDetail.created_at.desc())).first().responded_at = until
    assert open_approvals({dag_id}) == []
