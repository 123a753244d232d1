# SPDX-License-Identifier: Apache-2.0
"""Redact responses: keys, types, numbers of rows and links stay; names, tokens, SQL and all other texts are replaced.

What is kept is a list of the API's own words (`api_words`), so a text that nobody thought of is replaced. One original
has one replacement wherever it occurs, also in paths, and replacements are numbered: nothing is derived from originals.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from airflow_provider_studio.governance.doctor import api_words

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)((?:\.\d+)?(?:Z|[+-]\d\d:\d\d))")
_CREATED = re.compile(r"((?:created|updated)_at\.(?:gt|lt)\.)(.+)")
_TOKEN = re.compile(r"[0-9a-f]{12}")
_EMAIL = re.compile(r"[^@\s/]+@[^@\s/]+\.[^@\s/]+")
_DIGITS = re.compile(r"[0-9]{1,18}")
_URL = re.compile(r"(?:https?:/)?/\S*")
_TEMPLATE = re.compile(r"([a-z_]*)\{[/?&]?[a-z_,]{1,40}\}")
_SLASH = re.compile(r"/(?![^{}]*\})")
"""A slash between the parts of a path; that of a template, such as `reports{/id}`, is none."""
_FIRST_TOKEN, _FIRST_NUMBER = 0xA00000000000, 1_000_000
_LARGEST_KEPT = 31
_LONGEST_KEPT_QUERY = 4
_FEWEST_WEEKS, _MOST_WEEKS = 700, 1300
STUDIO = "https://studio.example"
"""The replacement of the connection's own host."""


