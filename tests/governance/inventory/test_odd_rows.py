# SPDX-License-Identifier: Apache-2.0
"""Rows that are not as the API promises, Collections that may not be read, and counters that are wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_studio.governance.errors import InventoryError
from airflow_provider_studio.governance.inventory.discovery_sources import DiscoveryAPI
from tests.conftest import slow
from tests.governance.conftest import Governed, ago
from tests.governance.inventory.test_discovery_sources import discovery_client
from tests.governance.inventory.test_inventory import table

ODD = {
    "naive time": {"edited_at": '"2024-01-31T08:15:00"'},
    "blank time": {"last_run_at": '""'},
    "time before all": {"created_at": '"0001-01-01T00:00:00+14:00"'},
    "no links": {"_links": "null"},
    "blank number": {"view_count": '""'},
    "boolean": {"view_count": "true"},
    "half of a character": {"name": '"a\\ud800"'},
    "more than 63 bits": {"view_count": str(2**70)},
    "negative": {"schedules_count": "-1"},
    "huge": {"schedules_count": str(10**12)},
    "no number": {"expected_runtime": '"NaN"'},
}
FEW = ("blank time", "half of a character", "more than 63 bits", "negative")


@pytest.mark.parametrize("odd", [*FEW, *slow(*(name for name in ODD if name not in FEW))])
def test_a_report_with_an_odd_value_is_unknown_and_named(governed: Governed, odd: str) -> None:
    token, other = governed.report("Old", schedules=1), governed.report("Other")
    governed.nights(100, 1)
    new = governed.report("New")
    governed.control.set_quirks(odd_fields={token: ODD[odd], new: ODD[odd]})
    summary = governed.night()
    rows = {row["token"]: row for row in table(summary.path, "reports")}
    assert {name: rows[name]["unknown"] for name in (token, new, other)} == {token: True, new: True, other: False}
    assert rows[token]["name"] == "Old"
    assert rows[token]["seen_at"] == ago(1).replace(tzinfo=None)
    assert (rows[token]["view_count"], rows[token]["collection"]) == (None, governed.collection)
    field = next(iter(ODD[odd]))
    assert (summary.invalid, summary.unknown, summary.reports) == (2, 2, 1)
    assert all(any(name in text and field in text for text in summary.invalid_rows) for name in (token, new))
    spared = {spared.report: spared.detail for spared in governed.plan().spared}
    assert f"it could not be read since {ago(1):%Y-%m-%d}: Report {token}: {field} is not as" in spared[token]
    governed.control.set_quirks(odd_fields={})
    assert (governed.night(-1).unknown, governed.plan().actions != ()) == (0, True)


def test_too_many_odd_rows_are_no_snapshot(governed: Governed) -> None:
    for number in range(21):
        governed.report(f"Old {number}")
    governed.control.set_quirks(odd_fields={"*": {"edited_at": '""'}})
    with pytest.raises(InventoryError, match=r"21 of 21 Reports have a value .*, such as Report \w+: edited_at is not"):
        governed.night()


@pytest.mark.parametrize(
    "schedule", [{"last_run_at": "2024-01-31T08:15:00"}, {"timeout": ""}, {"name": 7}, {"_links": None}]
)
def test_an_odd_schedule_makes_the_schedules_of_its_report_unknown(
    governed: Governed, schedule: dict[str, Any]
) -> None:
    token, other = governed.report(schedules=1), governed.report("Other", schedules=1)
    body = {"_embedded": {"report_schedules": [{"token": "0a1b2c3d4e5f", **schedule}]}}
    governed.control.add_fault("status", path=f"{token}/schedules", status=200, body=body, times=None)
    summary = governed.night()
    assert [row["report"] for row in table(summary.path, "schedules")] == [other]
    rows = {row["token"]: row["verified_at"] for row in table(summary.path, "reports")}
    assert rows[token] is None
    assert rows[other] is not None


@pytest.mark.parametrize("value", [7, {"a": 1}])
def test_an_odd_value_of_a_collection_is_unknown(governed: Governed, value: Any) -> None:
    token = governed.report()
    row = {"token": governed.collection, "name": value, "restricted": "perhaps"}
    body = {"_embedded": {"spaces": [row]}}
    governed.control.add_fault("status", path="spaces$", status=200, body=body, times=None)
    assert [(row["token"], row["collection_name"]) for row in table(governed.night().path, "reports")] == [
        (token, None)
    ]


@pytest.mark.parametrize("token", ["", "a/b", "..", 7])
def test_a_token_that_cannot_be_one_is_an_error_that_names_its_page(governed: Governed, token: Any) -> None:
    body = {"_embedded": {"reports": [{"token": token}]}}
    governed.control.add_fault("status", path=f"{governed.collection}/reports", status=200, body=body, times=None)
    with pytest.raises(Exception, match=rf"{governed.collection}/reports, page 1: (a row has no token|the token )"):
        governed.night()


# Collections that may not be read


def personal_report(governed: Governed) -> tuple[str, str]:
    collections = governed.control.state()["collections"].items()
    personal = next(token for token, collection in collections if collection["personal_of"] is not None)
    return personal, governed.report("Private", collection=personal)


def test_a_filter_that_is_ignored_shows_nobody_what_is_personal(governed: Governed) -> None:
    personal, private = personal_report(governed)
    shared = governed.report("Shared")
    governed.control.set_quirks(collection_filter="ignored")
    governed.control.clear_requests()
    governed.nights(100, 1)
    summary = governed.night()
    rows = {row["token"]: row["space_type"] for row in table(summary.path, "reports")}
    assert rows == {shared: "community"}
    assert summary.personal_collections_dropped > 0
    assert not [request for request in governed.control.requests_summary()["requests"] if personal in request["path"]]
    assert {action.report for action in governed.plan().actions} == {shared}
    assert private not in json.dumps(summary.to_dict())


def test_who_asks_for_all_collections_gets_personal_ones_too(governed: Governed) -> None:
    _, private = personal_report(governed)
    summary = governed.night(collection_filter="all")
    assert {row["token"]: row["space_type"] for row in table(summary.path, "reports")} == {private: "private"}
    assert summary.personal_collections_dropped == 0


def test_discovery_that_lists_personal_collections_shows_none_of_them(governed: Governed) -> None:
    _, private = personal_report(governed)
    shared = governed.report("Shared")
    source = DiscoveryAPI(discovery_client(governed.emulator), include_personal=True)
    summary = governed.night(source=source)
    assert [row["token"] for row in table(summary.path, "reports")] == [shared]
    assert summary.personal_collections_dropped > 0
    assert private not in {row["token"] for row in table(summary.path, "reports")}


# Counters and lists that disagree


def test_a_list_of_schedules_is_read_to_its_end_whatever_the_report_counts(governed: Governed) -> None:
    token = governed.report(schedules=2)
    governed.control.set_quirks(schedules_count="at_most_one")
    assert len(table(governed.night().path, "schedules")) == 2
    governed.control.set_quirks(schedules_count="right", page_sizes={token: 1})
    assert len(table(governed.night(-1).path, "schedules")) == 2


def test_schedules_that_a_counter_denies_are_looked_for(governed: Governed) -> None:
    governed.report(schedules=1)
    governed.night(1)
    governed.control.set_quirks(schedules_count="zero")
    assert len(table(governed.night().path, "schedules")) == 1


def test_a_part_of_the_members_proves_of_nobody_that_they_left(governed: Governed) -> None:
    people = list(governed.emulator._state.workspace.people)
    governed.report(creator=people[-1])
    governed.nights(100, 1)
    governed.night()
    policy = {"unviewed_days": 400, "owner_left_days": 30}
    assert governed.plan(**policy).actions == ()
    governed.control.set_quirks(members_lite="first_page")
    assert governed.plan(**policy).actions == ()


# Reports that a listing lacks for a night


def test_a_collection_that_lists_nothing_for_a_night_loses_nothing(governed: Governed) -> None:
    workspace = governed.emulator._state.workspace
    full = governed.control.add_collection("Full")
    tokens = {workspace.new_report(f"Old {number}", full, "member1", ago(400)).token for number in range(60)}
    for number in range(300):
        workspace.new_report(f"Other {number}", governed.collection, "member1", ago(400))
    governed.night(2)
    governed.control.set_quirks(empty_collections=[full])
    summary = governed.night(1)
    rows = {row["token"]: row["unknown"] for row in table(summary.path, "reports")}
    assert tokens <= set(rows)
    assert (summary.disappeared, summary.unknown) == (0, 55)
    assert summary.incomplete_listings == [f"reports of Collection {full}: it lacks 5 or more that exist"]
    governed.control.set_quirks(empty_collections=[])
    assert (governed.night().unknown, governed.night(-1).incomplete_listings) == (0, [])


def test_many_reports_that_have_disappeared_are_named(governed: Governed, caplog: pytest.LogCaptureFixture) -> None:
    tokens = [governed.report(f"Old {number}") for number in range(16)]
    governed.night(1)
    for token in tokens[:12]:
        governed.control.remove_report(token)
    summary = governed.night(max_shrink=1)
    assert summary.disappeared == 12
    assert set(summary.disappeared_reports) == {f"Old {number} ({token})" for number, token in enumerate(tokens[:12])}
    assert "12 Reports have disappeared since the previous snapshot, such as Old" in caplog.text


def test_a_plan_lists_the_schedules_of_a_report_that_counts_none(governed: Governed) -> None:
    token, plain = governed.report(schedules=2), governed.report("Plain")
    governed.control.set_quirks(schedules_count="zero")
    governed.nights(100, 1)
    governed.night()
    kinds = [(action.kind.value, action.report) for action in governed.plan().actions]
    assert kinds.count(("delete_schedule", token)) == 2
    assert {report for kind, report in kinds if kind == "archive_report"} == {token, plain}


@pytest.mark.parametrize("odd", [{"edited_at": "yesterday"}, {"name": 7}, {"created_at": "0001-01-01T00:00:00+14:00"}])
def test_a_report_of_discovery_with_an_odd_value_is_unknown_and_named(governed: Governed, odd: dict[str, Any]) -> None:
    token, other = governed.report("Old"), governed.report("Other")
    rows = [{"token": token, **odd}, {"token": other, "name": "Other"}]
    body = {
        "reports": rows,
        "pagination": {"page": 1, "total_pages": 1, "total_count": 2, "count": 2, "per_page": 1000},
    }
    governed.control.add_fault("status", path="/batch/acme/reports", status=200, body=body, times=None)
    summary = governed.night(source=DiscoveryAPI(discovery_client(governed.emulator)))
    found = {row["token"]: row["unknown"] for row in table(summary.path, "reports")}
    assert found == {token: True, other: False}
    assert (summary.invalid, summary.invalid_rows[0].startswith(f"Report {token}: ")) == (1, True)
