# SPDX-License-Identifier: Apache-2.0
"""Make the small tables that the pages read: of the newest night with its history, and of a plan.

All snapshots of a large workspace are millions of rows, and a plan may name every Report. So this runs once a snapshot
and plan, in a separate process (`python -m airflow_provider_studio.plugin.materialize`), and the API server's memory
stays as it is.
A folder of tables appears whole or not at all, and never changes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upath import UPath

from airflow_provider_studio.governance import sql
from airflow_provider_studio.governance.file_names import (
    CHOICES,
    DUE_DATES,
    NIGHTS_IN_NUMBERS,
    PREPARED_NIGHTS,
    PREPARED_PLANS,
    rows_file,
    table_file,
)
from airflow_provider_studio.governance.layout import plan_path, prepared_night, prepared_plan, prepared_reports
from airflow_provider_studio.governance.plans.models import ActionKind, SpareReason
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.snapshots.facts import facts
from airflow_provider_studio.governance.snapshots.frequency import with_runs_a_week
from airflow_provider_studio.governance.snapshots.schema import IS_REPORT
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore, open_history

if TYPE_CHECKING:
    import duckdb

UNVIEWED_DAYS = 90
"""What the pages call unviewed; the default of a policy."""
STALE = "stale"
"""The verdict on a Report that a plan archives."""
_LIVE = f"NOT coalesce(archived, false) AND {IS_REPORT}"
_REPORTS = (
    f"SELECT *, {_LIVE} AND coalesce(schedules_count, 0) > 0 AS scheduled, "
    f"{_LIVE} AND views_{UNVIEWED_DAYS}d = 0 AS unviewed FROM facts"
)
_NUMBERS = f"""
    count(*) FILTER ({IS_REPORT}) AS reports, count(*) FILTER (archived AND {IS_REPORT}) AS archived,
    count(*) FILTER (scheduled) AS scheduled, count(*) FILTER (unviewed) AS unviewed,
    count(*) FILTER (scheduled AND unviewed) AS scheduled_unviewed
"""
"""The newest night in numbers."""
_UNPROVEN: dict[str, Any] = {"unviewed": None, "scheduled_unviewed": None}
"""What takes a night that is old enough to prove views."""
_KEPT = 3
_SMALL_GROUPS = "ROW_GROUP_SIZE 20480"
"""Sorted by Report and in small groups, so that one Report's nights are found without reading the others'."""


def prepare_night(storage: UPath, workspace: str, cache: Path) -> Path:
    """Make the newest night's tables, unless they are there, and return their folder.

    `reports.parquet` and `schedules.parquet` hold the facts, `history.parquet` every night's totals of each Report,
    `nights.json` each night in numbers, `choices.json` what the filters offer.
    """
    nights = SnapshotStore(storage, workspace).all()
    target = prepared_night(cache, workspace, nights[-1].taken_at)
    if not target.exists():
        with _Made(target) as folder, facts(nights) as connection:
            _facts(connection, folder)
            _history(nights, folder)
            _choices(connection, folder)
            numbers = [*_nights(nights[:-1], _known(target)), _newest(connection, nights)]
            (folder / NIGHTS_IN_NUMBERS).write_text(json.dumps(numbers), encoding="utf-8")
        _forget(target, PREPARED_NIGHTS, _KEPT)
    return target


def prepare_plan(storage: UPath, workspace: str, plan_id: str, cache: Path) -> Path:
    """Make a plan's tables, unless they are there, and return their folder.

    `verdicts.parquet` has one row a Report, `actions.jsonl` the actions, `due.json` when what is in its grace is due.

    :raises PlanTamperedError: the plan was changed after it was made.
    """
    target = prepared_plan(cache, workspace, plan_id)
    if not target.exists():
        plan = Plan.read(plan_path(storage, workspace, plan_id), workspace=workspace)
        with _Made(target) as folder:
            _as_parquet(_verdicts(plan), folder / table_file("verdicts"))
            (folder / DUE_DATES).write_text(json.dumps(plan.due_dates), encoding="utf-8")
            with (folder / rows_file("actions")).open("w", encoding="utf-8") as file:
                for action in plan.actions:
                    file.write(json.dumps(action.model_dump(mode="json") | {"action_id": action.action_id}) + "\n")
        _forget(target, PREPARED_PLANS, 20 * _KEPT)
    return target


def prepare_judged(night: Path, plan: Path | None) -> Path:
    """Make the table of a night's Reports with a plan's verdicts, unless it is there, and return its file.

    It is sorted by name, so that neither a page nor an export has to sort it.

    :param night: what `prepare_night` made.
    :param plan: what `prepare_plan` made; None where no plan judged the Reports.
    """
    target = prepared_reports(night, plan)
    if not target.exists():
        nothing = ", ".join(f"NULL::VARCHAR AS {name}" for name in ("report", "verdict", "detail", "due_on"))
        verdicts = f"(SELECT {nothing} WHERE false)"
        if plan is not None:
            verdicts = sql.parquet([plan / table_file("verdicts")])
        making = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        with sql.opened(sql.NIGHT_MEMORY, [night, *([] if plan is None else [plan])]) as connection:
            query = (
                f"SELECT facts.*, verdict, detail, due_on FROM {sql.parquet([night / table_file('reports')])} AS facts"
                f" LEFT JOIN {verdicts} AS verdicts ON verdicts.report = facts.token"
                " ORDER BY lower(name) NULLS LAST, token"
            )
            _write(connection, query, making)
        making.replace(target)
    return target


def _facts(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    tables = {
        "reports": f"{_REPORTS} ORDER BY token",
        "schedules": f"SELECT * FROM {with_runs_a_week(connection)} ORDER BY report, token",
        "disappeared": "SELECT * FROM disappeared ORDER BY last_seen_at DESC",
    }
    for name, query in tables.items():
        _write(connection, query, folder / table_file(name))


def _history(nights: Sequence[Snapshot], folder: Path) -> None:
    with open_history(nights) as connection:
        query = "SELECT token, taken_at, view_count, runs_count FROM reports ORDER BY token, taken_at"
        _write(connection, query, folder / table_file("history"))


def _write(connection: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    """Write a table by way of the database's own folder: it need not write anywhere else."""
    written = sql.scratch_of(connection) / target.name
    sql.write_parquet(connection, query, written, _SMALL_GROUPS)
    shutil.move(written, target)


