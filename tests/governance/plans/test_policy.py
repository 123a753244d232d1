# SPDX-License-Identifier: Apache-2.0
"""A policy says what an admin means, or is refused in the admin's words."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_studio.governance.errors import PolicyError
from airflow_provider_studio.governance.plans.policy import StalenessPolicy


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"unviewed_days": -1}, "unviewed_days is -1; .*Use whole days from 1 to 3650"),
        ({"unviewed_days": 0}, "unviewed_days is 0"),
        ({"unviewed_days": 90.5}, "unviewed_days is 90.5"),
        ({"unviewed_days": "90"}, "unviewed_days is '90'"),
        ({"unviewed_days": True}, "unviewed_days is True"),
        ({"unviewed_days": None}, "unviewed_days is None and no other rule is set, so nothing is ever stale. Set"),
        ({"owner_left_days": 90}, r"owner_left_days is 90, .*no shorter than unviewed_days \(90\).*fewer than 90 days"),
        ({"empty_days": 100}, "empty_days is 100"),
        ({"never_run_days": 365, "unviewed_days": 180}, "never_run_days is 365"),
        ({"where": " "}, "where is ' '. Use a text such as views_90d = 0"),
        ({"where": 7}, "where is 7; .*Use a condition in SQL"),
        ({"keep_mark": ""}, "keep_mark is ''. Use a text such as #keep, or None"),
        ({"failing_schedule_runs": 0}, "failing_schedule_runs is 0; .*from 1 to 1000"),
        ({"schedules_of_archived": "yes"}, "schedules_of_archived is 'yes'; .*True or False"),
        ({"grace_nights": -1}, "grace_nights is -1; .*from 0 to 365"),
        ({"protected_owners": [""]}, "protected_owners"),
        ({"unrun_days": -5}, "unrun_days is -5"),
        ({"unrun_days": 5000}, "unrun_days is 5000"),
        ({"minimum_age_days": -1}, "minimum_age_days is -1; .*from 0 to 3650"),
        ({"protected_names": "*"}, "protected_names is '\\*'; .*list of non-empty texts"),
        ({"protected_names": [""]}, "protected_names is ''; .*list of non-empty texts"),
        ({"protected_names": ["a*", " \t\n"]}, r"protected_names is ' \\t\\n'; .*no characters but white space"),
        ({"protected_names": [7]}, "protected_names is 7; .*list of non-empty texts"),
        ({"protected_names": [None]}, "protected_names is None; .*list of non-empty texts"),
        ({"protected_names": [b"keep"]}, "protected_names is b'keep'; .*list of non-empty texts"),
        ({"protected_names": None}, "protected_names is None; .*list of non-empty texts"),
        ({"protected_collections": [" "]}, "protected_collections is ' '"),
        ({"protected_reports": [""]}, "protected_reports is ''"),
        ({"keep_mark": 7}, "keep_mark is 7; .*Use a text such as #keep"),
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


def test_every_rule_is_in_the_sentence() -> None:
    policy = StalenessPolicy(
        owner_left_days=60,
        empty_days=30,
        minimum_age_days=0,
        where="views_90d = 0\n AND runs_90d = 0",
        failing_schedule_runs=5,
        schedules_of_archived=True,
        grace_nights=3,
        protected_owners=["ada"],
        keep_mark=None,
    )
    assert policy.describe() == (
        "A Report is stale when it was not viewed or edited for 90 days (60 where the owner left the workspace, 30 "
        "where there is no query), and matches the condition views_90d = 0 AND runs_90d = 0; a schedule goes after "
        "5 failed runs in a row; the schedules of archived Reports go; nothing is touched that was not flagged in the "
        "3 nights before; never touched: owners ada."
    )
    assert StalenessPolicy(unviewed_days=None, schedules_of_archived=True, keep_mark=None).describe() == (
        "The schedules of archived Reports go."
    )
    assert StalenessPolicy(unviewed_days=None, empty_days=9, keep_mark=None).describe() == (
        "A Report is stale when it was not viewed or edited for so many days: 9 where there is no query, and is at "
        "least 30 days old."
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
