# SPDX-License-Identifier: Apache-2.0
"""The crawl: what it costs, what it reads, and what stays unknown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
from upath import UPath

from airflow_provider_studio.client.errors import StudioAuthenticationError, StudioServerError
from airflow_provider_studio.client.pagination import Page
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.errors import InventoryError, StorageError
from airflow_provider_studio.governance.inventory.inventory import take_inventory
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from tests.conftest import client_of
from tests.governance.conftest import NOW, Governed


def table(path: str, name: str, select: str = "*") -> list[dict[str, Any]]:
    result = duckdb.sql(f"SELECT {select} FROM read_parquet('{path}/{name}.parquet', hive_partitioning = false)")
    return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]


def test_a_workspace_is_read_whole_and_no_personal_collection_is_touched(storage: UPath) -> None:
    with StudioEmulator("acme", reports=300, seed=3) as emulator:
        emulator.control.set_speed(0)
        summary = take_inventory(client_of(emulator), storage)
        truth, asked = emulator.control.state(), emulator.control.requests_summary()["requests"]
    shared = {token: report for token, report in truth["reports"].items() if report["personal_of"] is None}
    rows = {row["token"]: row for row in table(summary.path, "reports")}
    assert set(rows) == set(shared)
    for token, row in rows.items():
        is_dataset = shared[token]["type"] == "DatasetReport"
        assert (row["name"], row["type"]) == (shared[token]["name"], shared[token]["type"])
        assert row["archived"] is (None if is_dataset else shared[token]["archived"])
        assert row["view_count"] == shared[token]["view_count"]
    schedules = {row["token"]: row["report"] for row in table(summary.path, "schedules")}
    expected = {token: schedule["report"] for token, schedule in truth["schedules"].items()}
    assert schedules == {token: report for token, report in expected.items() if report in shared}
    collections = truth["collections"].items()
    personal = [token for token, collection in collections if collection["personal_of"] is not None]
    assert personal
    assert not [request for request in asked if any(token in request["path"] for token in personal)]
    assert summary.datasets == sum(report["type"] == "DatasetReport" for report in shared.values()) > 0
    assert summary.reports == len(shared) - summary.datasets
    assert summary.requests_spent == len(asked)


def test_schedules_are_requested_only_where_a_report_has_some(governed: Governed) -> None:
    scheduled = governed.report(schedules=2)
    for number in range(5):
        governed.report(f"Plain {number}")
    governed.control.clear_requests()
    summary = governed.night()
    sent = governed.control.requests_summary()["requests"]
    paths = [request["path"] for request in sent if "schedules" in request["path"]]
    assert paths == [f"/api/acme/reports/{scheduled}/schedules"]
    assert (summary.scheduled_reports, summary.schedules) == (1, 2)


def test_a_collection_that_is_forbidden_is_named_and_left_out(governed: Governed) -> None:
    governed.report()
    governed.control.forbid_collection(governed.collection)
    summary = governed.night()
    assert summary.unreadable_collections == [governed.collection]
    assert summary.reports == 0


def test_a_collection_removed_during_the_crawl_is_named_and_leaves_no_part(
    governed: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(65):
        governed.report(f"Old {number}")
    listed = governed.client.collection_pages

    def remove_after_the_first_page(collection: str, kind: str, **options: Any) -> Iterator[Page]:
        for page in listed(collection, kind, **options):
            yield page
            if collection == governed.collection:
                governed.control.remove_collection(collection)

    monkeypatch.setattr(governed.client, "collection_pages", remove_after_the_first_page)
    summary = governed.night()
    assert summary.unreadable_collections == [governed.collection]
    assert summary.reports == 0
    assert table(summary.path, "reports") == []


def test_a_listed_report_whose_schedules_are_not_found_stays_with_unknown_schedules(governed: Governed) -> None:
    hidden, other = governed.report(schedules=1), governed.report()
    governed.control.add_fault("status", path=f"{hidden}/schedules", status=404, times=None)
    for days_ago in (2, 1):
        summary = governed.night(days_ago)
        assert {row["token"] for row in table(summary.path, "reports")} == {hidden, other}
        assert (summary.disappeared, summary.schedules) == (0, 0)
    governed.control.clear_faults()
    assert governed.night().schedules == 1


def test_an_error_in_the_middle_leaves_no_snapshot(governed: Governed) -> None:
    governed.report()
    governed.control.add_fault("status", path=f"{governed.collection}/reports", status=500, times=None)
    with pytest.raises(StudioServerError):
        governed.night()
    assert SnapshotStore(governed.storage, "acme").all() == []


def test_a_wrong_secret_leaves_no_snapshot(governed: Governed) -> None:
    governed.control.add_fault("status", status=401, times=None)
    with pytest.raises(StudioAuthenticationError):
        governed.night()
    assert SnapshotStore(governed.storage, "acme").newest() is None


def test_a_token_that_sees_no_collection_makes_no_snapshot(governed: Governed) -> None:
    for token in governed.control.state()["collections"]:
        governed.control.remove_collection(token)
    with pytest.raises(InventoryError, match="sees no Collection of workspace 'acme'"):
        governed.night()
    assert SnapshotStore(governed.storage, "acme").all() == []


def test_storage_that_cannot_be_written_is_found_out_before_any_request(governed: Governed, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    governed.control.clear_requests()
    with pytest.raises(StorageError, match=r"Cannot write .*Set \[studio\] storage_path"):
        take_inventory(governed.client, UPath(blocked / "studio"))
    assert governed.control.requests_sent() == 0


def test_what_studio_does_not_report_is_null_and_not_zero(governed: Governed) -> None:
    body = {"_embedded": {"reports": [{"token": "0123456789ab"}]}, "pagination": {"total_pages": 1}}
    governed.control.add_fault("status", path=f"{governed.collection}/reports", status=200, body=body, times=None)
    governed.control.add_fault(
        "status", path="schedules", status=200, body={"_embedded": {"report_schedules": []}}, times=None
    )
    row = table(governed.night().path, "reports")[0]
    assert {name for name, value in row.items() if value is not None} == {
        "taken_at",
        "token",
        "collection",
        "collection_name",
        "space_type",
        "source",
        "unknown",
        "seen_at",
        "verified_at",
    }


def test_a_report_that_people_may_not_run_says_so(governed: Governed) -> None:
    tokens = governed.report("Only by schedule"), governed.report("By anyone")
    emulator = governed.emulator
    response = requests.patch(
        f"{emulator.url}/api/acme/reports/{tokens[0]}/update_settings",
        json={"report": {"manual_run_disabled": True}},
        auth=emulator.credentials("workspace"),
        timeout=30,
    )
    response.raise_for_status()
    rows = {row["token"]: row["manual_run_disabled"] for row in table(governed.night().path, "reports")}
    assert [rows[token] for token in tokens] == [True, False]


def test_times_are_utc_without_a_zone_and_names_of_any_script_survive(governed: Governed) -> None:
    name = "売上 – Übersicht 'Q1' \"2026\" 🚀\n, и ещё"
    governed.report(name)
    row = table(governed.night(1).path, "reports")[0]
    assert row["name"] == name
    assert row["taken_at"] == NOW.replace(tzinfo=None, day=31, month=5)


def test_snapshots_are_listed_in_order_without_unfinished_ones(governed: Governed) -> None:
    governed.report()
    governed.nights(3, 1, 2)
    store = SnapshotStore(governed.storage, "acme")
    snapshots = store.all()
    times = [snapshot.taken_at for snapshot in snapshots]
    assert times == sorted(times)
    (snapshots[-1].folder / "summary.json").unlink()
    assert store.newest() == snapshots[-2]
    assert snapshots[0].summary()["reports"] == 1


def test_progress_is_reported(governed: Governed) -> None:
    messages: list[str] = []
    governed.night(progress=messages.append)
    assert messages[0].startswith("Collections 1/")
    assert messages[-1].startswith("Snapshot snapshots/workspace=acme/taken_at=")


@pytest.mark.parametrize("kind", ["member", "personal"])
def test_a_members_token_reads_what_the_member_may_see(storage: UPath, kind: str) -> None:
    with StudioEmulator("acme", reports=200, seed=3) as emulator:
        theirs = take_inventory(client_of(emulator, kind), storage / kind)
        everyones = take_inventory(client_of(emulator), storage / "all")
    assert 0 < theirs.reports <= everyones.reports
