# SPDX-License-Identifier: Apache-2.0
"""Writes the rows of a snapshot, completed from the previous one, and counts them in the summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from airflow_provider_studio.governance.inventory.carry_over import PreviousSnapshot
from airflow_provider_studio.governance.inventory.summary import MAX_NAMED, InventorySummary
from airflow_provider_studio.governance.snapshots.schema import (
    DATASET,
    CollectionRow,
    ReportRow,
    ScheduleRow,
    unknown_row,
    with_schedules,
)
from airflow_provider_studio.governance.snapshots.store import SnapshotWriter


class RowWriter:
    """Writes rows into a snapshot.

    :param summary: counts what is written.
    """

    def __init__(self, writer: SnapshotWriter, summary: InventorySummary, previous: PreviousSnapshot) -> None:
        self._writer, self._summary, self._previous = writer, summary, previous
        self._invalid: list[tuple[ReportRow, CollectionRow | None]] = []

    def write(
        self,
        row: ReportRow,
        collection: CollectionRow | None,
        read: Mapping[str, Sequence[ScheduleRow] | None],
    ) -> None:
        """Write a Report that was read, with its schedules.

        :param read: the schedules that were read, by Report.
        """
        token, summary = row["token"], self._summary
        if row["unknown"]:
            self._invalid.append((row, collection))
            return
        schedules: Sequence[ScheduleRow] | None = []
        if token in read:
            schedules = read[token]
        elif row["schedules_count"] != 0:
            schedules = self._previous.schedules_of(row)
        by_schedule = self._previous.ran_by_schedule(row, schedules)
        self._writer.add("reports", with_schedules(row, collection, schedules, by_schedule=by_schedule))
        for schedule in schedules or ():
            self._writer.add("schedules", schedule)
        is_dataset = row["type"] == DATASET
        summary.reports += not is_dataset
        summary.datasets += is_dataset
        summary.archived += row["archived"] is True and not is_dataset
        summary.scheduled_reports += bool(schedules) and not is_dataset
        summary.schedules += len(schedules or ())

    def write_invalid(self) -> None:
        """Write the listed Reports with an invalid value: what the previous snapshot knew of them stays."""
        previous = {row["token"]: row for row in self._previous.rows([row["token"] for row, _ in self._invalid])}
        for row, collection in self._invalid:
            reason = row["unknown_reason"]
            known = unknown_row(previous.get(row["token"], row), reason)
            self._writer.add("reports", with_schedules(known, collection, None, by_schedule=None))
        self._summary.unknown += len(self._invalid)
        self._summary.invalid = len(self._invalid)
        self._summary.invalid_rows = [str(row["unknown_reason"]) for row, _ in self._invalid[:MAX_NAMED]]

    def write_unknown(self, rows: Iterable[ReportRow], reasons: Mapping[str, str]) -> None:
        """Write Reports of the previous snapshot that could not be read.

        :param reasons: why, by Report, if not because of its whole Collection.
        """
        for row in rows:
            self._writer.add("reports", unknown_row(row, reasons.get(row["token"])))
            self._summary.unknown += 1
