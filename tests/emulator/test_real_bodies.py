# SPDX-License-Identifier: Apache-2.0
"""The emulator's responses have the keys, links, forms and types of real ones, except for differences with a reason."""

from __future__ import annotations

import pytest

from tests.conftest import FIXTURES, needs_real_bodies
from tests.emulator.real_bodies import REAL, REASONS, Real, differences, parts
from tests.emulator.real_keys import REAL_KEYS, keys_of_real
from tests.emulator.sample import Sample


@pytest.mark.parametrize("real", REAL, ids=lambda real: real.file)
def test_a_response_differs_from_a_real_one_only_with_a_reason(sample: Sample, real: Real) -> None:
    assert [difference.what for difference in differences(real, sample) if difference.reason is None] == []


@needs_real_bodies
@pytest.mark.parametrize("real", REAL, ids=lambda real: real.file)
def test_the_table_has_the_keys_of_a_real_body(real: Real) -> None:
    assert keys_of_real(real.file) == parts(real.theirs(), real)


def test_every_body_of_the_table_is_compared_with_a_response() -> None:
    assert set(REAL_KEYS) == {real.file for real in REAL}


@needs_real_bodies
def test_every_real_body_is_compared_with_a_response() -> None:
    assert {path.relative_to(FIXTURES).as_posix() for path in FIXTURES.rglob("*.json")} == {real.file for real in REAL}


def test_every_reason_is_needed(sample: Sample) -> None:
    reasons = {difference.reason for real in REAL for difference in differences(real, sample)}
    assert {reason for *_, reason in REASONS} <= reasons
