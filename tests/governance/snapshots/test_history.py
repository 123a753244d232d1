# SPDX-License-Identifier: Apache-2.0
"""What snapshots prove about views, runs and failures, and what stays unknown."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from upath import UPath

from airflow_provider_studio.governance.snapshots.facts import facts
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from tests.governance.nights import ago, everything, rows, write_night


def naive(days: float) -> datetime:
    return ago(days).replace(tzinfo=None)


def facts_of(storage: UPath, history: dict[float, dict[str, Any] | None]) -> dict[str, Any]:
    """Return the facts of one Report with these rows by age in days; None is a snapshot without it."""
    for days, row in history.items():
        write_night(storage, days, {} if row is None else {"report": row})
    return rows(storage)["report"]


def counts(*pairs: tuple[float, int | None]) -> dict[float, dict[str, Any] | None]:
    return {days: {"view_count": count} for days, count in pairs}


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (counts((100, 5), (50, 5), (0, 5)), (0, 0, None)),
        (counts((100, 5), (50, 7), (0, 8)), (1, 3, None)),
        (counts((200, 1), (0, 9)), (8, 8, 8)),
        (counts((90, 5), (0, 5)), (0, 0, None)),
        (counts((89, 5), (0, 5)), (0, None, None)),
        (counts((100, None), (50, 5), (0, 5)), (0, None, None)),
        (counts((100, 5), (50, None), (0, 5)), (0, 0, None)),
        (counts((100, 5), (0, None)), (None, None, None)),
        (counts((0, 0)), (0, 0, 0)),
        (counts((0, 5)), (None, None, None)),
    ],
)
def test_views_within_a_window_are_a_difference_of_totals_or_unproven(
    storage: UPath, history: dict[float, dict[str, Any] | None], expected: tuple[int | None, ...]
) -> None:
    facts = facts_of(storage, history)
    assert (facts["views_30d"], facts["views_90d"], facts["views_180d"]) == expected


def test_all_views_of_a_report_made_within_the_window_are_within_it(storage: UPath) -> None:
    facts = facts_of(storage, {0: {"view_count": 4, "created_at": ago(60)}})
    assert (facts["views_30d"], facts["views_90d"], facts["views_180d"]) == (None, 4, 4)


@pytest.mark.parametrize(("later", "expected"), [(0, None), (3, 3)])
def test_a_count_that_fell_proves_no_zero(storage: UPath, later: int, expected: int | None) -> None:
    facts = facts_of(storage, counts((100, 50), (20, 10), (0, 10 + later)))
    assert facts["counter_fell_at"] == naive(20)
    assert (facts["views_30d"], facts["views_90d"]) == (expected, expected)
    assert facts["views_unchanged_since"] == naive(0 if later else 20)


def test_a_fall_before_the_window_does_not_matter(storage: UPath) -> None:
    facts = facts_of(storage, counts((100, 50), (60, 10), (0, 10)))
    assert (facts["views_30d"], facts["views_90d"]) == (0, None)
    assert facts["views_unchanged_since"] == naive(60)


def test_dated_views_prove_without_history(storage: UPath) -> None:
    facts = facts_of(storage, {0: {"view_count": 5, "last_viewed_at": ago(100)}})
    assert (facts["views_30d"], facts["views_90d"], facts["views_180d"]) == (0, 0, None)


def test_dated_views_outweigh_a_count_that_lags(storage: UPath) -> None:
    earlier: dict[float, dict[str, Any] | None] = {100: {"view_count": 5}}
    facts = facts_of(storage, {**earlier, 0: {"view_count": 5, "last_viewed_at": ago(1)}})
    assert facts["views_90d"] == 1


def test_views_are_unchanged_since_the_earliest_snapshot_with_the_newest_count(storage: UPath) -> None:
    assert facts_of(storage, counts((9, 4), (8, 5), (7, None), (6, 5), (0, 5)))["views_unchanged_since"] == naive(8)
    facts = facts_of(storage / "other", counts((9, 5), (0, None)))
    assert facts["views_unchanged_since"] is None


def test_runs_and_failures_within_windows(storage: UPath) -> None:
    def row(runs: int, run: float, failed: bool | None, by_schedule: bool) -> dict[str, Any]:
        return {
            "runs_count": runs,
            "last_run_at": ago(run),
            "last_run_failed": failed,
            "last_run_by_schedule": by_schedule,
        }

    facts = facts_of(
        storage,
        {
            100: row(3, 101, False, False),
            40: row(9, 41, True, True),
            39: row(9, 41, True, True),
            1: row(10, 2, True, True),
            0: row(11, 0.1, None, True),
        },
    )
    assert [facts[f"runs_{days}d"] for days in (30, 90, 180)] == [2, 8, None]
    assert [facts[f"failures_{days}d"] for days in (30, 90, 180)] == [1, 2, None]
    assert facts["last_run_by_person_at"] == naive(101)
    assert facts["first_seen_at"] == naive(100)


def test_a_schedule_fails_in_a_row_since_its_last_good_run(storage: UPath) -> None:
    def schedules(run: float, failed: bool | None) -> dict[str, dict[str, Any]]:
        return {
            "failing": {"report": "report", "last_run_at": ago(run), "last_run_failed": failed},
            "new": {"report": "report"},
        }

    for days, failed in ((5, True), (4, False), (3, True), (2, True), (1, None), (0, True)):
        write_night(storage, days, {"report": {}}, schedules(days + 0.1 if days != 2 else 3.1, failed))
    found = {token: row["failures_in_a_row"] for token, row in rows(storage, "schedules").items()}
    assert found == {"failing": 2, "new": None}


def test_a_report_that_only_earlier_snapshots_have_disappeared(storage: UPath) -> None:
    write_night(storage, 9, {"gone": {"name": "Before", "collection": "c1"}, "kept": {}})
    write_night(storage, 8, {"gone": {"name": "After", "collection": "c2"}, "kept": {}})
    write_night(storage, 7, {"kept": {}})
    assert rows(storage, "disappeared") == {
        "gone": {"token": "gone", "name": "After", "collection": "c2", "last_seen_at": naive(8)}
    }
    assert set(rows(storage)) == {"kept"}


def test_facts_need_a_snapshot() -> None:
    with pytest.raises(ValueError, match="snapshots is empty"):
        facts([])


REPORT = st.fixed_dictionaries(
    {
        "view_count": st.none() | st.integers(0, 3),
        "runs_count": st.none() | st.integers(0, 3),
        "last_run_at": st.none() | st.sampled_from([ago(200), ago(95), ago(31), ago(2)]),
        "last_run_failed": st.none() | st.booleans(),
        "last_run_by_schedule": st.none() | st.booleans(),
        "last_viewed_at": st.none() | st.just(ago(100)),
        "name": st.none() | st.sampled_from(["a", "b"]),
    }
).map(lambda row: {**row, "last_run_failed": row["last_run_at"] and row["last_run_failed"]})
SNAPSHOTS = st.lists(
    st.tuples(
        st.sampled_from([200, 181, 180, 120, 90, 89, 60, 30, 29, 7]),
        st.dictionaries(st.sampled_from("xyz"), REPORT, max_size=3),
    ),
    max_size=4,
    unique_by=lambda snapshot: snapshot[0],
)


@pytest.mark.slow
@settings(phases=[Phase.explicit, Phase.generate])
@given(SNAPSHOTS, st.dictionaries(st.sampled_from("xyz"), REPORT, min_size=1))
def test_the_stored_history_equals_what_all_rows_say(
    snapshots: list[tuple[int, dict[str, dict[str, Any]]]], newest: dict[str, dict[str, Any]]
) -> None:
    with TemporaryDirectory() as folder:
        storage = UPath(folder)
        for days, reports in [*sorted(snapshots, key=lambda snapshot: -snapshot[0]), (0, newest)]:
            schedules = {
                f"s{token}": {
                    "report": token,
                    "last_run_at": row["last_run_at"],
                    "last_run_failed": row["last_run_failed"],
                }
                for token, row in reports.items()
            }
            write_night(storage, days, reports, schedules, remembered=True)
        from_history = everything(storage)
        for file in Path(folder).rglob("history.json"):
            file.unlink()
        assert everything(storage) == from_history


def test_a_snapshot_added_later_is_missing_from_the_stored_history_and_still_counts(storage: UPath) -> None:
    for days, count in ((60, 5), (0, 5)):
        write_night(storage, days, {"report": {"view_count": count}}, remembered=True)
    write_night(storage, 100, {"report": {"view_count": 4}}, remembered=True)
    assert rows(storage)["report"]["views_90d"] == 1


def test_dropped_snapshots_stay_in_the_history(storage: UPath) -> None:
    for days, count in ((200, 3), (100, 4), (50, 4), (0, 5)):
        write_night(storage, days, {"report": {"view_count": count}}, remembered=True)
    store = SnapshotStore(storage, "acme")
    rmtree(str(store.all()[0].folder))
    facts = rows(storage)["report"]
    assert (facts["first_seen_at"], facts["views_90d"], facts["views_180d"]) == (naive(200), 1, None)


def test_a_history_of_an_earlier_version_with_the_key_nights_is_still_used(storage: UPath) -> None:
    for days, count in ((200, 3), (100, 4), (0, 5)):
        write_night(storage, days, {"report": {"view_count": count}}, remembered=True)
    snapshots = SnapshotStore(storage, "acme").all()
    for snapshot in snapshots:
        path = snapshot.folder / "history.json"
        content = json.loads(path.read_text())
        path.write_text(json.dumps({"version": content["version"], "nights": content["snapshots"]}))
    rmtree(str(snapshots[0].folder))
    assert rows(storage)["report"]["first_seen_at"] == naive(200)
