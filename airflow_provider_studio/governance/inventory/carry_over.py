# SPDX-License-Identifier: Apache-2.0
"""The previous snapshot as a crawl needs it: what is not requested again, and which Reports must not go missing.

A Report's schedules are carried over while nothing has changed: it was not edited, has the same number of schedules,
and ran when they predict and at no other time. Since not every change shows in a listing, a share of the schedules is
read again for each snapshot, so that no carried fact is older than `verify_within`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import cast

from upath import UPath

from airflow_provider_studio.governance.doctor.profile import Caution
from airflow_provider_studio.governance.file_names import parsed_event_file, report_of
from airflow_provider_studio.governance.layout import journals_in
from airflow_provider_studio.governance.snapshots.schema import (
    DATASET,
    SAME_RUN,
    ReportRow,
    Row,
    ScheduleRow,
    fetched,
    ran_by_schedule,
)
from airflow_provider_studio.governance.snapshots.store import Snapshot, open_history
from airflow_provider_studio.governance.sql import SNAPSHOT_MEMORY
from airflow_provider_studio.governance.storage import SAME_TIME, explained

UNKNOWN_FOR = timedelta(days=30)
"""How long an unreadable Report is carried over before it counts as gone."""
_PERIODS = {
    "every_15_minutes": timedelta(minutes=15),
    "every_30_minutes": timedelta(minutes=30),
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(days=1),
    "monthly": timedelta(days=1),
}
"""The times between two firings are multiples of these, except for daylight saving."""
_DAYLIGHT_SAVING = timedelta(hours=1)
_LATE = timedelta(hours=1)
"""A predicted run is overdue after this time."""
_SAME_TIME = timedelta(seconds=1)
"""Sources write times to the millisecond or to the second."""
_SCHEDULED = """
SELECT token, type, edited_at, archived, schedules_count, last_run_at, verified_at FROM reports
WHERE unknown IS NOT TRUE AND schedules_count > 0 AND verified_at IS NOT NULL
"""


_ONLY_REST = ("archived", "creator", "collection", "is_embedded", "is_signed", "public", "shared")
"""What the REST API reports, and Discovery does not, or not always."""
_edit_state = itemgetter("edited_at", "archived", "schedules_count")


class PreviousSnapshot:
    """The newest finished snapshot; empty without one.

    :param snapshot: the newest finished snapshot.
    :param taken_at: when the current crawl began.
    :param verify_within: the maximum age of a carried fact.
    :param acted_on: Reports whose schedules governance itself may have deleted or recreated, which no listing shows.
    """

    def __init__(
        self,
        snapshot: Snapshot | None,
        taken_at: datetime,
        *,
        verify_within: timedelta,
        acted_on: frozenset[str] = frozenset(),
    ) -> None:
        self.snapshot = snapshot
        self._acted_on = acted_on
        self._taken_at = taken_at
        self._verify_within = verify_within
        self._scheduled: dict[str, ReportRow] = {}
        self._rest_values: dict[str, Row] = {}
        self._schedules: dict[str, list[ScheduleRow]] = {}
        self._last_runs: dict[str, tuple[datetime, bool | None]] = {}
        """When the last run of each Report began, and whether a schedule made it."""
        self.reports: dict[str, tuple[str | None, str | None, bool]] = {}
        """Collection, type and whether it was unknown, by Report."""
        self.collection_filter: str | None = None
        """Which Collections it contains; None where it does not say."""
        self._sizes: dict[tuple[str | None, str], int] = {}
        self.cautions: frozenset[str] = frozenset()
        """The cautions that it was taken with."""
        self.page_sizes: dict[str, int] = {}
        """The longest page by kind of listing; without a kind for which a short page proves nothing."""
        if snapshot is not None:
            self._load(snapshot)

    def _load(self, snapshot: Snapshot) -> None:
        summary = snapshot.summary()
        self.collection_filter = summary.get("collection_filter")
        self.cautions = frozenset(map(str, summary.get("cautions") or ()))
        if not summary.get("incomplete_listings"):
            self.page_sizes = {kind: rows for kind, rows in (summary.get("page_sizes") or {}).items() if rows}
        with open_history([snapshot], ["reports", "schedules"], memory=SNAPSHOT_MEMORY) as connection:
            for row in fetched(connection.execute(_SCHEDULED)):
                self._scheduled[row["token"]] = cast("ReportRow", row)
            for row in fetched(connection.execute("SELECT * EXCLUDE (taken_at) FROM schedules ORDER BY report, token")):
                self._schedules.setdefault(row["report"], []).append(cast("ScheduleRow", row))
            sql = f"SELECT token, {', '.join(_ONLY_REST)} FROM reports"
            for row in fetched(connection.execute(sql)):
                self._rest_values[row.pop("token")] = row
            sql = "SELECT token, last_run_at, last_run_by_schedule FROM reports WHERE last_run_at IS NOT NULL"
            for row in fetched(connection.execute(sql)):
                self._last_runs[row["token"]] = (row["last_run_at"], row["last_run_by_schedule"])
            sql = "SELECT token, collection, type, coalesce(unknown, false) FROM reports ORDER BY token"
            for token, *facts in connection.execute(sql).fetchall():
                self.reports[token] = (facts[0], facts[1], facts[2])
                listing = (facts[0], "datasets" if facts[1] == DATASET else "reports")
                self._sizes[listing] = self._sizes.get(listing, 0) + 1

    def rows_in(self, collection: str, kind: str) -> int:
        """How many rows a Collection's listing had, of its `reports` or of its `datasets`."""
        return self._sizes.get((collection, kind), 0)

    def proven_rows_in(self, collection: str, kind: str) -> int | None:
        """How many rows a Collection's listing was proven to have; None where it is to be proven again."""
        return None if self._has_turn(f"{kind} of {collection}") else self._sizes.get((collection, kind))

    def rows(self, tokens: Sequence[str]) -> list[ReportRow]:
        """Return whole rows of these Reports."""
        if self.snapshot is None or not tokens:
            return []
        with open_history([self.snapshot], memory=SNAPSHOT_MEMORY) as connection:
            sql = "SELECT * EXCLUDE (taken_at) FROM reports WHERE token IN (SELECT unnest($1)) ORDER BY token"
            return cast("list[ReportRow]", fetched(connection.execute(sql, [list(tokens)])))

    def recently_seen(self, tokens: Sequence[str]) -> list[ReportRow]:
        """Return whole rows of these Reports, without those that have been unknown for too long."""
        oldest = self._taken_at - UNKNOWN_FOR
        return [row for row in self.rows(tokens) if (row["seen_at"] or self._taken_at) >= oldest]

    def has_schedules(self, report: str) -> bool:
        """Whether a Report had schedules, which governance has not acted on."""
        return report in self._schedules and report not in self._acted_on

    def is_without_schedules(self, row: ReportRow) -> bool:
        """Whether a Report that counts no schedules has none although its count is not believed.

        Their list was read for the previous snapshot or an earlier one, it did not run since, and it is not its turn.
        """
        token = row["token"]
        if self.snapshot is None or Caution.SCHEDULES_COUNT not in self.cautions or token not in self.reports:
            return False
        last_run = self._last_runs.get(token)
        ran_since = row["last_run_at"] != (None if last_run is None else last_run[0])
        return not (ran_since or self.has_schedules(token) or token in self._acted_on or self._has_turn(token))

    def completed(self, row: ReportRow) -> ReportRow:
        """Return a Discovery row, completed from the previous snapshot by what only the REST API reports."""
        previous = self._rest_values.get(row["token"], {})
        values: Row = {**row}
        return cast("ReportRow", {**values, **{name: previous[name] for name in previous if values[name] is None}})

    def ran_by_schedule(self, report: ReportRow, schedules: Sequence[ScheduleRow] | None) -> bool | None:
        """Return whether a schedule made a Report's last run; None where that is unknown, or it never ran.

        The schedule may be deleted by now, so the fact of the previous snapshot about the same run stays true. A run is
        identified by its start: the link to it may be missing or old.

        :param schedules: the Report's current schedules; None where they were not read.
        """
        ran, token = report["last_run_at"], report["token"]
        if ran is None:
            return None
        if schedules is not None and ran_by_schedule(ran, schedules):
            return True
        previous = self._last_runs.get(token)
        if previous is not None and abs(previous[0] - ran) <= _SAME_TIME:
            return previous[1]
        if schedules is None or self.reports.get(token, (None, None, False))[2]:
            return None
        existing = {schedule["token"] for schedule in schedules}
        deleted = (schedule for schedule in self._schedules.get(token, ()) if schedule["token"] not in existing)
        return None if any(_may_have_fired(schedule, ran) for schedule in deleted) else False

    def schedules_of(self, report: ReportRow) -> list[ScheduleRow] | None:
        """Return a Report's schedules as they must be now; None if they must be read.

        :param report: its current row.
        """
        previous, carried = self._scheduled.get(report["token"]), self._schedules.get(report["token"], [])
        if previous is None or len(carried) != report["schedules_count"] or self._is_due(previous):
            return None
        if _edit_state(previous) != _edit_state(report):
            return None
        ran = report["last_run_at"]
        if ran == previous["last_run_at"]:
            return carried if not any(self._is_overdue(schedule, ran) for schedule in carried) else None
        predicted = [self._fired(schedule, report) if _predicts(schedule, ran) else schedule for schedule in carried]
        if ran is None or report["last_run_failed"] or predicted == carried:
            return None
        return predicted if not any(self._is_overdue(schedule, ran) for schedule in predicted) else None

    def _is_due(self, previous: ReportRow) -> bool:
        """Whether the Report's schedules are to be read again: its turn has come, or governance acted on it."""
        if previous["token"] in self._acted_on:
            return True
        verified = previous["verified_at"]
        if verified is None or verified <= self._taken_at - self._verify_within:
            return True
        return self._has_turn(previous["token"]) and verified.toordinal() != self._taken_at.toordinal()

    def _has_turn(self, name: str) -> bool:
        """Whether a fact is to be read again on one of the days since the previous snapshot; each has its day."""
        days = max(1, self._verify_within.days)
        turn = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        today = self._taken_at.toordinal()
        since = today if self.snapshot is None else min(today, self.snapshot.taken_at.toordinal() + 1)
        return any((turn + day) % days == 0 for day in range(max(since, today - days), today + 1))

    def _is_overdue(self, schedule: ScheduleRow, last_run_at: datetime | None) -> bool:
        """Whether a predicted run did not happen."""
        planned = schedule["next_scheduled_run"]
        if planned is None or planned > self._taken_at - _LATE:
            return False
        return last_run_at is None or last_run_at < planned - SAME_RUN

    def _fired(self, schedule: ScheduleRow, report: ReportRow) -> ScheduleRow:
        """Return a schedule after the Report's last run, which it predicted."""
        succeeded = report["last_successfully_run_at"]
        failed = report["last_run_failed"]
        return {
            **schedule,
            "last_run_at": report["last_run_at"],
            "last_succeeded_at": succeeded if failed is False else schedule["last_succeeded_at"],
            "last_run_failed": failed,
            "next_scheduled_run": self._next(schedule, report["last_run_at"]),
        }

    def _next(self, schedule: ScheduleRow, ran: datetime | None) -> datetime | None:
        """Return when a schedule fires next; None where that needs a calendar: monthly, or several days a week."""
        planned, freq = schedule["next_scheduled_run"], schedule["freq"]
        days = str(schedule["day_of_week"] or "").strip("[]").split(",")
        if planned is None or ran is None or freq is None or freq == "monthly" or (freq == "weekly" and len(days) > 1):
            return None
        period = timedelta(days=7) if freq == "weekly" else _PERIODS[freq]
        # Count from the last firing, not from an older prediction: daylight saving may have changed since.
        grid = timedelta(minutes=15)
        fired: datetime = planned + round((ran - planned) / grid) * grid
        while fired <= self._taken_at:
            fired += period
        return fired


