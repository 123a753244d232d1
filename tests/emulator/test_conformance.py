# SPDX-License-Identifier: Apache-2.0
"""Every endpoint responds with its shape, also to generated requests."""

from __future__ import annotations

import pytest

from airflow_provider_studio.emulator.routes import NOT_EMULATED, api_routes
from tests.emulator.driving import bare, description, drive, of_dataset
from tests.emulator.sample import Sample
from tests.emulator.tables import ENDPOINTS, PAGE, Row, differences, page


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
def test_an_endpoint_responds_with_its_shape(sample: Sample, row: Row) -> None:
    response = sample.call(Row(row.method, of_dataset(row.path), row.status, row.shape, row.listed))
    assert response.status_code == row.status, response.text
    if row.status == 501:
        assert "does not emulate" in response.json()["message"]
    if not row.shape:
        return
    rows = response.json()["_embedded"][row.listed] if row.listed else [response.json()]
    assert rows, "no rows to check"
    found = {difference for body in rows for difference in differences(row.shape, body)}
    assert not found


def test_every_endpoint_of_the_emulator_is_in_the_table_and_the_page_is_the_table() -> None:
    listed = {(row.method, bare(row.path)) for row in ENDPOINTS} | {
        (method, bare("/{ws}" + path)) for method, path in NOT_EMULATED
    }
    extra = {
        ("GET", "/{}/api_keys/{}"),
        ("GET", "/{}/reports/{}/exports/runs/{}/pdf"),
        ("GET", "/{}/reports/{}/subscriptions/{}/email_report_subscription_memberships"),
        ("GET", "/{}/reports/{}/subscriptions/{}/slack_report_subscription_memberships"),
    }
    ours = {
        (method, bare(route.path.removeprefix("/api")))
        for route in api_routes()
        if route.path.startswith("/api")
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert ours - listed == extra
    assert {row for row in listed - ours if row != ("POST", "/{}/spaces/{}")} == set()
    assert PAGE.read_text(encoding="utf-8") == page(), "write it with: python -m tests.emulator.tables"


def test_discovery_responds_with_its_shapes(sample: Sample) -> None:
    minted = sample.mint()
    assert not differences("SignatureToken", minted)
    for name, shape in (
        ("reports", "DiscoveryReport"),
        ("report_stats", "DiscoveryReportStats"),
        ("queries", "DiscoveryQuery"),
        ("charts", "DiscoveryChart"),
        ("spaces", "DiscoverySpace"),
        ("members", "DiscoveryMember"),
    ):
        body = sample.discover(f"{name}?per_page=3", minted)
        assert body["pagination"]["total_pages"] >= 2
        assert {difference for row in body[name] for difference in differences(shape, row)} == set()
    assert sample.discover("reports", dict.fromkeys(minted, "x"))["id"] == "unauthorized"


@pytest.mark.slow
@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
def test_no_generated_request_breaks_an_endpoint(sample: Sample, row: Row) -> None:
    assert drive(description(sample, row), sample, examples=15) == 1
