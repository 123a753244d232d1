# SPDX-License-Identifier: Apache-2.0
"""Values that are known only when a Report runs, and what stands for them while its SQL is read.

A marker is a word that the SQL parser accepts nearly everywhere, and that survives in the name of a table, where it is
replaced by the values that the query's form lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

from liquid.undefined import Undefined

from airflow_provider_studio.governance.lineage.parameters import Parameter

_MARKER = re.compile(r"studio(parameter|definition)(\d+)x", re.IGNORECASE)
_NUMBER = "77077077"
_GAP = "\ue000"
_JOINED_GAP = re.compile(rf"[\w.`\"]{_GAP}|{_GAP}[\w.`\"]")
MOST_VALUES = 32


class TemplateError(ValueError):
    """A query's Liquid cannot be rendered. The message is a reason for people."""


class Stand(Enum):
    """What stands for unknown values, in the order in which it is tried."""

    WORD = "a word"
    VALUES = "each value that a form lists, else a word"
    NUMBER = "the first value that a form lists, else a number"
    NOTHING = "the first value that a form lists, else nothing"


class Unknown(Undefined):
    """A value that is known when the Report runs."""

    __slots__ = ("marker", "parameter", "registry")

    def __init__(self, name: str, registry: UnknownValues, parameter: Parameter, marker: str) -> None:
        super().__init__(name)
        self.registry, self.parameter, self.marker = registry, parameter, marker

    def __getitem__(self, key: object) -> object:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter([self])

    def __len__(self) -> int:
        return 1

    def items(self) -> Any:
        """Return one item, for a loop over an unknown list."""
        return [self]

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __str__(self) -> str:
        return self.registry.text_of(self)


class UnknownValues:
    """The unknown values of one query, and what stands for them at present."""

    def __init__(self) -> None:
        self._parameters: list[Parameter] = []
        self._definitions: list[str] = []
        self.stand = Stand.WORD
        self.number = 0

    def add(self, name: str, parameter: Parameter | None = None) -> Unknown:
        """Return a new unknown value with a marker of its own."""
        self._parameters.append(parameter or Parameter())
        return Unknown(name, self, self._parameters[-1], f"studioparameter{len(self._parameters) - 1}x")

    def add_definition(self, name: str) -> str:
        """Return the marker of a definition whose SQL is unknown."""
        self._definitions.append(name)
        return f"studiodefinition{len(self._definitions) - 1}x"

    @property
    def most_values(self) -> int:
        """How many values the parameter with the most has, at least 1."""
        return max([1, *(len(parameter.values) for parameter in self._parameters)])

    def text_of(self, value: Unknown) -> str:
        """Return what stands for an unknown value."""
        values = value.parameter.values
        if self.stand is not Stand.WORD and values:
            return values[self.number % len(values)]
        return {Stand.NUMBER: _NUMBER, Stand.NOTHING: _GAP}.get(self.stand, value.marker)

    def with_values(self, parts: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Return what the parts of a name with markers may be.

        :raises TemplateError: a value is unknown.
        """
        names = [parts]
        while marker := next((found for part in names[0] if (found := _MARKER.search(part))), None):
            kind, number = marker.group(1).lower(), int(marker.group(2))
            if kind == "definition":
                raise TemplateError(f"the definition {self._definitions[number]} is unknown")
            values = self._parameters[number].values
            if not values or len(names) * len(values) > MOST_VALUES:
                raise TemplateError("the name of a table is a parameter without known values")
            names = [tuple(part.replace(marker.group(), value) for part in name) for name in names for value in values]
        if any(_NUMBER in part for name in names for part in name):
            raise TemplateError("the name of a table is a parameter without known values")
        return names


def has_marker(value: object) -> bool:
    """Return whether a value is unknown, or contains one that is."""
    if isinstance(value, list | tuple):
        return any(has_marker(item) for item in value)
    return isinstance(value, Unknown) or (isinstance(value, str) and _MARKER.search(value) is not None)


def without_gaps(text: str) -> str | None:
    """Return a text with nothing for unknown values; None if that would change a word."""
    return None if _JOINED_GAP.search(text) else text.replace(_GAP, " ")
