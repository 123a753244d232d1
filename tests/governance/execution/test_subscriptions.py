# SPDX-License-Identifier: Apache-2.0
"""Which subscriptions of a restored schedule are missing or came back otherwise, and which schedule is the newest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_studio.client.models import Schedule, Subscription
from airflow_provider_studio.governance.execution import subscriptions as module
from airflow_provider_studio.governance.execution.subscriptions import options_of
from tests.governance.nights import NOW

CSV = {"csv_attachments_enabled": True, "pdf_attachments_enabled": False}
PDF = {"csv_attachments_enabled": False, "pdf_attachments_enabled": True}
BOTH = {"csv_attachments_enabled": True, "pdf_attachments_enabled": True}
NONE = {"csv_attachments_enabled": False, "pdf_attachments_enabled": False}


def there(*options: dict[str, Any]) -> list[Subscription]:
    return [Subscription.parse({**each, "email_subscriber_count": 3}) for each in options]


def test_what_a_subscription_delivers_are_its_switches_alone() -> None:
    row = {**CSV, "email_subscriber_count": 3, "token": "0", "enabled_at": "now", "report_links_enabled": None}
    assert options_of(row) == {**CSV, "report_links_enabled": None}


@pytest.mark.parametrize(
    ("expected", "present", "missing", "altered"),
    [
        ([], [], [], 0),
        ([CSV], [CSV], [], 0),
        ([CSV], [], [CSV], 0),
        ([CSV, PDF], [PDF, CSV], [], 0),
        ([CSV, CSV], [CSV], [CSV], 0),
        ([CSV, CSV], [CSV, CSV], [], 0),
        ([CSV, PDF], [CSV], [PDF], 0),
        ([], [CSV], [], 0),
        ([CSV], [CSV, PDF], [], 0),
        ([CSV], [PDF], [], 1),
        ([CSV, PDF], [BOTH], [PDF], 1),
        ([PDF, CSV], [NONE, BOTH], [], 2),
        ([CSV], [PDF, BOTH], [], 1),
    ],
)
def test_each_wanted_subscription_is_there_once_or_missing_or_altered(
    expected: list[Any], present: list[Any], missing: list[Any], altered: int
) -> None:
    found, said = module._compared(expected, there(*present))
    assert (list(found), len(said)) == (missing, altered)


def test_one_that_is_there_otherwise_stands_for_the_one_that_it_is_most_like() -> None:
    far = {"csv_attachments_enabled": False, "pdf_attachments_enabled": False, "data_tables_enabled": True}
    near = {"csv_attachments_enabled": True, "pdf_attachments_enabled": True, "data_tables_enabled": False}
    stored = {"csv_attachments_enabled": True, "pdf_attachments_enabled": False, "data_tables_enabled": False}
    missing, altered = module._compared([far, near], there(stored))
    assert missing == [far]
    (said,) = altered
    expected, came = said.split(" came back with ")
    assert expected == (
        "a subscription with csv_attachments_enabled=True, data_tables_enabled=False, pdf_attachments_enabled=True"
    )
    assert came == "pdf_attachments_enabled=False"


def test_a_switch_that_the_backup_does_not_know_does_not_matter() -> None:
    assert module._compared([CSV], there({**CSV, "report_links_enabled": True})) == ([], [])
    missing, said = module._compared([{**CSV, "report_links_enabled": True}], there(CSV))
    assert (missing, len(said)) == ([], 1), "one that the live one lacks does"


def test_what_has_grown_is_what_there_is_more_of_than_before() -> None:
    assert module._grown([CSV], there(CSV)) == {}
    assert module._grown([], there(CSV)) == module._counted([CSV])
    assert module._grown([CSV], there(CSV, CSV, PDF)) == module._counted([CSV, PDF])
    assert module._grown([CSV, PDF], there(CSV)) == {}


def made(token: str, minutes: float | None) -> Schedule:
    at = None if minutes is None else (NOW + timedelta(minutes=minutes)).isoformat()
    return Schedule.parse({"token": token, "created_at": at})


@pytest.mark.parametrize(
    ("schedules", "newest"),
    [
        ([], []),
        ([("a", 0)], ["a"]),
        ([("a", 0), ("b", 1)], ["b"]),
        ([("b", 1), ("a", 0)], ["b"]),
        ([("a", 1), ("b", 1), ("c", 0)], ["a", "b"]),
        ([("a", 1), ("b", None)], None),
        ([("a", None)], None),
    ],
)
def test_the_newest_schedules_are_known_only_where_all_say_when_they_were_made(
    schedules: list[tuple[str, float | None]], newest: list[str] | None
) -> None:
    assert module._newest([made(*schedule) for schedule in schedules]) == newest
