# SPDX-License-Identifier: Apache-2.0
"""The experiments: what they find, that nothing of theirs stays, and that they never touch another Report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import StudioCapabilityError
from airflow_provider_studio.client.permissions import Permissions
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.doctor.experiments import experiment
from airflow_provider_studio.governance.doctor.findings import Severity
from airflow_provider_studio.governance.doctor.trial_report import trial_report
from airflow_provider_studio.governance.errors import GovernanceError
from tests.conftest import client_of
from tests.governance.doctor.surveys import AT, emulated

TODAY = AT.date()
CONTRARY = {
    "schedule_body": "flat",
    "archived_schedules": "stop",
    "archived_schedules_count": "zero",
    "second_archive": 400,
    "not_found_status": 400,
    "schedule_minutes": "rounded",
    "schedule_time_zones": "first",
}
USUAL = {
    "schedule: body that creates one": "report_schedule",
    "schedule: stored": "as it was sent",
    "schedule: numbers of days": "0 is Sunday",
    "archive: the Report": "200, and it is",
    "archive: schedules": "listed with a next run",
    "archive: schedules_count": "2",
    "archive: a second time": "200",
    "unarchive: the Report and its schedules": "as before",
    "schedule: a second deletion": "404",
    "experiment: removal": "the Report is deleted",
}


def client_and_truth(emulator: StudioEmulator) -> tuple[StudioClient, dict[str, Any]]:
    return client_of(emulator), emulator.control.state()


@pytest.fixture(autouse=True)
def _without_faults() -> Iterator[None]:
    yield
    emulated().control.clear_faults()


def shared(state: dict[str, Any]) -> str:
    return next(token for token, collection in state["collections"].items() if collection["personal_of"] is None)


def same(before: dict[str, Any], after: dict[str, Any]) -> bool:
    return all(before[kind] == after[kind] for kind in ("reports", "schedules", "collections", "subscriptions"))


def test_they_settle_what_only_a_change_can_show_and_leave_nothing() -> None:
    emulator = emulated()
    client, before = client_and_truth(emulator)
    found = {each.fact: each for each in experiment(client, shared(before), TODAY)}
    assert {fact: each.observed for fact, each in found.items()} == USUAL
    assert {each.severity for each in found.values()} == {Severity.AS_ASSUMED}
    assert same(before, emulator.control.state())
    assert client.spending.requests <= 80


def test_a_contrary_service_is_seen() -> None:
    emulator = emulated(**CONTRARY)
    client, before = client_and_truth(emulator)
    found = {each.fact: each for each in experiment(client, shared(before), TODAY)}
    different = {fact: each.observed for fact, each in found.items() if each.severity is Severity.RESPECTED}
    assert different == {
        "schedule: body that creates one": "flat",
        "schedule: stored": "minute 10 became '0'; time_zone London became 'Edinburgh'",
        "archive: schedules": "listed without a next run",
        "archive: schedules_count": "'0'",
        "archive: a second time": "400 ('bad_request')",
        "schedule: a second deletion": "400 ('not_found')",
    }
    assert same(before, emulator.control.state())


@pytest.mark.parametrize("days", range(7))
def test_no_schedule_of_an_experiment_fires_soon(days: int) -> None:
    from airflow_provider_studio.governance.doctor.experiments import first_days

    today = date(2026, 6, 1) + timedelta(days=days)
    monthly, weekly = first_days(today)
    assert not 0 <= (monthly - today.day) <= 2
    assert {(day - today.isoweekday()) % 7 for day in (weekly, weekly - 1)} <= {1, 2, 3, 4}


@pytest.mark.parametrize("other", ["scheduled", "new"])
def test_a_creation_whose_response_is_that_of_another_report_touches_no_report(other: str) -> None:
    emulator = emulated()
    control = emulator.control
    state = control.state()
    if other == "new":
        mistaken = control.add_report(
            name="Somebody's", collection=shared(state), created_at=AT.isoformat(), edited_at=AT.isoformat()
        )
    else:
        mistaken = next(iter(state["schedules"].values()))["report"]
    client, before = client_and_truth(emulator)
    control.add_fault(kind="mix_up", method="POST", other_path=f"/api/acme/reports/{mistaken}")
    with pytest.raises(GovernanceError, match=f"named the Report {mistaken}, which is not provably new and empty"):
        experiment(client, shared(before), TODAY)
    after = control.state()
    (orphan,) = after["reports"].keys() - before["reports"].keys()
    assert {**after["reports"], orphan: None} == {**before["reports"], orphan: None}
    sent = [
        (each["method"], each["path"]) for each in control.requests_summary()["requests"] if each["method"] != "GET"
    ]
    assert sent == [("POST", "/api/acme/reports")]
    control.remove_report(orphan)
    if other == "new":
        control.remove_report(mistaken)


def test_a_report_that_is_no_longer_ours_is_neither_changed_nor_deleted() -> None:
    emulator = emulated()
    client, before = client_and_truth(emulator)
    trials = []

    def archive_after_it_was_renamed() -> None:
        with trial_report(client, shared(before)) as trial:
            trials.append(trial.token)
            emulator.control.change_report(trial.token, name="Renamed by a person")
            emulator.control.clear_requests()
            trial.change("PATCH", "/archive")

    with pytest.raises(GovernanceError, match="is not, or no longer, as this command made it"):
        archive_after_it_was_renamed()
    assert {each["method"] for each in emulator.control.requests_summary()["requests"]} == {"GET"}
    emulator.control.remove_report(trials[0])


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_it_is_removed_after_an_error_and_after_ctrl_c(error: type[BaseException]) -> None:
    emulator = emulated()
    client, before = client_and_truth(emulator)

    def fail() -> None:
        with trial_report(client, shared(before)) as trial:
            assert emulator.control.state()["reports"][trial.token]["name"] == trial.name
            raise error

    with pytest.raises(error):
        fail()
    assert same(before, emulator.control.state())


def test_a_creation_that_failed_changes_nothing_else_and_a_removal_that_failed_names_the_report() -> None:
    emulator = emulated()
    client, before = client_and_truth(emulator)
    emulator.control.add_fault(kind="status", status=403, method="POST")
    with pytest.raises(GovernanceError, match=r"No Report was created: the response was 403\. Nothing else was sent\."):
        experiment(client, shared(before), TODAY)
    emulator.control.clear_faults()
    with pytest.raises(GovernanceError, match=r"The Report was not removed.*Delete the Report .* by hand: http"):  # noqa: SIM117
        with trial_report(client, shared(before)) as trial:
            emulator.control.add_fault(kind="status", status=403, method="DELETE")
    emulator.control.remove_report(trial.token)
    assert same(before, emulator.control.state())


def test_a_deployment_that_permits_only_get_permits_no_experiment() -> None:
    emulator = emulated()
    client = client_of(emulator, permissions=lambda: Permissions(changes_by_request=False))
    before = emulator.control.state()
    with pytest.raises(StudioCapabilityError, match="this deployment permits only GET"):
        experiment(client, shared(before), TODAY)
    assert same(before, emulator.control.state())
