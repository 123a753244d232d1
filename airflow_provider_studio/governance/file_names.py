# SPDX-License-Identifier: Apache-2.0
"""How files, folders and ids in storage are spelled, and how they are read back. `layout` says where they are.

What is spelled here depends on no file system, so that a name is built and parsed by the same few lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import quote, unquote

from airflow_provider_studio.governance.storage import file_stamp, from_file_stamp

# A night

SUMMARY = "summary.json"
"""Written last: a night's folder without it is no snapshot."""
HISTORY = "history.json"
"""Names the nights that a night's history was made from."""
REPORTS_CSV = "reports.csv"
_TAKEN_AT = "taken_at="
_SNAPSHOT_IN_TEXT = re.compile(rf"{_TAKEN_AT}\d{{8}}T\d{{12}}Z")


def table_file(table: str) -> str:
    """Return the name of a table's file."""
    return f"{table}.parquet"


def rows_file(table: str) -> str:
    """Return the name of the file in which a table's rows are collected, as JSON lines."""
    return f"{table}.jsonl"


def snapshot_name(taken_at: datetime) -> str:
    """Return the name of a night's folder."""
    return f"{_TAKEN_AT}{file_stamp(taken_at)}"


def is_snapshot_like(name: str) -> bool:
    """Whether a folder's name claims to be that of a night."""
    return name.startswith(_TAKEN_AT)


def time_of_snapshot(name: str) -> datetime:
    """Return the time in the name of a night's folder.

    :raises ValueError: it is not the name of one.
    """
    if not is_snapshot_like(name):
        raise ValueError(f"{name!r} is not the name of a snapshot.")
    return from_file_stamp(name.removeprefix(_TAKEN_AT))


def snapshots_named_in(text: str) -> set[str]:
    """Return the names of all nights' folders that a text mentions."""
    return set(_SNAPSHOT_IN_TEXT.findall(text))


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
    """Return what stands for the id in the name of a plan's file, or None for another file."""
    return name.removesuffix(_PLAN_ENDING) if name.endswith(_PLAN_ENDING) else None


def one_off_plan_file(plan_id: str) -> str:
    """Return the name of the file that says that a task made a plan of what a person named."""
    return f"{plan_id}{_EVENT_ENDING}"


def id_of_one_off_plan_file(name: str) -> str | None:
    """Return what stands for the id in the name of such a file, or None for another file."""
    return name.removesuffix(_EVENT_ENDING) if name.endswith(_EVENT_ENDING) else None


def journal_name(plan_id: str) -> str:
    """Return the name of a journal's folder."""
    return f"{_JOURNAL}{plan_id}"


def id_of_journal(name: str) -> str | None:
    """Return what stands for the plan's id in the name of a journal's folder, or None for another folder."""
    return name.removeprefix(_JOURNAL) if name.startswith(_JOURNAL) and name != _JOURNAL else None


def action_id(kind: str, report: str, schedule: str | None = None) -> str:
    """Return the id of an action, which names its files in the journal.

    The parts are joined by `-`. One inside a token is escaped, as is all else that has a meaning in a path.
    """
    return _JOIN.join([kind, *(_escaped(token) for token in (report, schedule) if token)])


@dataclass(frozen=True)
class ActionKey:
    """What the id of an action says."""

    kind: str
    report: str
    schedule: str | None


def parsed_action_id(given: str) -> ActionKey | None:
    """Return what an action's id says, or None where it is none, such as the word that stands for the whole plan."""
    kind, *tokens = given.split(_JOIN)
    if len(tokens) not in {1, 2} or not kind or not all(tokens):
        return None
    report, schedule = unquote(tokens[0]), unquote(tokens[1]) if len(tokens) == 2 else None
    return ActionKey(kind, report, schedule)


def report_of(given: str) -> str | None:
    """Return the Report that an action's id names, or None where it names none."""
    key = parsed_action_id(given)
    return None if key is None else key.report


def _escaped(token: str) -> str:
    return quote(token, safe="").replace(_JOIN, "%2D").replace(".", "%2E")


def event_file(action: str, event: str, stamp: str = "") -> str:
    """Return the name of an event's file.

    :param stamp: tells apart events that may happen more than once.
    """
    return f"{action}.{event}{f'-{stamp}' if stamp else ''}{_EVENT_ENDING}"


def parsed_event_file(name: str) -> tuple[str, str] | None:
    """Return the action's id and the rest of the name (the event, with its stamp if it has one), or None."""
    if not name.endswith(_EVENT_ENDING):
        return None
    action, dot, rest = name.removesuffix(_EVENT_ENDING).rpartition(".")
    return (action, rest) if dot else None


