# SPDX-License-Identifier: Apache-2.0
"""The resources around a Report: members, subscribers, filters, and the Reports that a dataset feeds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioResponseError
from airflow_provider_studio.client.models import PdfExport, Subscription
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


# The PDF of a run


def _finished(client: StudioClient, emulator: StudioEmulator, report: str) -> tuple[str, PdfExport]:
    run = client.create_report_run(report).token
    emulator.control.advance(timedelta(minutes=1))  # the run succeeds; then the PDF is rendered
    assert not client.request_pdf(report, run).is_finished
    emulator.control.advance(timedelta(minutes=1))
    return run, client.request_pdf(report, run)


@pytest.mark.parametrize(
    ("way", "followed"), [("file", "/pdf/download.pdf"), ("plain", "/pdf/download"), ("absent", "/pdf/download")]
)
def test_the_link_of_a_finished_pdf_is_followed(
    client: StudioClient, emulator: StudioEmulator, way: str, followed: str
) -> None:
    emulator.control.set_quirks(pdf_download_link=way)
    report = emulator.control.add_report()
    run, export = _finished(client, emulator, report)
    assert export.is_finished
    with client.download_pdf(report, run, export) as (content_type, chunks):
        assert (content_type, b"".join(chunks)[:5]) == ("application/pdf", b"%PDF-")
    assert emulator.control.requests_summary()["requests"][-1]["path"].endswith(followed)


@pytest.mark.parametrize(
    "href",
    [
        "https://elsewhere.example.com/api/acme/reports/x/pdf/download.pdf",
        "//elsewhere.example.com/api/acme/x.pdf",
        "/api/other/x.pdf",
        "/api/acme/../other/x.pdf",
        "/api/acme/%2e%2e/other/x.pdf",
        "/acme/reports/x.pdf",
    ],
)
def test_the_link_of_a_pdf_that_leaves_the_workspaces_api_is_not_followed(
    client: StudioClient, emulator: StudioEmulator, href: str
) -> None:
    report = emulator.control.add_report()
    run, _ = _finished(client, emulator, report)
    export = PdfExport.parse({"state": "completed", "_links": {"download": {"href": href}}})
    with client.download_pdf(report, run, export) as (content_type, _):
        assert content_type == "application/pdf"
    assert emulator.control.requests_summary()["requests"][-1]["path"].endswith(f"/exports/runs/{run}/pdf/download")


def test_the_link_of_a_pdf_may_name_the_host_and_have_a_query(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report()
    run, export = _finished(client, emulator, report)
    href = f"{emulator.url}{export.link('download')}?version=2"
    with client.download_pdf(report, run, PdfExport.parse({"_links": {"download": {"href": href}}})) as (_, chunks):
        assert b"".join(chunks)[:5] == b"%PDF-"
    assert emulator.control.requests_summary()["requests"][-1]["path"].endswith("/pdf/download.pdf")
