# SPDX-License-Identifier: Apache-2.0
"""Queries, query runs, data sources: read and changed, each against the emulator's state."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioConfigurationError, StudioConnectionError, StudioNotFoundError
from airflow_provider_studio.emulator import StudioEmulator
from tests.governance.inventory.test_discovery_sources import discovery_client

ABSENT = "0123456789ab"


def test_a_query_is_created_read_changed_and_listed_with_its_sql(
    client: StudioClient, emulator: StudioEmulator
) -> None:
    report = emulator.control.add_report(query_count=0)
    source = next(client.list_data_sources())
    made = client.create_query(report, "SELECT 1", data_source_id=str(source.id), name="One")
    assert (made.name, made.raw_query, made.data_source_id) == ("One", "SELECT 1", source.id)
    assert client.update_query(report, made.token, raw_query="SELECT 2").raw_query == "SELECT 2"
    read = client.get_query(report, made.token)
    assert (read.name, read.raw_query, read.created_at) == ("One", "SELECT 2", made.created_at)
    assert [(query.token, query.raw_query) for query in client.list_queries(report)] == [(made.token, "SELECT 2")]
    with pytest.raises(StudioNotFoundError):
        client.create_query(report, "SELECT 1", data_source_id=1)


def test_a_query_that_may_have_been_created_is_not_created_again(
    client: StudioClient, emulator: StudioEmulator
) -> None:
    report = emulator.control.add_report(query_count=0)
    source = str(next(client.list_data_sources()).id)
    emulator.control.add_fault("lose_response", method="POST")
    with pytest.raises(StudioConnectionError):
        client.create_query(report, "SELECT 1", data_source_id=source)
    assert len(list(client.list_queries(report))) == 1


def test_an_unusable_query_is_refused_before_any_request(client: StudioClient, emulator: StudioEmulator) -> None:
    with pytest.raises(StudioConfigurationError, match="raw_query is empty"):
        client.create_query(ABSENT, "", data_source_id=1)
    with pytest.raises(StudioConfigurationError, match="raw_query is empty"):
        client.update_query(ABSENT, ABSENT, raw_query="")
    with pytest.raises(StudioConfigurationError, match="data_source_id is '0123456789ab'; it is the number `id`"):
        client.update_query(ABSENT, ABSENT, data_source_id=ABSENT)
    with pytest.raises(StudioConfigurationError, match="Nothing to update"):
        client.update_query(ABSENT, ABSENT)
    assert emulator.control.requests_sent() == 0


def test_a_query_run_has_the_sql_that_was_sent_to_the_database(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report(query_count=2)
    run = client.create_report_run(report).token
    emulator.control.advance(timedelta(minutes=1))
    first, second = client.list_query_runs(report, run)
    read = client.get_query_run(report, run, second.token)
    assert read.query_token == second.query_token != first.query_token
    assert read.rendered_source == client.get_query(report, str(read.query_token)).raw_query
    assert read.completed_at is not None


def test_each_report_on_a_data_source_is_listed_once_however_many_queries_it_has(
    client: StudioClient, emulator: StudioEmulator
) -> None:
    sources = [source.token for source in client.list_data_sources()]
    large = emulator.control.add_report(query_count=95)  # more than three pages of the same Report
    listed = {source: [report.token for report in client.list_data_source_reports(source)] for source in sources}
    assert sum(large in tokens for tokens in listed.values()) == 1
    assert all(len(tokens) == len(set(tokens)) for tokens in listed.values())
    discovery = discovery_client(emulator)
    rows = [row for batch in discovery.batches("queries", include_personal=True) for row in batch]
    discovery.close()
    assert set().union(*listed.values()) == {row["report_token"] for row in rows}


def test_a_listing_by_data_source_that_never_ends_is_left_with_a_warning(
    client: StudioClient, emulator: StudioEmulator
) -> None:
    body = {"_embedded": {"reports": [{"token": ABSENT}]}}
    emulator.control.add_fault("status", path="/data_sources", status=200, body=body, times=None)
    doubts: list[str] = []
    assert [one.token for one in client.list_data_source_reports(ABSENT, report_doubt=doubts.append)] == [ABSENT]
    assert "rows may be missing: 11 pages in sequence had no new Report" in doubts[0]


def test_datasets_on_a_data_source_are_listed(client: StudioClient, emulator: StudioEmulator) -> None:
    dataset = emulator.control.add_report(type="DatasetReport")
    sources = [source.token for source in client.list_data_sources()]
    listed = [one.token for source in sources for one in client.list_data_source_datasets(source)]
    assert listed.count(dataset) == 1


def test_a_schema_update_is_started_once(client: StudioClient, emulator: StudioEmulator) -> None:
    source = next(client.list_data_sources()).token
    update = client.create_schema_update(source)
    assert (update.state, update.number_of_tables) == ("completed", 42)
    emulator.control.clear_requests()
    emulator.control.add_fault("lose_response", method="POST")
    with pytest.raises(StudioConnectionError):
        client.create_schema_update(source)
    assert emulator.control.requests_sent() == 1


def test_the_discovery_api_has_the_queries_and_charts_of_a_whole_workspace(
    client: StudioClient, emulator: StudioEmulator
) -> None:
    report = emulator.control.add_report(query_count=2)
    discovery = discovery_client(emulator)
    rows = [row for batch in discovery.batches("queries", include_personal=True) for row in batch]
    charts = [row for batch in discovery.batches("charts", include_personal=True) for row in batch]
    discovery.close()
    expected = {(query.token, query.raw_query) for query in client.list_queries(report)}
    assert {(row["token"], row["raw_query"]) for row in rows if row["report_token"] == report} == expected
    assert [row["query_token"] for row in charts if row["report_token"] == report]


def test_a_definition_is_created_changed_listed_and_deleted_under_its_name(
    client: StudioClient, emulator: StudioEmulator
) -> None:
    made, other = (
        client.create_definition("Active", "SELECT 1", description="users"),
        client.create_definition("B", "2"),
    )
    assert client.update_definition(made.token, source="SELECT 2").source == "SELECT 2"
    assert client.get_definition(made.token).description == "users"
    assert {one.token for one in client.list_definitions()} > {made.token, other.token}
    assert [one.token for one in client.list_definitions([other.token])] == [other.token]
    emulator.control.clear_requests()
    assert list(client.list_definitions([])) == []
    assert emulator.control.requests_sent() == 0
    with pytest.raises(StudioConfigurationError, match="nothing was deleted"):
        client.delete_definition(made.token, name="B")
    client.delete_definition(made.token, name="Active")
    assert [one.token for one in client.list_definitions([made.token, other.token])] == [other.token]


def test_a_filter_of_definitions_that_is_ignored_is_applied_here(
    client: StudioClient, emulator: StudioEmulator
) -> None:
    rows = [{"token": "aaaaaaaaaaaa", "name": "A"}, {"token": "bbbbbbbbbbbb", "name": "B"}]
    body = {"_embedded": {"definitions": rows}}
    emulator.control.add_fault("status", path="/definitions", status=200, body=body, times=None)
    assert [one.name for one in client.list_definitions(["bbbbbbbbbbbb"])] == ["B"]


def test_the_form_of_a_run_is_listed(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report(form={"region": ["north", "south"], "day": []})
    run = client.create_report_run(report, {"region": "south"}).token
    fields = {field.name: field for field in client.list_form_fields(report, run)}
    assert (fields["region"].options, fields["region"].value) == (["north", "south"], "south")
    assert set(fields) == {"region", "day"}


@pytest.mark.parametrize("body", ["report", "empty"])
def test_a_report_is_committed_to_github(client: StudioClient, emulator: StudioEmulator, body: str) -> None:
    emulator.control.set_quirks(github_sync_body=body)
    report = emulator.control.add_report()
    client.sync_report_to_github(report, "Nightly")
    assert emulator.control.state()["reports"][report]["commit_message"] == "Nightly"
    with pytest.raises(StudioConfigurationError, match="message is empty"):
        client.sync_report_to_github(report, "")


@pytest.mark.parametrize("refresh", ["newest", "rerun"])
def test_a_dataset_is_run_and_a_report_uses_its_newest_run(
    client: StudioClient, emulator: StudioEmulator, refresh: str
) -> None:
    emulator.control.set_quirks(dataset_refresh=refresh)
    dataset = emulator.control.add_report(type="DatasetReport")
    report = emulator.control.add_report(imported_datasets=[dataset])
    schedule = emulator.control.add_schedule(dataset)
    run = client.create_dataset_run(dataset).token
    emulator.control.advance(timedelta(minutes=1))
    assert client.get_dataset_run(dataset, run).state == "succeeded"
    assert next(client.list_dataset_runs(dataset)).token == run
    assert [field.name for field in client.list_dataset_fields(dataset)] == ["region", "orders"]
    assert [one.token for one in client.list_dataset_schedules(dataset)] == [schedule]
    client.create_report_run(report, dataset_tokens=[dataset])
    state = emulator.control.state()["reports"]
    assert (state[report]["dataset_runs"][dataset] == run) == (refresh == "newest")
    assert len(state[dataset]["runs_started"]) == (1 if refresh == "newest" else 2)
    with pytest.raises(StudioConfigurationError, match=r"dataset is '\.\./x'"):
        client.create_report_run(report, dataset_tokens=["../x"])


def test_a_dataset_run_that_may_have_started_is_not_started_again(
    client: StudioClient, emulator: StudioEmulator
) -> None:
    dataset = emulator.control.add_report(type="DatasetReport")
    emulator.control.add_fault("lose_response", method="POST")
    with pytest.raises(StudioConnectionError):
        client.create_dataset_run(dataset)
    assert len(emulator.control.state()["reports"][dataset]["runs_started"]) == 1


def test_a_subscription_is_read_and_changed(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report()
    emulator.control.add_schedule(report)
    made = str(client.create_subscription(report, {"csv_attachments_enabled": True}).token)
    assert client.update_subscription(report, made, {"pdf_attachments_enabled": True}).pdf_attachments_enabled
    read = client.get_subscription(report, made)
    assert (read.csv_attachments_enabled, read.pdf_attachments_enabled) == (True, True)


def test_the_queries_of_a_datasets_run_are_read_over_its_own_link(
    client: StudioClient, emulator: StudioEmulator
) -> None:
    dataset = emulator.control.add_report(type="DatasetReport", query_count=1)
    run = client.create_dataset_run(dataset).token
    assert next(iter(client.newest_dataset_runs(dataset))).token == run
    assert [one.query_name for one in client.list_dataset_query_runs(dataset, run)] == ["Query 1"]
    elsewhere = {"token": run, "_links": {"query_runs": {"href": "https://elsewhere.example.com/api/acme/x"}}}
    emulator.control.add_fault("status", path=f"/runs/{run}", status=200, body=elsewhere)
    emulator.control.clear_requests()
    assert list(client.list_dataset_query_runs(dataset, run)) == []
    assert emulator.control.requests_sent() == 1
