# SPDX-License-Identifier: Apache-2.0
"""A response that belongs to another request is an error, for each endpoint that names a resource."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioWrongResourceError
from airflow_provider_studio.client.models import ScheduleInput
from airflow_provider_studio.emulator import StudioEmulator

CRON = ScheduleInput.checked(cron={"freq": "daily", "hour": 5, "minute": 0, "time_zone": "UTC"})


@dataclass(frozen=True)
class Named:
    """Resources of one kind each, of the same Report."""

    collection: str
    report: str
    dataset: str
    schedule: str
    run: str
    source: str


def named(client: StudioClient, emulator: StudioEmulator, number: int) -> Named:
    collection = list(client.list_collections())[number].token
    report = emulator.control.add_report(collection=collection)
    return Named(
        collection,
        report,
        emulator.control.add_report(collection=collection, type="DatasetReport"),
        emulator.control.add_schedule(report),
        client.create_report_run(report).token,
        list(emulator._state.workspace.data_sources)[number],
    )


@pytest.fixture
def pair(client: StudioClient, emulator: StudioEmulator) -> tuple[Named, Named]:
    return named(client, emulator, 0), named(client, emulator, 1)


Call = Callable[[StudioClient, Named], Any]
RESOURCES: dict[str, tuple[Call, str]] = {
    "get_collection": (lambda client, it: client.get_collection(it.collection), "/spaces/{collection}"),
    "get_report": (lambda client, it: client.get_report(it.report), "/reports/{report}"),
    "get_dataset": (lambda client, it: client.get_dataset(it.dataset), "/datasets/{dataset}"),
    "get_report_run": (lambda client, it: client.get_report_run(it.report, it.run), "/reports/{report}/runs/{run}"),
    "get_schedule": (
        lambda client, it: client.get_schedule(it.report, it.schedule),
        "/reports/{report}/schedules/{schedule}",
    ),
    "get_data_source": (lambda client, it: client.get_data_source(it.source), "/data_sources/{source}"),
    "archive_report": (lambda client, it: client.archive_report(it.report), "/reports/{report}"),
    "unarchive_report": (lambda client, it: client.unarchive_report(it.report), "/reports/{report}"),
    "update_report": (lambda client, it: client.update_report(it.report, name="New"), "/reports/{report}"),
    "update_collection": (
        lambda client, it: client.update_collection(it.collection, name="New"),
        "/spaces/{collection}",
    ),
    "update_schedule": (
        lambda client, it: client.update_schedule(it.report, it.schedule, CRON),
        "/reports/{report}/schedules/{schedule}",
    ),
    "create_report_run": (lambda client, it: client.create_report_run(it.report), "/reports/{report}/runs/{run}"),
    "create_schedule": (
        lambda client, it: client.create_schedule(it.report, CRON),
        "/reports/{report}/schedules/{schedule}",
    ),
}
LISTINGS: dict[str, tuple[Call, str]] = {
    "list_collection_reports": (
        lambda client, it: list(client.list_collection_reports(it.collection)),
        "/spaces/{collection}/reports",
    ),
    "list_schedules": (lambda client, it: list(client.list_schedules(it.report)), "/reports/{report}/schedules"),
    "list_schedule_subscriptions": (
        lambda client, it: list(client.list_schedule_subscriptions(it.report, it.schedule)),
        "/reports/{report}/schedules/{schedule}/subscriptions",
    ),
    "list_report_runs": (lambda client, it: list(client.list_report_runs(it.report)), "/reports/{report}/runs"),
    "newest_report_runs": (lambda client, it: client.newest_report_runs(it.report), "/reports/{report}/runs"),
    "list_report_filters": (
        lambda client, it: list(client.list_report_filters(it.report)),
        "/reports/{report}/filters",
    ),
}


@pytest.mark.parametrize("name", [*RESOURCES, *LISTINGS])
def test_the_response_to_another_request_is_an_error_that_names_it(
    client: StudioClient, emulator: StudioEmulator, pair: tuple[Named, Named], name: str
) -> None:
    mine, theirs = pair
    call, path = (RESOURCES | LISTINGS)[name]
    call(client, mine)
    emulator.control.add_fault("mix_up", other_path=f"/api/acme{path.format(**vars(theirs))}")
    with pytest.raises(StudioWrongResourceError, match=r"the response is that of .*may have confused two requests"):
        call(client, mine)


def test_each_method_that_names_one_resource_is_tested() -> None:
    methods = {name for name in vars(StudioClient) if name.startswith(("get_", "update_", "archive_", "unarchive_"))}
    assert methods <= set(RESOURCES)


def test_a_listing_without_a_link_to_itself_is_not_refused(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report()
    body = {"_embedded": {"report_schedules": []}}
    emulator.control.add_fault("status", status=200, body=body, path="/schedules$")
    assert list(client.list_schedules(report)) == []
