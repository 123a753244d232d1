# SPDX-License-Identifier: Apache-2.0
"""The lines of a plan are canonical, closed to unknown fields, and stay as they were when a field is added later."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from airflow_provider_studio.governance.plans.models import ActionKind, ProtectionCount, Rule, Spared, SpareReason
from tests.governance.small_plans import action, baseline, plan_of

COUNT = ProtectionCount(field="protected_names", value="é*", matched=0, spared=0)


def test_a_line_is_the_same_json_whatever_the_order_of_the_fields() -> None:
    assert COUNT.line() == '{"field":"protected_names","matched":0,"spared":0,"value":"é*"}'


def test_a_field_that_was_added_later_is_written_only_when_it_is_set() -> None:
    assert "protections" not in json.loads(plan_of().header.line())
    assert json.loads(plan_of(protections=()).header.line())["protections"] == []
    assert json.loads(plan_of(protections=(COUNT,)).header.line())["protections"] == [COUNT.model_dump()]
    assert json.loads(plan_of().header.line())["previous_plan"] is None, "a field that was always there"


@pytest.mark.parametrize(
    ("schedule", "fields", "expected"),
    [
        (None, {}, "archive_report-0a"),
        (None, {"kind": ActionKind.UNARCHIVE_REPORT}, "unarchive_report-0a"),
        ("1b", {}, "delete_schedule-0a-1b"),
    ],
)
def test_an_action_is_known_by_what_it_does_and_to_what(
    schedule: str | None, fields: dict[str, ActionKind], expected: str
) -> None:
    assert action("0a", schedule, **fields).action_id == expected


def test_an_unknown_field_in_a_line_is_refused_and_nothing_can_be_changed() -> None:
    one = action()
    with pytest.raises(ValidationError):
        type(one).model_validate({**one.model_dump(), "force": True})
    with pytest.raises(ValidationError):
        one.kind = ActionKind.DELETE_SCHEDULE  # type: ignore[misc]
    with pytest.raises(ValidationError):
        baseline().archived = True  # type: ignore[misc]


def test_an_action_is_stale_unless_it_says_otherwise() -> None:
    fields = action().model_dump(exclude={"rule"})
    assert type(action()).model_validate(fields).rule is Rule.STALE


@pytest.mark.parametrize(
    ("field", "matched", "expected"),
    [("protected_names", 0, True), ("protected_names", 1, False), ("keep_mark", 0, False), ("keep_mark", 1, False)],
)
def test_only_a_named_protection_that_matches_nothing_may_be_a_typo(field: str, matched: int, expected: bool) -> None:
    assert ProtectionCount(field=field, value="x", matched=matched, spared=0).may_be_a_typo is expected


def test_a_spared_report_has_no_night_left_unless_it_says_so() -> None:
    spared = Spared(report="0a", report_name=None, reason=SpareReason.GRACE, detail="")
    assert (spared.nights_left, spared.schedule) == (None, None)
