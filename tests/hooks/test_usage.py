# SPDX-License-Identifier: Apache-2.0
"""The record of the requests of tasks: complete, without secrets, and without a cost for the task."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio.client.transport import Sent
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.hooks.studio import StudioHook
from airflow_provider_studio.hooks.usage import RETENTION, RequestSource, SpendingRecorder, UsageRecord
from airflow_provider_studio.operators.plans import StudioPlanOperator
from airflow_provider_studio.plugin.usage import UsageReader, budgets
from tests.connections import connection_of

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
KEY = "0123456789abcdef0123456789abcdef"


class Later:
    """A timer that goes off when a test says so."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []
        self.cancelled = 0

    def __call__(self, _seconds: float, call: Callable[[], None]) -> Any:
        self.calls.append(call)
        return self

    def cancel(self) -> None:
        self.cancelled += 1


def recorder_of(storage: UPath, later: Later, now: datetime = NOON, task: str = "inventory") -> SpendingRecorder:
    return SpendingRecorder(
        lambda: storage,
        workspace="acme",
        connection="studio_default",
        budget_key=KEY,
        source=RequestSource("a_dag", "a_run", task, -1, 1),
        now=lambda: now,
        later=later,
    )


def records(storage: UPath) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(storage.glob("usage/workspace=acme/*/*.json"))]


def test_a_record_counts_requests_waits_and_429s_by_endpoint(storage: UPath) -> None:
    recorder = recorder_of(storage, Later())
    recorder.note(Sent("GET", "reports", 200, 0.5))
    recorder.note(Sent("GET", "reports", 429, 0.25))
    recorder.note(Sent("PATCH", "reports/archive", None, 0.0))
    recorder.flush()
    (record,) = records(storage)
    assert (record["requests"], record["rate_limited"], record["seconds_waited"]) == (3, 1, 0.75)
    assert record["endpoints"] == {"GET reports": 2, "PATCH reports/archive": 1}
    assert (record["dag_id"], record["run_id"], record["task_id"]) == ("a_dag", "a_run", "inventory")
    assert (record["budget"], record["connection"]) == (KEY[:12], "studio_default")


def test_nothing_is_written_where_nothing_was_sent(storage: UPath) -> None:
    recorder = recorder_of(storage, Later())
    recorder.flush()
    assert records(storage) == []


def test_a_long_task_writes_once_a_minute_and_what_is_left_at_its_end(storage: UPath) -> None:
    later = Later()
    recorder = recorder_of(storage, later)
    recorder.note(Sent("GET", "reports", 200, 0.0))
    recorder.note(Sent("GET", "reports", 200, 0.0))
    assert len(later.calls) == 1, "one timer, not one a request"
    later.calls[0]()
    recorder.note(Sent("GET", "reports", 200, 0.0))
    recorder.flush()
    assert sorted(one["requests"] for one in records(storage)) == [1, 2]


def test_storage_that_cannot_be_written_costs_one_warning_and_no_task(
    tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a-file").write_text("")
    recorder = recorder_of(UPath(tmp_path / "a-file"), Later())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            recorder.note(Sent("GET", "reports", 200, 0.0))
            recorder.flush()
    assert len([one for one in caplog.records if "not recorded" in one.message]) == 1


def test_old_days_are_removed_with_the_first_record_of_a_day(storage: UPath) -> None:
    for days in (RETENTION.days + 2, 3, 0):
        recorder = recorder_of(storage, Later(), NOON - timedelta(days=days))
        recorder.note(Sent("GET", "reports", 200, 0.0))
        recorder.flush()
    days_left = sorted(path.name for path in (storage / "usage" / "workspace=acme").iterdir())
    assert days_left == ["date=2026-04-28", "date=2026-05-01"]


def test_the_hooks_client_records_without_the_token_and_the_secret(
    emulator: StudioEmulator, storage: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, secret = emulator.credentials()
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO_TEST", connection_of(emulator))
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", f"file://{storage}")
    hook = StudioHook("studio_test")
    hook.client.verify()
    hook.log_spending()
    (record,) = records(storage)
    assert record["requests"] == len(emulator.control.requests_summary()["requests"])
    assert record["dag_id"] is None, "this is no task"
    text = json.dumps(record)
    assert secret not in text
    assert token not in text


def test_an_operator_with_its_own_storage_path_records_there(
    emulator: StudioEmulator, storage: UPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO_TEST", connection_of(emulator))
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", f"file://{tmp_path}/elsewhere")
    hook = StudioPlanOperator(task_id="plan", policy={}, studio_conn_id="studio_test", storage_path=str(storage)).hook
    hook.client.verify()
    hook.log_spending()
    assert len(records(storage)) == 1
    assert not (tmp_path / "elsewhere").exists()


def test_the_reader_finds_the_last_hours_and_reads_a_record_once(storage: UPath) -> None:
    now = datetime.now(UTC)
    for hours in (30, 2, 1):
        recorder = recorder_of(storage, Later(), now - timedelta(hours=hours))
        recorder.note(Sent("GET", "reports", 200, 1.0))
        recorder.flush()
    reader = UsageReader()
    since = now - timedelta(hours=24)
    assert len(reader.records(storage, "acme", since)) == 2
    for path in storage.glob("usage/workspace=acme/*/*.json"):
        path.write_text("{}")
    assert len(reader.records(storage, "acme", since)) == 2


def test_a_record_that_is_damaged_or_of_a_later_version_hurts_nobody(storage: UPath) -> None:
    recorder = recorder_of(storage, Later(), datetime.now(UTC))
    recorder.note(Sent("GET", "reports", 200, 0.0))
    recorder.flush()
    (path,) = storage.glob("usage/workspace=acme/*/*.json")
    later_version = {**json.loads(path.read_text()), "a_new_key": 1}
    (path.parent / "b.json").write_text(json.dumps(later_version))
    (path.parent / "c.json").write_text('{"half": ')
    assert len(UsageReader().records(storage, "acme", datetime.now(UTC) - timedelta(hours=1))) == 2


def test_budgets_add_up_by_token_and_hide_dags_that_may_not_be_read() -> None:
    def record(budget: str, dag: str | None, requests: int, connection: str = "one") -> UsageRecord:
        at = NOON.isoformat()
        return UsageRecord(
            "acme", connection, budget, at, at, dag, "r", "t", requests=requests, endpoints={"GET x": requests}
        )

    since = NOON - timedelta(hours=1)
    made = budgets(
        [record("b1", "shown", 5), record("b1", "secret", 3, "two"), record("b1", None, 2), record("b2", "shown", 100)],
        {"shown"},
        since=since,
        until=NOON + timedelta(hours=1),
    )
    assert [one.total.requests for one in made] == [100, 10], "the busiest token first"
    shared = made[1]
    assert shared.connections == ["one", "two"], "two connections of one token share its budget"
    assert {line.source: line.requests for line in shared.lines} == {("shown", "t"): 5, None: 2}
    assert shared.hidden_requests == 3
    assert sum(count for _at, count, _waited in shared.buckets) == 10
