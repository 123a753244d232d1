# SPDX-License-Identifier: Apache-2.0
"""Parse the JSON object of a response strictly: what two parsers could read differently is refused, with the reason.

Python's parser accepts NaN, turns 1e999 into infinity, takes the last of two equal keys, and raises errors other than
its own for deep nesting and long numbers.
"""

from __future__ import annotations

import json
import math
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from typing import Any, NoReturn

from airflow_provider_studio.client.plain_text import shorten

_MOST_LEVELS = 100
"""Real responses have about ten; a deeper one could not be written again, for example into a journal."""
_MOST_CONTAINERS = 1_000_000
"""Objects and lists: a page of real rows has a few thousand, and each takes thirty times the memory of its text."""
_LONGEST_SHOWN = 60


class UnreadableBodyError(ValueError):
    """A body is no JSON object. The message completes "a body …", such as "that is not UTF-8"."""


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body.

    :raises UnreadableBodyError: it is anything else, with the reason.
    """
    if body.startswith((BOM_UTF8, BOM_UTF16_LE, BOM_UTF16_BE)):
        raise UnreadableBodyError("that starts with a byte order mark")
    if body.count(b"{") + body.count(b"[") > _MOST_CONTAINERS:
        raise UnreadableBodyError(f"that contains more than {_MOST_CONTAINERS:,} objects and lists")
    try:
        parsed = _DECODER.decode(body.decode())
    except UnreadableBodyError:
        raise
    except UnicodeDecodeError:
        raise UnreadableBodyError("that is not UTF-8") from None
    except json.JSONDecodeError:
        raise UnreadableBodyError("that is no JSON") from None
    except RecursionError:
        raise UnreadableBodyError("that is nested too deeply") from None
    except ValueError:  # of int()
        raise UnreadableBodyError("that contains a number with thousands of digits") from None
    if not isinstance(parsed, dict):
        raise UnreadableBodyError(f"that is a JSON {type(parsed).__name__} instead of an object")
    _check_depth(parsed)
    return parsed


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in built if names.count(name) > 1)
        raise UnreadableBodyError(f"that has the key {shorten(twice, _LONGEST_SHOWN)!r} twice in one object")
    return built


def _refuse_constant(name: str) -> NoReturn:
    raise UnreadableBodyError(f"that contains {name}, which is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise UnreadableBodyError(f"that contains the number {shorten(text, _LONGEST_SHOWN)}, which is too large")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite)


def _check_depth(parsed: dict[str, Any]) -> None:
    level: list[Any] = [parsed]
    for _ in range(_MOST_LEVELS):
        level = [child for node in level for child in _children(node) if isinstance(child, dict | list)]
        if not level:
            return
    raise UnreadableBodyError(f"that is nested more than {_MOST_LEVELS} levels deep")


def _children(node: Any) -> Iterator[Any]:
    return iter(node.values() if isinstance(node, dict) else node)
