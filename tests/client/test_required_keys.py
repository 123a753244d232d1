# SPDX-License-Identifier: Apache-2.0
"""The client needs no key of a response that the API does not promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_studio.client import models
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioResponseError
from airflow_provider_studio.emulator import StudioEmulator
from tests.emulator.tables import REQUIRED, keys_of

SHAPES: dict[type[models.Resource], str] = {
    models.Verification: "Verify",
    models.Collection: "Space",
    models.Report: "Report",
    models.ReportRun: "ReportRun",
    models.QueryRun: "QueryRun",
    models.PdfExport: "PdfExport",
    models.Schedule: "ReportSchedule",
    models.Subscription: "ReportSubscription",
    models.Member: "MembershipLite",
    models.ReportFilter: "ReportFilter",
    models.Query: "Query",
    models.DataSource: "DataSource",
    models.SchemaUpdate: "DataSourceSchemaUpdate",
    models.Membership: "Membership",
    models.Group: "UserGroup",
    models.GroupMembership: "UserGroupMembership",
    models.Definition: "Definition",
    models.FormField: "FormField",
    models.DatasetField: "DatasetField",
    models.AuditEntry: "AuditLog",
}
VALUES = {"token": "0a1b2c3d4e5f", "workspace": "acme", "parameters": {}, "archived": False}
A = "0a1b2c3d4e5f"
SUBSCRIPTION = models.Subscription.parse(
    {
        "_links": {
            f"{kind}_subscription_memberships": {"href": f"/api/acme/reports/{A}/subscriptions/{A}/{kind}"}
            for kind in ("email", "slack")
        }
    }
)


def _reports_of_data_source(client: StudioClient) -> Iterator[models.Report]:
    """List them where every page is the same, which is a doubt."""
    return client.list_data_source_reports(A, report_doubt=lambda _doubt: None)


NOT_EMBEDDED = {"list_audit_log", "list_dataset_query_runs"}
"""Listings that are not one response with rows under `_embedded`."""
LISTINGS: dict[str, tuple[str, str, Callable[[StudioClient], Any]]] = {
    "list_collections": ("Space", "spaces", lambda client: client.list_collections()),
    "list_collection_reports": ("Report", "reports", lambda client: client.list_collection_reports(A)),
    "list_dataset_reports": ("DatasetReport", "reports", lambda client: client.list_dataset_reports(A)),
    "list_collection_datasets": ("Report", "reports", lambda client: client.list_collection_datasets(A)),
    "list_schedules": ("ReportSchedule", "report_schedules", lambda client: client.list_schedules(A)),
    "list_dataset_schedules": ("ReportSchedule", "report_schedules", lambda client: client.list_dataset_schedules(A)),
    "list_report_subscriptions": (
        "ReportSubscription",
        "report_subscriptions",
        lambda client: client.list_report_subscriptions(A),
    ),
    "list_schedule_subscriptions": (
        "ReportSubscription",
        "report_subscriptions",
        lambda client: client.list_schedule_subscriptions(A, A),
    ),
    "list_report_filters": ("ReportFilter", "report_filters", lambda client: client.list_report_filters(A)),
    "list_queries": ("Query", "queries", lambda client: client.list_queries(A)),
    "list_data_sources": ("DataSource", "data_sources", lambda client: client.list_data_sources()),
    "list_data_source_reports": ("Report", "reports", _reports_of_data_source),
    "list_data_source_datasets": ("Report", "reports", lambda client: client.list_data_source_datasets(A)),
    "list_members": ("MembershipLite", "memberships", lambda client: client.list_members()),
    "list_memberships": ("Membership", "memberships", lambda client: client.list_memberships()),
    "list_groups": ("UserGroup", "groups", lambda client: client.list_groups()),
    "list_group_memberships": (
        "UserGroupMembership",
        "group_memberships",
        lambda client: client.list_group_memberships(A),
    ),
    "list_definitions": ("Definition", "definitions", lambda client: client.list_definitions()),
    "list_form_fields": ("FormField", "form_fields", lambda client: client.list_form_fields(A, A)),
    "list_dataset_runs": ("ReportRun", "report_runs", lambda client: client.list_dataset_runs(A)),
    "list_dataset_fields": ("DatasetField", "fields", lambda client: client.list_dataset_fields(A)),
    "list_report_runs": ("ReportRun", "report_runs", lambda client: client.list_report_runs(A)),
    "list_query_runs": ("QueryRun", "query_runs", lambda client: client.list_query_runs(A, A)),
    "list_subscribers": (
        "MembershipLite",
        "memberships",
        lambda client: client.list_subscribers(SUBSCRIPTION)["email_subscription_memberships"],
    ),
}


def resources(kind: type[models.Resource] = models.Resource) -> Iterator[type[models.Resource]]:
    for model in kind.__subclasses__():
        yield model
        yield from resources(model)


def promised(shape: str) -> dict[str, Any]:
    """A body of the promised keys alone."""
    letters = {"s": "2026-01-01T00:00:00Z", "i": 1, "n": 1.0, "b": False, "o": {}, "a": []}
    known = keys_of(shape) if shape != "DatasetReport" else {}
    return {
        name: VALUES.get(name, letters[known[name].types[0]] if name in known else "a text")
        for name in REQUIRED[shape].split()
    }


def test_every_kind_of_resource_is_checked() -> None:
    assert set(resources()) == set(SHAPES)


@pytest.mark.parametrize("model", SHAPES, ids=lambda model: model.__name__)
def test_a_model_requires_no_key_that_is_not_promised(model: type[models.Resource]) -> None:
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    assert required <= set(REQUIRED[SHAPES[model]].split())
    model.parse(promised(SHAPES[model]))


def test_every_listing_of_the_client_is_checked() -> None:
    assert {name for name in dir(StudioClient) if name.startswith("list_")} == {*LISTINGS, *NOT_EMBEDDED}


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_listing_is_read_whose_rows_have_the_promised_keys_alone(
    client: StudioClient, emulator: StudioEmulator, listing: str
) -> None:
    shape, key, read = LISTINGS[listing]
    body = {"_embedded": {key: [promised(shape)]}}
    emulator.control.add_fault("status", status=200, body=body, times=None)
    assert len(list(read(client))) == 1


@pytest.mark.parametrize("links", [{}, {"self": None}, {"self": {}}, {"self": {"href": None}}, {"self": {"href": ""}}])
def test_subscriptions_that_nothing_names_are_all_listed(
    client: StudioClient, emulator: StudioEmulator, links: dict[str, Any]
) -> None:
    row = {**promised("ReportSubscription"), "_links": links}
    body = {"_embedded": {"report_subscriptions": [row, row, {**row, "csv_attachments_enabled": True}]}}
    emulator.control.add_fault("status", status=200, body=body, times=None)
    emulator.control.clear_requests()
    listed = list(client.list_schedule_subscriptions(A, A))
    assert [one.token for one in listed] == [None, None, None]
    assert [one.csv_attachments_enabled for one in listed] == [False, False, True]
    assert emulator.control.requests_sent() == 2, "the second page repeats the first"


@pytest.mark.parametrize(
    "href",
    [
        f"/api/acme/reports/{A}/subscriptions/feedfacecafe",
        f"/api/acme/reports/{A}/subscriptions/feedfacecafe/",
        f"https://app.mode.com/api/acme/reports/{A}/subscriptions/feedfacecafe?embed[members]=1",
    ],
)
def test_a_subscription_is_named_by_its_link_to_itself(href: str) -> None:
    body = {**promised("ReportSubscription"), "_links": {"self": {"href": href}}}
    assert models.Subscription.parse(body).token == "feedfacecafe"
    assert models.Subscription.parse(body).to_json() == body


@pytest.mark.parametrize("has_token", [False, True])
def test_a_subscription_has_the_same_name_with_and_without_a_token(
    client: StudioClient, emulator: StudioEmulator, has_token: bool
) -> None:
    emulator.control.set_quirks(subscription_token=has_token)
    report = emulator.control.add_report()
    schedule = emulator.control.add_schedule(report)
    made = client.create_subscription(report, {"csv_attachments_enabled": True})
    assert ("token" in made.to_json()) is has_token
    assert set(emulator.control.state()["subscriptions"]) >= {made.token}
    assert [one.token for one in client.list_schedule_subscriptions(report, schedule)] == [made.token]
    assert made.schedule == schedule
    client.delete_subscription(report, str(made.token))
    assert made.token not in emulator.control.state()["subscriptions"]


def test_a_report_without_its_token_is_an_error(client: StudioClient, emulator: StudioEmulator) -> None:
    emulator.control.add_fault("status", status=200, body={"_embedded": {"reports": [{"name": "x"}]}}, times=None)
    with pytest.raises(StudioResponseError, match="a row has no token"):
        list(client.list_collection_reports(A))
