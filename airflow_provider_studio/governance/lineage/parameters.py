# SPDX-License-Identifier: Apache-2.0
"""The parameters of a query, as its `{% form %}` blocks define them: names, defaults, and the values to choose from.

Studio documents the block: YAML between `{% form %}` and `{% endform %}`, one key per parameter
(https://mode.com/help/articles/parameters/).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

_FORM = re.compile(r"\{%-?\s*form\s*-?%\}")
_END = re.compile(r"\{%-?\s*endform\s*-?%\}")
_OUTPUT = re.compile(r"\{\{[^{}]*\}\}")
_MOST_FORM_CHARACTERS = 20_000
_MOST_BRACKETS = 1_000
_MOST_VALUES = 200
_CHOICES = frozenset({"select", "multiselect"})


@dataclass(frozen=True)
class Parameter:
    """A parameter.

    :param values: the values that it may have, the default first; empty if the form states none.
    :param is_closed: whether it has no other values than these, because its form lists them.
    """

    values: tuple[str, ...] = ()
    is_closed: bool = False


def without_forms(sql: str) -> tuple[str, dict[str, Parameter]]:
    """Return the query without its forms, and the parameters that they define; none if a form is not YAML."""
    kept: list[str] = []
    parameters: dict[str, Parameter] = {}
    position = 0
    while (start := _FORM.search(sql, position)) and (end := _END.search(sql, start.end())):
        kept.append(sql[position : start.start()])
        parameters |= _parameters_of(sql[start.end() : end.start()])
        position = end.end()
    return "".join([*kept, sql[position:]]), parameters


def _parameters_of(form: str) -> dict[str, Parameter]:
    if len(form) > _MOST_FORM_CHARACTERS or form.count("[") + form.count("{") > _MOST_BRACKETS:
        return {}
    try:
        # A default may be computed: `default: {{ 'now' | date: '%Y-%m-%d' }}`.
        # This loader makes only texts, lists and mappings.
        fields = yaml.load(_OUTPUT.sub("computed", form), Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    if not isinstance(fields, Mapping):
        return {}
    return {str(name): _parameter(field) for name, field in fields.items() if isinstance(field, Mapping)}


def _parameter(field: Mapping[str, object]) -> Parameter:
    options = _options(field.get("options"))
    chosen = _texts(field.get("default"))
    values = tuple(dict.fromkeys([*(value for value in chosen if not options or value in options), *options]))
    return Parameter(
        values[:_MOST_VALUES], bool(options) and field.get("type") in _CHOICES and len(values) <= _MOST_VALUES
    )


def _options(options: object) -> list[str]:
    """Return the values: of pairs of label and value, of `values`, or plain ones; none if a query returns them."""
    if isinstance(options, Mapping):
        return _texts(options["values"]) if isinstance(options.get("values"), list) else []
    if not isinstance(options, list):
        return []
    return [text for option in options for text in _texts(option)[-1:]]


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value] if value else []
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
