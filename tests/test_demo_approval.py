# SPDX-License-Identifier: Apache-2.0
"""What the demo prints while it waits for approval; `tests/system/test_demo.py` approves in a real Airflow."""

from __future__ import annotations

from typing import Any

import pytest

from tests.demo.approval import Approval, ApprovalTimeoutError

WAITS = {"plan": "success", "approve": "awaiting_input"}


class Airflow:
    """The URLs of an Airflow that does not run."""

    user, password, parked = "admin", "pass-word", True
    studio_url = "http://127.0.0.1:1/plugin/studio"

    def task_url(self, dag_id: str, run_id: str, task_id: str) -> str:
        return f"http://127.0.0.1:1/dags/{dag_id}/runs/{run_id}/tasks/{task_id}"

    def is_parked(self, *_names: str) -> bool:
        return self.parked


class Waiting:
    """An approval with a manual clock."""

    def __init__(self) -> None:
        self.airflow: Any = Airflow()
        self.said: list[str] = []
        self.now = 1000.0
        self.approval = Approval(self.airflow, "night", "r1", say=self.said.append, clock=lambda: self.now)


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.mark.parametrize("state", ["awaiting_input", "deferred"])
def test_login_and_link_are_printed_once_as_soon_as_the_task_waits(waiting: Waiting, state: str) -> None:
    assert not waiting.approval.waits({"approve": None})
    assert not waiting.approval.waits({"approve": "running"})
    assert waiting.said == []
    assert waiting.approval.waits({"approve": state})
    assert waiting.approval.waits({"approve": state})
    (text,) = waiting.said
    assert "http://127.0.0.1:1/dags/night/runs/r1/tasks/approve/required_actions\n" in text
    assert "admin / pass-word" in text
    assert "Ctrl-C" in text


def test_no_link_is_printed_before_airflow_can_accept_the_response(waiting: Waiting) -> None:
    waiting.airflow.parked = False
    assert not waiting.approval.waits(WAITS)
    assert waiting.said == []


def test_the_link_is_printed_again_each_minute_until_the_response(waiting: Waiting) -> None:
    waiting.approval.waits(WAITS)
    waiting.now += 59
    waiting.approval.waits(WAITS)
    assert len(waiting.said) == 1
    waiting.now += 1
    waiting.approval.waits(WAITS)
    assert "/required_actions" in waiting.said[1]
    assert not waiting.approval.waits({"approve": "success"})
    assert len(waiting.said) == 2


def test_the_wait_ends_if_nobody_responds(waiting: Waiting) -> None:
    waiting.approval.waits(WAITS)
    waiting.now += 3601
    with pytest.raises(ApprovalTimeoutError, match=r"until \d\d:\d\d; nothing was changed"):
        waiting.approval.waits(WAITS)