def _choices(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    collections = "SELECT collection, any_value(collection_name), count(*) FROM facts GROUP BY 1 ORDER BY 2, 1"
    owners = "SELECT creator, count(*) FROM facts WHERE creator IS NOT NULL GROUP BY 1 ORDER BY 1"
    found = {
        "collections": connection.execute(collections).fetchall(),
        "owners": connection.execute(owners).fetchall(),
    }
    (folder / CHOICES).write_text(json.dumps(found), encoding="utf-8")


def _known(target: Path) -> dict[str, dict[str, Any]]:
    """Return the nights in numbers that an earlier preparation wrote: a night's numbers do not change."""
    earlier = sorted(target.parent.glob(f"{PREPARED_NIGHTS}/{NIGHTS_IN_NUMBERS}"))
    if not earlier:
        return {}
    return {one["taken_at"]: one for one in json.loads(earlier[-1].read_text(encoding="utf-8"))}


def _nights(nights: Sequence[Snapshot], known: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each night in numbers; each takes two nights: itself, and the last that is old enough to prove views."""
    told = []
    for night in nights:
        taken_at = night.taken_at.isoformat()
        told.append(known.get(taken_at) or {"taken_at": taken_at, **_night(night, _anchor(nights, night))})
    return told


def _anchor(nights: Sequence[Snapshot], night: Snapshot) -> Snapshot | None:
    """Return the last night that is old enough to prove views until this one."""
    old_enough = night.taken_at - timedelta(days=UNVIEWED_DAYS)
    return next((one for one in reversed(nights) if one.taken_at <= old_enough), None)


def _newest(connection: duckdb.DuckDBPyConnection, nights: Sequence[Snapshot]) -> dict[str, Any]:
    """Return the newest night in the numbers of its own table, so that they are those of the lists behind them."""
    result = connection.execute(f"SELECT {_NUMBERS} FROM ({_REPORTS})")
    names = [column[0] for column in result.description]
    numbers = dict(zip(names, result.fetchone() or (), strict=True))
    unproven = {} if _anchor(nights, nights[-1]) else _UNPROVEN
    return {"taken_at": nights[-1].taken_at.isoformat(), **numbers, **unproven}


def _night(night: Snapshot, anchor: Snapshot | None) -> dict[str, Any]:
    pair = [night] if anchor is None else [anchor, night]
    times = {"night": _plain(night.taken_at), "anchor": None if anchor is None else _plain(anchor.taken_at)}
    since = _plain(night.taken_at - timedelta(days=UNVIEWED_DAYS))
    with open_history(pair) as connection:
        result = connection.execute(_NIGHT, {**times, "since": since})
        names = [column[0] for column in result.description]
        (row,) = result.fetchall()
    return dict(zip(names, row, strict=True)) | ({} if anchor else _UNPROVEN)


_NIGHT = f"""
WITH newest AS (SELECT * FROM reports WHERE taken_at = $night AND {IS_REPORT}),
past AS (SELECT * FROM reports WHERE taken_at = $anchor),
judged AS (
    SELECT newest.archived IS TRUE AS archived, coalesce(newest.schedules_count, 0) > 0 AS scheduled,
           newest.view_count = past.view_count OR (newest.view_count = 0 AND newest.created_at <= $since) AS unviewed
    FROM newest LEFT JOIN past USING (token)
)
SELECT count(*) AS reports, count(*) FILTER (archived) AS archived,
       count(*) FILTER (NOT archived AND scheduled) AS scheduled,
       count(*) FILTER (NOT archived AND unviewed) AS unviewed,
       count(*) FILTER (NOT archived AND unviewed AND scheduled) AS scheduled_unviewed
FROM judged
"""


def _plain(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(tzinfo=None)


def _verdicts(plan: Plan) -> Iterable[dict[str, Any]]:
    """Return one row a Report that has a verdict. One on a single schedule counts only while it waits for its day."""
    found: dict[str, dict[str, Any]] = {}
    for action in plan.actions:
        if action.kind is ActionKind.ARCHIVE_REPORT:
            why = "; ".join(fact.meaning for fact in action.evidence)
            found[action.report] = _verdict(action.report, STALE, why, action.due_on)
    for spared in sorted(plan.spared, key=lambda spared: spared.schedule is not None):
        verdict = _verdict(spared.report, spared.reason.value, spared.detail, spared.due_on)
        if spared.schedule is None:
            found.setdefault(spared.report, verdict)
        elif spared.reason is SpareReason.GRACE:
            before = found.setdefault(spared.report, verdict)
            if before is not verdict:
                before["detail"] += f"; schedule {spared.schedule}: {spared.detail}"
                before["due_on"] = min(filter(None, (before["due_on"], verdict["due_on"])), default=None)
    return found.values()


def _verdict(report: str, verdict: str, detail: str, due_on: date | None) -> dict[str, Any]:
    return {"report": report, "verdict": verdict, "detail": detail, "due_on": due_on and due_on.isoformat()}


def _as_parquet(rows: Iterable[dict[str, Any]], target: Path) -> None:
    with sql.opened(sql.NIGHT_MEMORY) as connection:
        source = sql.scratch_of(connection) / rows_file("rows")
        with source.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        columns = dict.fromkeys(("report", "verdict", "detail", "due_on"), "VARCHAR")
        _write(connection, f"SELECT * FROM {sql.json_lines(source, columns)} ORDER BY report", target)


class _Made:
    """A folder that is written under another name and gets its own when all is well. A context manager."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __enter__(self) -> Path:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._scratch = Path(tempfile.mkdtemp(prefix=".making-", dir=self._target.parent))
        return self._scratch

    def __exit__(self, error: type[BaseException] | None, *_rest: object) -> None:
        if error is None and not self._target.exists():
            try:
                self._scratch.rename(self._target)
            except OSError:  # another process was quicker; its tables are the same
                if not self._target.exists():
                    raise
        shutil.rmtree(self._scratch, ignore_errors=True)


def _forget(target: Path, pattern: str, keep: int) -> None:
    """Remove all but the newest few folders of a kind."""
    folders = sorted(target.parent.glob(pattern), key=lambda one: one.stat().st_mtime)
    for old in folders[:-keep]:
        if old != target:
            shutil.rmtree(old, ignore_errors=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the tables that the arguments name; an error goes to standard error in one line."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_studio.plugin.materialize")
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--plan", help="a plan's id; the newest night otherwise")
    parser.add_argument("--judge", type=Path, help="a night's folder: join it with the verdicts of --plan")
    given = parser.parse_args(arguments)
    os.nice(10)

    from airflow_provider_studio import settings
    from airflow_provider_studio.client.errors import StudioError

    try:
        if given.judge:
            plan = prepared_plan(given.cache, given.workspace, given.plan) if given.plan else None
            prepare_judged(given.judge, plan)
        elif given.plan:
            prepare_plan(settings.storage(), given.workspace, given.plan, given.cache)
        else:
            prepare_night(settings.storage(), given.workspace, given.cache)
    except StudioError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None


if __name__ == "__main__":
    main()