def is_event(rest: str, event: str, *, may_be_stamped: bool) -> bool:
    """Whether the rest of an event file's name is that of this event; a stamp begins with the year."""
    return rest == event or (may_be_stamped and rest.startswith(f"{event}-2"))


# The progress of an inventory

CHECKPOINT, COLLECTIONS = "checkpoint.json", "collections.json"
_PAGE_KINDS = frozenset({"reports", "datasets", "missing"})
_UNREADABLE, _SCHEDULES = "unreadable", "schedules"


@dataclass(frozen=True)
class PageName:
    """What the name of a page's file says.

    :param kind: `reports`, `datasets` or `missing`.
    :param rows: how many it has.
    """

    collection: str
    kind: str
    number: int
    rows: int
    is_last: bool


def page_file(page: PageName) -> str:
    """Return the name of the file of a page of a listing."""
    end = "last" if page.is_last else "more"
    return f"{page.kind}.{_in_name(page.collection)}.{page.number:06}.{page.rows}.{end}{_EVENT_ENDING}"


def parsed_page_file(name: str) -> PageName | None:
    """Return what the name of a page's file says, or None for another file."""
    parts = name.split(".")
    if len(parts) != 6 or parts[0] not in _PAGE_KINDS or not (parts[2].isdecimal() and parts[3].isdecimal()):
        return None
    kind, collection, number, rows, end, _ = parts
    return PageName(_from_name(collection), kind, int(number), int(rows), end == "last")


def task_inventory_name(dag_id: str, run_id: str, task_id: str, map_index: int | None) -> str:
    """Return the name of the inventory of one task."""
    return f"{dag_id}/{run_id}/{task_id}/{map_index}"


def shared_inventory_name(dag_id: str, run_id: str, inventory: str) -> str:
    """Return the name of an inventory that the tasks of a DAG run share."""
    return f"{dag_id}/{run_id}/parts/{inventory}"


def unreadable_file(kind: str, collection: str) -> str:
    """Return the name of the file that says why a listing could not be read."""
    return f"{_UNREADABLE}.{kind}.{_in_name(collection)}{_EVENT_ENDING}"


def unreadable_collection(name: str, kind: str) -> str | None:
    """Return the Collection whose listing of a kind could not be read, or None for another file."""
    parts = name.split(".")
    return _from_name(parts[2]) if len(parts) == 4 and parts[:2] == [_UNREADABLE, kind] else None


def schedules_file(first_report: str) -> str:
    """Return the name of the file with the schedules of some Reports, of which this is the first."""
    return f"{_SCHEDULES}.{_in_name(first_report)}{_EVENT_ENDING}"


def is_schedules_file(name: str) -> bool:
    """Whether a file has the schedules of some Reports."""
    return name.startswith(f"{_SCHEDULES}.")


def is_record(name: str) -> bool:
    """Whether a file is a record in JSON; others are being written, or somebody else's."""
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
    """Whether a folder is that of a day's usage records."""
    return name.startswith(_DATE)


def claims_day_name(day: date) -> str:
    """Return the name of the folder of the runs that were claimed on a day."""
    return f"{day:%Y-%m-%d}"


def usage_file(ended: datetime, unique: str) -> str:
    """Return the name of a usage record."""
    return f"{file_stamp(ended)}-{unique}{_EVENT_ENDING}"


# What a task keeps for its next try

RUN_RECORD, KILLED = "run.json", "killed.json"


# What the API server keeps of nights and plans

CHOICES, SNAPSHOT_TOTALS, DUE_DATES = "choices.json", "snapshots.json", "due.json"
PREPARED_SNAPSHOTS, PREPARED_PLANS = "snapshot=*", "plan=*"
"""Patterns for the folders of prepared nights and plans."""


def prepared_snapshot_name(taken_at: datetime) -> str:
    """Return the name of the folder with a night's prepared tables."""
    return f"{PREPARED_SNAPSHOTS[:-1]}{file_stamp(taken_at)}"


def prepared_plan_name(plan_id: str) -> str:
    """Return the name of the folder with a plan's prepared tables."""
    return f"{PREPARED_PLANS[:-1]}{plan_id}"


def export_name(workspace: str, day: str) -> str:
    """Return the name under which a browser saves the export of a night's Reports."""
    return f"studio-reports-{workspace}-{day}.csv"
