# SPDX-License-Identifier: Apache-2.0
"""How certain a table is, what is unresolved and why, and that no query takes long or much memory."""

from __future__ import annotations

import pytest

from airflow_provider_studio.governance.lineage.confidence import Confidence
from airflow_provider_studio.governance.lineage.dialects import DataSourceNames, dialect_of
from airflow_provider_studio.governance.lineage.query_tables import QueryTables, tables_of_query

POSTGRES = DataSourceNames("postgres")
CERTAIN, LIKELY = Confidence.CERTAIN, Confidence.LIKELY


def tables(sql: str, *, dialect: str = "postgres", **definitions: str) -> dict[str, Confidence]:
    read = tables_of_query(sql, DataSourceNames(dialect), definitions)
    assert read.reason is None
    return {str(name): confidence for name, confidence in read.tables.items()}


def unresolved(sql: str, **definitions: str) -> str:
    read = tables_of_query(sql, POSTGRES, definitions)
    assert read == QueryTables({}, read.reason)
    return read.reason or ""


def test_a_table_of_each_run_is_certain_and_one_of_a_branch_is_likely() -> None:
    sql = "select * from a.b {% if full %} join a.c using (id) {% else %} join a.d using (id) {% endif %}"
    assert tables(sql) == {"a.b": CERTAIN, "a.c": LIKELY, "a.d": LIKELY}


def test_a_table_of_all_branches_is_certain() -> None:
    assert tables("{% if x %} select 1 from a.b {% else %} select 2 from a.b {% endif %}") == {"a.b": CERTAIN}


def test_branches_of_one_condition_are_taken_together() -> None:
    with_x = "with x as (select * from a.b) "
    sql = f"{{% if full %}} {with_x} {{% endif %}} select * from {{% if full %}} x {{% else %}} a.c {{% endif %}}"
    assert tables(sql) == {"a.b": LIKELY, "a.c": LIKELY}


def test_a_condition_that_does_not_depend_on_parameters_is_evaluated() -> None:
    assert tables("{% assign n = 2 %} select 1 from {% if n > 1 %} a.b {% else %} a.c {% endif %}") == {"a.b": CERTAIN}


def test_a_function_of_the_warehouse_may_read_other_tables() -> None:
    assert tables("select * from a.b, reporting.active_users(30)") == {"a.b": LIKELY}


def test_a_default_that_is_computed_from_a_parameter_is_not_the_only_value() -> None:
    assert tables("select * from a.{{ t | default: 'b' }}") == {"a.b": LIKELY}


def test_a_value_with_filters_does_not_make_a_table() -> None:
    assert unresolved("select * from a.{{ t | append: '_x' | replace: '_', '-' }}")


def test_an_arithmetic_parameter_does_not_make_a_table() -> None:
    assert unresolved("select * from orders_{{ year | minus: 1 }}")


def test_a_parameter_that_may_be_empty_does_not_shorten_a_name() -> None:
    assert unresolved("select * from orders_{{ suffix }} order by id {{ direction }}")


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select * from {{ @gone as g }}", "the definition gone is unknown"),
        ("select * from {{ t }}", "the name of a table is a parameter without known values"),
        ("select * from a b c", "it is not valid SQL of postgres"),
        ("{% if x %} select 1", "its Liquid is invalid: LiquidSyntaxError"),
        ("call refresh()", "its statement CALL does not say which tables it reads"),
        ('select * from ""', "a table has no name"),
        ("select * from reporting.f(1)", "its functions do not say which tables they read"),
        (
            "create function f() returns int as $$ select 1 from a.b $$ language sql; select f()",
            "the function that it creates may read tables",
        ),
        ("select * from dblink('db', 'select 1')", "the function dblink does not say which tables it reads"),
    ],
)
def test_a_reason_is_given(sql: str, reason: str) -> None:
    assert unresolved(sql) == reason


def test_a_parameter_that_may_be_a_clause_makes_the_tables_likely() -> None:
    assert tables("select * from a.b {{ clause }} where x = 1") == {"a.b": LIKELY}


