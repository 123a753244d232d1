# SPDX-License-Identifier: Apache-2.0
"""Renders a query's Liquid into the SQL texts that Studio may send to the warehouse.

`{{ @name as alias }}` inserts a definition, a stored SELECT (https://mode.com/help/articles/definitions/). For Liquid
itself see https://mode.com/help/articles/extending-sql-with-liquid/.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from liquid import Environment, Mode
from liquid.exceptions import LiquidError

from airflow_provider_studio.governance.lineage.branches import TAGS, Branches
from airflow_provider_studio.governance.lineage.parameters import Parameter, without_forms
from airflow_provider_studio.governance.lineage.unknown_values import (
    MOST_VALUES,
    Stand,
    TemplateError,
    Unknown,
    UnknownValues,
    has_marker,
    without_gaps,
)

_DEFINITION = re.compile(r"\{\{-?\s*@(\w+)(?:\s+as\s+(\w+))?\s*-?\}\}", re.IGNORECASE)
# Studio accepts outputs within a tag: `{% assign a = {{ b | minus: 1 }} %}`.
_TAG = re.compile(r"\{%(?:(?!\{%).)*?%\}", re.DOTALL)
_OUTPUT_MARK = re.compile(r"\{\{|\}\}")
_MOST_CHARACTERS = 100_000
_MOST_TAGS = 1_000
_MOST_ITEMS = 2_000
_MOST_PRODUCT = 10_000_000
_MOST_VARIANTS = 32
_MOST_DEFINITIONS_IN_EACH_OTHER = 10
# Filters that keep the marker of an unknown value recognizable. Others are not applied to a text with one.
_KEEPING_FILTERS = frozenset(
    {"append", "capitalize", "compact", "concat", "downcase", "first", "join", "last", "lstrip", "prepend", "rstrip"}
    | {"sort", "split", "strip", "strip_newlines", "uniq", "upcase"}
)


def inserts_definition(sql: str) -> bool:
    """Return whether a query inserts a definition."""
    return _DEFINITION.search(sql) is not None


class Renderer:
    """Renders one query in all its variants.

    :param sql: the query as Studio stores it.
    :param definitions: the SQL of each definition by its name.
    :raises TemplateError: the Liquid is invalid, or too long.
    """

    def __init__(self, sql: str, definitions: Mapping[str, str]) -> None:
        self.values = UnknownValues()
        self._branches = Branches()
        by_name = {name.casefold(): text for name, text in definitions.items()}
        text, parameters = without_forms(self._with_definitions(sql, by_name, 0))
        if len(text) > _MOST_CHARACTERS or text.count("{{") + text.count("{%") > _MOST_TAGS:
            raise TemplateError("it is too long")
        text = _TAG.sub(lambda tag: _OUTPUT_MARK.sub(" ", tag.group()), text)
        self._globals = {name: self.values.add(name, parameter) for name, parameter in parameters.items()}
        with _explained():
            self._template = _Environment(self.values, self._branches).from_string(text)

    def variants(self) -> Iterator[Callable[[Stand], list[str]]]:
        """Yield variants until each branch was in one. A variant returns its texts with what stands for unknown values.

        :raises TemplateError: the rendering fails, or there are too many variants.
        """
        for _ in range(_MOST_VARIANTS):
            rendered = self._branches.rendered
            self._render({}, Stand.WORD, 0)
            yield partial(self._texts, self._branches.decisions)
            # If nothing new was rendered, the conditions of what is left contradict each other.
            if self._branches.is_complete or self._branches.rendered == rendered:
                return
        raise TemplateError("it has too many conditions")

    def _texts(self, decisions: dict[str, bool], stand: Stand) -> list[str]:
        if stand is Stand.VALUES:
            most = self.values.most_values
            return [self._render(decisions, stand, number) for number in range(most if most <= MOST_VALUES else 0)]
        text = without_gaps(self._render(decisions, stand, 0))
        return [] if text is None else [text]

    def _render(self, decisions: dict[str, bool], stand: Stand, number: int) -> str:
        self._branches.begin(decisions)
        self.values.stand, self.values.number = stand, number
        with _explained():
            return self._template.render(**self._globals)

    def _with_definitions(self, sql: str, definitions: Mapping[str, str], depth: int) -> str:
        if len(sql) > _MOST_CHARACTERS:
            raise TemplateError("it is too long")
        if depth > _MOST_DEFINITIONS_IN_EACH_OTHER:
            raise TemplateError("its definitions contain each other")

        def insert(match: re.Match[str]) -> str:
            name, alias = match.groups()
            if name.casefold() in definitions:
                inner = definitions[name.casefold()].strip().rstrip(";")
                inner = self._with_definitions(inner, definitions, depth + 1)
                inserted = f"({inner}\n)"
            else:
                inserted = self.values.add_definition(name)
            return f"{inserted} AS {alias}" if alias else inserted

        return _DEFINITION.sub(insert, sql)


class _Environment(Environment):
    block_nesting_limit = 30
    context_depth_limit = 20
    local_namespace_limit = _MOST_CHARACTERS
    loop_iteration_limit = _MOST_ITEMS
    output_stream_limit = _MOST_CHARACTERS

    def __init__(self, values: UnknownValues, branches: Branches) -> None:
        super().__init__(tolerance=Mode.STRICT, strict_filters=True)
        self.branches = branches
        self.undefined = lambda name, **_: values.add(str(name))  # type: ignore[assignment]
        for tag in TAGS:
            self.add_tag(tag)
        for name, function in self.filters.items():
            self.filters[name] = _Filter(name, function, values)


class _Filter:
    """A filter that keeps what is unknown recognizable, and whose result is limited."""

    def __init__(self, name: str, function: Callable[..., object], values: UnknownValues) -> None:
        self.name, self.function, self.values = name, function, values
        self.with_context = getattr(function, "with_context", False)
        self.with_environment = getattr(function, "with_environment", False)

    def __call__(self, value: object, *args: object, **kwargs: object) -> object:
        if any(isinstance(item, range) and item.stop - item.start > _MOST_ITEMS for item in (value, *args)):
            raise TemplateError("it is too long")
        if isinstance(value, Unknown):
            return self._of_unknown(value, args, kwargs)
        if has_marker(value) and self.name not in _KEEPING_FILTERS:
            return value
        # Only these multiply the lengths of two texts.
        if self.name in {"join", "replace"} and len(str(value)) * len(str(args)) > _MOST_PRODUCT:
            raise TemplateError("it is too long")
        return self.function(value, *args, **kwargs)

    def _of_unknown(self, value: Unknown, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        known = value.parameter
        if self.name == "split":
            return [value]
        if self.name == "default":
            default = tuple(str(text) for text in args[:1] if text)
            return self.values.add(value.name, Parameter(known.values or default))
        results = tuple(str(self.function(item, *args, **kwargs)) for item in known.values)
        return self.values.add(value.name, Parameter(results, known.is_closed))


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except TemplateError:
        raise
    except (LiquidError, RecursionError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
        raise TemplateError(f"its Liquid is invalid: {type(error).__name__}") from None
