# SPDX-License-Identifier: Apache-2.0
"""All of governance with its storage in S3, opened through an Airflow connection as tasks open it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tenacity
from upath import UPath

from airflow_provider_studio import settings
from airflow_provider_studio.governance.errors import StorageError
from airflow_provider_studio.governance.plans.audit import Audit
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.snapshots.csv_export import write_csv
from airflow_provider_studio.governance.snapshots.retention import Retention, retain
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from airflow_provider_studio.governance.storage import check_writable, write_once
from airflow_provider_studio.hooks.usage import remove_old
from airflow_provider_studio.operators.run_record import TaskRecord
from airflow_provider_studio.plugin.cache import StillPreparingError
from airflow_provider_studio.plugin.repository import Repository
from tests.governance.conftest import Governed
from tests.governance.killing import finish, start, work_of
from tests.governance.nights import write_night
from tests.governance.test_storage import hold_to_whole_streams
from tests.s3_server import BUCKET, S3Server, needs_s3

pytestmark = needs_s3
ROOT = f"s3://aws_default@{BUCKET}/studio"


@pytest.fixture(scope="module")
def running() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture
def s3(running: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    running.reset()
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", running.connection)
    monkeypatch.setattr("airflow.sdk.io.store._STORE_CACHE", {})  # a new process knows no server of another test
    return running


@pytest.fixture
def storage(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> UPath:
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", ROOT)
    return settings.storage()


@pytest.mark.slow
def test_a_night_that_is_killed_tried_again_undone_and_shown(
    governed: Governed, storage: UPath, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    governed.report("Dead", schedules=1)
    before = governed.state()
    governed.nights(100, 0)
    plan = governed.plan()
    path = plan.write(storage)
    assert str(path).startswith(ROOT)
    assert Plan.read(path, workspace="acme").header == plan.header

    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    governed.control.clear_requests()
    killed = work_of(
        governed.emulator, UPath(f"s3://{BUCKET}/studio"), UPath(f"s3://{path.path}"), tmp_path / "passed", "apply"
    )
    assert finish(start(replace(killed, kill_at=4))) == -9
    assert (tmp_path / "passed").read_text().splitlines()[-1].startswith("after delete_schedule")
    assert governed.apply(plan).failures == []
    assert governed.apply(plan).already_done == 2
    assert len(governed.changes()) == len(set(governed.changes())) == 2
    assert governed.undo(plan).unarchived == 1
    assert governed.state() == before

    repository = Repository(settings.storage, tmp_path / "cache", patience_seconds=60)
    assert repository.workspaces() == ["acme"]
    assert [one.header.plan_id for one in repository.plans("acme")] == [plan.plan_id]
    assert len(repository.events("acme", plan.plan_id)) == len(Audit(storage, "acme").events()) > 0
    asking_again = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(StillPreparingError),
        wait=tenacity.wait_fixed(0.2),
        stop=tenacity.stop_after_delay(60),
        reraise=True,
    )
    tables = asking_again(repository.snapshot_tables, "acme")
    assert tables is not None
    assert len(json.loads((tables / "snapshots.json").read_text())) == 2
    assert (asking_again(repository.plan_tables, "acme", plan.plan_id) / "verdicts.parquet").exists()
    write_csv(SnapshotStore(storage, "acme").all(), storage / "exports" / "inventory.csv")
    assert "Dead" in (storage / "exports" / "inventory.csv").read_text()


def test_retention_drops_what_nothing_refers_to(storage: UPath) -> None:
    for days_ago in (500, 0):
        write_night(storage, days_ago, {"0a1b2c3d4e5f": {"view_count": 1}})
    assert len(retain(storage, "acme", Retention(every_snapshot_days=1, weekly_days=1, monthly_days=1)).dropped) == 1
    (left,) = SnapshotStore(storage, "acme").all()
    assert [path.name for path in left.folder.parent.iterdir()] == [left.folder.name]


def test_what_others_write_is_seen_at_once(storage: UPath, s3: S3Server) -> None:
    folder = storage / "plans"
    assert not folder.exists()
    for number in range(2):
        s3.client().put_object(Bucket=BUCKET, Key=f"studio/plans/{number}.md", Body=b"by another host")
        assert [path.name for path in folder.iterdir()] == [f"{index}.md" for index in range(number + 1)]
        assert (folder / f"{number}.md").exists()


def test_of_many_writers_at_once_one_wins(storage: UPath) -> None:
    path, won = storage / "event.json", []
    together = threading.Barrier(8)

    def write(number: int) -> None:
        together.wait()
        if write_once(path, b"%d" % number):
            won.append(b"%d" % number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [path.read_bytes()]


def test_a_write_whose_answer_is_lost_was_ours(storage: UPath, s3: S3Server) -> None:
    s3.lost_responses = 1
    assert write_once(storage / "event.json", b"ours")
    assert s3.lost_responses == 0
    assert not write_once(storage / "event.json", b"another's")
    assert (storage / "event.json").read_bytes() == b"ours"


def test_a_stream_that_breaks_leaves_what_was_there(storage: UPath) -> None:
    hold_to_whole_streams(storage / "exports")


def test_a_tasks_record_is_kept_and_old_claims_are_forgotten(storage: UPath) -> None:
    def record(task: str) -> TaskRecord:
        context: Any = {"ti": SimpleNamespace(dag_id="dag", run_id="run", task_id=task, map_index=-1)}
        return TaskRecord(context, "acme")

    old = storage / "claims" / "workspace=acme" / "2026-01-01" / "0123456789ab"
    old.write_bytes(b"long ago")
    assert record("one").read() is None
    record("one").write({"run": "0123456789ab"})
    assert record("one").read() == {"run": "0123456789ab"}
    assert record("one").claim("0123456789ab")
    assert not old.exists()
    assert record("one").claim("0123456789ab"), "its own"
    assert not record("two").claim("0123456789ab")
    record("one").note_kill()
    assert record("one").read() == {"run": "0123456789ab"}


def test_old_usage_records_are_removed(storage: UPath) -> None:
    folder = storage / "usage" / "workspace=acme"
    for day in ("2026-01-01", "2026-06-01"):
        (folder / f"date={day}" / "a.json").write_bytes(b"{}")
    remove_old(folder, date(2026, 3, 1))
    assert [path.name for path in folder.iterdir()] == ["date=2026-06-01"]


def test_a_bucket_that_is_missing_is_named_with_the_mend(s3: S3Server) -> None:
    with pytest.raises(StorageError, match=r"no-such-bucket/.*The specified bucket does not exist.*storage_path"):
        check_writable(settings.storage("s3://aws_default@no-such-bucket/studio"))


def test_a_store_that_cannot_be_reached_is_named_with_the_mend(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", s3.connection.replace(s3.url, "http://127.0.0.1:1"))
    storage = settings.storage(ROOT)
    monkeypatch.setattr(storage.fs, "retries", 1)
    with pytest.raises(StorageError, match=r"Cannot write s3://.*EndpointConnectionError Could not connect"):
        check_writable(storage)
