# SPDX-License-Identifier: Apache-2.0
"""Uses that are not views: e-mail, and pages outside Studio. Each protects a Report, and so does not knowing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_studio.client.models import Report
from airflow_provider_studio.governance.plans.models import SpareReason
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.plans.protections import ReportTexts
from airflow_provider_studio.governance.plans.subscriber_count import total
from airflow_provider_studio.governance.plans.uses import NO_USES, ReportUses

UNUSED = ReportTexts("0123456789ab", "c0", "Finance", "ada", "Sales", None, NO_USES)
MAILED = SpareReason.PROTECTED_SUBSCRIBERS
USED = SpareReason.PROTECTED_USE


def used(**uses: Any) -> ReportTexts:
    return replace(UNUSED, uses=replace(NO_USES, **uses))


@pytest.mark.parametrize(
    ("policy", "uses", "reason"),
    [
        ({}, {}, None),
        ({}, {"subscribers": 1}, MAILED),
        ({"protected_subscribers": 5}, {"subscribers": 4}, None),
        ({"protected_subscribers": "5"}, {"subscribers": 5}, MAILED),
        ({"protected_subscribers": None}, {"subscribers": 99}, None),
        ({"protected_subscribers": 0}, {"subscribers": None}, None),
        ({}, {"subscribers": None}, MAILED),
        ({}, {"embedded": True}, USED),
        ({}, {"public": True}, USED),
        ({}, {"shared": True}, None),
        ({"protected_uses": ["shared"]}, {"shared": True}, USED),
        ({"protected_uses": ["shared"]}, {"public": True}, None),
        ({}, {"embedded": None}, USED),
        ({"protected_uses": []}, {"embedded": True, "public": None}, None),
    ],
)
def test_a_use_protects_a_report_and_so_does_a_use_that_is_unknown(
    policy: dict[str, Any], uses: dict[str, Any], reason: SpareReason | None
) -> None:
    found = StalenessPolicy(**policy).protection(used(**uses))
    assert (found and found[0]) == reason
    assert StalenessPolicy(**policy).is_use_unknown(used(**uses)) is (reason is not None and None in uses.values())


@pytest.mark.parametrize(
    ("uses", "detail"),
    [
        ({"subscribers": 12}, "12 people get this by e-mail"),
        ({"subscribers": 1}, "1 person gets this by e-mail"),
        ({"subscribers": None}, "it is unknown how many people get it by e-mail"),
        ({"embedded": True}, "other pages may show it (embedded)"),
        ({"public": None}, "it is unknown whether it is public"),
    ],
)
def test_the_use_is_said_in_words(uses: dict[str, Any], detail: str) -> None:
    found = StalenessPolicy().protection(used(**uses))
    assert found is not None
    assert found[1] == detail


@pytest.mark.parametrize(
    ("body", "embedded"),
    [
        ({"is_embedded": False, "is_signed": False}, False),
        ({"is_embedded": False, "is_signed": True}, True),
        ({"is_embedded": True}, True),
        ({"is_embedded": False}, False),
        ({"is_signed": False}, None),
        ({}, None),
    ],
)
def test_a_signed_url_is_another_way_to_embed_a_report(body: dict[str, bool], embedded: bool | None) -> None:
    assert ReportUses.of(Report.parse({"token": "0123456789ab", **body}), 0).embedded is embedded


def test_a_total_with_an_unknown_number_is_unknown() -> None:
    assert [total([]), total([0, 3]), total([3, None])] == [0, 3, None]


def test_the_entries_of_uses_are_no_misspelt_names() -> None:
    counts = StalenessPolicy(keep_mark=None).protections.count([(UNUSED, True), (used(subscribers=3), True)])
    found = {(count.field, count.value): (count.matched, count.spared, count.may_be_a_typo) for count in counts}
    assert found == {
        ("protected_subscribers", "1"): (1, 1, False),
        ("protected_uses", "embedded"): (0, 0, False),
        ("protected_uses", "public"): (0, 0, False),
    }
