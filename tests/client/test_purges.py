# SPDX-License-Identifier: Apache-2.0
"""Purges: refused unless they are permitted and confirmed, and never of newer results than those that are meant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioCapabilityError,
    StudioConfigurationError,
    StudioConnectionError,
)
from airflow_provider_studio.client.permissions import Permissions
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.plans.deployment_limits import DeploymentLimits
from tests.conftest import client_of

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture
def workspace() -> Iterator[StudioEmulator]:
    with StudioEmulator("acme", reports=2, now=NOW) as running:
        yield running


def permitted(emulator: StudioEmulator) -> StudioClient:
    return client_of(emulator, permissions=lambda: Permissions(purges=True))


def with_results(client: StudioClient, emulator: StudioEmulator) -> tuple[str, list[str]]:
    """Return a Report with runs of this day, a week later and two weeks later."""
    report, runs = emulator.control.add_report(), []
    for _ in range(3):
        runs.append(client.create_report_run(report).token)
        emulator.control.advance(WEEK)
    return report, runs


def purged(client: StudioClient, report: str, runs: list[str]) -> list[bool]:
    return [client.get_report_run(report, run).to_json()["purge_completed_at"] is not None for run in runs]


@pytest.mark.parametrize("arguments", ["query", "body"])
@pytest.mark.parametrize("covered", ["older", "newer"])
def test_no_newer_results_than_those_until_the_day_are_purged(
    workspace: StudioEmulator, arguments: str, covered: str
) -> None:
    workspace.control.set_quirks(purge_arguments=arguments, purge_time=covered)
    client = permitted(workspace)
    report, runs = with_results(client, workspace)
    client.purge_results((NOW + WEEK).date(), workspace="acme")
    assert purged(client, report, runs) == [covered == "older", True, False]


def test_the_results_of_one_data_source_are_purged(workspace: StudioEmulator) -> None:
    client = permitted(workspace)
    report, runs = with_results(client, workspace)
    for source in client.list_data_sources():
        with pytest.raises(StudioConfigurationError, match="nothing was deleted"):
            client.purge_data_source_results(source.token, name="another")
        assert not any(purged(client, report, runs))
    for source in client.list_data_sources():
        client.purge_data_source_results(source.token, name=str(source.name))
    assert all(purged(client, report, runs))


def test_a_purge_that_is_not_permitted_or_not_confirmed_sends_nothing(workspace: StudioEmulator) -> None:
    client, day = client_of(workspace), date(2026, 1, 1)
    with pytest.raises(StudioCapabilityError, match="allow_purges = True in"):
        client.purge_results(day, workspace="acme")
    with pytest.raises(StudioCapabilityError, match="allow_purges = True in"):
        client.purge_data_source_results("0a1b2c3d4e5f", name="Warehouse")
    for path in ("reports/purge", "/api/acme/reports/purge", "data_sources/0a1b2c3d4e5f/purge"):
        with pytest.raises(StudioCapabilityError, match="allow_purges = True in"):
            client.request("POST", path, params={"time": "2026-01-01"})
    with pytest.raises(StudioCapabilityError, match="allow_purges = True in"):
        client.exchange("POST", "/api/acme/reports/purge", {"time": "2026-01-01"})
    with pytest.raises(
        StudioConfigurationError, match="workspace is 'acne'; this deletes the results of all Reports of"
    ):
        permitted(workspace).purge_results(day, workspace="acne")
    with pytest.raises(StudioConfigurationError, match="it must be a date without a time"):
        permitted(workspace).purge_results(NOW, workspace="acme")
    assert workspace.control.requests_sent() == 0


def test_a_purge_that_may_have_arrived_is_not_repeated(workspace: StudioEmulator) -> None:
    workspace.control.add_fault("lose_response", method="POST")
    with pytest.raises(StudioConnectionError):
        permitted(workspace).purge_results(NOW.date(), workspace="acme")
    assert workspace.control.requests_sent() == 1


def test_a_deployment_permits_purges_explicitly_and_only_without_required_approvals() -> None:
    assert not DeploymentLimits().permissions.purges
    assert DeploymentLimits(allow_purges=True).permissions.purges
    assert not DeploymentLimits(allow_purges=True, approval_required=True).permissions.purges
    assert not DeploymentLimits().stricter({"allow_purges": True}, "the extra").permissions.purges
    assert DeploymentLimits(allow_purges=True).stricter({}, "the extra").permissions.purges
    assert not DeploymentLimits(allow_purges=True).stricter({"allow_purges": False}, "the extra").permissions.purges
