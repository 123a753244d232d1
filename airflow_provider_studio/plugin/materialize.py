# SPDX-License-Identifier: Apache-2.0
"""Prepare the small tables that the pages read: of the newest snapshot with its history, and of a plan.

All snapshots of a large workspace are millions of rows, and a plan may name every Report. So this runs once for each of
them in a separate process (`python -m airflow_provider_studio.plugin.materialize`), and the API server's memory stays
small. A folder of tables is written atomically and never changes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upath import UPath

from airflow_provider_studio import settings
from airflow_provider_studio.governance import sql
from airflow_provider_studio.governance.file_names import (
    CHOICES,
    DUE_DATES,
    PREPARED_PLANS,
    PREPARED_SNAPSHOTS,
    SNAPSHOT_TOTALS,
    rows_file,
    table_file,
)
from airflow_provider_studio.governance.layout import plan_path, prepared_plan, prepared_reports, prepared_snapshot
from airflow_provider_studio.governance.plans.models import ActionKind, Rule, SpareReason
from airflow_provider_studio.governance.plans.plan import Plan
from airflow_provider_studio.governance.snapshots.facts import facts
from airflow_provider_studio.governance.snapshots.frequency import with_runs_a_week
from airflow_provider_studio.governance.snapshots.schema import IS_REPORT
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore, open_history, whole_snapshots
from airflow_provider_studio.governance.storage import make_private_folder

if TYPE_CHECKING:
    import duckdb

UNVIEWED_DAYS = 90
"""After how many days without a view the pages call a Report unviewed: the default of a policy."""
STALE = "stale"
"""The verdict on a Report that a plan archives, or whose schedules it deletes for the same reason."""
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
"""The columns of a snapshot in numbers."""
_UNPROVEN: dict[str, Any] = {"unviewed": None, "scheduled_unviewed": None}
"""The numbers that need a snapshot old enough to prove views."""
_MOST_SNAPSHOTS, _MOST_PLANS = 3, 60
"""How many folders of each kind the cache keeps."""
_SMALL_GROUPS = "ROW_GROUP_SIZE 20480"
"""Rows are sorted by Report in small groups, so that a query for one Report reads few of them."""


def prepare_snapshot(storage: UPath, workspace: str, cache: Path) -> Path:
    """Prepare the newest snapshot's tables, unless they exist, and return their folder.

    `reports.parquet` and `schedules.parquet` hold the facts, `history.parquet` each Report's totals in each snapshot,
    `snapshots.json` each snapshot in numbers, `choices.json` the options of the filters.
    """
    every = SnapshotStore(storage, workspace).all()
    target = prepared_snapshot(cache, workspace, every[-1].taken_at)
    if not target.exists():
        snapshots = whole_snapshots(every, _known_numbers(target))
        with _AtomicFolder(target) as folder, facts(snapshots) as connection:
            _facts(connection, folder)
            _history(snapshots, folder)
            _choices(connection, folder)
            numbers = [
                *_earlier_numbers(snapshots[:-1], _known_numbers(target)),
                _newest_numbers(connection, snapshots),
            ]
            (folder / SNAPSHOT_TOTALS).write_text(json.dumps(numbers), encoding="utf-8")
        _prune(target, PREPARED_SNAPSHOTS, _MOST_SNAPSHOTS)
    return target


def prepare_plan(storage: UPath, workspace: str, plan_id: str, cache: Path) -> Path:
    """Prepare a plan's tables, unless they exist, and return their folder.

    `verdicts.parquet` has one row per Report, `actions.jsonl` the actions, `due.json` how many items in their grace are
    due on which day.

    :raises PlanTamperedError: the plan was changed after it was made, or its signature is invalid.
    """
    target = prepared_plan(cache, workspace, plan_id)
    if not target.exists():
        plan = Plan.read(plan_path(storage, workspace, plan_id), workspace=workspace)
        plan.check_signature(replace(settings.signer(), accepts_unsigned=True))  # the page says that it is unsigned
        with _AtomicFolder(target) as folder:
            _as_parquet(_verdicts(plan), folder / table_file("verdicts"))
            (folder / DUE_DATES).write_text(json.dumps(plan.due_dates), encoding="utf-8")
            with (folder / rows_file("actions")).open("w", encoding="utf-8") as file:
                for action in plan.actions:
                    file.write(json.dumps(action.model_dump(mode="json") | {"action_id": action.action_id}) + "\n")
        _prune(target, PREPARED_PLANS, _MOST_PLANS)
    return target


def prepare_judged(snapshot: Path, plan: Path | None) -> Path:
    """Prepare the table of a snapshot's Reports with a plan's verdicts, unless it exists, and return its file.

    It is sorted by name, so that neither a page nor an export has to sort it.

    :param snapshot: the folder that `prepare_snapshot` returned.
    :param plan: the folder that `prepare_plan` returned; None where no plan judges Reports.
    """
    target = prepared_reports(snapshot, plan)
    if not target.exists():
        no_values = ", ".join(f"NULL::VARCHAR AS {name}" for name in ("report", "verdict", "detail", "due_on"))
        verdicts = f"(SELECT {no_values} WHERE false)"
        if plan is not None:
            verdicts = sql.parquet([plan / table_file("verdicts")])
        unfinished = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        with sql.opened(sql.SNAPSHOT_MEMORY, [snapshot, *([] if plan is None else [plan])]) as connection:
            reports = sql.parquet([snapshot / table_file("reports")])
            query = (
                f"SELECT facts.*, verdict, detail, due_on FROM {reports} AS facts"
                f" LEFT JOIN {verdicts} AS verdicts ON verdicts.report = facts.token"
                " ORDER BY lower(name) NULLS LAST, token"
            )
            _write(connection, query, unfinished)
        unfinished.replace(target)
    return target


def _facts(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    tables = {
        "reports": f"{_REPORTS} ORDER BY token",
        "schedules": f"SELECT * FROM {with_runs_a_week(connection)} ORDER BY report, token",
        "disappeared": "SELECT * FROM disappeared ORDER BY last_seen_at DESC",
    }
    for name, query in tables.items():
        _write(connection, query, folder / table_file(name))


def _history(snapshots: Sequence[Snapshot], folder: Path) -> None:
    with open_history(snapshots) as connection:
        query = "SELECT token, taken_at, view_count, runs_count FROM reports ORDER BY token, taken_at"
        _write(connection, query, folder / table_file("history"))


def _write(connection: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    """Write a table through the database's private folder, the only one that the database may write to."""
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


