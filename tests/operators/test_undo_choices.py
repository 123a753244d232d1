# SPDX-License-Identifier: Apache-2.0
"""What an undo, or a deletion of schedules, is asked to touch: an empty choice is an error, never everything."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import task

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.operators.one_off import StudioDeleteSchedulesOperator
from airflow_provider_studio.operators.plans import (
    StudioUndoPlanOperator,
)
from tests.conftest import slow
from tests.operators import test_governance_operators, test_operators
from tests.operators.approvals import applied, planned
from tests.operators.test_governance_operators import changes
from tests.operators.test_operators import RunDag

run = test_operators.run
dead = test_governance_operators.dead


@pytest.mark.parametrize("plan_id", ["../0123456789ab", *slow("0123456789AB", "", "None", "a/b", "%2e%2e", "a" * 65)])
def test_an_id_that_is_none_reaches_no_storage(
    run: RunDag, emulator: StudioEmulator, capsys: pytest.CaptureFixture[str], plan_id: str
) -> None:
    assert run(lambda: StudioUndoPlanOperator(task_id="undo", plan_id=plan_id) and None).state == "failed"
    assert f"plan_id is {plan_id!r}" in capsys.readouterr().out


@pytest.mark.parametrize("value", [None, " , ", *slow("", [], [""], [None])])
def test_an_empty_choice_of_what_to_take_back_is_not_everything(
    run: RunDag, emulator: StudioEmulator, dead: str, capsys: pytest.CaptureFixture[str], value: Any
) -> None:
    def tasks() -> None:
        plan = planned()

        @task(multiple_outputs=False)
        def chosen() -> Any:
            return value

        only = chosen()
        apply = applied(plan, approval="not_required")
        apply >> StudioUndoPlanOperator(task_id="undo", plan_id="{{ ti.xcom_pull('plan')['plan_id'] }}", only=only)  # type: ignore[arg-type]

    ran = run(tasks)
    assert (ran.tasks["apply"], ran.tasks["undo"]) == ("success", "failed")
    assert emulator.control.state()["reports"][dead]["archived"]
    assert "only (names, or 'all' for all there are) is" in capsys.readouterr().out


@pytest.mark.parametrize("value", [None, *slow("", [])])
def test_an_empty_choice_of_schedules_is_not_all_of_them(
    run: RunDag, emulator: StudioEmulator, dead: str, capsys: pytest.CaptureFixture[str], value: Any
) -> None:
    def tasks() -> None:
        @task(multiple_outputs=False)
        def chosen() -> Any:
            return value

        StudioDeleteSchedulesOperator(task_id="delete", reports=[dead], schedules=chosen())  # type: ignore[arg-type]

    assert run(tasks).tasks["delete"] == "failed"
    assert changes(emulator) == []
    assert "schedules (names, or 'all' for all there are) is" in capsys.readouterr().out


@pytest.mark.parametrize("only", ["{{ params.report }}, {{ params.report }}", *slow("{{ params.report }}", "all")])
def test_what_to_take_back_may_be_a_text(run: RunDag, emulator: StudioEmulator, dead: str, only: str) -> None:
    def tasks() -> None:
        plan = planned()
        applied(plan, approval="not_required") >> StudioUndoPlanOperator(
            task_id="undo", plan_id="{{ ti.xcom_pull('plan')['plan_id'] }}", only=only, params={"report": dead}
        )

    assert run(tasks).state == "success"
    assert not emulator.control.state()["reports"][dead]["archived"]
