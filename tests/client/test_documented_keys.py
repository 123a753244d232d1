# SPDX-License-Identifier: Apache-2.0
"""Each documented key of each response is removed in turn: the client returns the rest, or names the key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_studio.client import models
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.completeness import ListingProgress
from airflow_provider_studio.client.discovery import Batch
from airflow_provider_studio.client.errors import StudioError
from airflow_provider_studio.client.schedule_values import Cron, ScheduleInput
from airflow_provider_studio.emulator import StudioEmulator
from tests.client.test_required_keys import LISTINGS, SUBSCRIPTION, A
from tests.conftest import client_of, slow
from tests.emulator.tables import keys_of, links_of
from tests.governance.inventory.test_discovery_sources import discovery_client

Body = dict[str, Any]
NOTHING: dict[str, str] = {
    "clock_offset": "from the header Date",
    "declared_kind": "sends nothing",
    "close": "no response",
    "create_invite": "the response is returned as it is",
    "delete_schedule": "no response",
    "delete_subscription": "no response",
    "download_pdf": "a file",
    "exchange": "the response is returned as it is",
    "download_query_run_results": "a file",
    "delete_definition": "no response",
    "delete_group": "no response",
    "delete_group_membership": "no response",
    "delete_membership": "no response",
    "download_run_results": "a file",
    "iterate": "rows are returned as they are",
    "last_status": "no request",
    "list_audit_log": "tests/client/test_audit_log.py",
    "list_dataset_query_runs": "two responses: tests/client/test_resources.py",
    "proxy": "no request",
    "purge_data_source_results": "no response",
    "purge_results": "no response",
    "sync_report_to_github": "the response is not described",
    "request": "the response is returned as it is",
    "spending": "no request",
    "token_kind": "from the response of `verify`",
    "with_caution": "no request",
    "with_priority": "no request",
    "workspace": "no request",
}
"""Members of the client without a documented response of their own."""
VALUES = {"token": A, "workspace": "acme", "archived": True, "name": "A name", "api_key_scope": "workspace"}
LETTERS: Body = {"s": "2026-01-01T00:00:00Z", "i": 1, "n": 1.5, "b": False, "o": {}, "a": []}
SCHEDULE = ScheduleInput(cron=Cron(freq="daily", hour=6, minute=0, time_zone="UTC"))


@dataclass(frozen=True)
class Single:
    """A method of the client whose response is one resource.

    :param kind: the kind of token that may call it.
    """

    shape: str
    call: Callable[[StudioClient], models.Resource]
    kind: str = "workspace"


SINGLES = {
    "verify": Single("Verify", lambda client: client.verify()),
    "get_collection": Single("Space", lambda client: client.get_collection(A)),
    "get_report": Single("Report", lambda client: client.get_report(A)),
    "get_dataset": Single("Dataset", lambda client: client.get_dataset(A)),
    "update_report": Single("Report", lambda client: client.update_report(A, name="A name")),
    "archive_report": Single("Report", lambda client: client.archive_report(A)),
    "unarchive_report": Single("Report", lambda client: client.unarchive_report(A)),
    "create_collection": Single("Space", lambda client: client.create_collection("A name")),
    "update_collection": Single("Space", lambda client: client.update_collection(A, name="A name")),
    "get_report_run": Single("ReportRun", lambda client: client.get_report_run(A, A)),
    "create_report_run": Single("ReportRun", lambda client: client.create_report_run(A)),
    "clone_report_run": Single("Report", lambda client: client.clone_report_run(A, A), "personal"),
    "request_pdf": Single("PdfExport", lambda client: client.request_pdf(A, A)),
    "get_schedule": Single("ReportSchedule", lambda client: client.get_schedule(A, A)),
    "create_schedule": Single("ReportSchedule", lambda client: client.create_schedule(A, SCHEDULE)),
    "update_schedule": Single("ReportSchedule", lambda client: client.update_schedule(A, A, SCHEDULE)),
    "create_subscription": Single("ReportSubscription", lambda client: client.create_subscription(A, {})),
    "get_subscription": Single("ReportSubscription", lambda client: client.get_subscription(A, A)),
    "update_subscription": Single("ReportSubscription", lambda client: client.update_subscription(A, A, {})),
    "get_dataset_run": Single("ReportRun", lambda client: client.get_dataset_run(A, A)),
    "create_dataset_run": Single("DatasetRun", lambda client: client.create_dataset_run(A)),
    "get_membership": Single("Membership", lambda client: client.get_membership(A)),
    "get_group": Single("UserGroup", lambda client: client.get_group(A)),
    "create_group": Single("UserGroup", lambda client: client.create_group("A name")),
    "update_group": Single("UserGroup", lambda client: client.update_group(A, name="A name")),
    "get_group_membership": Single("UserGroupMembership", lambda client: client.get_group_membership(A, A)),
    "create_group_membership": Single("UserGroupMembership", lambda client: client.create_group_membership(A, A)),
    "get_definition": Single("Definition", lambda client: client.get_definition(A)),
    "create_definition": Single("Definition", lambda client: client.create_definition("A name", "1")),
    "update_definition": Single("Definition", lambda client: client.update_definition(A, name="A name")),
    "get_data_source": Single("DataSource", lambda client: client.get_data_source(A)),
    "create_schema_update": Single("DataSourceSchemaUpdate", lambda client: client.create_schema_update(A)),
    "get_query": Single("Query", lambda client: client.get_query(A, A)),
    "create_query": Single("Query", lambda client: client.create_query(A, "SELECT 1", data_source_id=1)),
    "update_query": Single("Query", lambda client: client.update_query(A, A, name="A name")),
    "get_query_run": Single("QueryRun", lambda client: client.get_query_run(A, A, A)),
}
_SHAPES = {
    "list_collection_datasets": "Dataset",
    "list_data_source_datasets": "Dataset",
    "list_dataset_reports": "ReportOfDataset",
}
LISTS: dict[str, tuple[str, str, Callable[[StudioClient], Any]]] = {
    **{name: (_SHAPES.get(name, shape), key, read) for name, (shape, key, read) in LISTINGS.items()},
    "newest_dataset_runs": ("ReportRun", "report_runs", lambda client: client.newest_dataset_runs(A)),
    "newest_report_runs": ("ReportRun", "report_runs", lambda client: client.newest_report_runs(A)),
    "collection_pages": (
        "Report",
        "reports",
        lambda client: list(  # the pages until the end is proven may repeat a row
            {
                str(row): models.Report.parse(row)
                for page in client.collection_pages(A, "reports", progress=ListingProgress())
                for row in page.rows
            }.values()
        ),
    ),
}
BATCHES: dict[Batch, str] = {
    "reports": "DiscoveryReport",
    "report_stats": "DiscoveryReportStats",
    "queries": "DiscoveryQuery",
    "charts": "DiscoveryChart",
    "spaces": "DiscoverySpace",
    "members": "DiscoveryMember",
}


def one_of_each_shape(methods: Mapping[str, str]) -> list[Any]:
    """Return the methods as parameters; only `make test-all` runs a further one with the same shape.

    :param methods: each with the shape of its response.
    """
    first = {shape: method for method, shape in reversed(methods.items())}
    return [*first.values(), *slow(*(method for method in methods if method not in first.values()))]


SINGLE_METHODS = one_of_each_shape({name: single.shape for name, single in SINGLES.items()})
LIST_METHODS = one_of_each_shape({name: shape for name, (shape, _, _) in LISTS.items()})


def documented(shape: str) -> Body:
    """Return a body with every documented key and link of a shape."""
    letters = {name: "s" if "s" in key.types else key.types[0] for name, key in keys_of(shape).items()}
    keys = {name: VALUES.get(name, LETTERS[letter]) for name, letter in letters.items()}
    if shape.startswith("Discovery"):
        return keys
    links = {name: {"href": f"/api/acme/{name}/{A}"} for name in sorted(links_of(shape) | {"self"})}
    return {**keys, "_links": links, "_forms": {"edit": {}}}


def without_each_key(body: Body) -> dict[str, Body]:
    """Return the body without each of its keys and links, by the key that it lacks."""
    bodies = {name: {key: value for key, value in body.items() if key != name} for name in body}
    for name in body.get("_links", {}):
        bodies[f"_links.{name}"] = {
            **body,
            "_links": {key: body["_links"][key] for key in body["_links"] if key != name},
        }
    return bodies


def rest(read: Any) -> Any:
    """Return what the client read, as the response had it."""
    return read.to_json() if isinstance(read, models.Resource) else read


def outcome(call: Callable[[], Any], missing: str, expected: Any) -> str | None:
    """Return what is wrong with what the client makes of a response that lacks a key; None if nothing is."""
    try:
        found = call()
    except StudioError as error:
        return None if missing.removeprefix("_links.") in str(error) else f"without {missing}: {error}"
    except Exception as error:  # noqa: BLE001  any other error is the finding
        return f"without {missing}: {error!r}"
    return None if found == expected else f"without {missing}: {found!r}"


def respond(emulator: StudioEmulator, body: Body) -> None:
    emulator.control.clear_faults()
    emulator.control.add_fault("status", status=200, body=body, times=None)


def test_every_method_of_the_client_is_checked() -> None:
    members = {name for name in dir(StudioClient) if not name.startswith("_")} | {"workspace"}
    assert members == SINGLES.keys() | LISTS.keys() | NOTHING.keys()


@pytest.mark.parametrize("method", SINGLE_METHODS)
def test_a_resource_that_lacks_a_documented_key_is_read_or_the_key_is_named(
    emulator: StudioEmulator, method: str
) -> None:
    single, found = SINGLES[method], []
    with client_of(emulator, single.kind) as client:
        _ = client.token_kind
        for missing, body in without_each_key(documented(single.shape)).items():
            respond(emulator, body)
            found.append(outcome(lambda: rest(single.call(client)), missing, body))
    assert [problem for problem in found if problem] == []


@pytest.mark.parametrize("method", LIST_METHODS)
def test_a_row_that_lacks_a_documented_key_is_listed_or_the_key_is_named(
    client: StudioClient, emulator: StudioEmulator, method: str
) -> None:
    shape, key, read = LISTS[method]
    found = []
    for missing, row in without_each_key(documented(shape)).items():
        respond(emulator, {"_embedded": {key: [row]}})
        found.append(outcome(lambda: [rest(each) for each in read(client)], missing, [row]))
    assert [problem for problem in found if problem] == []


@pytest.mark.parametrize("method", [*LISTS][:2] + slow(*[*LISTS][2:]))
def test_a_listing_that_lacks_a_documented_key_around_its_rows_is_read_or_the_key_is_named(
    client: StudioClient, emulator: StudioEmulator, method: str
) -> None:
    shape, key, read = LISTS[method]
    row, found = documented(shape), []
    counters = {"page": 1, "per_page": 30, "count": 1, "total_pages": 1, "total_count": 1}
    whole = {"_embedded": {key: [row]}, "_links": {"self": {"href": "/"}}, "pagination": counters}
    bodies = {name: {other: value for other, value in whole.items() if other != name} for name in whole}
    bodies |= {
        name: {**whole, "pagination": {other: count for other, count in counters.items() if other != name}}
        for name in counters
    }
    bodies[key] = {**whole, "_embedded": {}}
    for missing, body in bodies.items():
        respond(emulator, body)
        found.append(outcome(lambda: [rest(each) for each in read(client)], missing, [row]))
    assert [problem for problem in found if problem] == []


@pytest.mark.parametrize("batch", BATCHES)
def test_a_row_of_discovery_that_lacks_a_documented_key_is_read_or_the_key_is_named(
    emulator: StudioEmulator, batch: Batch
) -> None:
    client = discovery_client(emulator)
    counters, found = {"total_pages": 1}, []
    row = documented(BATCHES[batch])
    bodies = {name: {batch: [each], "pagination": counters} for name, each in without_each_key(row).items()}
    bodies |= {batch: {"pagination": counters}, "pagination": {batch: [row]}, "total_pages": {batch: [row]}}
    for missing, body in bodies.items():
        respond(emulator, body)
        expected = body.get(batch, [])
        found.append(outcome(lambda: [each for rows in client.batches(batch) for each in rows], missing, expected))
    client.close()
    assert [problem for problem in found if problem] == []


def test_subscribers_are_those_of_the_links_that_a_subscription_has(
    client: StudioClient, emulator: StudioEmulator
) -> None:
    respond(emulator, {"_embedded": {"memberships": [{"email": "ada@example.com"}]}})
    for relation in SUBSCRIPTION.links:
        links = {name: link for name, link in SUBSCRIPTION.links.items() if name != relation}
        read = client.list_subscribers(models.Subscription.parse({"_links": links}))
        assert read.keys() == links.keys()
