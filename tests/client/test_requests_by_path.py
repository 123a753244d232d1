# SPDX-License-Identifier: Apache-2.0
"""Requests that a caller writes stay in the workspace, and obey the rules of every other request."""

from __future__ import annotations

import math
from typing import Any

import pytest

from airflow_provider_studio.client.auth import Operation
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioCapabilityError,
    StudioConfigurationError,
    StudioConnectionError,
    StudioResponseError,
)
from airflow_provider_studio.client.permissions import Permissions
from airflow_provider_studio.client.ratelimit import Budget, RateLimiter
from airflow_provider_studio.client.ratelimit.stores import MemoryStore
from airflow_provider_studio.client.requests_by_path import api_path, checked_params, limited_operation
from airflow_provider_studio.emulator import StudioEmulator
from tests.conftest import client_of

A = "0a1b2c3d4e5f"


@pytest.mark.parametrize("path", ["reports/x/results/content.csv", "/api/acme/reports/x/results/content.csv"])
def test_a_path_below_the_workspace_or_in_its_api_is_used(path: str) -> None:
    assert api_path("acme", path) == "/api/acme/reports/x/results/content.csv"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/api/acme",
        "/api/acme/",
        "/api/acme/reports/",
        "/api/acme//reports",
        "/api/other/reports",
        "/api/ACME/reports",
        "/api/verify",
        "/batch/acme/reports",
        "//elsewhere.example.com/api/acme/reports",
        "https://elsewhere.example.com/api/acme/reports",
        "https://app.mode.com/api/acme/reports",
        "file:///etc/passwd",
        "api/acme/reports",
        "../other/reports",
        "/api/acme/../other/reports",
        "reports/..",
        "reports/./x",
        "reports/%2e%2e/x",
        "reports%2Fx",
        "reports%2fx",
        "reports/x%00",
        "reports\\..\\x",
        "reports//runs",
        "reports/x?filter=all",
        "reports/x#runs",
        "reports/x;a=b",
        "reports/x\n",
        "reports/x\r\nHost: elsewhere",
        " reports",
        "reports/{report}",
        "user@elsewhere/reports",
        "reports/\u2025/x",
        "reports/\uff0e\uff0e/x",
        None,
        7,
        b"reports",
    ],
)
def test_any_other_path_is_refused_with_what_it_must_be(path: Any) -> None:
    with pytest.raises(StudioConfigurationError, match=r"path is .* must be below the workspace") as caught:
        api_path("acme", path)
    assert len(str(caught.value)) < 700


def test_a_long_path_and_the_values_of_a_query_are_not_repeated_in_the_message() -> None:
    with pytest.raises(StudioConfigurationError) as caught:
        api_path("acme", "reports/" + "é" * 5000 + "?token=s3cret")
    assert "s3cret" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("params", [{"archived": True}, {"limit": 1.5}, {"ids": ["a"]}, {"after": None}, {1: "a"}])
def test_a_query_whose_spelling_is_ambiguous_is_refused_without_its_value(params: Any) -> None:
    with pytest.raises(StudioConfigurationError, match=r"params has .* of the type"):
        checked_params(params)
    assert checked_params({"filter": "all", "page": 2}) == {"filter": "all", "page": 2}


def test_what_a_kind_of_token_may_not_do_is_recognized_in_each_spelling() -> None:
    for path in ("invites", "/api/acme/invites"):
        assert limited_operation("POST", api_path("acme", path)) is Operation.CREATE_INVITE
    clone = api_path("acme", f"reports/{A}/runs/{A}/clone")
    assert limited_operation("POST", clone) is Operation.CLONE_REPORT_RUN
    assert limited_operation("GET", clone) is None
    assert limited_operation("POST", api_path("acme", f"reports/{A}/runs")) is None


def refused(client: StudioClient, *arguments: Any, **options: Any) -> str:
    with pytest.raises((StudioConfigurationError, StudioCapabilityError)) as caught:
        client.request(*arguments, **options)
    return str(caught.value)


def test_nothing_is_sent_of_a_request_that_is_refused(client: StudioClient, emulator: StudioEmulator) -> None:
    assert "method is 'post'" in refused(client, "post", f"reports/{A}/runs")  # would be repeated like a GET
    assert "method is 'PUT'" in refused(client, "PUT", f"reports/{A}")
    assert "json is given with GET" in refused(client, "GET", "spaces", json={})
    assert "json is of the type list" in refused(client, "POST", f"reports/{A}/runs", json=[])
    for value in (math.nan, {1, 2}, b"x"):
        assert "json has a value" in refused(client, "POST", f"reports/{A}/runs", json={"parameters": {"x": value}})
    assert "Workspace token may not clone" in refused(client, "POST", f"reports/{A}/runs/{A}/clone")
    assert "Workspace token may not create an invite" in refused(client, "POST", "invites")
    with pytest.raises(StudioConfigurationError, match="params has 'page'"):
        client.iterate("spaces", "spaces", params={"page": 2})
    assert emulator.control.requests_sent() == 0


def test_a_deployment_may_permit_only_get(emulator: StudioEmulator) -> None:
    report = emulator.control.add_report()
    client = client_of(emulator, permissions=lambda: Permissions(changes_by_request=False))
    emulator.control.clear_requests()
    for method in ("POST", "PATCH", "DELETE"):
        assert "read_only_requests" in refused(client, method, f"reports/{report}")
    assert emulator.control.requests_sent() == 0
    assert client.request("GET", f"reports/{report}")["token"] == report


def test_a_resource_is_read_changed_and_listed(client: StudioClient, emulator: StudioEmulator) -> None:
    report = emulator.control.add_report(name="Orders")
    path = f"reports/{report}"
    assert client.request("GET", path)["name"] == "Orders"
    changed = client.request("PATCH", path, json={"report": {"name": "Sales"}})
    assert changed["name"] == emulator.control.state()["reports"][report]["name"] == "Sales"
    assert client.request("DELETE", path) == {}
    listed = [row["token"] for row in client.iterate("spaces", "spaces", params={"filter": "custom"})]
    assert sorted(listed) == sorted(one.token for one in client.list_collections())
    with pytest.raises(StudioResponseError, match=r"no list _embedded\.reports"):
        next(client.iterate("spaces", "reports"))


def test_a_post_that_may_have_arrived_is_not_repeated_and_a_get_is(
    client: StudioClient, emulator: StudioEmulator
) -> None:
    report = emulator.control.add_report(next_runtime_seconds=600.0)
    emulator.control.add_fault("lose_response", method="POST", times=1)
    with pytest.raises(StudioConnectionError) as caught:
        client.request("POST", f"reports/{report}/runs", json={"parameters": {}})
    assert caught.value.may_have_arrived
    assert len(list(client.list_report_runs(report))) == 1
    emulator.control.add_fault("lose_response", method="GET", times=1)
    assert client.request("GET", f"reports/{report}")["token"] == report


def test_each_request_takes_a_slot_of_the_shared_budget(emulator: StudioEmulator) -> None:
    waits: list[float] = []
    limiter = RateLimiter(MemoryStore(now=lambda: sum(waits)), "key", Budget(limit=1), sleep=waits.append)
    client = client_of(emulator, limiter=limiter)
    client.request("GET", "data_sources")
    client.request("GET", "data_sources")
    assert sum(waits) == pytest.approx(client.spending.seconds_waited)
    assert sum(waits) > 5
