# SPDX-License-Identifier: Apache-2.0
"""The differences between the models of the server's rate limit, on a manual clock."""

from __future__ import annotations

import pytest

from airflow_provider_studio.emulator.limits import MODELS, Limits
from tests.hand_clock import Seconds


def _passed(limits: Limits, clock: Seconds, at: float, requests: int = 50) -> int:
    """Return how many of a number of simultaneous requests pass."""
    clock.now = at
    return sum(limits.of("token", None, "/api/acme")[0].take() for _ in range(requests))


@pytest.mark.parametrize(
    ("model", "passed"),
    [
        ("sliding", [40, 0, 0, 40]),
        ("fixed", [40, 40, 0, 0]),  # slices start at 106.3 and 116.3
        ("token_bucket", [40, 5, 9, 26]),
    ],
)
def test_each_model_lets_other_requests_pass(model: str, passed: list[int]) -> None:
    clock = Seconds()
    limits = Limits(clock)
    limits.configure(model=model)
    assert [_passed(limits, clock, at) for at in (105.1, 106.35, 108.6, 115.2)] == passed


@pytest.mark.parametrize("model", MODELS)
def test_the_remaining_budget_is_reported_and_never_negative(model: str) -> None:
    limits = Limits(Seconds())
    limits.configure(model=model, limit=3)
    left = []
    for _ in range(5):
        limit, most = limits.of("token", None, "/api/acme")
        limit.take()
        left.append(limit.remaining())
    assert (left, most) == ([2, 1, 0, 0, 0], 3)


def test_budgets_are_separate_by_token_and_can_be_restarted() -> None:
    limits = Limits(Seconds())
    limits.configure(limit=1)
    first, second = (limits.of(token, "member1", "/api/acme")[0] for token in ("a", "b"))
    assert (first.take(), first.take(), second.take()) == (True, False, True)
    limits.restart()
    assert limits.of("a", "member1", "/api/acme")[0].take()
