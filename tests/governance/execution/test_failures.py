# SPDX-License-Identifier: Apache-2.0
"""What a failure says about the next Report: nothing, that the service is down, or that the token may do nothing."""

from __future__ import annotations

import pytest

from airflow_provider_studio.client.errors import (
    StudioAuthenticationError,
    StudioConnectionError,
    StudioError,
    StudioForbiddenError,
    StudioServerError,
)
from airflow_provider_studio.governance.errors import NoEffectError
from airflow_provider_studio.governance.execution.failures import Failures


def refused() -> StudioError:
    return StudioForbiddenError(403, method="PATCH", path="/x")


def down() -> StudioError:
    return StudioServerError(503, method="PATCH", path="/x")


def failures(**limits: int) -> Failures:
    return Failures(**{"max_in_a_row": 3, "max_refused_at_first": 3, **limits})


def test_the_service_may_fail_one_time_less_than_the_limit() -> None:
    counted = failures()
    said = [counted.failure(report, down()) for report in "abcd"]
    assert said == [None, None, "3 failures in a row", "4 failures in a row"]


def test_a_success_begins_the_count_of_failures_again() -> None:
    counted = failures(max_in_a_row=2)
    assert counted.failure("a", down()) is None
    counted.success()
    assert counted.failure("b", down()) is None
    assert counted.failure("c", down()) == "2 failures in a row"


def test_a_limit_of_one_stops_at_the_first_failure_of_the_service() -> None:
    assert (
        failures(max_in_a_row=1).failure("a", StudioConnectionError("lost", may_have_arrived=True))
        == "1 failures in a row"
    )


def test_a_refusal_neither_counts_as_a_failure_of_the_service_nor_ends_their_row() -> None:
    counted = failures(max_in_a_row=2, max_refused_at_first=100)
    assert counted.failure("a", down()) is None
    assert counted.failure("b", refused()) is None
    assert counted.failure("c", NoEffectError("as it was")) is None
    assert counted.failure("d", down()) == "2 failures in a row"


def test_a_rejected_token_stops_at_once_whatever_was_done_before() -> None:
    counted = failures()
    counted.success()
    rejected = StudioAuthenticationError(401, method="GET", path="/x")
    assert counted.failure("a", rejected, expected=True) == "the token is no longer valid"


def test_refused_reports_at_the_beginning_stop_the_work_at_the_limit() -> None:
    counted = failures()
    assert [counted.failure(report, refused()) for report in "ab"] == [None, None]
    assert "Studio refused the first 3 Reports, and nothing was done" in (counted.failure("c", refused()) or "")


def test_several_refusals_of_one_report_are_one() -> None:
    counted = failures(max_refused_at_first=2)
    assert [counted.failure("a", refused()) for _ in range(5)] == [None] * 5
    assert counted.failure("b", refused()) is not None


def test_refusals_that_were_expected_do_not_count() -> None:
    counted = failures(max_refused_at_first=2)
    assert [counted.failure(report, refused(), expected=True) for report in "abcd"] == [None] * 4
    assert counted.failure("e", refused()) is None
    assert counted.failure("f", refused()) is not None


def test_after_a_success_no_number_of_refusals_stops_the_work() -> None:
    counted = failures(max_refused_at_first=2)
    counted.failure("a", refused())
    counted.success()
    assert [counted.failure(report, refused()) for report in "bcdef"] == [None] * 5


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_each_limit_is_its_own(limit: int) -> None:
    counted = failures(max_in_a_row=100, max_refused_at_first=limit)
    said = [counted.failure(str(number), refused()) for number in range(limit)]
    assert said[:-1] == [None] * (limit - 1)
    assert said[-1] is not None
