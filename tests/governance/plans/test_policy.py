# SPDX-License-Identifier: Apache-2.0
"""A policy says what an admin means, or is refused in the admin's words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_studio.governance.errors import PolicyError
from airflow_provider_studio.governance.plans.models import SpareReason
from airflow_provider_studio.governance.plans.policy import StalenessPolicy, judges_by
from airflow_provider_studio.governance.plans.protections import ReportTexts
from airflow_provider_studio.governance.plans.uses import NO_USES
from tests.governance.plans.test_patterns import protects


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"unviewed_days": -1}, "unviewed_days is -1; .*Use whole days from 1 to 3650"),
        ({"unviewed_days": 0}, "unviewed_days is 0"),
        ({"unviewed_days": 90.5}, "unviewed_days is 90.5"),
        ({"unviewed_days": "90 days"}, "unviewed_days is '90 days'"),
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
        ({"grace_days": -1}, "grace_days is -1; .*from 0 to 365"),
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
        ({"actions": "archive"}, "actions is 'archive'; .*Use all, or schedules to archive nothing"),
        ({"protected_subscribers": -1}, "protected_subscribers is -1; .*or None to disable the protection"),
        ({"protected_uses": ["mailed"]}, "protected_uses is 'mailed'; .*Use a list of embedded, public, shared"),
        ({"protected_uses": "public"}, "protected_uses is 'public'; .*Use a list of"),
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
        "at least 30 days old; never touched: Collections Board; names like *keep*; descriptions with #keep; "
        "Reports that anyone gets by e-mail; Reports that are embedded or public."
    )


def test_every_rule_is_in_the_sentence() -> None:
    policy = StalenessPolicy(
        owner_left_days=60,
        empty_days=30,
        minimum_age_days=0,
        where="views_90d = 0\n AND runs_90d = 0",
        failing_schedule_runs=5,
        schedules_of_archived=True,
        grace_days=3,
        protected_owners=["ada"],
        keep_mark=None,
        protected_subscribers=5,
        protected_uses=["public"],
        actions="schedules",
    )
    assert policy.describe() == (
        "A Report is stale when it was not viewed or edited for 90 days (60 where the owner left the workspace, 30 "
        "where there is no query), and matches the condition views_90d = 0 AND runs_90d = 0; only the schedules of "
        "stale Reports are deleted, and no Report is archived; a schedule is deleted after 5 failed runs in a row; the "
        "schedules of archived Reports are deleted; nothing is touched until 3 days after it was first flagged; never "
        "touched: owners ada; Reports that 5 or more people get by e-mail; Reports that are public (but schedules that "
        "only fail are deleted)."
    )
    bare = {"keep_mark": None, "protected_subscribers": None, "protected_uses": []}
    assert StalenessPolicy(unviewed_days=None, failing_schedule_runs=3, keep_mark=None).describe() == (
        "A schedule is deleted after 3 failed runs in a row."
    )
    assert StalenessPolicy.of({"unviewed_days": None, "schedules_of_archived": True, **bare}).describe() == (
        "The schedules of archived Reports are deleted."
    )
    assert StalenessPolicy.of({"unviewed_days": None, "empty_days": 9, **bare}).describe() == (
        "A Report is stale when it was not viewed or edited for 9 days where there is no query, and is at least "
        "30 days old."
    )


def test_a_policy_survives_json() -> None:
    policy = StalenessPolicy(protected_reports=["0123456789ab"], unrun_days=7)
    assert StalenessPolicy.of(policy.model_dump(mode="json")) == policy
    assert StalenessPolicy.of(policy) is policy


@pytest.mark.parametrize("name", ["Do Not Archive", "please DO NOT ARCHIVE this", "do not archive"])
def test_patterns_of_names_do_not_look_at_case(name: str) -> None:
    assert protects("*do not archive*", name)


def test_a_report_without_a_name_is_protected_by_a_pattern_for_everything_alone() -> None:
    assert protects("*", None)
    assert not protects("a*", None)


@pytest.mark.parametrize(
    ("name", "least", "most", "hint"),
    [
        *((name, 1, 3650, "Use whole days from 1 to 3650") for name in ("unviewed_days", "unrun_days")),
        ("minimum_age_days", 0, 3650, "Use whole days from 0 to 3650"),
        ("retry_refused_days", 0, 3650, "Use whole days from 0 to 3650"),
        ("failing_schedule_runs", 1, 1000, "Use a whole number of runs from 1 to 1000"),
        ("grace_days", 0, 365, "Use whole days from 0 to 365"),
    ],
)
def test_each_number_has_its_bounds_and_an_error_says_them(name: str, least: int, most: int, hint: str) -> None:
    for value in (least, most):
        assert getattr(StalenessPolicy.of({name: value}), name) == value
        assert getattr(StalenessPolicy.of({name: str(value)}), name) == value, "as a plain template renders it"
    for value in (least - 1, most + 1, f"{least}.0", float(most), True):
        with pytest.raises(PolicyError) as refused:
            StalenessPolicy.of({name: value})
        assert str(refused.value).startswith(f"policy: {name} is {value!r}; ")
        assert str(refused.value).endswith(f". {hint}.")


@pytest.mark.parametrize("name", ["owner_left_days", "empty_days", "never_run_days"])
def test_a_shorter_window_is_shorter_than_the_other(name: str) -> None:
    assert getattr(StalenessPolicy.of({name: 89}), name) == 89
    assert getattr(StalenessPolicy.of({name: 3650, "unviewed_days": None}), name) == 3650
    for value in (90, 91):
        with pytest.raises(
            PolicyError, match=f"policy: {name} is {value}, .*Use fewer than 90 days, or leave {name} out"
        ):
            StalenessPolicy.of({name: value})


@pytest.mark.parametrize(
    ("about", "days"),
    [
        ((False, False, False), 90),
        ((True, False, False), 60),
        ((False, True, False), 30),
        ((False, False, True), 45),
        ((True, True, True), 30),
        ((True, False, True), 45),
    ],
)
def test_the_shortest_window_that_speaks_of_a_report_counts(about: tuple[bool, bool, bool], days: int) -> None:
    policy = StalenessPolicy(owner_left_days=60, empty_days=30, never_run_days=45)
    owner_left, empty, never_run = about
    assert policy.window(owner_left=owner_left, empty=empty, never_run=never_run) == days


def test_where_no_window_speaks_of_a_report_there_is_none() -> None:
    policy = StalenessPolicy(unviewed_days=None, empty_days=30)
    assert policy.window(owner_left=True, empty=False, never_run=True) is None
    assert policy.window(owner_left=False, empty=True, never_run=False) == 30


@pytest.mark.parametrize(
    "fields",
    [
        {"unviewed_days": 1},
        {"unrun_days": 1},
        {"where": "1 = 1"},
        {"owner_left_days": 1},
        {"empty_days": 1},
        {"never_run_days": 1},
    ],
)
def test_each_of_these_rules_alone_archives_reports(fields: dict[str, Any]) -> None:
    assert judges_by(fields)
    assert StalenessPolicy.of({"unviewed_days": None, **fields}).judges


@pytest.mark.parametrize("fields", [{"failing_schedule_runs": 3}, {"schedules_of_archived": True}])
def test_a_rule_for_schedules_alone_archives_nothing(fields: dict[str, Any]) -> None:
    assert not StalenessPolicy.of({"unviewed_days": None, **fields}).judges
    assert not judges_by({"unviewed_days": None, **fields, "protected_names": ["x"]})
    assert not judges_by({})


def test_the_defaults_are_the_safe_ones() -> None:
    policy = StalenessPolicy()
    assert (policy.unviewed_days, policy.minimum_age_days, policy.retry_refused_days) == (90, 30, 7)
    assert (policy.failing_schedule_runs, policy.schedules_of_archived, policy.where) == (None, False, None)
    assert policy.keep_mark == "#keep"


ABOUT = ReportTexts("0a", "c0", "Finance", "ada", "Board pack", "The numbers #keep", NO_USES)


@pytest.mark.parametrize(
    ("policy", "reason", "detail"),
    [
        ({"protected_reports": ["0A"]}, SpareReason.PROTECTED_REPORT, "named by the policy"),
        ({"protected_collections": ["finance"]}, SpareReason.PROTECTED_COLLECTION, "Collection Finance"),
        ({"protected_collections": ["C0"]}, SpareReason.PROTECTED_COLLECTION, "Collection Finance"),
        ({"protected_owners": ["Ada"]}, SpareReason.PROTECTED_OWNER, "owner ada"),
        ({"protected_names": ["x*", "board*", "*"]}, SpareReason.PROTECTED_NAME, "matches board*"),
        ({"keep_mark": "#keep"}, SpareReason.KEEP_MARK, "#keep in its description"),
    ],
)
def test_why_a_report_is_protected_is_told_with_the_entry(
    policy: dict[str, Any], reason: SpareReason, detail: str
) -> None:
    assert StalenessPolicy(**{"keep_mark": None, **policy}).protection(ABOUT) == (reason, detail)


def test_a_collection_without_a_name_is_told_by_its_token() -> None:
    policy = StalenessPolicy(protected_collections=["c0"])
    about = replace(ABOUT, collection_name=None)
    assert policy.protection(about) == (SpareReason.PROTECTED_COLLECTION, "Collection c0")


def test_of_several_protections_the_field_in_front_gives_the_reason() -> None:
    entries = {
        "protected_reports": ["0a"],
        "protected_collections": ["Finance"],
        "protected_owners": ["ada"],
        "protected_names": ["*"],
    }
    reasons = list(entries)
    for number, field in enumerate(reasons):
        found = StalenessPolicy(**dict(list(entries.items())[number:])).protection(ABOUT)
        assert found is not None
        assert found[0].value == field.removesuffix("s")
    assert StalenessPolicy().protection(ABOUT) == (SpareReason.KEEP_MARK, "#keep in its description")


def test_a_report_that_nothing_names_is_not_protected() -> None:
    policy = StalenessPolicy(
        protected_reports=["0b"], protected_collections=["c1"], protected_owners=["bob"], protected_names=["bored*"]
    )
    assert policy.protection(replace(ABOUT, description=None)) is None
    assert StalenessPolicy(keep_mark=None).protection(ABOUT) is None


def test_one_field_does_not_protect_what_stands_in_another() -> None:
    texts = ["0a", "c0", "Finance", "ada", "Board pack", "numbers #keep"]
    own = {
        "protected_reports": {"0a"},
        "protected_collections": {"c0", "Finance"},
        "protected_owners": {"ada"},
        "protected_names": {"Board pack"},
    }
    for field, matching in own.items():
        for text in texts:
            policy = StalenessPolicy(**{field: [text], "keep_mark": None})
            assert (policy.protection(ABOUT) is not None) is (text in matching), (field, text)


def test_a_missing_text_is_matched_by_no_entry_that_names_one() -> None:
    nothing = ReportTexts("0a", None, None, None, None, None, NO_USES)
    policy = StalenessPolicy(protected_collections=["None"], protected_owners=["none"], protected_names=["None"])
    assert policy.protection(nothing) is None
