# SPDX-License-Identifier: Apache-2.0
"""Reports by the names that people give them: a name counts only if it is that of one Report."""

from __future__ import annotations

import pytest

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.governance.plans.report_names import NamedReport, is_reference, tokens_of_names

TOKEN, OTHER, THIRD = "0a1b2c3d4e5f", "1b2c3d4e5f60", "2c3d4e5f6071"
REPORTS = [
    NamedReport(TOKEN, "Sales / EMEA, weekly", "Finance"),
    NamedReport(OTHER, "Churn", "Finance"),
    NamedReport(THIRD, "churn ", None),
    NamedReport("3d4e5f607182", None, "Finance"),
]


def token_of(name: str) -> str:
    return tokens_of_names("only", [name], REPORTS, place="plan 36066b5db341")[name]


@pytest.mark.parametrize("name", ["Sales / EMEA, weekly", "sales  / emea, WEEKLY", TOKEN])
def test_a_name_that_one_report_has_means_its_token(name: str) -> None:
    assert token_of(name) == TOKEN


def test_of_an_ambiguous_name_all_candidates_are_listed_with_their_collections() -> None:
    with pytest.raises(StudioConfigurationError) as raised:
        token_of("Churn")
    assert str(raised.value) == (
        "only names 'Churn', and 2 Reports of plan 36066b5db341 have this name. Give the token of one instead: "
        f"{OTHER} ('Churn', Collection Finance), {THIRD} ('churn ', no Collection). Nothing was touched."
    )


def test_of_an_unknown_name_similar_names_are_listed() -> None:
    with pytest.raises(StudioConfigurationError, match=rf"no Report of plan .* Similar names: {OTHER} \('Churn'"):
        token_of("Chrun")
    with pytest.raises(StudioConfigurationError, match=r"None has a similar name\. Nothing was touched"):
        token_of("Board pack")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (TOKEN, True),
        (f"archive_report-{TOKEN}", True),
        (f"delete_schedule-{TOKEN}-{OTHER}", True),
        (f"https://app.mode.com/acme/reports/{TOKEN}", True),
        (f"studio://acme/reports/{TOKEN}", True),
        (f"acme/reports/{TOKEN}/runs", True),
        ("Sales-daily", False),
        ("Sales / EMEA", False),
        ("All reports/Daily", False),
        ("123456", False),
    ],
)
def test_what_has_the_form_of_a_token_an_address_or_an_action_is_no_name(text: str, is_one: bool) -> None:
    assert is_reference(text) is is_one
