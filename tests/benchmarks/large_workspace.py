# SPDX-License-Identifier: Apache-2.0
"""The storage of a large workspace, written directly with DuckDB: many Reports, a season of snapshots, a plan with its
journal, and the usage records of one day."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
from upath import UPath

from airflow_provider_studio.governance.layout import usage_day_folder
from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.plans.journal import Event, Journal
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.snapshots.schema import kinds_of
from airflow_provider_studio.governance.snapshots.store import (
    SnapshotStore,
    plain_time,
)
from airflow_provider_studio.governance.storage import file_stamp
from airflow_provider_studio.hooks.usage import UsageRecord

WORKSPACE = "large"
_REPORT = {
    "token": "substr(md5(i::VARCHAR), 1, 12)",
    "name": "'Report ' || i || CASE i % 3 WHEN 0 THEN ' weekly review' WHEN 1 THEN ' — draft' ELSE '' END",
    "type": "'Report'",
    "collection": "'c' || (i % 200)",
    "collection_name": "'Collection ' || (i % 200)",
    "creator": "'member' || (i % 500)",
    "archived": "i % 7 = 0",
    "created_at": "TIMESTAMP '2024-01-01' + INTERVAL (i % 300) DAY",
    "edited_at": "TIMESTAMP '2024-12-01' + INTERVAL (i % 300) DAY",
    "last_run_at": "$taken_at - INTERVAL (i % 40) HOUR",
    "last_run_by_schedule": "i % 10 = 0",
    "last_run_failed": "i % 13 = 0",
    "view_count": "(i % 1000) + CASE WHEN i % 251 = 0 THEN 0 ELSE $night * (1 + i % 5) END",
    "runs_count": "(i % 500) + $night * (i % 3)",
    "schedules_count": "(i % 10 = 0)::BIGINT",
    "expected_runtime_seconds": "12.5",
    "web_url": "'https://app.mode.com/large/reports/' || substr(md5(i::VARCHAR), 1, 12)",
    "seen_at": "$taken_at",
    "verified_at": "$taken_at",
    "is_embedded": "false",
    "public": "false",
}
_SCHEDULE = {
    "token": "'5' || substr(md5(i::VARCHAR), 2, 11)",
    "report": _REPORT["token"],
    "name": "'Every day'",
    "frequency": "'daily'",
    "freq": "'daily'",
    "hour": "6",
    "last_run_at": "$taken_at - INTERVAL 1 HOUR",
    "subscriber_count": "0",
}


def write_workspace(storage: UPath, *, reports: int, nights: int) -> Plan:
    """Write a workspace with snapshots a little more than a day apart, so that 90 of them cover 90 days."""
    newest = datetime.now(UTC) - timedelta(hours=8)
    store = SnapshotStore(storage, WORKSPACE)
    with duckdb.connect() as connection:
        for night in range(nights):
            taken_at = newest - timedelta(hours=25) * (nights - 1 - night)
            folder = Path(store.root.path) / f"taken_at={file_stamp(taken_at)}"
            folder.mkdir(parents=True)
            for table, columns, expressions, step in (
                ("reports", kinds_of("reports"), _REPORT, 1),
                ("schedules", kinds_of("schedules"), _SCHEDULE, 10),
            ):
                selected = ", ".join(
                    f"({_value(expressions, name)})::{kind} AS {name}" for name, kind in columns.items()
                )
                sql = f"SELECT {selected} FROM range(0, {reports}, {step}) AS numbers(i) ORDER BY token"
                sql = sql.replace("$taken_at", f"TIMESTAMP '{plain_time(taken_at)}'").replace("$night", str(night))
                target = f"{folder}/{table}.parquet"
                connection.execute(f"COPY ({sql}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
            (folder / "summary.json").write_text("{}")
    plan = make_plan(storage, WORKSPACE, StalenessPolicy(unviewed_days=90))
    plan.write(storage)
    _carry_out(storage, plan)
    _write_usage(storage)
    return plan


def _value(expressions: dict[str, str], name: str) -> str:
    return "$taken_at" if name == "taken_at" else expressions.get(name, "NULL")


def _carry_out(storage: UPath, plan: Plan) -> None:
    actor = {"dag": "nightly", "run": "r1", "task": "apply", "try": "1", "approver": "ada"}
    journal = Journal(storage, WORKSPACE, plan.plan_id, actor=actor)
    for action in plan.actions:
        journal.write(action, Event.INTENT, backup={"machine_values": {"cron": {"freq": "daily"}}})
        journal.write(action, Event.DONE)


def _write_usage(storage: UPath) -> None:
    """Write one usage record per minute of one day."""
    now = datetime.now(UTC)
    for minute in range(24 * 60):
        at = now - timedelta(minutes=minute)
        task = ("inventory", "apply", "refresh")[minute % 3]
        record = UsageRecord(
            WORKSPACE, "studio_default", "0123456789ab", at.isoformat(), at.isoformat(), "nightly", "r1", task
        )
        record.requests, record.seconds_waited, record.endpoints = 200, 12.0, {"GET reports": 200}
        folder = Path(usage_day_folder(storage, WORKSPACE, at).path)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{file_stamp(at)}.json").write_text(json.dumps(asdict(record)))
