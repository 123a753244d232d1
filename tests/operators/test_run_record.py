# SPDX-License-Identifier: Apache-2.0
"""The record of a task between its tries: in Airflow's store if there is one, otherwise in a file."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.operators.run_record import TaskRecord, epoch_of
from tests.task_instance import TaskInstance, TaskStore

STORES = ["store", "file"]


class Task(TaskInstance):
    """A task instance whose tries read and write its record."""

    def __init__(self, store: str = "file", task: str = "refresh", map_index: int = -1) -> None:
        names = {"dag_id": "night", "run_id": "manual__2026-01-01T00:00:00+00:00", "task_id": task}
        super().__init__(store=TaskStore() if store == "store" else None, map_index=map_index, **names)

    def next_try(self, **ti: Any) -> TaskRecord:
        return TaskRecord(self.context_of(**ti), "acme")


@pytest.fixture(autouse=True)
def _storage(studio_connection: str) -> None:
    """Each test has a storage of its own."""


@pytest.mark.parametrize("store", STORES)
def test_the_next_try_reads_what_the_last_one_wrote(store: str) -> None:
    task = Task(store)
    assert task.next_try().read() is None
    task.next_try().write({"run": "0a1b2c3d4e5f"})
    assert task.next_try().read() == {"run": "0a1b2c3d4e5f"}


@pytest.mark.parametrize("text", ["", "{", "[1]", '"text"', "\x00", "[" * 100_000])
def test_a_record_that_is_unreadable_is_not_taken_for_none(text: str) -> None:
    task = Task()
    record = task.next_try()
    record.write({"run": "0a1b2c3d4e5f"})
    record._file.write_text(text)
    with pytest.raises(StudioConfigurationError, match=r"run\.json is unreadable.*then remove it"):
        task.next_try().read()


def test_a_value_of_airflows_store_that_is_no_record_is_not_taken_for_none() -> None:
    task = Task("store")
    assert task.store is not None
    task.store.set("studio_report_run", [1])
    with pytest.raises(StudioConfigurationError, match="store of this task is unreadable"):
        task.next_try().read()


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"clears": "many"}', '{"clears": null}'])
def test_a_note_of_a_kill_that_is_unreadable_is_skipped(text: str, caplog: pytest.LogCaptureFixture) -> None:
    task = Task()
    record = task.next_try()
    record.write({"run": "0a1b2c3d4e5f"})
    record.note_kill()
    record._kill.write_text(text)
    assert task.next_try().read() == {"run": "0a1b2c3d4e5f"}
    assert "unreadable" in caplog.text


def test_mapped_tasks_remember_apart() -> None:
    first, second = Task(map_index=0), Task(map_index=1)
    first.next_try().write({"run": "0a1b2c3d4e5f"})
    assert second.next_try().read() is None


def test_a_run_belongs_to_the_task_that_claimed_it_first() -> None:
    first, second = Task(task="a"), Task(task="b")
    assert first.next_try().claim("0a1b2c3d4e5f")
    assert not second.next_try().claim("0a1b2c3d4e5f")
    assert first.next_try().claim("0a1b2c3d4e5f"), "and to all its tries"


def test_claims_are_forgotten_after_a_week(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    def today(day: int) -> None:
        monkeypatch.setattr(
            "airflow_provider_studio.governance.storage.utcnow", lambda: datetime(2026, 1, day, tzinfo=UTC)
        )

    first, second = Task(task="a"), Task(task="b")
    today(1)
    assert first.next_try().claim("0a1b2c3d4e5f")
    today(7)
    assert not second.next_try().claim("0a1b2c3d4e5f")
    today(20)
    assert second.next_try().claim("ffffffffffff")
    assert second.next_try().claim("0a1b2c3d4e5f")


@pytest.mark.parametrize("store", STORES)
def test_a_task_that_is_cleared_while_it_runs_forgets_its_run(store: str) -> None:
    task = Task(store)
    running = task.next_try()
    running.write({"run": "0a1b2c3d4e5f"})
    task.clears += 1
    running.note_kill()
    cleared = task.next_try()
    assert cleared.read() is None
    assert task.next_try().read() is None, "also if it was killed before it started another"
    cleared.write({"run": "ffffffffffff"})
    assert task.next_try().read() == {"run": "ffffffffffff"}


@pytest.mark.parametrize("store", STORES)
def test_a_task_that_was_killed_but_not_cleared_resumes_its_run(store: str) -> None:
    task = Task(store)
    running = task.next_try()
    running.write({"run": "0a1b2c3d4e5f"})
    running.note_kill()
    assert task.next_try().read() == {"run": "0a1b2c3d4e5f"}
    task.clears += 1  # another task of the DAG run, later
    assert task.next_try().read() == {"run": "0a1b2c3d4e5f"}


def test_a_kill_that_cannot_be_recorded_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", "file:///proc/studio")
    Task().next_try().note_kill()
    assert "Could not record the kill" in caplog.text


def test_a_clear_differs_from_a_retry_in_the_tries_that_are_allowed() -> None:
    first, second = (Task().context_of(max_tries=2, try_number=number) for number in (2, 3))
    assert epoch_of(first) == epoch_of(second)
    assert epoch_of(Task().context_of(max_tries=2)) != epoch_of(Task().context_of(max_tries=5))
