# SPDX-License-Identifier: Apache-2.0
"""The name of a table, as a warehouse resolves it, and which names mean the same table.

A part that nobody stated is unknown (`None`), and an unknown part may be any: `orders` may be `analytics.orders`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PLAIN_PART = re.compile(r"[^\s.\"`]+")
_PART = re.compile(r'"((?:[^"]|"")*)"|`([^`]*)`|([^."`]+)')
_MOST_PARTS = 3
_BACKTICKS_AROUND_ALL = re.compile(r"`([^`]*)`")
# A query may name a part of a table's shards, `events_*`.
_WILDCARD = "*"


@dataclass(frozen=True, order=True)
class TableName:
    """A table. `database` is what BigQuery calls a project and Databricks a catalog, `schema` also a dataset."""

    database: str | None
    schema: str | None
    name: str

    def __str__(self) -> str:
        """Return the known parts, joined by dots; one that is not a plain word in double quotes."""
        parts = [self.name] if self.schema is None else [self.schema, self.name]
        if self.database is not None and self.schema is not None:
            parts.insert(0, self.database)
        return ".".join(part if _PLAIN_PART.fullmatch(part) else '"' + part.replace('"', '""') + '"' for part in parts)


def parse_table_name(text: str) -> TableName:
    """Parse `table`, `schema.table` or `database.schema.table`, each part plain or in double quotes or backticks.

    Backticks may also enclose the whole name, as in BigQuery.

    :raises ValueError: it is none of these.
    """
    name = text.strip()
    if around_all := _BACKTICKS_AROUND_ALL.fullmatch(name):
        name = around_all.group(1)
    parts: list[str] = []
    position = 0
    while match := _PART.match(name, position):
        quoted, backticked, plain = match.groups()
        parts.append(quoted.replace('""', '"') if quoted is not None else backticked or (plain or "").strip())
        position = match.end()
        if position == len(name):
            break
        if name[position] != ".":
            break
        position += 1
    if position != len(name) or not name or name.endswith(".") or not all(parts) or len(parts) > _MOST_PARTS:
        raise ValueError(f"{text!r} is not the name of a table: write table, schema.table or database.schema.table")
    padded: list[str | None] = [None] * (_MOST_PARTS - len(parts)) + [*parts]
    return TableName(padded[0], padded[1], parts[-1])


def may_be_same(one: TableName, other: TableName) -> bool:
    """Return whether two names may mean one table: no part that both know differs, whatever its case.

    Warehouses fold case differently, so a comparison that respects it would miss tables. A wildcard in the name of one
    matches the rest of the other's.
    """
    return (
        _may_equal(one.database, other.database)
        and _may_equal(one.schema, other.schema)
        and _names_match(one.name.casefold(), other.name.casefold())
    )


def _may_equal(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one.casefold() == other.casefold()


def _names_match(one: str, other: str) -> bool:
    if one.endswith(_WILDCARD):
        return other.startswith(one[:-1])
    if other.endswith(_WILDCARD):
        return one.startswith(other[:-1])
    return one == other
