# SPDX-License-Identifier: Apache-2.0
"""Every endpoint against the emulator, as the token kinds see it."""

from __future__ import annotations

import pytest

from airflow_provider_studio.client.auth import TokenKind
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioCapabilityError,
    StudioConfigurationError,
    StudioNotFoundError,
    StudioResponseError,
)
from airflow_provider_studio.client.models import ScheduleInput
from airflow_provider_studio.emulator import StudioEmulator
from tests.conftest import client_of

ABSENT = "0123456789ab"


@pytest.mark.parametrize("kind", ["workspace", "member", "personal"])
def test_a_tokens_kind_is_discovered_with_one_request(emulator: StudioEmulator, kind: str) -> None:
    client = client_of(emulator, kind, declared=None)
    assert client.token_kind is TokenKind(kind)
    assert client.token_kind is TokenKind(kind)
    assert emulator.control.requests_sent() == 1


def test_a_declared_kind_costs_no_request(client: StudioClient, emulator: StudioEmulator) -> None:
    assert client.token_kind is TokenKind.WORKSPACE
    assert emulator.control.requests_sent() == 0


def test_verify_says_whose_workspace_it_is(client: StudioClient) -> None:
    assert client.verify().workspace == "acme"


def test_verify_refuses_a_token_of_another_workspace(emulator: StudioEmulator) -> None:
    with pytest.raises(StudioConfigurationError, match=r"workspace is 'acne', but this token opens 'acme'"):
        client_of(emulator, workspace="acne").verify()


def test_an_unknown_workspace_is_not_found(emulator: StudioEmulator) -> None:
    with pytest.raises(StudioNotFoundError, match="/api/acne/spaces"):
        list(client_of(emulator, workspace="acne").list_collections())


@pytest.mark.parametrize("kind", ["workspace", "member"])
def test_what_an_api_key_may_not_do_is_refused_before_any_request(emulator: StudioEmulator, kind: str) -> None:
    client = client_of(emulator, kind)
    with pytest.raises(
        StudioCapabilityError, match=rf"{kind.capitalize()} token may not clone .* Duplicate the Report"
    ):
        client.clone_report_run(ABSENT, ABSENT)
    with pytest.raises(StudioCapabilityError, match=rf"{kind.capitalize()} token may not create an invite.*People"):
        client.create_invite("ada@example.com")
    assert emulator.control.requests_sent() == 0


def test_a_personal_token_may_clone_and_invite(emulator: StudioEmulator) -> None:
    client = client_of(emulator, "personal")
    report = emulator.control.add_report(name="Orders")
    run = client.create_report_run(report)
    assert client.clone_report_run(report, run.token).name == "Copy of Orders"
    assert client.create_invite("ada@example.com")["email"] == "ada@example.com"


def test_collections_are_listed_over_all_pages() -> None:
    with StudioEmulator("acme", reports=2000) as large:
        tokens = [one.token for one in client_of(large).list_collections()]
        shared = {token for token, one in large.control.state()["collections"].items() if one["personal_of"] is None}
    assert len(tokens) > 30
    assert len(tokens) == len(set(tokens))
    assert set(tokens) == shared


def test_all_collections_include_other_members_personal_ones(client: StudioClient) -> None:
    kinds = {one.space_type for one in client.list_collections("all")}
    assert "private" in kinds
    assert "private" not in {one.space_type for one in client.list_collections()}


def test_an_unknown_collection_filter_is_refused(client: StudioClient, emulator: StudioEmulator) -> None:
    with pytest.raises(StudioConfigurationError, match="collection filter is 'everything'"):
        client.list_collections("everything")  # type: ignore[arg-type]
    assert emulator.control.requests_sent() == 0


def test_reports_of_a_collection_are_listed_with_the_archived_ones(
    client: StudioClient, emulator: StudioEmulator
) -> None:
    collection = next(iter(client.list_collections())).token
    made = {emulator.control.add_report(collection=collection) for _ in range(65)}
    archived = min(made)
    client.archive_report(archived)
    listed = {one.token: one.archived for one in client.list_collection_reports(collection)}
    assert made <= set(listed)
    assert listed[archived] is True


def test_datasets_are_listed_apart(client: StudioClient, emulator: StudioEmulator) -> None:
    collection = next(iter(client.list_collections())).token
    dataset = emulator.control.add_report(collection=collection, type="DatasetReport")
    assert dataset in {one.token for one in client.list_collection_datasets(collection)}
    assert dataset not in {one.token for one in client.list_collection_reports(collection)}