class Redactor:
    """Redacts the responses of one recording.

    :param host: scheme and host of the connection.
    :param weeks: by how many weeks times are moved into the past; random by default. Whole weeks keep the time of day
        and the day of the week.
    """

    def __init__(self, host: str, weeks: int | None = None) -> None:
        self._host = host
        chosen = _FEWEST_WEEKS + secrets.randbelow(_MOST_WEEKS - _FEWEST_WEEKS) if weeks is None else weeks
        self._shift = timedelta(weeks=chosen)
        self._texts: dict[str, str] = {}
        self._numbers: dict[int, int] = {}
        self._hosts: dict[str, str] = {}

    def body(self, body: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Return a redacted body."""
        return None if body is None else self._resource(body)

    def path(self, path: str) -> str:
        """Return a redacted path; what is no word of the API is replaced, part by part."""
        return "/".join(self._part(unquote(part)) for part in _SLASH.split(path))

    def query(self, query: Mapping[str, str | int]) -> dict[str, str]:
        """Return a redacted query."""
        return {self._query_name(name): self._query_value(str(value)) for name, value in query.items()}

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers that are kept."""
        found = {name: headers[name] for name in api_words.HEADERS if name in headers}
        return {
            name: value if value in api_words.MEDIA_TYPES or _DIGITS.fullmatch(value) else "other"
            for name, value in found.items()
        }

    # Objects

    def _resource(self, found: Mapping[str, Any], *, is_row: bool = False) -> dict[str, Any]:
        """Redact an envelope or a resource: its keys are names of the API.

        :param is_row: whether it is a resource in a list, which has no lists of resources itself.
        """
        redacted: dict[str, Any] = {}
        for key, value in found.items():
            name = self._name(key)
            if key == "_embedded" and isinstance(value, Mapping):
                redacted[name] = self._resource(value)
            elif key in {"_links", "_forms"} and isinstance(value, Mapping):
                redacted[name] = {self._name(relation): self._value(each, relation) for relation, each in value.items()}
            elif _is_list_of_rows(value) and not is_row:
                redacted[name] = [self._resource(row, is_row=True) for row in value]
            else:
                redacted[name] = self._value(value, key)
        return redacted

    def _name(self, key: str) -> str:
        """Return the key of a resource, the relation of a link, or the name of a form."""
        return key if api_words.RESOURCE_KEY.fullmatch(key) else self.text(key)

    def _inner(self, found: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Redact an object within a resource: a key that is not known may be a name that a person chose.

        :param key: the key of the object.
        """
        redacted = {}
        for name, value in found.items():
            kept = name if name in api_words.INNER_KEYS else self.text(name)
            inherited = key if name in {"value", "options"} or key in api_words.USER_DATA else name
            redacted[kept] = self._value(value, inherited)
        return redacted

    def _value(self, value: Any, key: str) -> Any:
        """Redact a value.

        :param key: its key, or that of the object that it is the value of.
        """
        if isinstance(value, Mapping):
            return self._inner(value, key)
        if isinstance(value, list):
            return [self._value(item, key) for item in value]
        if isinstance(value, str):
            return self._keyed_text(value, key)
        if isinstance(value, bool) or value is None:
            return value
        return self._number(value, key)

    def _number(self, value: float, key: str) -> float:
        is_data = key in api_words.USER_DATA
        if not is_data and (api_words.COUNTS.fullmatch(key) or value in range(_LARGEST_KEPT + 1)):
            return value
        if isinstance(value, int):
            return self._numbers.setdefault(value, _FIRST_NUMBER + len(self._numbers))
        return 1.5

    # Texts

    def _keyed_text(self, text: str, key: str) -> str:
        """Redact a text, unless it is a word of the API for this key."""
        pattern = api_words.PATTERNS.get(key)
        if text in api_words.VALUES.get(key, ()) or (pattern is not None and pattern.fullmatch(text)):
            return text
        if _DIGITS.fullmatch(text) and api_words.COUNTS.fullmatch(key):
            return text
        return self.text(text)

    def text(self, text: str) -> str:
        """Redact a text; equal texts have one replacement, and different kinds of text different ones."""
        if not text:
            return text
        found = self._moved(text) or (self._url(text) if _URL.fullmatch(text) else None)
        return found or self._texts.setdefault(text, self._replacement(text))

    def _replacement(self, text: str) -> str:
        number = len(self._texts) + 1
        if _TOKEN.fullmatch(text):
            return f"{_FIRST_TOKEN + number:012x}"
        if _EMAIL.fullmatch(text):
            return f"person-{number}@example.com"
        if _DIGITS.fullmatch(text):
            return str(self._numbers.setdefault(int(text), _FIRST_NUMBER + len(self._numbers)))
        return f"name-{number}"

    def _moved(self, text: str) -> str | None:
        """Return a time, moved into the past and written as it was; None for another text."""
        time = _TIME.fullmatch(text)
        try:
            return None if time is None else f"{(datetime.fromisoformat(time[1]) - self._shift).isoformat()}{time[2]}"
        except (ValueError, OverflowError):
            return None

    # URLs

    def _url(self, text: str) -> str:
        try:
            parts = urlsplit(text)
        except ValueError:
            return "/name"
        origin = ""
        if parts.netloc:
            own = f"{parts.scheme}://{parts.netloc}" == self._host
            origin = (
                STUDIO if own else self._hosts.setdefault(parts.netloc, f"https://host-{len(self._hosts) + 1}.example")
            )
        query = [
            f"{self._query_name(name)}={self._query_value(value)}"
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        ]
        return f"{origin}{self.path(parts.path)}{'?' if query else ''}{'&'.join(query)}"

    def _part(self, part: str) -> str:
        template = _TEMPLATE.fullmatch(part)
        if part in api_words.PATH_WORDS or (template is not None and template[1] in {"", *api_words.PATH_WORDS}):
            return part
        return self.text(part.replace("/", "-"))

    def _query_name(self, name: str) -> str:
        return name if api_words.QUERY_NAMES.fullmatch(name) else self.text(name)

    def _query_value(self, value: str) -> str:
        created = _CREATED.fullmatch(value)
        if created is not None:
            return f"{created[1]}{self.text(created[2])}"
        is_small = value.isdecimal() and len(value) <= _LONGEST_KEPT_QUERY
        if is_small or value in api_words.QUERY_VALUES or _TEMPLATE.fullmatch(value):
            return value
        return self.text(value)


def _is_list_of_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)
