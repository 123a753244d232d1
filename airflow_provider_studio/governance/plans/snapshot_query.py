# SPDX-License-Identifier: Apache-2.0
"""Find Reports in the newest snapshot, by their names or by a SQL condition. Sends no request.

The result says what the snapshot has of each Report, because an action must not be carried out on a Report that is
another one by now, or was used or edited since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from upath import UPath

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.identifiers import report_token, token_text
from airflow_provider_studio.client.models import Report, Schedule
from airflow_provider_studio.governance.errors import GuardRailError, PlanError
from airflow_provider_studio.governance.plans.report_names import NamedReport, is_reference, tokens_of_names
from airflow_provider_studio.governance.snapshots import csv_export
from airflow_provider_studio.governance.snapshots.schema import (
    DATASET,
    IS_REPORT,
    SAME_RUN,
    Row,
    report_row,
)
from airflow_provider_studio.governance.snapshots.store import Snapshot, SnapshotStore, open_history
from airflow_provider_studio.governance.storage import SAME_TIME, utcnow

MAX_SNAPSHOT_AGE_DAYS = 2.0
_IDENTITY = ("name", "creator", "collection")
_USE = ("view_count", "edited_at")
_NAMES = f"SELECT token, name, coalesce(collection_name, collection) FROM reports WHERE {IS_REPORT}"  # noqa: S608
_PLACES = f"SELECT coalesce(collection, ''), archived FROM reports WHERE {IS_REPORT}"  # noqa: S608
_COLUMNS = ("token", "type", *_IDENTITY, *_USE, "last_run_at")


@dataclass(frozen=True)
class SelectedReports:
    """Reports that a person named or selected.

    :param tokens: their tokens.
    :param rows: by token, what the snapshot has of a Report that was found there.
    :param where: the condition; None if they were named.
    :param snapshot: the name of the snapshot that the condition was evaluated over.
    :param taken_at: the time of that snapshot.
    :param reports_in_snapshot: the number of its Reports.
    :param reports_by_collection: the number of its Reports that are not archived, by Collection.
    """

    tokens: Sequence[str]
    rows: Mapping[str, Row] = field(default_factory=dict)
    where: str | None = None
    snapshot: str | None = None
    taken_at: datetime | None = None
    reports_in_snapshot: int = 0
    reports_by_collection: Mapping[str, int] = field(default_factory=dict)

    def change(self, live: Report, schedules: Sequence[Schedule], *, is_restored: bool) -> str | None:
        """Return what is not as in the snapshot any more, in words; None if nothing is.

        Only what the snapshot has is compared, and the last run. A schedule of the Report may have run it since.

        :param is_restored: whether the action restores the Report, which does not depend on its use.
        """
        row = self.rows.get(live.token)
        if row is None:
            return None
        now: Mapping[str, Any] = report_row(live, datetime.now(UTC))
        for name in (*_IDENTITY, *(() if is_restored else _USE)):
            if name in row and not _is_same(row[name], now[name]):
                return f"{name} was {_shown(row[name])} in the snapshot and is {_shown(now[name])}"
        is_judged = self.where is not None and not is_restored
        if is_judged and _was_run(row.get("last_run_at"), live.last_run_at, schedules):
            return f"its last run was at {_shown(live.last_run_at)}: not that of the snapshot, and no schedule's"
        return None


def select_reports(
    storage: UPath,
    workspace: str,
    reports: Sequence[str],
    where: str | None,
    *,
    max_snapshot_age_days: float | str = MAX_SNAPSHOT_AGE_DAYS,
    now: Callable[[], datetime] = utcnow,
) -> SelectedReports:
    """Return the Reports that a person named, or selected with a condition. Only names and a condition need a snapshot.

    :param reports: tokens of Reports, URLs of their pages, or names in the newest snapshot.
    :param where: instead of `reports`, a SQL condition over the newest snapshot.
    :param max_snapshot_age_days: an older snapshot is refused.
    :raises PlanError: neither is given, or both; or there is no snapshot.
    :raises GuardRailError: the newest snapshot is too old.
    :raises GovernanceError: the condition is not valid, fails, or exceeds a limit.
    :raises StudioConfigurationError: a name is not that of one Report. Lists the candidates.
    """
    if where is not None:
        if reports:
            raise PlanError("Both reports and where are given; give the Reports, or a condition that selects them.")
        return SnapshotQuery(storage, workspace, max_age_days=max_snapshot_age_days, now=now).matching(where)
    if not reports:
        raise PlanError("reports is empty; name the Reports by their tokens, URLs or names.")
    names = list(dict.fromkeys(report for report in reports if not is_reference(token_text("reports", report))))
    if not names:
        return SelectedReports([report_token(report, workspace) for report in reports])
    found = SnapshotQuery(storage, workspace, max_age_days=max_snapshot_age_days, now=now).named("reports", names)
    tokens = dict(zip(names, found.tokens, strict=True))
    return replace(found, tokens=[tokens.get(report) or report_token(report, workspace) for report in reports])


class SnapshotQuery:
    """Reads the newest snapshot of a workspace.

    :param max_age_days: an older snapshot is refused.
    :raises PlanError: there is no snapshot.
    :raises GuardRailError: the newest one is too old, or the limit makes no sense.
    """

    def __init__(
        self,
        storage: UPath,
        workspace: str,
        *,
        max_age_days: float | str = MAX_SNAPSHOT_AGE_DAYS,
        now: Callable[[], datetime] = utcnow,
    ) -> None:
        self._store = SnapshotStore(storage, workspace)
        self._snapshots = self._store.all()
        if not self._snapshots:
            raise PlanError(
                f"{storage} has no snapshot of the workspace {workspace!r}, and names and conditions are looked up in "
                "the newest snapshot. Take an inventory first, or give the tokens of the Reports. Nothing was touched."
            )
        self._check_age(now(), _days(max_age_days))

    @property
    def newest(self) -> Snapshot:
        """The newest snapshot."""
        return self._snapshots[-1]

    def _check_age(self, now: datetime, max_age_days: float) -> None:
        age = (now - self.newest.taken_at) / timedelta(days=1)
        if age > max_age_days:
            raise GuardRailError(
                f"The newest snapshot was taken at {self.newest.taken_at:%Y-%m-%d %H:%M UTC}, {age:.1f} days ago; "
                f"max_snapshot_age_days allows {max_age_days:g}. Take an inventory first. Nothing was touched."
            )

    def named(self, parameter: str, names: Sequence[str]) -> SelectedReports:
        """Return the Reports with these names, in their order.

        :raises StudioConfigurationError: no Report, or several, have a name. Lists the candidates.
        """
        with open_history([self.newest]) as connection:
            rows = connection.execute(_NAMES).fetchall()
        place = f"the snapshot of {self.newest.taken_at:%Y-%m-%d %H:%M UTC}"
        found = tokens_of_names(parameter, names, [NamedReport(*row) for row in rows], place=place)
        names_by_token = {token: name for token, name, _ in rows}
        return SelectedReports(
            list(found.values()), {token: {"name": names_by_token[token]} for token in found.values()}
        )

    def matching(self, where: str) -> SelectedReports:
        """Return the Reports for which a condition over the columns of `airflow studio inventory` is true.

        :raises StudioConfigurationError: the condition is empty.
        :raises GovernanceError: the condition is not valid, fails, or exceeds a limit.
        """
        if not isinstance(where, str) or not where.strip():
            raise StudioConfigurationError(
                f"where is {where!r}; it must be a SQL condition such as \"creator = 'ada'\". If it comes from a "
                "template, check that its source exists. Nothing was touched."
            )
        names, found = csv_export.listed(self._snapshots, where=where, columns=_COLUMNS, order_by="token")
        rows = {row["token"]: row for row in (dict(zip(names, values, strict=True)) for values in found)}
        reports = {token: _with_zones(row) for token, row in rows.items() if row["type"] != DATASET}
        with open_history([self.newest]) as connection:
            all_reports = connection.execute(_PLACES).fetchall()
        return SelectedReports(
            tokens=list(reports),
            rows=reports,
            where=where.strip(),
            snapshot=self._store.relative(self.newest),
            taken_at=self.newest.taken_at,
            reports_in_snapshot=len(all_reports),
            reports_by_collection=Counter(collection for collection, archived in all_reports if not archived),
        )


def _days(value: float | str) -> float:
    try:
        days = float(value)
    except (TypeError, ValueError):
        days = 0.0
    if not days > 0:
        raise GuardRailError(f"max_snapshot_age_days is {value!r}; it must be a number above 0.")
    return days


def _with_zones(row: Row) -> Row:
    return {
        name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
        for name, value in row.items()
        if value is not None
    }


def _is_same(before: Any, now: Any) -> bool:
    if isinstance(before, datetime) and isinstance(now, datetime):
        return abs(before - now) <= SAME_TIME
    return bool(before == now)


def _was_run(before: datetime | None, now: datetime | None, schedules: Sequence[Schedule]) -> bool:
    """Whether a Report ran since, other than by one of its schedules, or its last run is unknown now."""
    if now is None:
        return before is not None
    if before is not None and _is_same(before, now):
        return False
    runs = (schedule.last_run_at for schedule in schedules)
    return not any(run is not None and abs(run - now) <= SAME_RUN for run in runs)


def _shown(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M UTC}" if isinstance(value, datetime) else repr(value)