def test_what_a_statement_creates_is_not_read() -> None:
    assert tables("cache table x as select * from a.b; select * from x", dialect="databricks") == {"a.b": CERTAIN}


def test_outputs_within_tags_are_read_as_studio_does() -> None:
    day = "{% assign day = {{ 'now' | date: '%s' | minus: {{ seconds }} | date: '%Y-%m-%d' }} %}"
    assert tables(f"{day} select * from a.b where at > '{{{{ day }}}}'") == {"a.b": CERTAIN}


def test_an_unknown_definition_in_a_comment_is_ignored() -> None:
    assert tables("-- {{ @gone as g }}\nselect 1 from a.b") == {"a.b": CERTAIN}


def test_a_name_may_have_any_characters() -> None:
    assert tables('select * from "a\nb"."c.d"') == {'"a\nb"."c.d"': CERTAIN}


def test_a_procedure_is_not_a_table() -> None:
    read = tables_of_query("EXEC dbo.refresh", DataSourceNames("tsql"), {})
    assert (read.tables, read.reason) == ({}, "its statement EXECUTE does not say which tables it reads")


def test_definitions_that_contain_themselves_are_unresolved() -> None:
    assert unresolved("select * from {{ @x }}", x="select * from {{ @x }}, {{ @x }}")


def test_adapters_have_dialects() -> None:
    adapters = ("jdbc:postgresql", "JDBC:Snowflake", "jdbc:other", None)
    assert [dialect_of(adapter) for adapter in adapters] == ["postgres", "snowflake", None, None]


HOSTILE = {
    "brackets that are not closed": ("select * from " + "(" * 59 + "a", "it is not valid SQL of postgres"),
    "deep brackets": ("select " + "(" * 5_000, "it is too long or too deeply nested"),
    "deep conditions": ("select " + "case when " * 58 + "1", "it is too deeply nested"),
    "many signs": ("select " + "- " * 9_000 + "1", "it is too deeply nested"),
    "tags that are not closed": ("{{ " * 900, "its Liquid is invalid: LiquidSyntaxError"),
    "forms that are not closed": ("{% form %}" * 9_000, "it is too long"),
    "a loop without end": (
        "{% for i in (1..100000000) %}select 1;{% endfor %}",
        "its Liquid is invalid: LoopIterationLimitError",
    ),
    "loops in loops": (
        "{% for i in (1..999) %}{% for j in (1..999) %}a{% endfor %}{% endfor %}",
        "its Liquid is invalid: LoopIterationLimitError",
    ),
    "a text that doubles": (
        "{% assign x = 'aaaaaaaa' %}" + "{% assign x = x | append: x %}" * 60,
        "its Liquid is invalid: LocalNamespaceLimitError",
    ),
    "a text that multiplies": (
        f"{{% assign x = '{'a' * 40_000}' %}}{{{{ x | replace: 'a', '{'b' * 50_000}' }}}}",
        "it is too long",
    ),
    "a long range": ("{{ (1..999999999) | join: 'x' }}", "it is too long"),
    "a large number": (
        "{% assign x = 9 %}" + "{% assign x = x | times: x %}" * 60,
        "its Liquid is invalid: LocalNamespaceLimitError",
    ),
    "a file": ("{% include '/etc/passwd' %}", "its Liquid is invalid: TemplateNotFoundError"),
    "half a character": ("select \ud800", "its Liquid is invalid: UnicodeEncodeError"),
    "options that contain themselves": (
        "{% form %}\na: &a {options: [*a]}\n{% endform %}select * from {{ a }}",
        "the name of a table is a parameter without known values",
    ),
    "a deep form": (
        "{% form %}" + "[" * 9_000 + "{% endform %}select * from {{ a }}",
        "the name of a table is a parameter without known values",
    ),
    "many conditions": (
        "select 1 from {% if a %}t" + "".join(f"{{% elsif b{i} %}}t{i}" for i in range(99)) + "{% endif %}",
        "it has too many conditions",
    ),
}


@pytest.mark.parametrize(("sql", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_refused_by_a_limit(sql: str, reason: str) -> None:
    assert unresolved(sql) == reason