def _known_numbers(target: Path) -> dict[str, dict[str, Any]]:
    """Return the numbers of snapshots that an earlier preparation wrote, by time: they do not change."""
    earlier = sorted(target.parent.glob(f"{PREPARED_SNAPSHOTS}/{SNAPSHOT_TOTALS}"))
    if not earlier:
        return {}
    return {numbers["taken_at"]: numbers for numbers in json.loads(earlier[-1].read_text(encoding="utf-8"))}


def _earlier_numbers(snapshots: Sequence[Snapshot], known: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each snapshot in numbers, from its rows and those of the last one that is old enough to prove views."""
    numbers = []
    for snapshot in snapshots:
        taken_at = snapshot.taken_at.isoformat()
        numbers.append(
            known.get(taken_at) or {"taken_at": taken_at, **_numbers(snapshot, _anchor(snapshots, snapshot))}
        )
    return numbers


def _anchor(snapshots: Sequence[Snapshot], snapshot: Snapshot) -> Snapshot | None:
    """Return the last snapshot that is old enough to prove that a Report was not viewed until this one."""
    latest = snapshot.taken_at - timedelta(days=UNVIEWED_DAYS)
    return next((earlier for earlier in reversed(snapshots) if earlier.taken_at <= latest), None)


def _newest_numbers(connection: duckdb.DuckDBPyConnection, snapshots: Sequence[Snapshot]) -> dict[str, Any]:
    """Return the newest snapshot in numbers, counted in its prepared table as the lists on the pages are."""
    result = connection.execute(f"SELECT {_NUMBERS} FROM ({_REPORTS})")
    names = [column[0] for column in result.description]
    numbers = dict(zip(names, result.fetchone() or (), strict=True))
    unproven = {} if _anchor(snapshots, snapshots[-1]) else _UNPROVEN
    return {"taken_at": snapshots[-1].taken_at.isoformat(), **numbers, **unproven}


def _numbers(snapshot: Snapshot, anchor: Snapshot | None) -> dict[str, Any]:
    pair = [snapshot] if anchor is None else [anchor, snapshot]
    times = {"snapshot": _naive(snapshot.taken_at), "anchor": None if anchor is None else _naive(anchor.taken_at)}
    since = _naive(snapshot.taken_at - timedelta(days=UNVIEWED_DAYS))
    with open_history(pair) as connection:
        result = connection.execute(_SNAPSHOT, {**times, "since": since})
        names = [column[0] for column in result.description]
        (row,) = result.fetchall()
    return dict(zip(names, row, strict=True)) | ({} if anchor else _UNPROVEN)


_SNAPSHOT = f"""
WITH newest AS (SELECT * FROM reports WHERE taken_at = $snapshot AND {IS_REPORT}),
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


def _naive(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(tzinfo=None)


def _verdicts(plan: Plan) -> Iterable[dict[str, Any]]:
    """Return one row per Report with a verdict. A verdict on a single schedule counts only while its grace lasts."""
    found: dict[str, dict[str, Any]] = {}
    for action in plan.actions:
        if action.kind is ActionKind.ARCHIVE_REPORT or action.rule is Rule.STALE:
            why = "; ".join(fact.meaning for fact in action.evidence)
            found[action.report] = _verdict(action.report, STALE, why, action.due_on)
    for spared in sorted(plan.spared, key=lambda spared: spared.schedule is not None):
        verdict = _verdict(spared.report, spared.reason.value, spared.detail, spared.due_on)
        if spared.schedule is None:
            found.setdefault(spared.report, verdict)
        elif spared.reason is SpareReason.GRACE:
            first = found.setdefault(spared.report, verdict)
            if first is not verdict:
                first["detail"] += f"; schedule {spared.schedule}: {spared.detail}"
                first["due_on"] = min(filter(None, (first["due_on"], verdict["due_on"])), default=None)
    return found.values()


def _verdict(report: str, verdict: str, detail: str, due_on: date | None) -> dict[str, Any]:
    return {"report": report, "verdict": verdict, "detail": detail, "due_on": due_on and due_on.isoformat()}


def _as_parquet(rows: Iterable[dict[str, Any]], target: Path) -> None:
    with sql.opened(sql.SNAPSHOT_MEMORY) as connection:
        source = sql.scratch_of(connection) / rows_file("rows")
        with source.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        columns = dict.fromkeys(("report", "verdict", "detail", "due_on"), "VARCHAR")
        _write(connection, f"SELECT * FROM {sql.json_lines(source, columns)} ORDER BY report", target)


class _AtomicFolder:
    """A folder that is written under another name and renamed after success. A context manager."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __enter__(self) -> Path:
        make_private_folder(self._target.parent)
        self._scratch = Path(tempfile.mkdtemp(prefix=".making-", dir=self._target.parent))
        return self._scratch

    def __exit__(self, error: type[BaseException] | None, *_rest: object) -> None:
        if error is None and not self._target.exists():
            try:
                self._scratch.rename(self._target)
            except OSError:  # another process finished first; its tables are the same
                if not self._target.exists():
                    raise
        shutil.rmtree(self._scratch, ignore_errors=True)


def _prune(target: Path, pattern: str, keep: int) -> None:
    """Remove all but the newest folders of a kind."""
    folders = sorted(target.parent.glob(pattern), key=lambda folder: folder.stat().st_mtime)
    for old in folders[:-keep]:
        if old != target:
            shutil.rmtree(old, ignore_errors=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prepare the tables that the arguments name; an error is one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_studio.plugin.materialize")
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--plan", help="a plan's id; the newest snapshot otherwise")
    parser.add_argument("--judge", type=Path, help="a snapshot's folder: join it with the verdicts of --plan")
    options = parser.parse_args(arguments)
    os.nice(10)

    from airflow_provider_studio.client.errors import StudioError

    try:
        if options.judge:
            plan = prepared_plan(options.cache, options.workspace, options.plan) if options.plan else None
            prepare_judged(options.judge, plan)
        elif options.plan:
            prepare_plan(settings.storage(), options.workspace, options.plan, options.cache)
        else:
            prepare_snapshot(settings.storage(), options.workspace, options.cache)
    except StudioError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None


if __name__ == "__main__":
    main()