def test_a_report_is_read_renamed_moved_archived_and_taken_back(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report(name="Churn")
    target = list(client.list_collections())[-1].token
    changed = client.update_report(report, name="Churn 2", description="by region", collection=target)
    assert (changed.name, changed.description, changed.space_token) == ("Churn 2", "by region", target)
    assert client.archive_report(report).archived is True
    assert client.unarchive_report(report).archived is False
    assert client.get_report(report).name == "Churn 2"


@pytest.mark.parametrize(
    ("values", "match"),
    [({"name": "x" * 65}, "65 characters"), ({"name": ""}, "0 characters"), ({}, "Nothing to update")],
)
def test_a_bad_update_is_refused_before_any_request(
    client: StudioClient, emulator: StudioEmulator, values: dict[str, str], match: str
) -> None:
    with pytest.raises(StudioConfigurationError, match=match):
        client.update_report(ABSENT, **values)
    assert emulator.control.requests_sent() == 0


@pytest.mark.parametrize("token", ["", "../../etc", "a b", "a?b", "a/b", None])
def test_what_is_no_token_never_reaches_a_url(client: StudioClient, emulator: StudioEmulator, token: str) -> None:
    with pytest.raises(StudioConfigurationError, match="report is"):
        client.get_report(token)
    assert emulator.control.requests_sent() == 0


def test_a_report_that_does_not_exist(client: StudioClient) -> None:
    with pytest.raises(StudioNotFoundError, match=rf"/api/acme/reports/{ABSENT} answered 404"):
        client.get_report(ABSENT)


def test_runs_are_started_read_and_listed_newest_first(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report()
    started = [client.create_report_run(report, {"region": f"r{number}"}).token for number in range(25)]
    listed = [run.token for run in client.list_report_runs(report)]
    assert set(started) <= set(listed)
    assert listed[0] == started[-1]
    assert client.get_report_run(report, started[3]).parameters == {"region": "r3"}


def test_schedules_are_created_read_changed_and_deleted(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report()
    values = ScheduleInput.checked(
        cron={"freq": "weekly", "hour": 5, "minute": 30, "time_zone": "UTC", "day_of_week": 3},
        name="Mornings",
        params={"region": "north"},
        timeout=600,
    )
    made = client.create_schedule(report, values)
    assert client.get_schedule(report, made.token).machine_values() == values
    later = values.model_copy(update={"name": "Later", "cron": values.cron.model_copy(update={"hour": 9})})
    assert client.update_schedule(report, made.token, later).machine_values() == later
    assert [one.token for one in client.list_schedules(report)] == [made.token]
    client.delete_schedule(report, made.token)
    assert list(client.list_schedules(report)) == []


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"cron": {"freq": "fortnightly"}}, "cron.freq is 'fortnightly'"),
        ({"cron": {"freq": "daily", "hour": 24}}, "cron.hour is 24"),
        ({"cron": {"freq": "monthly", "day_of_month": 0}}, "cron.day_of_month is 0"),
        ({}, "cron is"),
    ],
)
def test_a_schedule_that_makes_no_sense(values: dict[str, object], field: str) -> None:
    with pytest.raises(StudioConfigurationError, match=field):
        ScheduleInput.checked(**values)


def test_subscriptions_are_created_listed_and_deleted(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report()
    schedule = emulator.control.add_schedule(report)
    made = client.create_subscription(report, {"csv_attachments_enabled": True})
    assert [one.token for one in client.list_report_subscriptions(report)] == [made.token]
    assert [one.token for one in client.list_schedule_subscriptions(report, schedule)] == [made.token]
    client.delete_subscription(report, made.token)
    assert list(client.list_report_subscriptions(report)) == []


def test_results_are_streamed(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report(next_runtime_seconds=0.0, next_outcome="succeeded")
    run = client.create_report_run(report)
    with client.download_run_results(report, run.token, chunk_bytes=64) as (kind, chunks):
        parts = list(chunks)
    assert kind == "text/csv"
    assert len(parts) > 10
    assert b"".join(parts).startswith(b"region,orders\n")


def test_results_of_a_run_that_is_not_over(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report(next_runtime_seconds=600.0)
    run = client.create_report_run(report)
    with pytest.raises(StudioNotFoundError), client.download_run_results(report, run.token):
        pass


def test_a_listing_of_the_wrong_shape_is_named(client: StudioClient, emulator: StudioEmulator) -> None:
    emulator.control.add_fault("status", status=200, body={"_embedded": {"spaces": "none"}}, times=None)
    with pytest.raises(StudioResponseError, match=r"page 1: the response has no list _embedded\.spaces"):
        list(client.list_collections())


def test_a_value_of_the_wrong_type_is_named(client: StudioClient, emulator: StudioEmulator) -> None:
    emulator.control.add_fault("status", status=200, body={"token": "0123456789ab", "view_count": "many"}, times=None)
    with pytest.raises(StudioResponseError, match="Report 0123456789ab: view_count"):
        client.get_report(ABSENT)