def reports_acted_on(storage: UPath, workspace: str) -> frozenset[str]:
    """Return the Reports that have an action in any journal."""
    names: list[str] = []
    for journal in journals_in(storage, workspace):
        with explained("list", journal):
            names += [event.name for event in journal.iterdir()]
    events = filter(None, map(parsed_event_file, names))
    return frozenset(report for action, _ in events if (report := report_of(action)) is not None)


def _may_have_fired(schedule: ScheduleRow, ran: datetime) -> bool:
    """Whether a deleted schedule may have made a run: it happened at the schedule's time, or the time is unknown."""
    is_known = schedule["freq"] in _PERIODS and (schedule["next_scheduled_run"] or schedule["last_run_at"])
    return not is_known or _predicts(schedule, ran)


def _predicts(schedule: ScheduleRow, ran: datetime | None) -> bool:
    """Whether a run happened at a time of day (or of the hour) at which a schedule fires."""
    period = _PERIODS.get(schedule["freq"] or "")
    reference = schedule["next_scheduled_run"] or schedule["last_run_at"]
    if period is None or reference is None or ran is None:
        return False
    shifts = [timedelta(0)]
    if period == timedelta(days=1) and schedule["time_zone"] != "UTC":
        shifts += [_DAYLIGHT_SAVING, -_DAYLIGHT_SAVING]
    # A run begins a little after the firing, never before it.
    return any((ran - reference + shift + SAME_TIME) % period <= SAME_RUN for shift in shifts)
