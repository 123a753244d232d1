# SPDX-License-Identifier: Apache-2.0
"""The last line of a task's log says in words what was done."""

from __future__ import annotations

from collections import Counter

from airflow_provider_studio.governance.execution.apply import ApplySummary
from airflow_provider_studio.governance.execution.summary_text import apply_in_words, undo_in_words
from airflow_provider_studio.governance.execution.undo import UndoSummary


def test_an_apply_in_words() -> None:
    done = ApplySummary(
        "36066b5db341", archived=1200, schedules_deleted=1, skipped=Counter(viewed=2, edited=1), requests_spent=2410
    )
    assert apply_in_words(done) == (
        "archived 1,200 Reports, deleted 1 schedule, skipped 3 actions (1 edited, 2 viewed); 2,410 requests"
    )
    failed = ApplySummary("36066b5db341", already_done=2, failures=["a", "b"], stopped="the stop switch is set")
    assert apply_in_words(failed) == (
        "did not repeat 2 actions, failed with 2 actions; 0 requests; stopped: the stop switch is set"
    )


def test_an_undo_in_words() -> None:
    done = UndoSummary("36066b5db341", unarchived=2, archived_again=1, schedules_recreated={"a": "b"}, requests_spent=9)
    assert undo_in_words(done) == "unarchived 2 Reports, archived 1 Report again, recreated 1 schedule; 9 requests"
    assert undo_in_words(UndoSummary("36066b5db341", requests_spent=1)) == "changed nothing; 1 request"
