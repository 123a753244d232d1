# SPDX-License-Identifier: Apache-2.0
"""The tables that one query reads, how certain that is, or why it is unknown.

A query is unresolved if only a part of its tables is known: missing tables must not look like none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from airflow_provider_studio.extras import needs_extra

with needs_extra("lineage", "Finding the tables of queries"):
    from airflow_provider_studio.governance.lineage.sql_parser import ParseError, parse
    from airflow_provider_studio.governance.lineage.statements import StatementReader, UnresolvedError, aliases_in
    from airflow_provider_studio.governance.lineage.templates import Renderer
    from airflow_provider_studio.governance.lineage.unknown_values import Stand, TemplateError, has_marker

from airflow_provider_studio.governance.lineage.confidence import Confidence
from airflow_provider_studio.governance.lineage.dialects import DataSourceNames
from airflow_provider_studio.governance.lineage.table_names import TableName

_MOST_TABLES = 1_000
# Of all renderings of a query together.
_MOST_CHARACTERS = 500_000


@dataclass(frozen=True)
class QueryTables:
    """The tables of a query with the confidence of each, or the reason why they are unknown.

    :param tables: the tables, sorted by name; empty if `reason` is set, or if the query reads none.
    :param reason: why the query is unresolved, for people; None if it is not. It contains no SQL.
    """

    tables: Mapping[TableName, Confidence]
    reason: str | None = None


def tables_of_query(sql: str, names: DataSourceNames, definitions: Mapping[str, str]) -> QueryTables:
    """Return the tables that a query reads.

    :param sql: the query's SQL as Studio stores it, with its Liquid and its forms.
    :param names: the dialect of its data source, and what completes the names of tables.
    :param definitions: the SQL of the workspace's definitions by their names.
    :raises MissingExtraError: a package of the extra `lineage` is missing.
    """
    try:
        return QueryTables(_Reader(Renderer(sql, definitions), names).tables())
    except (TemplateError, ParseError, UnresolvedError) as error:
        return QueryTables({}, str(error))
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # One query with a tree that nobody thought of must not end the work for a whole workspace.
        return QueryTables({}, f"its statements cannot be read: {type(error).__name__}")


class _Reader:
    """Reads all renderings of one query."""

    def __init__(self, renderer: Renderer, names: DataSourceNames) -> None:
        self._renderer, self._names = renderer, names
        self._characters = 0

    def tables(self) -> dict[TableName, Confidence]:
        variants = [self._tables_of_variant(variant) for variant in self._renderer.variants()]
        found = _sorted_names(variants)
        if len(found) > _MOST_TABLES:
            raise UnresolvedError("it reads too many tables")
        return {
            name: Confidence.CERTAIN if all(variant.get(name) for variant in variants) else Confidence.LIKELY
            for name in found
        }

    def _tables_of_variant(self, variant: Callable[[Stand], list[str]]) -> dict[TableName, bool]:
        """Return the tables of the first renderings that are SQL, and whether each is read for any parameters."""
        problem = ParseError("it is not valid SQL")
        for stand in Stand:
            try:
                readings = [self._tables_of_text(text, stand) for text in variant(stand)]
            except ParseError as error:
                problem = error if stand is Stand.WORD else problem
                continue
            if readings:
                return {name: all(reading.get(name) for reading in readings) for name in _sorted_names(readings)}
        raise problem

    def _tables_of_text(self, text: str, stand: Stand) -> dict[TableName, bool]:
        self._characters += len(text)
        if self._characters > _MOST_CHARACTERS:
            raise UnresolvedError("it is too long")
        statements, reader = parse(text, self._names.dialect), StatementReader(self._names)
        if stand is Stand.WORD and any(has_marker(alias) for alias in aliases_in(statements)):
            raise ParseError("a parameter may be a clause")
        reader.read(statements)
        if reader.has_unknown_function and not reader.tables:
            raise UnresolvedError("its functions do not say which tables they read")
        # A value that stands for others may be a part of a name, where it cannot be recognized.
        is_certain = stand is Stand.WORD and not reader.has_unknown_function
        return {
            possible: is_certain and possible == table
            for table in reader.tables
            for possible in self._with_values(table)
        }

    def _with_values(self, table: TableName) -> Iterator[TableName]:
        """Yield the tables that a name with parameters may mean."""
        parts = tuple(part or "" for part in (table.database, table.schema, table.name))
        for database, schema, name in self._renderer.values.with_values(parts):
            yield TableName(database or None, schema or None, name)


def _sorted_names(readings: list[dict[TableName, bool]]) -> list[TableName]:
    return sorted(set().union(*readings), key=str)
