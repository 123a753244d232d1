# SPDX-License-Identifier: Apache-2.0
"""A person reads in the first line which Report it is about and why it failed, and where to look."""

from __future__ import annotations

import pytest

from airflow_provider_studio.client.run_messages import NamedRun

URL = "https://app.mode.com/acme/reports/0a1b2c3d4e5f/runs/9f8e7d6c5b4a"
RUN = NamedRun("0a1b2c3d4e5f", "9f8e7d6c5b4a", "Revenue", URL, 12.34)


def test_a_success_has_state_runtime_and_address() -> None:
    expected = f'Report "Revenue" succeeded after 12.3 s. Run 9f8e7d6c5b4a of Report 0a1b2c3d4e5f: {URL}'
    assert RUN.succeeded("succeeded") == expected


def test_a_failure_begins_with_the_report_and_the_reason() -> None:
    message = RUN.failed("failed", "Query 1: 42P01: no such table")
    assert message.startswith('Report "Revenue" failed after 12.3 s: Query 1: 42P01: no such table. Run ')
    assert message.endswith(URL)


@pytest.mark.parametrize("url", [None, "javascript:alert(1)", "https://app.mode.com@example.com/x"])
def test_what_is_unknown_or_no_address_is_left_out(url: str | None) -> None:
    run = NamedRun("0a1b2c3d4e5f", "9f8e7d6c5b4a", url=url)
    assert run.cancelled() == "Report 0a1b2c3d4e5f was cancelled in Studio. Run 9f8e7d6c5b4a of Report 0a1b2c3d4e5f."
    assert run.failed("failed", "") == "Report 0a1b2c3d4e5f failed. Run 9f8e7d6c5b4a of Report 0a1b2c3d4e5f."


def test_a_long_name_does_not_hide_the_reason() -> None:
    message = NamedRun("0a1b2c3d4e5f", "9f8e7d6c5b4a", "x" * 5000).failed("failed", "Query 1: no such table")
    assert message.index("Query 1") < 150
