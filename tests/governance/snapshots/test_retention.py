# SPDX-License-Identifier: Apache-2.0
"""Old snapshots are dropped, except those that a plan or journal refers to, and the facts stay."""

from __future__ import annotations

from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio.governance.errors import GovernanceError
from airflow_provider_studio.governance.snapshots.retention import Retention, referred_to, retain
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from tests.governance.conftest import Governed
from tests.governance.nights import NOW, ago, rows, write_night

SHORT = Retention(every_snapshot_days=10, weekly_days=40, monthly_days=100)


def ages(storage: UPath) -> list[int]:
    return [(NOW - snapshot.taken_at).days for snapshot in SnapshotStore(storage, "acme").all()]


def test_every_snapshot_is_kept_then_weekly_then_monthly_ones_then_none(storage: UPath) -> None:
    for days in range(150, -1, -1):
        folder = SnapshotStore(storage, "acme").folder_of(ago(days))
        folder.mkdir(parents=True)
        (folder / "summary.json").write_text("{}")
    summary = retain(storage, "acme", SHORT, dry_run=True)
    snapshots = SnapshotStore(storage, "acme").all()
    assert len(snapshots) == 151
    remaining = [
        (NOW - snapshot.taken_at).days for snapshot in snapshots if snapshot.folder.name not in summary.dropped
    ]
    assert len(remaining) == summary.kept
    assert [days for days in remaining if days <= 10] == list(range(10, -1, -1))
    weekly = [ago(days).isocalendar()[:2] for days in remaining if 10 < days <= 40]
    assert len(weekly) == len(set(weekly)) == 5
    monthly = [ago(days).month for days in remaining if 40 < days <= 100]
    assert monthly == sorted(set(monthly))
    assert max(remaining) <= 100


def test_the_totals_of_dropped_snapshots_stay_in_the_facts(storage: UPath) -> None:
    for days, count in ((150, 2), (95, 3), (49, 5), (48, 5), (0, 6)):
        write_night(
            storage, days, {"report": {"view_count": count, "last_run_by_schedule": False, "last_run_at": ago(days)}}
        )
    before = rows(storage)["report"]
    assert len(retain(storage, "acme", Retention(10, 60, 96)).dropped) == 2
    after = rows(storage)["report"]
    assert after == before
    assert ages(storage) == [95, 49, 0]
    assert retain(storage, "acme", Retention(10, 60, 96)).dropped == []


def test_snapshots_of_plans_and_journals_stay(governed: Governed) -> None:
    governed.report(schedules=1)
    governed.nights(400, 300)
    journaled = governed.plan()
    journaled.write(governed.storage)
    governed.nights(200)
    planned = governed.plan()
    planned.write(governed.storage)
    governed.nights(150, 0)
    governed.apply(journaled)
    summary = retain(governed.storage, "acme", Retention(1, 2, 3))
    assert summary.referred_to == [f"taken_at={ago(days):%Y%m%dT%H%M%S}000000Z" for days in (300, 200)]
    assert ages(governed.storage) == [300, 200, 0]


def test_a_journal_whose_plan_is_missing_stops_everything(governed: Governed) -> None:
    governed.report()
    governed.nights(400)
    plan = governed.plan(unviewed_days=30)
    governed.nights(100, 0)
    folder = governed.storage / "journals" / "workspace=acme" / f"plan={plan.plan_id}"
    folder.mkdir(parents=True)
    (folder / "archive_report-0123456789ab.intent.json").write_text("{}")
    with pytest.raises(GovernanceError, match=r"refers to a plan that is missing.*No snapshot is dropped"):
        retain(governed.storage, "acme", Retention(1, 2, 3))
    assert ages(governed.storage) == [400, 100, 0]


def test_without_snapshots_there_is_nothing_to_do(storage: UPath) -> None:
    assert retain(storage, "acme", SHORT).dropped == []
    assert referred_to(storage, "acme") == frozenset()


@pytest.mark.parametrize("days", [(0, 1, 2), (10, 5, 20), (1, 3, 2)])
def test_days_in_a_wrong_order_are_named(days: Any) -> None:
    with pytest.raises(GovernanceError, match=f"are {days[0]}, {days[1]} and {days[2]}"):
        Retention(*days)
