# SPDX-License-Identifier: Apache-2.0
"""Names of files and folders in storage, and the ids in them: built and parsed here. `layout` defines their paths.

This module uses no file system.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast, get_args
from urllib.parse import quote, unquote

from airflow_provider_studio.client.completeness import End
from airflow_provider_studio.governance.storage import LONGEST_NAME, file_stamp, from_file_stamp

# Names that people choose, such as the ids of a DAG and a run, or the name of a query


def quoted_name(name: str) -> str:
    """Return a name that people choose as the name of a folder, which no other name has: `..` is one too."""
    quoted = quote(name, safe="")
    return bounded_name(quoted.replace(".", "%2E") if set(quoted) == {"."} else quoted)


def bounded_name(name: str, ending: str = "") -> str:
    """Return a name with an ending, in at most 255 bytes of UTF-8: of a longer one the beginning, `=` and a hash.

    Quoted names contain no `=`, so the shortened form of one name is never the form of another.
    """
    whole = f"{name}{ending}"
    if len(whole.encode()) <= LONGEST_NAME:
        return whole
    end = f"={digest(name)}{ending}"
    return name.encode()[: LONGEST_NAME - len(end.encode())].decode(errors="ignore") + end


def digest(text: str) -> str:
    """Return 16 hexadecimal digits that identify a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# Snapshots

SUMMARY = "summary.json"
"""Written last: a folder without it is not a complete snapshot."""
HISTORY = "history.json"
"""Names the snapshots that the rolling history in this snapshot's folder was computed from."""
REPORTS_CSV = "reports.csv"
_TAKEN_AT = "taken_at="
_SNAPSHOT_IN_TEXT = re.compile(rf"{_TAKEN_AT}\d{{8}}T\d{{12}}Z")


def table_file(table: str) -> str:
    """Return the name of a table's file."""
    return f"{table}.parquet"


def rows_file(table: str) -> str:
    """Return the name of the JSON lines file in which the rows of a table are collected."""
    return f"{table}.jsonl"


def snapshot_name(taken_at: datetime) -> str:
    """Return the name of a snapshot's folder."""
    return f"{_TAKEN_AT}{file_stamp(taken_at)}"


def is_snapshot_like(name: str) -> bool:
    """Whether the name of a folder has the prefix of a snapshot."""
    return name.startswith(_TAKEN_AT)


def time_of_snapshot(name: str) -> datetime:
    """Return the time in the name of a snapshot's folder.

    :raises ValueError: the name is not that of a snapshot.
    """
    if not is_snapshot_like(name):
        raise ValueError(f"{name!r} is not the name of a snapshot.")
    return from_file_stamp(name.removeprefix(_TAKEN_AT))


def snapshots_named_in(text: str) -> set[str]:
    """Return the names of all snapshots that a text contains."""
    return set(_SNAPSHOT_IN_TEXT.findall(text))


HOST, PROFILE = "host.json", "profile.json"
"""Names the host whose workspace the files are of."""

# Plans and journals

_PLAN_ENDING, _PLAN_TEXT_ENDING = ".jsonl", ".md"
_JOURNAL = "plan="
_EVENT_ENDING = ".json"
_JOIN = "-"


def plan_file(plan_id: str) -> str:
    """Return the name of a plan's file."""
    return f"{plan_id}{_PLAN_ENDING}"


def plan_text_file(plan_id: str) -> str:
    """Return the name of the file with a plan in Markdown."""
    return f"{plan_id}{_PLAN_TEXT_ENDING}"


def id_of_plan_file(name: str) -> str | None:
    """Return the unchecked plan id in a file name, or None if the name is not that of a plan."""
    return name.removesuffix(_PLAN_ENDING) if name.endswith(_PLAN_ENDING) else None


def one_off_plan_file(plan_id: str) -> str:
    """Return the name of the file that records that a task created a one-off plan."""
    return f"{plan_id}{_EVENT_ENDING}"


def id_of_one_off_plan_file(name: str) -> str | None:
    """Return the unchecked plan id in the name of such a record, or None for another file."""
    return name.removesuffix(_EVENT_ENDING) if name.endswith(_EVENT_ENDING) else None


def journal_name(plan_id: str) -> str:
    """Return the name of a journal's folder."""
    return f"{_JOURNAL}{plan_id}"


def id_of_journal(name: str) -> str | None:
    """Return the unchecked plan id in the name of a journal's folder, or None for another folder."""
    return name.removeprefix(_JOURNAL) if name.startswith(_JOURNAL) and name != _JOURNAL else None


def action_id(kind: str, report: str, schedule: str | None = None) -> str:
    """Return the id of an action, which names its files in the journal.

    The parts are joined by `-`. A `-` in a token is escaped, as are all characters with a meaning in a path.
    """
    return _JOIN.join([kind, *(_escaped(token) for token in (report, schedule) if token)])


@dataclass(frozen=True)
class ActionKey:
    """The parts of an action's id."""

    kind: str
    report: str
    schedule: str | None


def parsed_action_id(text: str) -> ActionKey | None:
    """Return the parts of an action's id, or None for another text, such as the id of events of the whole plan."""
    kind, *tokens = text.split(_JOIN)
    if len(tokens) not in {1, 2} or not kind or not all(tokens):
        return None
    report, schedule = unquote(tokens[0]), unquote(tokens[1]) if len(tokens) == 2 else None
    return ActionKey(kind, report, schedule)


def report_of(action_id: str) -> str | None:
    """Return the Report in an action's id, or None if the text is not such an id."""
    key = parsed_action_id(action_id)
    return None if key is None else key.report


def _escaped(token: str) -> str:
    return quote(token, safe="").replace(_JOIN, "%2D").replace(".", "%2E")


