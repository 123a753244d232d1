# SPDX-License-Identifier: Apache-2.0
"""A policy says what an admin means, or is refused in the admin's words."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.governance.errors import PolicyError
from airflow_provider_studio.governance.policy import StalenessPolicy


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"unviewed_days": -1}, "unviewed_days is -1; .*Use whole days from 1 to 3650"),
        ({"unviewed_days": 0}, "unviewed_days is 0"),
        ({"unviewed_days": 90.5}, "unviewed_days is 90.5"),
        ({"unviewed_days": "90"}, "unviewed_days is '90'"),
        ({"unviewed_days": True}, "unviewed_days is True"),
        ({"unviewed_days": None}, "unviewed_days is None"),
        ({"unrun_days": -5}, "unrun_days is -5"),
        ({"unrun_days": 5000}, "unrun_days is 5000"),
        ({"minimum_age_days": -1}, "minimum_age_days is -1; .*from 0 to 3650"),
        ({"protected_names": "*"}, "protected_names is '\\*'; .*list of non-empty texts"),
        ({"protected_names": [""]}, "protected_names"),
        ({"unviewed": 90}, "there is no field 'unviewed'; the fields are unviewed_days"),
    ],
)
def test_bad_input_is_named(values: dict[str, Any], match: str) -> None:
    with pytest.raises(PolicyError, match=match):
        StalenessPolicy.of(values)


def test_a_policy_says_itself() -> None:
    policy = StalenessPolicy(unrun_days=60, protected_names=["*keep*"], protected_collections=["Board"])
    assert policy.describe() == (
        "A Report is stale when it was not viewed or edited for 90 days, was not run by a person for 60 days, and is "
        "at least 30 days old; never touched: Collections Board; names like *keep*; descriptions with #keep."
    )


def test_a_policy_survives_json() -> None:
    policy = StalenessPolicy(protected_reports=["0123456789ab"], unrun_days=7)
    assert StalenessPolicy.of(policy.model_dump(mode="json")) == policy
    assert StalenessPolicy.of(policy) is policy


@pytest.mark.parametrize("name", ["Do Not Archive", "please DO NOT ARCHIVE this", "do not archive"])
def test_patterns_of_names_do_not_look_at_case(name: str) -> None:
    assert StalenessPolicy(protected_names=["*do not archive*"]).protecting_pattern(name) == "*do not archive*"


def test_a_report_without_a_name_is_protected_by_a_pattern_for_everything_alone() -> None:
    assert StalenessPolicy(protected_names=["*"]).protecting_pattern(None) == "*"
    assert StalenessPolicy(protected_names=["a*"]).protecting_pattern(None) is None
