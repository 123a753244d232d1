# SPDX-License-Identifier: Apache-2.0
"""The resources around a Report: members, subscribers, filters, and the Reports that a dataset feeds."""

from __future__ import annotations

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioResponseError
from airflow_provider_studio.client.models import Subscription
from airflow_provider_studio.emulator import StudioEmulator


def test_members_are_read_with_one_request(client: StudioClient, emulator: StudioEmulator) -> None:
    emulator.control.clear_requests()
    members = client.list_members()
    assert members
    assert all(one.username and "@" in (one.email or "") for one in members)
    assert emulator.control.requests_sent() == 1


def test_members_that_are_no_list_are_an_error(client: StudioClient, emulator: StudioEmulator) -> None:
    emulator.control.add_fault("status", path="/memberships", status=200, body={"_embedded": {"memberships": [1]}})
    with pytest.raises(StudioResponseError, match="memberships/lite"):
        client.list_members()


def test_who_is_behind_a_subscription(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report()
    emulator.control.add_schedule(report)
    subscription = client.create_subscription(report, {"csv_attachments_enabled": True})
    assert client.list_subscribers(subscription) == {
        "email_subscription_memberships": [],
        "slack_subscription_memberships": [],
    }


@pytest.mark.parametrize("href", ["https://elsewhere.example.com/api/acme/x", "/api/other/x", None])
def test_a_link_that_leaves_the_workspace_is_not_followed(
    client: StudioClient, emulator: StudioEmulator, href: str | None
) -> None:
    emulator.control.clear_requests()
    links = {"email_subscription_memberships": {"href": href}}
    assert client.list_subscribers(Subscription.parse({"_links": links})) == {}
    assert emulator.control.requests_sent() == 0


def test_filters_and_what_a_dataset_feeds(client: StudioClient, emulator: StudioEmulator) -> None:
    dataset = emulator.control.add_report(type="DatasetReport")
    report = emulator.control.add_report(imported_datasets=[dataset])
    assert list(client.list_report_filters(report)) == []
    assert [one.token for one in client.list_dataset_reports(dataset)] == [report]


def test_the_status_of_the_last_request_is_known(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report()
    assert client.last_status is None
    client.archive_report(report)
    assert client.last_status in {200, 202}
