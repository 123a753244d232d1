# SPDX-License-Identifier: Apache-2.0
"""Names of tables: as text, from text, and which may mean the same table."""

from __future__ import annotations

import pytest

from airflow_provider_studio.governance.lineage.table_names import TableName, may_be_same, parse_table_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("orders", TableName(None, None, "orders")),
        ("sales.orders", TableName(None, "sales", "orders")),
        ("raw.sales.orders", TableName("raw", "sales", "orders")),
        ('"Sales"."my orders"', TableName(None, "Sales", "my orders")),
        ('a."b.c"', TableName(None, "a", "b.c")),
        ('"say ""hi"""', TableName(None, None, 'say "hi"')),
        ("`my-project.sales.events_*`", TableName("my-project", "sales", "events_*")),
        ("`my-project`.sales.`orders`", TableName("my-project", "sales", "orders")),
    ],
)
def test_a_name_is_parsed_and_its_text_is_the_same_name(text: str, name: TableName) -> None:
    assert parse_table_name(text) == name
    assert parse_table_name(str(name)) == name


@pytest.mark.parametrize("text", ["", " ", ".", "a.", ".a", "a..b", "a.b.c.d", '"a', 'a"b"', "`a`b", '""'])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a table"):
        parse_table_name(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("analytics.orders", "ANALYTICS.ORDERS", True),
        ("analytics.orders", "orders", True),
        ("prod.analytics.orders", "analytics.orders", True),
        ("analytics.orders", "sales.orders", False),
        ("prod.analytics.orders", "dev.analytics.orders", False),
        ("analytics.orders", "analytics.orders_archive", False),
        ("web.events_20260101", "web.events_*", True),
        ("web.eventual", "web.events_*", False),
    ],
)
def test_names_may_mean_one_table_unless_a_known_part_differs(one: str, other: str, same: bool) -> None:
    assert may_be_same(parse_table_name(one), parse_table_name(other)) is same
    assert may_be_same(parse_table_name(other), parse_table_name(one)) is same
