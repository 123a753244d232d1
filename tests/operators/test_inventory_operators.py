# SPDX-License-Identifier: Apache-2.0
"""The inventory's operators as Airflow runs them: in parts, with CSV and cross-check, resumed by a retry; retention."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from airflow_provider_studio.operators.housekeeping import StudioSnapshotRetentionOperator
from airflow_provider_studio.operators.inventory import StudioInventoryOperator
from airflow_provider_studio.operators.mapped_inventory import (
    StudioBeginInventoryOperator,
    StudioFinishInventoryOperator,
    StudioReadInventoryPartOperator,
)
from tests.connections import connection_of
from tests.governance.inventory.test_discovery_sources import minted
from tests.governance.nights import UPath, write_night
from tests.operators.test_operators import RunDag, run  # noqa: F401  a fixture


def test_a_fleet_takes_one_inventory_with_mapped_tasks(run: RunDag, emulator: StudioEmulator) -> None:  # noqa: F811
    def tasks() -> None:
        begin = StudioBeginInventoryOperator(task_id="begin", parts=3)
        read = StudioReadInventoryPartOperator.partial(task_id="read").expand(part=begin.output)
        read >> StudioFinishInventoryOperator(task_id="finish")

    ran = run(tasks)
    assert ran.state == "success"
    summary = ran.xcom("finish")
    truth = emulator.control.state()
    shared = [one for one in truth["reports"].values() if one["personal_of"] is None]
    assert summary["reports"] + summary["datasets"] == len(shared)
    assert summary["requests_spent"] == emulator.control.requests_sent()


def test_csv_and_cross_check_on_demand(
    run: RunDag,  # noqa: F811
    emulator: StudioEmulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signature = minted(emulator)
    extra = {
        "discovery_token": signature.token,
        "discovery_access_key": signature.access_key,
        "discovery_access_secret": signature.access_secret,
    }
    monkeypatch.setenv("AIRFLOW_CONN_STUDIO_DEFAULT", connection_of(emulator, **extra))
    emulator.control.set_speed(0)
    ran = run(lambda: StudioInventoryOperator(task_id="inventory", csv=True, cross_check="auto") and None)
    summary = ran.xcom("inventory")
    text = Path(summary["csv"].removeprefix("file:")).read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == summary["reports"] + summary["datasets"]
    assert summary["cross_check"]["sources"] == ["rest", "discovery_api"]
    assert summary["cross_check"]["reports"] == summary["reports"]
    assert summary["cross_check"]["differences"] == {}
    assert signature.access_secret not in json.dumps(summary)


def test_retention_drops_what_is_due(run: RunDag, tmp_path: Path) -> None:  # noqa: F811
    storage = UPath(tmp_path / "studio")
    for days in (400, 100, 0):
        write_night(storage, days, {"report": {}})
    ran = run(
        lambda: (
            StudioSnapshotRetentionOperator(
                task_id="retention", every_snapshot_days=30, weekly_days=200, monthly_days=300
            )
            and None
        )
    )
    assert len(ran.xcom("retention")["dropped"]) == 1
    assert len(SnapshotStore(storage, "acme").all()) == 2


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: StudioInventoryOperator(task_id="a", source="snowflake"), "source is 'snowflake'"),
        (lambda: StudioInventoryOperator(task_id="a", cross_check="x"), "source is 'x'"),
        (lambda: StudioBeginInventoryOperator(task_id="a", parts=0), "parts is 0"),
        (lambda: StudioBeginInventoryOperator(task_id="a", source="auto"), "source is 'auto'; an inventory in parts"),
    ],
)
def test_what_makes_no_sense_is_refused_when_the_dag_is_parsed(make: Any, match: str) -> None:
    with DAG("odd", schedule=None), pytest.raises(StudioConfigurationError, match=match):
        make()