def event_file(action: str, event: str, stamp: str = "") -> str:
    """Return the name of an event's file.

    :param stamp: makes the name unique for events that may happen more than once.
    """
    return f"{action}.{event}{f'-{stamp}' if stamp else ''}{_EVENT_ENDING}"


def parsed_event_file(name: str) -> tuple[str, str] | None:
    """Return the action's id and the rest of the name (the event, with its stamp if present), or None."""
    if not name.endswith(_EVENT_ENDING):
        return None
    action, dot, rest = name.removesuffix(_EVENT_ENDING).rpartition(".")
    return (action, rest) if dot else None


def is_event(rest: str, event: str, *, may_be_stamped: bool) -> bool:
    """Whether the rest of an event file's name is this event; a stamp begins with the year."""
    return rest == event or (may_be_stamped and rest.startswith(f"{event}-2"))


# Checkpoints of an inventory

CHECKPOINT, COLLECTIONS = "checkpoint.json", "collections.json"
_PAGE_KINDS = frozenset({"reports", "datasets", "missing"})
_UNREADABLE, _SCHEDULES = "unreadable", "schedules"


@dataclass(frozen=True)
class PageName:
    """The parts of the name of a page's file.

    :param kind: `reports`, `datasets` or `missing`.
    :param number: its place among the saved pages of its listing, from 1.
    :param rows: the number of rows.
    :param new_rows: how many of them did not come before since the listing's first page.
    :param end: what follows it.
    """

    collection: str
    kind: str
    number: int
    rows: int
    new_rows: int
    end: End

    @property
    def is_last(self) -> bool:
        """Whether nothing follows it."""
        return self.end not in {"more", "again"}


def page_file(page: PageName) -> str:
    """Return the name of the file with one page of a listing."""
    rows = f"{page.rows}.{page.new_rows}"
    return f"{page.kind}.{_in_name(page.collection)}.{page.number:06}.{rows}.{page.end}{_EVENT_ENDING}"


def parsed_page_file(name: str) -> PageName | None:
    """Return the parts of the name of a page's file, or None for another file."""
    parts = name.split(".")
    if len(parts) != 7 or parts[0] not in _PAGE_KINDS or parts[5] not in get_args(End):
        return None
    if not all(part.isdecimal() for part in parts[2:5]):
        return None
    kind, collection, number, rows, new_rows, end, _ = parts
    return PageName(_from_name(collection), kind, int(number), int(rows), int(new_rows), cast("End", end))


def task_inventory_name(dag_id: str, run_id: str, task_id: str, map_index: int | None) -> str:
    """Return the name of the inventory of one task, which is unique per DAG run."""
    return f"{dag_id}/{run_id}/{task_id}/{map_index}"


def shared_inventory_name(dag_id: str, run_id: str, inventory: str) -> str:
    """Return the name of an inventory that several tasks of a DAG run share."""
    return f"{dag_id}/{run_id}/parts/{inventory}"


def unreadable_file(kind: str, collection: str) -> str:
    """Return the name of the file with the reason why a listing could not be read."""
    return f"{_UNREADABLE}.{kind}.{_in_name(collection)}{_EVENT_ENDING}"


def unreadable_collection(name: str, kind: str) -> str | None:
    """Return the Collection whose listing of this kind could not be read, or None for another file."""
    parts = name.split(".")
    return _from_name(parts[2]) if len(parts) == 4 and parts[:2] == [_UNREADABLE, kind] else None


def schedules_file(first_report: str) -> str:
    """Return the name of the file with the schedules of a batch of Reports, by the first Report."""
    return f"{_SCHEDULES}.{_in_name(first_report)}{_EVENT_ENDING}"


def is_schedules_file(name: str) -> bool:
    """Whether a file has the schedules of a batch of Reports."""
    return name.startswith(f"{_SCHEDULES}.")


def is_record(name: str) -> bool:
    """Whether a file is a complete JSON record; other files are temporary or foreign."""
    return name.endswith(_EVENT_ENDING) and not name.startswith(".")


def _in_name(token: str) -> str:
    return token.replace(".", "~")


def _from_name(part: str) -> str:
    return part.replace("~", ".")


# Days: usage records and claims

_DATE = "date="


def day_name(day: date) -> str:
    """Return the name of the folder of a day's usage records."""
    return f"{_DATE}{day:%Y-%m-%d}"


def is_day(name: str) -> bool:
    """Whether a folder has the usage records of a day."""
    return name.startswith(_DATE)


def claims_day_name(day: date) -> str:
    """Return the name of the folder with the claims of a day."""
    return f"{day:%Y-%m-%d}"


def usage_file(ended: datetime, unique: str) -> str:
    """Return the name of a usage record."""
    return f"{file_stamp(ended)}-{unique}{_EVENT_ENDING}"


# Records of a task for its next try

RUN_RECORD, KILLED = "run.json", "killed.json"


# The cache of the API server

CHOICES, SNAPSHOT_TOTALS, DUE_DATES = "choices.json", "snapshots.json", "due.json"
PREPARED_SNAPSHOTS, PREPARED_PLANS = "snapshot=*", "plan=*"
"""Glob patterns of the folders with prepared snapshots and plans."""


def prepared_snapshot_name(taken_at: datetime) -> str:
    """Return the name of the folder with the prepared tables of a snapshot."""
    return f"{PREPARED_SNAPSHOTS[:-1]}{file_stamp(taken_at)}"


def prepared_plan_name(plan_id: str) -> str:
    """Return the name of the folder with the prepared tables of a plan."""
    return f"{PREPARED_PLANS[:-1]}{plan_id}"


def export_name(workspace: str, day: str) -> str:
    """Return the file name that a browser gets for the CSV export of a snapshot."""
    return f"studio-reports-{workspace}-{day}.csv"
