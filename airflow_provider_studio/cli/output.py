# SPDX-License-Identifier: Apache-2.0
"""Print a table in the formats of Airflow's own `--output`, and as CSV.

Airflow's printer is not used: it turns numbers and times into texts, reads markup in names, and repeats their control
characters.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self

_LONGEST_CELL = 60
_UNLIMITED = sys.maxsize


@dataclass(frozen=True)
class Table:
    """The rows of a command.

    :param names: the names of the columns.
    :param rows: one value for each column; None is unknown.
    :param failed: whether a part of what the command was asked to do was not done.
    :param failed_status: the exit status if it failed.
    """

    names: Sequence[str]
    rows: Sequence[Sequence[Any]]
    failed: bool = False
    failed_status: int = 1

    @classmethod
    def of(cls, objects: Iterable[Mapping[str, Any]], *, failed: bool = False, failed_status: int = 1) -> Self:
        """Return a table of objects. The columns are those of all objects, in the order of their first use."""
        objects = list(objects)
        names = list(dict.fromkeys(name for row in objects for name in row))
        return cls(names, [[row.get(name, "") for name in names] for row in objects], failed, failed_status)

    def write(self, form: str) -> None:
        """Write the table to standard output.

        :param form: `table` (long cells are shortened), `plain` (the same with whole cells), `json` and `yaml` (a list
            of objects; times in ISO 8601), or `csv`.
        """
        sys.stdout.writelines(self._objects(form) if form in {"json", "yaml"} else self._lines(form))

    def _objects(self, form: str) -> Iterable[str]:
        objects = [dict(zip(self.names, map(_plain, row), strict=True)) for row in self.rows]
        from airflow_provider_studio.governance.text import controls_nothing, json_text

        if form == "json":
            return [json_text(objects, indent=2), "\n"]
        from airflow.utils import yaml

        text = yaml.dump(objects, allow_unicode=True, sort_keys=False)
        return [text if controls_nothing(text) else yaml.dump(objects, allow_unicode=False, sort_keys=False)]

    def _lines(self, form: str) -> Iterable[str]:
        from airflow_provider_studio.governance.text import csv_pieces, table_lines

        if form == "csv":
            return csv_pieces(self.names, self.rows)
        if not self.rows:
            return ["No rows.\n"]
        longest = _LONGEST_CELL if form == "table" else _UNLIMITED
        return (f"{line}\n" for line in table_lines([self.names, *self.rows], longest=longest))


@dataclass(frozen=True)
class Message:
    """A text to send, which a command prints instead of a table."""

    subject: str
    text: str
    failed: bool = False
    failed_status: int = 1

    def write(self, form: str) -> None:
        """Write the message to standard output: as a text, or as a list of one object in `json` and `yaml`."""
        if form in {"json", "yaml"}:
            Table(["subject", "text"], [[self.subject, self.text]]).write(form)
        else:
            sys.stdout.write(f"Subject: {self.subject}\n\n{self.text}")


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date | datetime) else value
