# SPDX-License-Identifier: Apache-2.0
"""The audit log: a cursor instead of pages, plain JSON instead of HAL, for Workspace tokens only."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any

import pytest

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioCapabilityError,
    StudioConfigurationError,
    StudioResponseError,
)
from airflow_provider_studio.emulator import StudioEmulator
from tests.conftest import client_of

START = datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=2)))
END = datetime(2036, 1, 1, tzinfo=START.tzinfo)


@pytest.fixture
def entries(client: StudioClient, monkeypatch: pytest.MonkeyPatch) -> int:
    """The number of entries: each group was given access to data sources, half of them on one page."""
    monkeypatch.setattr("airflow_provider_studio.emulator.routes.audit_logs._PER_PAGE", 3)
    return sum(group.to_json()["data_sources_count"] for group in client.list_groups())


@pytest.mark.parametrize("accept", ["json_only", "any"])
@pytest.mark.parametrize("end", ["null", "absent", "empty"])
def test_each_entry_is_listed_once(
    client: StudioClient, emulator: StudioEmulator, entries: int, accept: str, end: str
) -> None:
    emulator.control.set_quirks(audit_log_accept=accept, audit_log_end=end)
    emulator.control.clear_requests()
    listed = list(client.list_audit_log(START, END))
    assert len({entry.id for entry in listed}) == len(listed) == entries
    assert emulator.control.requests_sent() == -(-entries // 3) > 1
    entry = listed[0]
    assert entry.action == "connection_group_added_with_role"
    assert entry.timestamp is not None
    assert (entry.actor or {})["username"]
    assert (entry.entity or {})["entity_type"] == "workspace_connection"
    assert list(client.list_audit_log(START, END, action="nothing")) == []
    assert list(client.list_audit_log(START, START)) == []


def test_other_tokens_and_unusable_periods_are_refused_before_any_request(emulator: StudioEmulator) -> None:
    for kind in ("member", "personal"):
        client = client_of(emulator, kind)
        with pytest.raises(StudioCapabilityError, match=r"may not read the audit log\. Use a Workspace token"):
            client.list_audit_log(START, END)
        with pytest.raises(StudioCapabilityError, match="may not read the audit log"):
            client.request("GET", "audit_logs")
    with pytest.raises(StudioConfigurationError, match="start is 2026-01-01 00:00:00, without a time zone"):
        client_of(emulator).list_audit_log(datetime(2026, 1, 1), END)  # noqa: DTZ001
    with pytest.raises(StudioConfigurationError, match="which is before start"):
        client_of(emulator).list_audit_log(END, START)
    assert emulator.control.requests_sent() == 0


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ({"audit_logs": {}}, "no list audit_logs"),
        ({"audit_logs": [7]}, "an entry: the body is not as the API promises"),
        ({"audit_logs": [], "next_token": 7}, "no usable next_token"),
        ({"audit_logs": [], "next_token": "same"}, "no usable next_token"),
    ],
)
def test_a_log_of_the_wrong_shape_or_without_an_end_is_an_error(
    client: StudioClient, emulator: StudioEmulator, body: dict[str, Any], match: str
) -> None:
    emulator.control.add_fault("status", path="/audit_logs", status=200, body=body, times=None)
    with pytest.raises(StudioResponseError, match=match):
        list(islice(client.list_audit_log(START, END), 3))
