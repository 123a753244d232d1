# SPDX-License-Identifier: Apache-2.0
"""Workspaces of unusual shapes: huge, empty, partly invisible to the token."""

from __future__ import annotations

import pytest

from airflow_provider_studio.emulator.entities import Collection
from airflow_provider_studio.governance.inventory.discovery_sources import DiscoveryAPI
from tests.governance.conftest import Governed, ago
from tests.governance.inventory.test_discovery_sources import discovery_client
from tests.governance.inventory.test_inventory import table


@pytest.mark.parametrize("many", [1_000, pytest.param(8_000, marks=pytest.mark.slow)])
def test_one_collection_of_very_many_reports(governed: Governed, many: int) -> None:
    world = governed.emulator._state.workspace
    for number in range(many):
        world.new_report(f"Report {number}", governed.collection, "member1", ago(400))
    summary = governed.night()
    pages, end = -(-many // 30), 1
    assert summary.reports == many
    assert len({row["token"] for row in table(summary.path, "reports")}) == many
    assert summary.requests_spent <= 1 + pages + end + 2 * summary.collections


@pytest.mark.parametrize("many", [250, pytest.param(2_000, marks=pytest.mark.slow)])
def test_very_many_empty_collections(governed: Governed, many: int) -> None:
    world = governed.emulator._state.workspace
    for number in range(many):
        world.collections[f"empty{number:04}"] = Collection(f"empty{number:04}", number, f"Empty {number}")
    token = governed.report("Alone", schedules=1)
    summary = governed.night()
    assert summary.collections > many
    assert [row["token"] for row in table(summary.path, "reports")] == [token]
    lists = -(-summary.collections // 30)
    assert summary.requests_spent <= lists + 2 * summary.collections + 8


def test_a_report_taken_out_of_its_collection_is_neither_lost_nor_unknown(governed: Governed) -> None:
    stays, leaves = governed.report("Stays"), governed.report("Leaves", schedules=1)
    governed.night(3)
    governed.control.change_report(leaves, collection=None)
    for days in (2, 1, 0):
        summary = governed.night(days)
        rows = {row["token"]: row for row in table(summary.path, "reports")}
        assert rows.keys() == {stays, leaves}
        assert [rows[leaves][name] for name in ("collection", "collection_name", "unknown")] == [None, None, False]
        assert rows[leaves]["schedules_count"] == 1
        assert (summary.unknown, summary.disappeared) == (0, 0)
    governed.control.remove_report(leaves)
    assert governed.night(-1).disappeared == 1


def test_a_report_in_no_collection_is_reported_by_discovery(governed: Governed) -> None:
    token = governed.report("Nowhere", collection=None)
    assert governed.night(1).reports == 0
    summary = governed.night(source=DiscoveryAPI(discovery_client(governed.emulator)))
    assert [(row["token"], row["collection"]) for row in table(summary.path, "reports")] == [(token, None)]
