# SPDX-License-Identifier: Apache-2.0
"""A record of a start that another version wrote: a field that does not fit is unknown."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_studio.client.run_marker import RunMarker
from airflow_provider_studio.client.start_record import Launch

WANTED = Launch(2, "0123456789ab", {"day": "monday"})
WRITTEN = Launch(
    2,
    "0123456789ab",
    {"day": "sunday"},
    after_run="linked",
    after_time="2026-01-01T12:00:00+00:00",
    known_runs=["linked", "older"],
    never_ran=True,
    run="ours",
)


def test_a_record_is_read_as_it_was_written() -> None:
    assert Launch.of(asdict(WRITTEN), WANTED) == WRITTEN


def test_an_empty_record_knows_nothing_but_what_is_wanted_now() -> None:
    assert Launch.of({}, WANTED) == WANTED


def test_which_start_it_is_comes_from_what_is_wanted() -> None:
    read = Launch.of({**asdict(WRITTEN), "epoch": 7, "report": "another"}, WANTED)
    assert (read.epoch, read.report) == (WANTED.epoch, WANTED.report)


@pytest.mark.parametrize(
    ("field", "value", "unknown"),
    [
        ("parameters", "text", {"day": "monday"}),
        ("parameters", None, {"day": "monday"}),
        ("after_run", 7, None),
        ("after_time", "noon", None),
        ("after_time", "2026-01-01T12:00:00", None),  # without a zone it is no point in time
        ("after_time", 1_767_268_800, None),
        ("known_runs", "linked", []),
        ("known_runs", ["linked", 7], []),
        ("known_runs", None, []),
        ("never_ran", False, False),
        ("never_ran", 1, False),
        ("never_ran", "yes", False),
        ("never_ran", None, False),
        ("run", 7, None),
        ("run", None, None),
    ],
)
def test_a_field_of_another_type_is_unknown_and_the_others_are_read(field: str, value: Any, unknown: Any) -> None:
    read = asdict(Launch.of({**asdict(WRITTEN), field: value}, WANTED))
    assert read == {**asdict(WRITTEN), field: unknown}


def test_a_record_holds_the_marker_of_its_start() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert WRITTEN.marker == RunMarker("linked", noon, ("linked", "older"), never_ran=True)
    assert WANTED.marker == RunMarker()
